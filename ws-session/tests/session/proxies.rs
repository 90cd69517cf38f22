//! The client's address behind reverse proxies, as the request hook and the handler see it. `server/proxies.rs` tests the
//! meaning of the headers with a table.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use ws_session::http::Request;
use ws_session::{Addresses, ClientIp, WebSocket};

use crate::sim::*;

const PEER: &str = "10.0.0.1:4711";

fn from(peer: &str) -> Addresses {
    Addresses::new(Some("10.0.0.9:80".parse().unwrap()), Some(peer.parse().unwrap()))
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// An upgrade request with these lines added.
fn request(lines: &str) -> Vec<u8> {
    let head = REQUEST.strip_suffix(b"\r\n").unwrap();
    [head, lines.as_bytes(), b"\r\n"].concat()
}

/// The handle of a connection from these addresses that such a request has opened.
fn accepted(server: Server, addresses: Addresses, lines: &str) -> WebSocket {
    let world = World::new(1);
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    theirs.wires().1.push(&request(lines));
    let (socket, _driver) = world.at_once(async move { server.accept(ours, addresses).await }).unwrap();
    socket
}

#[test]
fn the_handle_knows_the_client_that_a_trusted_proxy_tells_of() {
    let lines = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.2\r\n";
    let socket = accepted(Server::new().trusted_proxies(["10.0.0.0/8"]), from(PEER), lines);
    assert_eq!(socket.client_ip(), ip("203.0.113.9"));
    assert_eq!(socket.peer_addr(), from(PEER).peer);
    // The request is kept as it came.
    assert_eq!(socket.request().headers().get_all("x-forwarded-for").iter().count(), 2);
}

#[test]
fn nobody_is_trusted_by_default() {
    let lines = "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n";
    assert_eq!(accepted(Server::new(), from(PEER), lines).client_ip(), ip("10.0.0.1"));
    assert_eq!(accepted(Server::new(), from("127.0.0.1:4711"), lines).client_ip(), ip("127.0.0.1"));
    assert_eq!(accepted(Server::new(), Addresses::default(), lines).client_ip(), None);
    let others = Server::new().trusted_proxies(["10.0.0.2", "unix:"]);
    assert_eq!(accepted(others, from(PEER), lines).client_ip(), ip("10.0.0.1"));
}

#[test]
fn ipv4_is_ipv4_on_a_socket_for_ipv6() {
    let peer = from("[::ffff:10.0.0.1]:4711");
    let server = || Server::new().trusted_proxies(["10.0.0.0/8"]);
    let socket = accepted(server(), peer, "");
    assert_eq!((socket.client_ip(), socket.peer_addr()), (ip("10.0.0.1"), peer.peer));
    assert_eq!(accepted(server(), peer, "X-Real-IP: ::ffff:203.0.113.9\r\n").client_ip(), ip("203.0.113.9"));
}

#[test]
fn a_client_has_no_client() {
    let world = World::new(1);
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let dialled = world.spawn("client", async move {
        let (socket, _driver) = Client::new("ws://example.com/").handshake(ours, from(PEER)).await.unwrap();
        socket
    });
    let (_socket, _driver) =
        world.at_once(async move { Server::new().accept(theirs, Addresses::default()).await }).unwrap();
    let socket = world.finish(&dialled);
    assert_eq!((socket.client_ip(), socket.peer_addr()), (None, from(PEER).peer));
}

#[test]
fn the_request_hook_sees_the_addresses() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = |trusted: &[&str]| {
        let seen = Arc::clone(&seen);
        Server::new().trusted_proxies(trusted).on_request(move |request: &Request<()>| {
            let client = request.extensions().get::<ClientIp>().map(|&ClientIp(client)| client);
            let peer = request.extensions().get::<Addresses>().unwrap().peer;
            seen.lock().unwrap().push((client, peer));
            None
        })
    };
    let lines = "X-Forwarded-For: 203.0.113.9\r\n";
    accepted(server(&["10.0.0.1"]), from(PEER), lines);
    accepted(server(&[]), from(PEER), lines);
    accepted(server(&["unix:"]), Addresses::default(), lines);
    accepted(server(&[]), Addresses::default(), lines);
    let peer = from(PEER).peer;
    let expected = [(ip("203.0.113.9"), peer), (ip("10.0.0.1"), peer), (ip("203.0.113.9"), None), (None, None)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_proxy_that_cannot_be_is_reported() {
    let world = World::new(1);
    let server = || Server::new().trusted_proxies(["10.0.0.1", "proxy.example"]);
    let error = world.at_once(server().bind("127.0.0.1:0")).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "\"proxy.example\" is no IP address, no network and not `unix:`");
}
