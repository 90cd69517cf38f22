//! A server that listens: what it accepts, what it refuses and how, and its end.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ws_endpoint::http::{HeaderValue, Response, StatusCode};
use ws_endpoint::{Bytes, Cause, Config, HandlerResult, ServerHandle, WebSocket};
use ws_proto::Role;

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
        Self::new(World::new(1), server, |mut socket| async move {
            while let Some(message) = socket.recv().await? {
                socket.send(message).await?;
            }
            Ok(())
        })
    }

    /// A connection that has not said anything.
    fn connect(&self) -> Peer {
        self.connect_over(LinkOptions::default())
    }

    fn connect_over(&self, options: LinkOptions) -> Peer {
        let (ours, theirs) = link(options, &mut self.world.rng());
        self.backlog.connect(ours);
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

// ---- requests ----

#[test]
fn a_connection_is_served_until_its_end() {
    let site = Site::echo(Server::new());
    let mut peer = site.open();
    assert_eq!(site.handle.connections(), 1);
    peer.send_text("Hello");
    site.world.run();
    assert_eq!(peer.frames(), [text("Hello")]);
    peer.send_close(1000, "");
    site.world.run();
    assert_eq!(peer.frames(), [close(1000, "")]);
    assert!(peer.from.is_ended());
    peer.leave();
    site.world.run();
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn every_answer_has_a_date() {
    let site = Site::echo(Server::new());
    let (_peer, accepted) = site.ask(REQUEST);
    let (_peer, refused) = site.ask(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(refused.starts_with("HTTP/1.1 426 "), "{refused}");
    for head in [accepted, refused] {
        let date = header(&head, "Date").expect("a date");
        assert!(date.ends_with(" GMT") && date.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len(), "{date}");
    }
}

#[test]
fn a_head_at_one_byte_a_second_gets_408_after_10_s() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect();
    for byte in &REQUEST[..10] {
        assert_eq!(peer.head(), "");
        peer.to.push(&[*byte]);
        site.world.advance(secs(1));
    }
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert!(peer.from.is_ended(), "the answer is complete");
    site.world.advance(secs(2));
    assert!(peer.from.is_writer_gone());
    assert_eq!(site.handle.connections(), 0);
}

#[test]
fn a_client_that_takes_no_answer_is_let_go() {
    let site = Site::echo(Server::new());
    for request in [REQUEST, b"nonsense\r\n\r\n"] {
        let peer = site.connect_over(LinkOptions { capacity: 10, ..LinkOptions::default() });
        peer.to.push(request);
        site.world.advance(secs(10) - millis(1));
        assert!(!peer.from.is_writer_gone());
        site.world.advance(secs(2));
        assert!(peer.from.is_writer_gone());
    }
}

#[test]
fn after_a_refusal_input_is_read_so_that_the_answer_arrives() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect_over(LinkOptions { resets: true, ..LinkOptions::default() });
    peer.to.push(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 500000\r\n\r\n");
    site.world.run();
    for _ in 0..5 {
        peer.to.push(&[b'x'; 100_000]);
        site.world.advance(millis(100));
    }
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
    assert!(!peer.from.is_writer_gone());
    peer.leave();
    site.world.run();
    assert!(peer.from.is_writer_gone());
}

#[test]
fn the_hook_answers_with_a_page_a_refusal_or_not_at_all() {
    let server = Server::new().on_request(|request| match request.uri().path() {
        "/health" => Some(Response::new(Bytes::from_static(b"fine\n"))),
        "/secret" => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response.headers_mut().insert("WWW-Authenticate", HeaderValue::from_static("Basic"));
            response.headers_mut().insert("Date", HeaderValue::from_static("yesterday"));
            Some(response)
        }
        "/panic" => panic!("in the hook"),
        _ => None,
    });
    let site = Site::echo(server);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n").into_bytes();

    let (mut peer, head) = site.ask(&get("/health"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(header(&head, "Content-Length"), Some("5"));
    assert_eq!(header(&head, "Connection"), Some("close"));
    assert_eq!(peer.bytes(), b"fine\n");
    assert!(peer.from.is_ended());

    let (_peer, head) = site.ask(&get("/secret"));
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert_eq!(header(&head, "WWW-Authenticate"), Some("Basic"));
    assert_eq!(header(&head, "Date"), Some("yesterday"), "its own headers stay");

    let (mut peer, head) = site.ask(&get("/panic"));
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert!(!String::from_utf8(peer.bytes()).unwrap().contains("in the hook"));

    site.open();
}

#[test]
fn head_gets_the_head_of_what_get_would() {
    let site = Site::echo(Server::new().on_request(|_| Some(Response::new(Bytes::from_static(b"a page\n")))));
    let (mut peer, head) = site.ask(b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(peer.bytes(), b"");
    assert!(peer.from.is_ended());
    let (mut peer, head) = site.ask(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "));
    assert_eq!(peer.bytes(), b"a page\n");
}

#[test]
fn a_refused_head_request_gets_no_body_either() {
    let site = Site::echo(Server::new());
    let (mut peer, head) = site.ask(b"HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    assert_eq!(peer.bytes(), b"");
}

// ---- handlers ----

#[test]
fn a_handler_that_panics_in_any_way_closes_its_connection_with_1011() {
    let world = World::new(1);
    let site = Site::new(world, Server::new(), |socket: WebSocket| {
        let path = socket.request().uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        assert_ne!(path, "/at-once", "before there is a future");
        async move {
            let _socket = socket;
            yield_now().await;
            panic!("later");
        }
    });
    for path in ["/at-once", "/later"] {
        let request = String::from_utf8(REQUEST.into()).unwrap().replace("/chat", path);
        let (mut peer, head) = site.ask(request.as_bytes());
        assert!(head.starts_with("HTTP/1.1 101 "));
        assert_eq!(peer.frames(), [close(1011, "internal error")], "{path}");
        says_goodbye(&mut peer);
        site.world.run();
        assert!(peer.from.is_writer_gone());
    }
    assert_eq!(site.handle.connections(), 0);
    assert!(!site.serving.is_finished(), "the others are served on");
}

// ---- limits ----

#[test]
fn one_connection_too_many_gets_503_until_another_has_ended() {
    let site = Site::echo(Server::new().max_connections(2));
    let (mut first, _second) = (site.open(), site.open());
    let (_peer, head) = site.ask(REQUEST);
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(site.handle.connections(), 2);
    says_goodbye(&mut first);
    site.world.run();
    site.open();
}

#[test]
fn connections_that_open_at_the_same_time_are_counted_too() {
    let site = Site::echo(Server::new().max_connections(2));
    // The response does not fit into the link at once.
    let options = LinkOptions { capacity: 50, ..LinkOptions::default() };
    let mut peers: Vec<_> = (0..5).map(|_| site.connect_over(options)).collect();
    peers.iter().for_each(|peer| peer.to.push(REQUEST));
    let mut heads = vec![Vec::new(); 5];
    for _ in 0..100 {
        site.world.run();
        peers.iter_mut().zip(&mut heads).for_each(|(peer, head)| head.extend(peer.bytes()));
    }
    let open = heads.iter().filter(|head| head.starts_with(b"HTTP/1.1 101 ")).count();
    assert_eq!((open, site.handle.connections()), (2, 2));
}

#[test]
fn as_many_handshakes_as_allowed_are_under_way_and_no_more_accepted() {
    let site = Site::echo(Server::new().max_handshakes(3));
    // All of them are there before the server looks.
    let mut peers: Vec<_> = (0..10).map(|_| site.connect()).collect();
    site.world.run();
    assert_eq!(site.backlog.accepted(), 3);
    // One opens, one leaves, the last takes too long.
    peers[0].to.push(REQUEST);
    site.world.run();
    assert_eq!(site.backlog.accepted(), 4);
    peers[1].leave();
    site.world.run();
    assert_eq!(site.backlog.accepted(), 5);
    site.world.advance(secs(13));
    assert!(peers[2].head().starts_with("HTTP/1.1 408 "));
    assert!(site.backlog.accepted() >= 8);
    assert_eq!(site.handle.connections(), 1);
}

#[test]
fn accepting_goes_on_after_an_error() {
    let site = Site::echo(Server::new());
    site.backlog.fail(ErrorKind::ConnectionAborted);
    site.backlog.fail(ErrorKind::OutOfMemory);
    let peer = site.connect();
    peer.to.push(REQUEST);
    site.world.run();
    assert_eq!(site.backlog.accepted(), 1, "it rests for a moment");
    site.world.advance(millis(300));
    assert_eq!(site.handle.connections(), 1);
}

// ---- shutdown ----

#[test]
fn shutdown_closes_with_1001_and_waits_for_the_handlers() {
    let world = World::new(1);
    let log = Log::new();
    let told = log.clone();
    let site = Site::new(world, Server::new(), move |mut socket| {
        let told = told.clone();
        async move {
            while socket.recv().await?.is_some() {}
            sleep(secs(3)).await;
            told.push("cleaned up");
            Ok(())
        }
    });
    let mut peers = [site.open(), site.open()];
    site.handle.shutdown();
    site.world.run();
    assert!(site.backlog.is_closed(), "nobody listens any more");
    for peer in &mut peers {
        assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
        peer.send_close(1001, "");
        peer.leave();
    }
    site.world.advance(secs(3) - millis(1));
    assert!(!site.serving.is_finished());
    site.world.advance(millis(1));
    assert_eq!(log.len(), 2);
    assert!(site.serving.take().expect("done").is_ok());
    assert_eq!(site.handle.connections(), 0);
    site.handle.shutdown();
}

#[test]
fn shutdown_of_a_server_without_connections_is_done_at_once() {
    let site = Site::echo(Server::new());
    site.handle.shutdown();
    site.world.run();
    assert!(site.serving.take().expect("done").is_ok());

    let listening = site.world.at_once(Server::new().bind("127.0.0.1:0")).unwrap();
    listening.handle().shutdown();
    let served = site.world.at_once(listening.serve(|_| async { Ok(()) }));
    assert!(served.is_ok(), "before it began");
}

#[test]
fn a_handshake_under_way_gets_503_at_shutdown() {
    let site = Site::echo(Server::new());
    let mut peer = site.connect();
    peer.to.push(&REQUEST[..40]);
    site.world.run();
    site.handle.shutdown();
    site.world.run();
    peer.to.push(&REQUEST[40..]);
    site.world.run();
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    peer.leave();
    site.world.run();
    assert!(site.serving.is_finished());
}

#[test]
fn connections_that_were_just_accepted_are_not_forgotten_at_shutdown() {
    for seed in seeds(50) {
        let site = Site::new(World::new(seed), Server::new(), |mut socket| async move {
            while socket.recv().await?.is_some() {}
            Ok(())
        });
        let peers: Vec<_> = (0..3).map(|_| site.connect()).collect();
        let handle = site.handle.clone();
        site.world.spawn("shutdown", async move {
            yield_now().await;
            handle.shutdown();
        });
        let (left, wires) = (Log::new(), peers.iter().map(|peer| peer.from.clone()).collect::<Vec<_>>());
        let (seen, serving) = (left.clone(), site.serving);
        site.world.spawn("after serve", async move {
            serving.await.unwrap();
            seen.push(wires.iter().filter(|wire| !wire.is_writer_gone()).count());
        });
        site.world.run();
        assert_eq!(left.take(), [0], "serve has returned, and handshakes are still under way: seed {seed}");
    }
}

/// Tells when it is dropped.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Handlers that do not end by themselves, each in its way.
const STUBBORN: [&str; 6] =
    ["never looks", "waits for messages", "sends to nobody", "closes first", "drops the socket", "after its end"];

#[test]
fn the_drain_deadline_drops_handlers_and_transports() {
    for manner in STUBBORN {
        let world = World::new(1);
        let alive = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&alive);
        let site = Site::new(world, Server::new().drain_timeout(secs(5)), move |mut socket| {
            let alive = Alive::new(&count);
            async move {
                let _alive = alive;
                match manner {
                    "waits for messages" => {
                        let _ = socket.recv().await;
                    }
                    "sends to nobody" => while socket.send(vec![0; 100_000]).await.is_ok() {},
                    "closes first" => drop(socket.close(4000.into(), "").await),
                    "drops the socket" => drop(socket),
                    "after its end" => {
                        while let Ok(Some(_)) = socket.recv().await {}
                        // What a handler may do after the end, each to no avail.
                        let _ = socket.send("late").await;
                        drop(socket.close(4000.into(), ""));
                        drop(socket);
                    }
                    _ => {}
                }
                std::future::pending().await
            }
        });
        let mut peer = site.open();
        if manner == "after its end" {
            peer.leave();
            site.world.run();
        }
        assert_eq!(alive.load(Ordering::Relaxed), 1);
        site.handle.shutdown();
        site.world.advance(secs(5) - millis(1));
        assert!(!site.serving.is_finished());
        assert_eq!(alive.load(Ordering::Relaxed), 1);
        site.world.advance(millis(1));
        assert!(site.serving.take().expect("the deadline has passed").is_ok());
        assert_eq!(alive.load(Ordering::Relaxed), 0, "a handler that {manner} is still there");
        assert!(peer.from.is_writer_gone());
        assert_eq!(site.handle.connections(), 0);
    }
}

#[test]
fn a_slow_closing_handshake_does_not_hold_a_shutdown_beyond_its_deadline() {
    let site = Site::echo(Server::new().drain_timeout(secs(5)));
    let mut peer = site.open();
    site.handle.shutdown();
    site.world.advance(secs(5));
    assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
    assert!(site.serving.is_finished());
    assert!(peer.from.is_writer_gone());
}

#[test]
fn a_handshake_that_stands_still_does_not_outlive_the_drain_deadline() {
    let site = Site::echo(Server::new().drain_timeout(secs(5)));
    let peer = site.connect();
    peer.to.push(&REQUEST[..40]);
    site.world.run();
    site.handle.shutdown();
    site.world.advance(secs(5));
    assert!(site.serving.is_finished());
    assert!(peer.from.is_writer_gone(), "serve has returned, and its sockets are still open");
}

#[test]
fn when_serve_is_dropped_open_connections_go_on() {
    let site = Site::echo(Server::new());
    let mut peer = site.open();
    site.world.cancel(&site.serving);
    assert!(site.backlog.is_closed());
    peer.send_text("still there?");
    site.world.run();
    assert_eq!(peer.frames(), [text("still there?")]);
    site.handle.shutdown();
    site.world.run();
    assert_eq!(peer.frames(), [close(1001, "server shutdown")]);
}

#[test]
fn the_outcome_is_the_handlers_to_see() {
    let world = World::new(1);
    let causes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&causes);
    let mut config = Config::default();
    config.deadlines.close = secs(4);
    let site = Site::new(world, Server::new().config(config), move |mut socket| {
        let seen = Arc::clone(&seen);
        async move {
            let ended = socket.recv().await;
            let outcome = socket.closed().await;
            seen.lock().unwrap().push((ended.is_ok(), outcome.cause));
            ended.map(drop).map_err(Into::into)
        }
    });
    let mut polite = site.open();
    let silent = site.open();
    site.handle.shutdown();
    site.world.run();
    polite.send_close(1001, "");
    polite.leave();
    site.world.advance(secs(4));
    assert!(silent.from.is_writer_gone());
    assert_eq!(*causes.lock().unwrap(), [(true, Cause::Local), (false, Cause::CloseTimeout)]);
    assert!(site.serving.is_finished());
}
