//! Names and addresses, and what becomes of who connects to them.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use ws_proto::Role;
use ws_session::Addresses;

use super::link::{End, LinkOptions, Peer, link};
use super::rng::Rng;
use super::runtime::Server;
use super::world::{now, sleep, spawn_here};

/// What an address does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    /// Nothing: it drops what comes.
    Silent,
    /// Refuses after so long.
    Refuses(Duration),
    /// Takes the connection after so long, and does a server's opening handshake.
    Serves(Duration),
    /// Takes the connection after so long, and says nothing.
    Mute(Duration),
    /// Takes the connection at once, and leaves its other end to the test ([`Network::peer`]).
    Scripted,
}

#[derive(Default)]
struct State {
    hosts: BTreeMap<String, Vec<SocketAddr>>,
    routes: BTreeMap<SocketAddr, Route>,
    /// Who was connected to, and when.
    attempts: Vec<(Duration, SocketAddr)>,
    /// How many attempts are under way.
    running: usize,
    /// The other ends of scripted connections.
    peers: VecDeque<(SocketAddr, Peer)>,
}

thread_local! {
    static NETWORK: RefCell<State> = RefCell::default();
}

/// The network of this thread's world, from here on.
pub(crate) struct Network;

impl Network {
    pub(crate) fn new() -> Self {
        NETWORK.set(State::default());
        Self
    }

    /// Has a name resolve to these addresses, in this order. A name without any resolves, but never does so.
    pub(crate) fn host(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        NETWORK.with_borrow_mut(|state| state.hosts.insert(name.to_owned(), addresses));
    }

    pub(crate) fn route(&self, address: &str, route: Route) {
        NETWORK.with_borrow_mut(|state| state.routes.insert(address.parse().unwrap(), route));
    }

    /// The next scripted connection: the address that was dialled, and its end.
    pub(crate) fn peer(&self) -> Option<(String, Peer)> {
        let next = NETWORK.with_borrow_mut(|state| state.peers.pop_front());
        next.map(|(address, peer)| (address.to_string(), peer))
    }

    /// Who was connected to, and when.
    pub(crate) fn attempts(&self) -> Vec<(Duration, String)> {
        NETWORK.with_borrow(|state| state.attempts.iter().map(|(at, to)| (*at, to.to_string())).collect())
    }

    /// How many attempts are under way.
    pub(crate) fn running(&self) -> usize {
        NETWORK.with_borrow(|state| state.running)
    }
}

pub(super) async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = NETWORK.with_borrow(|state| state.hosts.get(host).cloned());
    match found {
        None => Err(io::Error::other("no such name")),
        Some(addresses) if addresses.is_empty() => std::future::pending().await,
        Some(mut addresses) => {
            addresses.iter_mut().for_each(|address| address.set_port(port));
            Ok(addresses)
        }
    }
}

pub(super) async fn connect(address: SocketAddr) -> io::Result<(End, Addresses)> {
    let _running = Running::new();
    let route = NETWORK.with_borrow_mut(|state| {
        state.attempts.push((now(), address));
        state.routes.get(&address).copied()
    });
    match route.expect("a route to the address") {
        Route::Silent => std::future::pending().await,
        Route::Refuses(after) => {
            sleep(after).await;
            Err(ErrorKind::ConnectionRefused.into())
        }
        Route::Serves(after) => {
            sleep(after).await;
            let (ours, theirs) = link(LinkOptions::default(), &mut Rng(1));
            spawn_here("server", async move {
                let (_socket, driver) = Server::new().accept(theirs, Addresses::default()).await.unwrap();
                driver.await;
            });
            Ok((ours, Addresses::new(None, Some(address))))
        }
        Route::Scripted => {
            let (ours, theirs) = link(LinkOptions::default(), &mut Rng(1));
            let peer = Peer::new(Role::Server, theirs);
            NETWORK.with_borrow_mut(|state| state.peers.push_back((address, peer)));
            Ok((ours, Addresses::new(None, Some(address))))
        }
        Route::Mute(after) => {
            sleep(after).await;
            let (ours, theirs) = link(LinkOptions::default(), &mut Rng(1));
            spawn_here("mute", async move {
                let _held = theirs;
                std::future::pending().await
            });
            Ok((ours, Addresses::new(None, Some(address))))
        }
    }
}

struct Running;

impl Running {
    fn new() -> Self {
        NETWORK.with_borrow_mut(|state| state.running += 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        NETWORK.with_borrow_mut(|state| state.running -= 1);
    }
}
