//! Endpoints for a scenario to begin with: open, and on no thread yet.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::future::join;
use shuttle::sync::Mutex;
use ws_proto::Role;
use ws_session::{Addresses, Config, Message, Runtime, WebSocket};
use ws_test_support::opening::REQUEST;

use crate::clock::{Alarm, Clock};
use crate::link::{End, LinkOptions, Peer, Wire, link};
use crate::tasks::{block_on, spawn};

pub(crate) type Driver = ws_session::Driver<End, Alarm>;
pub(crate) type Stream = ws_session::WebSocketStream<End, Alarm>;
pub(crate) type Server = ws_session::Server<Threads>;
pub(crate) type Client = ws_session::Client<Threads>;

/// What an endpoint and its link are like.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) inbound: usize,
    pub(crate) link: LinkOptions,
}

/// One side of a connection.
pub(crate) struct Endpoint {
    pub(crate) socket: WebSocket,
    pub(crate) driver: Driver,
    /// What its transport has passed on.
    pub(crate) outgoing: Wire,
}

impl Setup {
    /// Without any deadline that can be off.
    pub(crate) fn new() -> Self {
        let mut config = Config::default();
        config.deadlines.ping_interval = None;
        config.deadlines.pong = None;
        config.deadlines.message_progress = None;
        config.deadlines.write_stall = None;
        Self { config, inbound: 16, link: LinkOptions::default() }
    }

    pub(crate) fn inbound(mut self, messages: usize) -> Self {
        self.inbound = messages;
        self
    }

    pub(crate) fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Room for a few small messages only: senders wait.
    pub(crate) fn narrow(self) -> Self {
        self.config(|config| {
            config.limits.high_water = 8;
            config.limits.hard_cap = 32;
        })
    }

    pub(crate) fn link(mut self, change: impl FnOnce(&mut LinkOptions)) -> Self {
        change(&mut self.link);
        self
    }

    /// A server, and a client of it that is played by hand.
    pub(crate) fn with_peer(&self) -> (Endpoint, Peer, Clock) {
        let clock = new_world().clock;
        let (ours, theirs) = link(self.link);
        let mut peer = Peer::new(Role::Client, theirs);
        let (server, is_open) = block_on(join(self.accept(ours), peer.upgrade(REQUEST)));
        assert!(is_open);
        (server, peer, clock)
    }

    /// A server that is driven by being polled, and a client of it that is played by hand.
    pub(crate) fn polled(&self) -> (Stream, Peer, Clock) {
        let clock = new_world().clock;
        let (ours, theirs) = link(self.link);
        let mut peer = Peer::new(Role::Client, theirs);
        let server = self.server();
        let accepting = server.accept_stream(ours, Addresses::default());
        let (stream, is_open) = block_on(join(accepting, peer.upgrade(REQUEST)));
        assert!(is_open);
        (stream.unwrap(), peer, clock)
    }

    /// A server and a client.
    pub(crate) fn pair(&self) -> (Endpoint, Endpoint, Clock) {
        let clock = new_world().clock;
        let (a, b) = link(self.link);
        let (server, client) = block_on(join(self.accept(a), self.connect(b)));
        (server, client, clock)
    }

    async fn accept(&self, end: End) -> Endpoint {
        let outgoing = end.outgoing();
        let server = self.server();
        let (socket, driver) = server.accept(end, Addresses::default()).await.unwrap();
        Endpoint { socket, driver, outgoing }
    }

    pub(crate) fn server(&self) -> Server {
        Server::new().config(self.config.clone()).inbound_queue(self.inbound)
    }

    pub(crate) async fn connect(&self, end: End) -> Endpoint {
        let outgoing = end.outgoing();
        let client = Client::new("ws://example.com").config(self.config.clone()).inbound_queue(self.inbound);
        let (socket, driver) = client.handshake(end, Addresses::default()).await.unwrap();
        Endpoint { socket, driver, outgoing }
    }
}

/// All that comes until the end, as text, and whether the end was a normal one.
pub(crate) async fn receive_all(socket: &mut WebSocket) -> (Vec<String>, bool) {
    let mut received = Vec::new();
    loop {
        match socket.recv().await {
            Ok(Some(message)) => received.push(text_of(&message)),
            Ok(None) => return (received, true),
            Err(_) => return (received, false),
        }
    }
}

pub(crate) fn text_of(message: &Message) -> String {
    message.as_text().expect("a text").to_owned()
}

// ---- the runtime: a thread for each task ----

/// A runtime whose every task has a thread.
pub(crate) struct Threads;

/// What a runtime finds where it is not told.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) backlog: Backlog,
}

thread_local! {
    /// All threads of a scenario are one to the system, and all scenarios that run on it do so in turn.
    static WORLD: RefCell<World> = RefCell::default();
}

/// Begins a scenario.
pub(crate) fn new_world() -> World {
    let world = World::default();
    WORLD.set(world.clone());
    world
}

fn world() -> World {
    WORLD.with_borrow(World::clone)
}

/// The connections that a server is to accept.
#[derive(Clone, Default)]
pub(crate) struct Backlog(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    ends: Vec<End>,
    acceptor: Option<Waker>,
    closed: bool,
}

impl Backlog {
    pub(crate) fn connect(&self) -> End {
        let (ours, theirs) = link(LinkOptions::default());
        let mut waiting = self.0.lock().unwrap();
        // Whoever comes too late finds the other end gone.
        let refused = if waiting.closed {
            Some(theirs)
        } else {
            waiting.ends.push(theirs);
            None
        };
        let acceptor = waiting.acceptor.take();
        drop(waiting);
        drop(refused);
        acceptor.into_iter().for_each(Waker::wake);
        ours
    }
}

pub(crate) struct Listener(Backlog);

impl Drop for Listener {
    fn drop(&mut self) {
        let mut waiting = self.0.0.lock().unwrap();
        waiting.closed = true;
        let ends = std::mem::take(&mut waiting.ends);
        drop(waiting);
        drop(ends);
    }
}

impl Runtime for Threads {
    type Stream = End;
    type Listener = Listener;
    type Timer = Alarm;

    fn timer() -> Alarm {
        world().clock.timer()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        drop(spawn(task));
    }

    async fn resolve(_host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Err(ErrorKind::Unsupported.into())
    }

    async fn connect(_address: SocketAddr) -> io::Result<(End, Addresses)> {
        Err(ErrorKind::Unsupported.into())
    }

    /// The socket stays unused.
    fn listen(_listener: TcpListener) -> io::Result<Listener> {
        Ok(Listener(world().backlog))
    }

    fn local_addr(_listener: &Listener) -> io::Result<SocketAddr> {
        Err(ErrorKind::Unsupported.into())
    }

    fn poll_accept(listener: &Listener, cx: &mut Context<'_>) -> Poll<io::Result<(End, Addresses)>> {
        let mut waiting = listener.0.0.lock().unwrap();
        if waiting.ends.is_empty() {
            waiting.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok((waiting.ends.remove(0), Addresses::default())))
    }
}
