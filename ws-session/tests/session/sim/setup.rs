//! Connections to test: either role, either way to run a driver, a peer played by hand or another endpoint.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use ws_proto::Role;
use ws_session::{Addresses, Config, HandlerError, HandlerResult, WebSocket};
use ws_test_support::opening::{REQUEST, response_to};

use super::link::{End, LinkOptions, Peer, link};
use super::runtime::{Client, Driver, Server};
use super::world::{Task, World};

/// An endpoint to be, with a peer played by hand.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    /// Whether the driver runs beside its handler, in one task.
    pub(crate) beside: bool,
    pub(crate) config: Config,
    pub(crate) inbound: usize,
    /// Where it is not the default.
    pub(crate) notsent_lowat: Option<Option<u32>>,
    pub(crate) link: LinkOptions,
}

/// Both roles, both ways to run a driver.
pub(crate) fn setups() -> [Setup; 4] {
    [(Role::Server, false), (Role::Server, true), (Role::Client, false), (Role::Client, true)]
        .map(|(role, beside)| Setup { beside, ..Setup::new(role) })
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, driver {}", self.role, if self.beside { "beside its handler" } else { "on its own" })
    }
}

impl Setup {
    /// An endpoint with a driver as its own task, and the default settings.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            beside: false,
            config: Config::default(),
            inbound: 16,
            notsent_lowat: None,
            link: LinkOptions::default(),
        }
    }

    pub(crate) fn config(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut setup = self.clone();
        change(&mut setup.config);
        setup
    }

    /// Without any deadline that can be off: what hangs then is a deadlock.
    pub(crate) fn timeless(&self) -> Self {
        self.config(timeless)
    }

    pub(crate) fn link(&self, change: impl FnOnce(&mut LinkOptions)) -> Self {
        let mut setup = self.clone();
        change(&mut setup.link);
        setup
    }

    /// Does the opening handshake. The link's capacity counts from then on.
    pub(crate) fn open(&self, world: &World) -> (WebSocket, Driver, Peer) {
        let (socket, driver, peer) = self.open_on(world, LinkOptions { capacity: 1 << 20, ..self.link });
        peer.from.set_capacity(self.link.capacity);
        (socket, driver, peer)
    }

    fn open_on(&self, world: &World, options: LinkOptions) -> (WebSocket, Driver, Peer) {
        let (ours, theirs) = link(options, &mut world.rng());
        let Self { role, config, inbound, notsent_lowat, .. } = self.clone();
        match role {
            Role::Server => {
                let mut peer = Peer::new(Role::Client, theirs);
                peer.to.push(REQUEST);
                let (socket, driver) = world.block_on(accept(ours, config, inbound, notsent_lowat));
                assert!(peer.head().starts_with("HTTP/1.1 101 "));
                (socket, driver, peer)
            }
            Role::Client => {
                let mut peer = Peer::new(Role::Server, theirs);
                let opening = world.spawn("client handshake", handshake(ours, config, inbound, notsent_lowat));
                world.run();
                let response = response_to(&peer.bytes());
                peer.to.push(&response);
                let (socket, driver) = world.finish(&opening);
                (socket, driver, peer)
            }
        }
    }

    /// Does the opening handshake and runs `app` with its driver, in one task or in two.
    pub(crate) fn start<F>(&self, world: &World, app: impl FnOnce(WebSocket) -> F) -> Running
    where
        F: Future<Output = HandlerResult> + 'static,
    {
        let (socket, driver, peer) = self.open(world);
        run(world, self.beside, app(socket), driver, peer)
    }
}

fn run<F>(world: &World, beside: bool, app: F, driver: Driver, peer: Peer) -> Running
where
    F: Future<Output = HandlerResult> + 'static,
{
    let (driver, app) = match beside {
        true => (world.spawn("driver and app", driver.run(app)), None),
        false => {
            let app = world.spawn("app", async move { drop(app.await) });
            let driver = world.spawn("driver", async {
                driver.await;
                Ok(())
            });
            (driver, Some(app))
        }
    };
    Running { driver, app, peer }
}

/// An endpoint under way. Dropped, the peer leaves.
#[must_use]
pub(crate) struct Running {
    pub(crate) driver: Task<Result<(), HandlerError>>,
    /// The application, when it has a task of its own.
    pub(crate) app: Option<Task<()>>,
    pub(crate) peer: Peer,
}

impl Running {
    /// How often its tasks were polled.
    pub(crate) fn polls(&self) -> u64 {
        self.driver.polls() + self.app.as_ref().map_or(0, Task::polls)
    }
}

/// No deadline but those that cannot be off.
pub(crate) fn timeless(config: &mut Config) {
    config.deadlines.ping_interval = None;
    config.deadlines.pong = None;
    config.deadlines.message_progress = None;
    config.deadlines.write_stall = None;
}

/// A server and a client, connected.
pub(crate) struct Pair {
    pub(crate) server: (WebSocket, Driver),
    pub(crate) client: (WebSocket, Driver),
}

pub(crate) fn open_pair(world: &World, config: &Config, options: LinkOptions) -> Pair {
    open_pair_with(world, config, 16, options)
}

pub(crate) fn open_pair_with(world: &World, config: &Config, inbound: usize, options: LinkOptions) -> Pair {
    let (a, b) = link(options, &mut world.rng());
    let server = world.spawn("server handshake", accept(a, config.clone(), inbound, None));
    let client = world.block_on(handshake(b, config.clone(), inbound, None));
    Pair { server: world.finish(&server), client }
}

async fn accept(end: End, config: Config, inbound: usize, lowat: Option<Option<u32>>) -> (WebSocket, Driver) {
    let mut server = Server::new().config(config).inbound_queue(inbound);
    if let Some(bytes) = lowat {
        server = server.notsent_lowat(bytes);
    }
    server.accept(end, Addresses::default()).await.expect("the server's handshake")
}

async fn handshake(end: End, config: Config, inbound: usize, lowat: Option<Option<u32>>) -> (WebSocket, Driver) {
    let mut client = Client::new("ws://example.com/chat").config(config).inbound_queue(inbound);
    if let Some(bytes) = lowat {
        client = client.notsent_lowat(bytes);
    }
    client.handshake(end, Addresses::default()).await.expect("the client's handshake")
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
