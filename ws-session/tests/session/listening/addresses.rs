//! How many connections a client may have, and how fast it may open them: by its address.

use ws_session::http::Request;
use ws_session::{AcceptError, Addresses, Rate, Refused};

use super::*;
use crate::sim::*;

/// An upgrade request with these lines added.
fn request(lines: &str) -> Vec<u8> {
    let head = REQUEST.strip_suffix(b"\r\n").unwrap();
    [head, lines.as_bytes(), b"\r\n"].concat()
}

/// The response to a request from this address, with these lines added.
fn ask_from(site: &Site, ip: &str, lines: &str) -> (Peer, String) {
    let mut peer = site.connect_from(ip);
    peer.to.push(&request(lines));
    site.world.run();
    let head = peer.head();
    (peer, head)
}

#[track_caller]
fn assert_open((peer, head): (Peer, String)) -> Peer {
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    peer
}

#[track_caller]
fn assert_refused((mut peer, head): (Peer, String), retry_after: &str, text: &str) {
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert_eq!((header(&head, "retry-after"), header(&head, "connection")), (Some(retry_after), Some("close")));
    assert_eq!(String::from_utf8(peer.bytes()).unwrap(), format!("{text}\n"));
}

const FULL: &str = "Your address has as many connections as this server allows. Close one, or try again later.";

#[test]
fn one_connection_too_many_of_an_address_gets_429_until_another_has_ended() {
    let site = Site::echo(Server::new().max_connections_per_ip(2));
    let mut first = assert_open(ask_from(&site, "192.0.2.1", ""));
    // IPv4 on a socket for IPv6.
    let _second = assert_open(ask_from(&site, "::ffff:192.0.2.1", ""));
    assert_refused(ask_from(&site, "192.0.2.1", ""), "10", FULL);
    let _other = assert_open(ask_from(&site, "192.0.2.2", ""));
    assert_eq!(site.handle.connections(), 3);
    says_goodbye(&mut first);
    site.world.run();
    let _third = assert_open(ask_from(&site, "192.0.2.1", ""));
    assert_refused(ask_from(&site, "192.0.2.1", ""), "10", FULL);
}

#[test]
fn an_ipv6_network_counts_as_one_client() {
    let site = Site::echo(Server::new().max_connections_per_ip(1).connection_rate_per_ip(Rate::new(2, secs(1000))));
    let _first = assert_open(ask_from(&site, "2001:db8:0:1::1", ""));
    assert_refused(ask_from(&site, "2001:db8:0:1:ffff::2", ""), "10", FULL);
    let (_, head) = ask_from(&site, "2001:db8:0:1::3", "");
    assert_eq!(header(&head, "retry-after"), Some("500"), "{head}");
    let _other = assert_open(ask_from(&site, "2001:db8:0:2::1", ""));
}

#[cfg(feature = "proxies")]
#[test]
fn behind_a_trusted_proxy_the_client_counts_and_not_the_proxy() {
    let site = Site::echo(Server::new().trusted_proxies(["10.0.0.0/8"]).max_connections_per_ip(1));
    let client = |n: u32| format!("X-Forwarded-For: 6.6.6.6, 203.0.113.{n}\r\n");
    let _open: Vec<_> = (1..20).map(|n| assert_open(ask_from(&site, "10.0.0.1", &client(n)))).collect();
    assert_refused(ask_from(&site, "10.0.0.2", &client(7)), "10", FULL);
    // The same client without the proxy; one that claims to be another.
    assert_refused(ask_from(&site, "203.0.113.7", ""), "10", FULL);
    assert_refused(ask_from(&site, "203.0.113.7", "X-Forwarded-For: 198.51.100.1\r\n"), "10", FULL);
    // A proxy that names no client stands for many.
    let _unnamed: Vec<_> = (0..5).map(|_| assert_open(ask_from(&site, "10.0.0.1", ""))).collect();
}

#[test]
fn peers_without_an_address_are_not_limited() {
    let rate = Rate::new(1, secs(1000));
    let site = Site::echo(Server::new().max_connections_per_ip(1).connection_rate_per_ip(rate));
    let _open: Vec<_> = (0..5).map(|_| site.open()).collect();
}

#[test]
fn connections_that_open_at_the_same_time_are_counted_by_address_too() {
    let site = Site::echo(Server::new().max_connections_per_ip(2));
    let mut peers: Vec<_> = (0..5).map(|_| site.connect_from("192.0.2.1")).collect();
    peers.iter().for_each(|peer| peer.from.set_capacity(50));
    peers.iter().for_each(|peer| peer.to.push(REQUEST));
    site.world.run();
    // Two responses are under way. One client leaves before it has all of it, and its place is free again.
    let status = |peer: &mut Peer| String::from_utf8(peer.bytes()).unwrap().chars().skip(9).take(3).collect::<String>();
    let statuses: Vec<_> = peers.iter_mut().map(status).collect();
    let open: Vec<_> = (0..5).filter(|&n| statuses[n] == "101").collect();
    assert_eq!((open.len(), statuses.iter().filter(|status| *status == "429").count()), (2, 3), "{statuses:?}");
    peers[open[1]].reset();
    site.world.run();
    let _next = assert_open(ask_from(&site, "192.0.2.1", ""));
    let (_, head) = ask_from(&site, "192.0.2.1", "");
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
}

#[test]
fn places_of_an_address_are_given_back_however_a_connection_ends() {
    let site = Site::new(World::new(1), Server::new().max_connections_per_ip(1), |mut ws| async move {
        match ws.recv().await?.as_ref().and_then(|message| message.as_text()) {
            Some("panic") => panic!("as it was told"),
            Some("fail") => Err("as it was told".into()),
            _ => Ok(()),
        }
    });
    for end in ["panic", "fail", "return", "reset", "refuse"] {
        let mut peer = assert_open(ask_from(&site, "192.0.2.1", ""));
        match end {
            "reset" => peer.reset(),
            "refuse" => drop(ask_from(&site, "192.0.2.1", "Sec-WebSocket-Key: again\r\n")),
            message => peer.send_text(message),
        }
        says_goodbye(&mut peer);
        site.world.advance(secs(15));
        assert_eq!(site.handle.connections(), 0, "{end}");
    }
}

#[test]
fn new_connections_of_an_address_come_at_its_rate() {
    let rate = Rate::per_second(2).with_burst(5);
    let site = Site::echo(Server::new().connection_rate_per_ip(rate));
    let count =
        |ip: &str, times: usize| (0..times).filter(|_| ask_from(&site, ip, "").1.starts_with("HTTP/1.1 101 ")).count();
    assert_eq!(count("192.0.2.1", 20), 5, "a burst");
    assert_eq!(count("192.0.2.2", 3), 3, "another address");
    let text = "Your address opens connections faster than this server allows. Try again in 1 s.";
    assert_refused(ask_from(&site, "192.0.2.1", ""), "1", text);
    let mut open = 0;
    for _ in 0..100 {
        site.world.advance(millis(100));
        open += count("192.0.2.1", 3);
    }
    assert_eq!(open, 20, "two a second, though it asked more often");
    // After some time a burst again.
    site.world.advance(secs(60));
    assert_eq!(count("192.0.2.1", 20), 5);
}

/// A limit that only counted accepted requests would let passwords be tried as fast as a client can.
#[cfg(feature = "auth")]
#[test]
fn requests_that_are_refused_or_answered_count_for_the_rate() {
    let rate = Rate::new(3, secs(60));
    let server = Server::new().connection_rate_per_ip(rate).basic_auth("x", [("a", "b")]);
    let site = Site::echo(server);
    for status in ["401", "401", "401", "429", "429"] {
        let (_, head) = ask_from(&site, "192.0.2.1", "Authorization: Basic YTpj\r\n");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    site.world.advance(secs(20));
    let _open = assert_open(ask_from(&site, "192.0.2.1", "Authorization: Basic YTpi\r\n"));
    let (_, head) = ask_from(&site, "192.0.2.1", "");
    assert_eq!(header(&head, "retry-after"), Some("20"), "{head}");
}

#[cfg(feature = "proxies")]
#[test]
fn the_rate_holds_behind_a_trusted_proxy() {
    let rate = Rate::new(2, secs(60));
    let site = Site::echo(Server::new().trusted_proxies(["127.0.0.1"]).connection_rate_per_ip(rate));
    let ask = |client: &str| {
        let (_, head) = ask_from(&site, "127.0.0.1", &format!("X-Forwarded-For: {client}\r\n"));
        head.chars().skip(9).take(3).collect::<String>()
    };
    assert_eq!(["203.0.113.1"; 3].map(ask), ["101", "101", "429"]);
    assert_eq!(["203.0.113.2"; 3].map(ask), ["101", "101", "429"]);
}

fn from(ip: &str) -> Addresses {
    Addresses::new(None, Some((ip.parse::<IpAddr>().unwrap(), 50_000).into()))
}

#[test]
fn connections_that_are_accepted_one_by_one_count_too() {
    let world = World::new(1);
    let server = Server::new().max_connections(3).max_connections_per_ip(1);
    let handle = server.handle();
    let accept = |ip: &'static str| {
        let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
        let peer = Peer::new(Role::Client, theirs);
        peer.to.push(REQUEST);
        let server = server.clone();
        let accepting = world.spawn("accept", async move { server.accept(ours, from(ip)).await });
        world.advance(secs(5));
        (world.finish(&accepting), peer)
    };
    let status = |refused: Result<_, AcceptError>| match refused {
        Err(AcceptError::Rejected(rejection)) => rejection.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => 101,
    };
    let (first, mut first_peer) = accept("192.0.2.1");
    let (socket, driver) = first.unwrap();
    assert_eq!(status(accept("192.0.2.1").0.map(drop)), 429);
    let (second, third) = (accept("192.0.2.2").0.unwrap(), accept("192.0.2.3").0.unwrap());
    assert_eq!(status(accept("192.0.2.4").0.map(drop)), 503);
    assert_eq!(handle.connections(), 3);
    drop((second, third));
    assert_eq!(handle.connections(), 1);
    // A shutdown closes them, and lets no more in.
    handle.shutdown();
    let running = world.spawn("driver", driver);
    world.run();
    assert!(first_peer.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(first_peer.frames(), [close(1001, "server shutdown")]);
    assert_eq!(status(accept("192.0.2.5").0.map(drop)), 503);
    drop(socket);
    first_peer.leave();
    world.advance(secs(15));
    assert!(running.is_finished());
    assert_eq!(handle.connections(), 0);
}

#[test]
fn requests_of_an_http_library_count_too() {
    let server = Server::new().max_connections_per_ip(2).connection_rate_per_ip(Rate::new(3, secs(60)));
    World::new(1).at_once(async move {
        let request = || {
            let request = Request::get("/").header("host", "a").header("connection", "upgrade");
            let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
            request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).unwrap()
        };
        let refusal = |refused: Refused| {
            let response = refused.into_response();
            (response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap().to_owned())
        };
        let first = server.upgrade(&request(), from("192.0.2.1")).unwrap();
        let _second = server.upgrade_async(&request(), None, from("192.0.2.1")).await.unwrap();
        let refused = server.upgrade(&request(), from("192.0.2.1")).unwrap_err();
        assert_eq!(refusal(refused), (429, "10".to_owned()));
        // That which is dropped no longer counts, but the requests do.
        drop(first);
        let refused = server.upgrade_async(&request(), None, from("192.0.2.1")).await.unwrap_err();
        assert_eq!(refusal(refused), (429, "20".to_owned()));
        assert!(server.upgrade(&request(), from("192.0.2.2")).is_ok());
        assert!(server.upgrade(&request(), Addresses::default()).is_ok());
    });
}
