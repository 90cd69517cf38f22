//! Redirects: which are followed, what the next request takes along, and all within one deadline. Informational responses.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use ws_session::{ConnectError, HeadLimits, RedirectFailure, Stage, WebSocket};

use crate::sim::*;

const A: &str = "192.0.2.1:80";
const B: &str = "192.0.2.2:80";

/// Servers at `a.test` and `b.test`, in the hands of the test.
struct Servers {
    world: World,
    network: Network,
    /// Connections that stay open.
    held: RefCell<Vec<Peer>>,
}

impl Servers {
    fn new() -> Self {
        let (world, network) = (World::new(1), Network::new());
        for (name, address) in [("a.test", A), ("b.test", B)] {
            network.host(name, &[address]);
            network.route(address, Route::Scripted);
            network.route(&address.replace(":80", ":81"), Route::Scripted);
        }
        Self { world, network, held: RefCell::default() }
    }

    /// Connects, and answers each request in turn; an answer `101` opens the connection. The requests, each behind the
    /// address that it went to.
    fn connect(&self, client: Client, answers: &[&str]) -> (Vec<(String, String)>, Result<WebSocket, ConnectError>) {
        let opening = self.world.spawn("client", client.connect());
        let mut requests = Vec::new();
        for answer in answers {
            self.world.run();
            let (address, mut peer) = self.network.peer().unwrap_or_else(|| panic!("a request after {requests:?}"));
            let request = String::from_utf8_lossy(&peer.bytes()).into_owned();
            match *answer {
                "101" => peer.to.push(&response_to(request.as_bytes())),
                answer => peer.to.push(answer.as_bytes()),
            }
            requests.push((address, request));
            self.held.borrow_mut().push(peer);
        }
        let opened = self.world.finish(&opening);
        assert!(self.network.peer().is_none(), "one request too many after {requests:?}");
        (requests, opened)
    }
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

fn header(request: &str, name: &str) -> Vec<String> {
    let lines = request.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn five_statuses_are_followed() {
    for status in [301, 302, 303, 307, 308] {
        let servers = Servers::new();
        let (requests, opened) = servers.connect(Client::new("ws://a.test/old"), &[&redirect(status, "new?x"), "101"]);
        opened.unwrap();
        assert!(requests[0].1.starts_with("GET /old HTTP/1.1\r\nHost: a.test\r\n"), "{requests:?}");
        assert!(requests[1].1.starts_with("GET /new?x HTTP/1.1\r\nHost: a.test\r\n"), "{requests:?}");
        let keys = requests.iter().map(|(_, request)| header(request, "sec-websocket-key")).collect::<Vec<_>>();
        assert_ne!(keys[0], keys[1], "each request has a key of its own");
    }
    for status in [300, 304, 305, 306, 309, 399] {
        let (_, opened) = Servers::new().connect(Client::new("ws://a.test/"), &[&redirect(status, "/new")]);
        assert!(matches!(opened.unwrap_err(), ConnectError::Rejected(_)), "{status}");
    }
    let (_, opened) =
        Servers::new().connect(Client::new("ws://a.test/"), &["HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n"]);
    assert!(matches!(opened.unwrap_err(), ConnectError::Rejected(_)), "without a location");
}

#[test]
fn locations_lead_anywhere_a_websocket_can_be() {
    for (location, address, line, host) in [
        ("ws://b.test/x", B, "GET /x ", "b.test"),
        ("http://b.test/x", B, "GET /x ", "b.test"),
        ("//b.test", B, "GET / ", "b.test"),
        ("ws://a.test:81/", "192.0.2.1:81", "GET / ", "a.test:81"),
        ("../x#fragment", A, "GET /x ", "a.test"),
        ("?y", A, "GET /p/q?y ", "a.test"),
    ] {
        let servers = Servers::new();
        let (requests, opened) = servers.connect(Client::new("ws://a.test/p/q"), &[&redirect(302, location), "101"]);
        let socket = opened.unwrap();
        assert_eq!(requests[1].0, address, "{location}");
        assert!(requests[1].1.starts_with(line), "{location}: {}", requests[1].1);
        assert_eq!(header(&requests[1].1, "host"), [host]);
        assert_eq!(socket.request().headers()["host"], host, "the handle has the last request");
    }
}

#[test]
fn at_most_five_are_followed_unless_another_limit_is_set() {
    let to = redirect(302, "/again");
    let servers = Servers::new();
    servers.connect(Client::new("ws://a.test/"), &[&to, &to, &to, &to, &to, "101"]).1.unwrap();
    let error = servers.connect(Client::new("ws://a.test/"), &[&*to; 6]).1.unwrap_err();
    let said = "the redirect to \"/again\" (HTTP 302 Found) is not followed: more than 5 redirects \
                (Client::max_redirects sets the limit)";
    assert_eq!(error.to_string(), said);
    assert_eq!(error.response().unwrap().headers()["location"], "/again");
    let error = servers.connect(Client::new("ws://a.test/").max_redirects(1), &[&to, &to]).1.unwrap_err();
    let ConnectError::Redirect(error) = error else { panic!("{error}") };
    assert_eq!(error.failure(), &RedirectFailure::TooMany { limit: 1 });
    let error = servers.connect(Client::new("ws://a.test/").max_redirects(0), &[&to]).1.unwrap_err();
    let ConnectError::Rejected(response) = error else { panic!("{error}") };
    assert_eq!(response.headers()["location"], "/again");
}

#[test]
fn secrets_stay_within_their_origin() {
    let client = || {
        Client::new("ws://me:secret@a.test/p/")
            .header("Cookie", "mine=1; s=old")
            .header("X-Kept", "1")
            .header("x-kept", &b"\xE9"[..])
            .origin("https://page.test")
            .subprotocols(["v1"])
    };
    let cookies =
        "HTTP/1.1 302 X\r\nLocation: q\r\nSet-Cookie: s=new\r\nSet-Cookie: t=2; Path=/\r\nContent-Length: 0\r\n\r\n";
    for (location, same) in
        [("q", true), ("http://a.test:80/r", true), ("ws://a.test:81/", false), ("ws://b.test/", false)]
    {
        let servers = Servers::new();
        let answers = [&cookies.replace("Location: q", &format!("Location: {location}")), "101"];
        let (requests, opened) = servers.connect(client(), &answers);
        drop(opened.unwrap());
        let second = &requests[1].1;
        assert_eq!(header(second, "authorization").len(), usize::from(same), "{second}");
        let expected = match location {
            "q" => &["mine=1; s=new; t=2"][..],
            "http://a.test:80/r" => &["mine=1; s=old; t=2"],
            // The same host: the cookies that it set itself.
            "ws://a.test:81/" => &["t=2"],
            _ => &[],
        };
        assert_eq!(header(second, "cookie"), expected, "{location}");
        assert_eq!(header(second, "x-kept").len(), 2, "a header may be repeated, and need not be text");
        assert_eq!(header(second, "origin"), ["https://page.test"]);
        assert_eq!(header(second, "sec-websocket-protocol"), ["v1"]);
    }
    // Back at the first origin, what was dropped does not come back.
    let servers = Servers::new();
    let (requests, opened) =
        servers.connect(client(), &[&redirect(302, "ws://b.test/"), &redirect(302, "ws://a.test/p/"), "101"]);
    drop(opened.unwrap());
    assert_eq!(
        requests.iter().map(|(_, request)| header(request, "authorization").len()).collect::<Vec<_>>(),
        [1, 0, 0]
    );
    // Credentials in the location are for where it leads.
    let (requests, opened) = servers.connect(client(), &[&redirect(302, "ws://u:p@b.test/"), "101"]);
    drop(opened.unwrap());
    assert_eq!(header(&requests[1].1, "authorization"), ["Basic dTpw"]);
}

#[test]
fn a_cookie_keeps_its_path_and_its_end_through_several_redirects() {
    let client = || Client::new("ws://a.test/p/").header("Cookie", "mine=1");
    let set = |cookie: &str, location: &str| {
        format!("HTTP/1.1 302 X\r\nLocation: {location}\r\nSet-Cookie: {cookie}\r\nContent-Length: 0\r\n\r\n")
    };
    for (answers, expected) in [
        // It is for one path.
        ([set("s=1; Path=/p", "/p/x"), redirect(302, "/elsewhere")], ["mine=1", "mine=1; s=1", "mine=1"]),
        // It is taken back.
        ([set("s=1; Path=/", "/x"), set("s=; Path=/; Max-Age=0", "/y")], ["mine=1", "mine=1; s=1", "mine=1"]),
        // It hides one of the application for a while.
        ([set("mine=2; Path=/p", "/p/x"), redirect(302, "/y")], ["mine=1", "mine=2", "mine=1"]),
    ] {
        let servers = Servers::new();
        let (requests, opened) = servers.connect(client(), &[&answers[0], &answers[1], "101"]);
        drop(opened.unwrap());
        let sent: Vec<_> = requests.iter().flat_map(|(_, request)| header(request, "cookie")).collect();
        assert_eq!(sent, expected);
    }
}

#[test]
fn a_given_host_header_stays_within_its_origin() {
    let client = || Client::new("ws://a.test/").header("Host", "given.test");
    for (location, host) in [("/x", "given.test"), ("ws://b.test/", "b.test")] {
        let servers = Servers::new();
        let (requests, opened) = servers.connect(client(), &[&redirect(302, location), "101"]);
        drop(opened.unwrap());
        assert_eq!(header(&requests[1].1, "host"), [host]);
    }
}

#[test]
fn what_overrides_the_url_is_not_taken_elsewhere() {
    let client = || Client::new("ws://somewhere.test/").dial_host("a.test").dial_port(81);
    let servers = Servers::new();
    let (requests, opened) = servers.connect(client(), &[&redirect(302, "/x"), "101"]);
    drop(opened.unwrap());
    assert_eq!(requests[1].0, "192.0.2.1:81");
    let error = servers.connect(client(), &[&redirect(302, "ws://b.test/")]).1.unwrap_err();
    let ConnectError::Redirect(error) = error else { panic!("{error}") };
    assert_eq!(error.failure(), &RedirectFailure::Overridden);
}

#[test]
fn a_location_that_is_no_url_is_told() {
    for (location, why) in
        [("ftp://a.test/", "its scheme is ftp, and must be ws or wss"), ("ws://", "it names no host")]
    {
        let error = Servers::new().connect(Client::new("ws://a.test/"), &[&redirect(302, location)]).1.unwrap_err();
        let said = format!("the redirect to \"{location}\" (HTTP 302 Found) is not followed: invalid URL: {why}");
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn a_password_in_a_location_is_not_shown() {
    for (location, shown) in [
        ("ftp://me:hunter2@a.test/", "ftp://me@a.test/"),
        ("ws://me:hunter2@a.test:99999/", "ws://me@a.test:99999/"),
        ("//me:hunter2@[/", "//me@[/"),
    ] {
        let error = Servers::new().connect(Client::new("ws://a.test/"), &[&redirect(302, location)]).1.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(&format!("the redirect to \"{shown}\"")) && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn all_requests_share_one_deadline() {
    let servers = Servers::new();
    let opening = servers.world.spawn("client", Client::new("ws://a.test/").connect());
    servers.world.advance(secs(6));
    let (_, peer) = servers.network.peer().unwrap();
    peer.to.push(redirect(302, "ws://b.test/").as_bytes());
    let error = servers.world.finish(&opening).unwrap_err();
    let ConnectError::Timeout(timeout) = &error else { panic!("{error}") };
    assert_eq!((timeout.stage(), timeout.timeout(), servers.world.now()), (Stage::Handshake, secs(10), secs(10)));
}

#[test]
fn informational_responses_are_shown() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&seen);
    let client = Client::new("ws://a.test/").on_informational(move |response| {
        let links = response.headers().get_all("link").iter().map(|link| link.to_str().unwrap().to_owned());
        tell.lock().unwrap().push((response.status().as_u16(), links.collect::<Vec<_>>()));
    });
    let servers = Servers::new();
    let opening = servers.world.spawn("client", client.connect());
    servers.world.run();
    let (_, mut peer) = servers.network.peer().unwrap();
    let request = peer.bytes();
    peer.to.push(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\nLink: b\r\n\r\n");
    servers.world.run();
    assert_eq!(*seen.lock().unwrap(), [(100, vec![]), (103, vec!["a".to_owned(), "b".to_owned()])], "as they come");
    peer.to.push(&response_to(&request));
    drop(servers.world.finish(&opening).unwrap());
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[test]
fn the_limits_of_the_response_can_be_set() {
    let response = |size: usize| format!("HTTP/1.1 403 X\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(size));
    let mut limits = HeadLimits::default();
    limits.head = 40_000;
    for (client, size, fits) in [
        (Client::new("ws://a.test/"), 10_000, true),
        (Client::new("ws://a.test/"), 20_000, false),
        (Client::new("ws://a.test/").head_limits(limits), 20_000, true),
        (Client::new("ws://a.test/").head_limits(limits), 50_000, false),
    ] {
        let error = Servers::new().connect(client, &[&response(size)]).1.unwrap_err();
        assert_eq!(matches!(error, ConnectError::Rejected(_)), fits, "{size}: {error}");
        assert_eq!(matches!(error, ConnectError::Handshake(_)), !fits, "{size}: {error}");
    }
}
