//! A server that listens: what it accepts, what it refuses and how, and its end.

mod accepting;
mod addresses;
#[cfg(feature = "auth")]
mod auth;
mod crowding;
mod hooks;
mod lifetime;
mod limits;
mod people;
#[cfg(feature = "proxy-protocol")]
mod proxy_protocol;
mod requests;
#[cfg(feature = "routes")]
mod routes;
mod shutdown;
mod subprotocols;

use std::net::IpAddr;

use ws_proto::Role;
use ws_session::{HandlerResult, ServerHandle, WebSocket};

use crate::sim::*;

/// A server under way, in a world of its own.
struct Site {
    world: World,
    handle: ServerHandle,
    serving: Task<std::io::Result<()>>,
    backlog: Backlog,
}

impl Site {
    fn new<H, F>(world: World, server: Server, handler: H) -> Self
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        // The address is real, the connections are not.
        let listening = world.at_once(server.bind("127.0.0.1:0")).unwrap();
        assert_ne!(listening.local_addr().unwrap().port(), 0);
        let handle = listening.handle();
        let serving = world.spawn("serve", listening.serve(handler));
        world.run();
        Self { world, handle, serving, backlog: Backlog::of_last_listener() }
    }

    /// One whose handlers send back what they get.
    fn echo(server: Server) -> Self {
        Self::new(World::new(1), server, send_back)
    }

    /// A connection that has not said anything.
    fn connect(&self) -> Peer {
        self.connect_over(LinkOptions::default())
    }

    fn connect_over(&self, options: LinkOptions) -> Peer {
        let (ours, theirs) = link(options, &mut self.world.rng());
        self.backlog.connect(ours, None);
        Peer::new(Role::Client, theirs)
    }

    /// A connection from that IP address that has not said anything.
    fn connect_from(&self, ip: &str) -> Peer {
        let (ours, theirs) = link(LinkOptions::default(), &mut self.world.rng());
        self.backlog.connect(ours, Some((ip.parse::<IpAddr>().unwrap(), 50_000).into()));
        Peer::new(Role::Client, theirs)
    }

    /// What the server says to a request.
    fn ask(&self, request: &[u8]) -> (Peer, String) {
        let mut peer = self.connect();
        peer.to.push(request);
        self.world.run();
        let head = peer.head();
        (peer, head)
    }

    /// A connection that is open.
    fn open(&self) -> Peer {
        let (peer, head) = self.ask(REQUEST);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
}

fn says_goodbye(peer: &mut Peer) {
    peer.send_close(1000, "");
    peer.leave();
}
