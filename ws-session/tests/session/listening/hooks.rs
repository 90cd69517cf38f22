//! Hooks of a server: their order, their deadline, their failures, and the values that they attach.

use std::sync::Arc;

use ws_session::http::{HeaderValue, Request, Response, StatusCode};
use ws_session::{BoxError, Bytes, Decision, Rejection, RequestExt, WebSocket};
use ws_test_support::opening::{ACCEPT, request};

use super::*;
use crate::sim::*;

/// Sends back its user, its state and its request's fields, and returns.
async fn tell(socket: WebSocket) -> HandlerResult {
    let state = (socket.state::<Tenant>().map(|tenant| tenant.0), socket.state::<&str>());
    let sender = socket.sender();
    assert_eq!((sender.path(), sender.user()), (socket.path(), socket.user()));
    let fields = (socket.query("room"), socket.header("x-a"), socket.cookie("session"));
    socket.send(format!("{} {:?} {state:?} {fields:?}", socket.path(), socket.user())).await?;
    Ok(())
}

struct Tenant(u32);

fn ask(site: &Site, path: &str, lines: &[&str]) -> (Peer, String) {
    site.ask(request(path, lines).as_bytes())
}

#[track_caller]
fn refused(site: &Site, path: &str, status: u16) -> String {
    let (mut peer, head) = ask(site, path, &[]);
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert_eq!(header(&head, "Connection"), Some("close"));
    String::from_utf8(peer.bytes()).unwrap()
}

#[test]
fn state_headers_and_the_user_reach_the_handler_and_the_last_of_a_type_counts() {
    let server = Server::new()
        .on_request(|_| Decision::proceed().state(Tenant(1)).state("first").header("x-a", "1").user("ann"))
        .on_request(|request| {
            assert_eq!((request.path(), request.query("room").as_deref()), ("/chat", Some("a b")));
            assert_eq!((request.header("X-A"), request.cookie("session")), (Some("yes"), Some("123")));
            Decision::proceed().state(Tenant(2)).header("x-a", "2")
        });
    let site = Site::new(World::new(1), server, tell);
    let (mut peer, head) = ask(&site, "/chat?room=a+b", &["X-A: yes", "Cookie: theme=dark; session=123"]);
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("X-A: 1\r\n") && head.contains("X-A: 2\r\n"), "{head}");
    let told = r#"/chat Some("ann") (Some(2), Some("first")) (Some("a b"), Some("yes"), Some("123"))"#;
    assert_eq!(peer.frames(), [text(told), close(1000, "")]);
}

#[test]
fn without_hooks_there_is_no_state() {
    let site = Site::new(World::new(1), Server::new(), tell);
    let (mut peer, _) = ask(&site, "/", &[]);
    assert_eq!(peer.frames(), [text("/ None (None, None) (None, None, None)"), close(1000, "")]);
}

#[test]
fn the_first_response_wins_and_later_hooks_are_not_asked() {
    let asked = Log::new();
    let (first, third) = (asked.clone(), asked.clone());
    let server = Server::new()
        .on_request(move |_| first.push(1))
        .on_request_async(|request: Arc<Request<()>>| async move {
            match request.path() {
                "/here" => Decision::reject(StatusCode::FORBIDDEN, "Not for you.").header("x-reason", "rules"),
                _ => Decision::proceed(),
            }
        })
        .on_request(move |_| {
            third.push(3);
            Some(Response::new(Bytes::from_static(b"a page")))
        });
    let site = Site::echo(server);
    assert_eq!(refused(&site, "/here", 403), "Not for you.\n");
    assert_eq!(asked.take(), [1]);
    assert_eq!(refused(&site, "/there", 200), "a page");
    assert_eq!(asked.take(), [1, 3]);
}

/// An error, a panic in either form, a header that is none, one that the handshake sets, and a status that is no refusal.
#[test]
fn a_hook_that_fails_in_any_way_is_a_500_without_details() {
    let server = Server::new()
        .on_request(|request| match request.path() {
            "/error" => Err("secret"),
            "/header" => Ok(Decision::proceed().header("no header", "x")),
            "/reserved" => Ok(Decision::proceed().header("Sec-WebSocket-Accept", "x")),
            "/informational" => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                Ok(Decision::respond(response))
            }
            "/panic" => panic!("secret"),
            _ => Ok(Decision::proceed()),
        })
        .on_request_async(|request: Arc<Request<()>>| {
            assert_ne!(request.path(), "/panic-at-once", "secret");
            async move {
                yield_now().await;
                assert_ne!(request.path(), "/panic-later", "secret");
                match request.path() {
                    "/error-later" => Err(BoxError::from("secret")),
                    _ => Ok(()),
                }
            }
        });
    let site = Site::echo(server);
    for path in
        ["/error", "/header", "/reserved", "/informational", "/panic", "/panic-at-once", "/panic-later", "/error-later"]
    {
        assert_eq!(refused(&site, path, 500), "The server failed to look at the request.\n", "{path}");
    }
    site.open();
    assert_eq!(site.handle.connections(), 1);
}

#[test]
fn a_hook_that_takes_time_has_until_the_deadline_of_the_handshake() {
    let server = Server::new().on_request_async(|request: Arc<Request<()>>| async move {
        let time = request.query("time").and_then(|time| time.parse().ok()).unwrap_or(0);
        sleep(secs(time)).await;
        Decision::proceed().user("ann")
    });
    let site = Site::new(World::new(1), server, tell);
    let (mut peer, head) = ask(&site, "/?time=9", &[]);
    assert_eq!(head, "");
    site.world.advance(secs(9) - millis(1));
    assert_eq!(peer.head(), "");
    site.world.advance(millis(1));
    assert!(peer.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.frames()[0], text(r#"/ Some("ann") (None, None) (None, None, None)"#));

    let (mut peer, _) = ask(&site, "/?time=11", &[]);
    site.world.advance(secs(10) - millis(1));
    assert_eq!(peer.head(), "");
    site.world.advance(millis(1));
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(peer.bytes(), b"The server took too long to decide. Try again later.\n");
}

#[test]
fn a_shutdown_does_not_wait_for_a_hook() {
    let server = Server::new().on_request_async(|_| sleep(secs(9)));
    let site = Site::echo(server);
    let (mut peer, _) = ask(&site, "/", &[]);
    site.handle.shutdown();
    site.world.run();
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    peer.leave();
    site.world.run();
    assert!(site.serving.is_finished());
}

/// It waits for the server, not for its client.
#[test]
fn a_handshake_whose_hook_takes_time_makes_no_room_for_others() {
    let server = Server::new().max_handshakes(1).on_request_async(|_| sleep(secs(5)));
    let site = Site::echo(server);
    let (mut first, _) = ask(&site, "/", &[]);
    let (mut second, _) = ask(&site, "/", &[]);
    site.world.advance(secs(5) - millis(1));
    assert!(!first.from.is_writer_gone());
    site.world.advance(millis(1));
    assert!(first.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(second.head(), "");
    site.world.advance(secs(5));
    assert!(second.head().starts_with("HTTP/1.1 101 "));
}

#[test]
fn a_response_hook_sees_each_response_and_changes_it() {
    let seen = Log::new();
    let log = seen.clone();
    let server = Server::new()
        .server_header("mine/1")
        .on_request(|request| (request.path() == "/page").then(|| Response::new(Bytes::from_static(b"page"))))
        .on_response(move |request, response| {
            log.push((request.path().to_owned(), response.status().as_u16()));
            response.headers_mut().insert("x-a", HeaderValue::from_static("1"));
            response.headers_mut().remove("server");
            if response.status() == StatusCode::FORBIDDEN {
                *response.body_mut() = "another text".into();
            }
        })
        .on_response_async(|request: Arc<Request<()>>, response| async move {
            assert_eq!(response.headers()["x-a"], "1", "the change of the hook before");
            sleep(secs(1)).await;
            match request.path() {
                "/replace" => Decision::respond(Response::new("replaced")),
                "/state" => Decision::proceed().state(Tenant(3)).header("x-b", "2"),
                _ => Decision::proceed(),
            }
        })
        .origins_or_none(["https://example.com"]);
    let site = Site::new(World::new(1), server, tell);
    let wait = |path: &str, lines: &[&str]| {
        let (mut peer, _) = ask(&site, path, lines);
        site.world.advance(secs(1));
        let head = peer.head();
        assert_eq!((header(&head, "X-A"), header(&head, "Server")), (Some("1"), None), "{head}");
        (peer, head)
    };
    let (mut peer, head) = wait("/state", &[]);
    assert!(head.starts_with("HTTP/1.1 101 ") && header(&head, "X-B") == Some("2"), "{head}");
    assert_eq!(peer.frames()[0], text("/state None (Some(3), None) (None, None, None)"));
    let (mut peer, head) = wait("/page", &[]);
    assert!(head.starts_with("HTTP/1.1 200 ") && peer.bytes() == b"page", "{head}");
    let (mut peer, head) = wait("/", &["Origin: https://evil.example"]);
    assert_eq!((header(&head, "Content-Length"), &peer.bytes()[..]), (Some("12"), &b"another text"[..]));
    assert_eq!(seen.take(), [("/state".to_owned(), 101), ("/page".to_owned(), 200), ("/".to_owned(), 403)]);
    let (mut peer, _) = ask(&site, "/replace", &[]);
    site.world.advance(secs(1));
    let head = peer.head();
    assert!(head.starts_with("HTTP/1.1 200 ") && peer.bytes() == b"replaced", "{head}");
    assert_eq!((header(&head, "Sec-WebSocket-Accept"), header(&head, "Upgrade")), (None, None));
}

#[test]
fn a_response_hook_cannot_break_the_handshake() {
    let server = Server::new().on_response(|request, response| {
        match request.path() {
            "/headers" => {
                response.headers_mut().clear();
                response.headers_mut().insert("upgrade", HeaderValue::from_static("nonsense"));
                response.headers_mut().insert("content-length", HeaderValue::from_static("5"));
            }
            "/refuse" => *response.status_mut() = StatusCode::IM_A_TEAPOT,
            "/panic" => panic!("secret"),
            "/error" => return Err("secret"),
            _ => *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS,
        }
        Ok(())
    });
    let site = Site::echo(server);
    let (mut peer, head) = ask(&site, "/headers", &[]);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(header(&head, "Sec-WebSocket-Accept"), Some(ACCEPT));
    assert_eq!((header(&head, "Upgrade"), header(&head, "Content-Length")), (Some("websocket"), None));
    peer.send_text("Hello");
    site.world.run();
    assert_eq!(peer.frames(), [text("Hello")]);
    assert_eq!(refused(&site, "/refuse", 418), "");
    for path in ["/panic", "/error"] {
        assert_eq!(refused(&site, path, 500), "The server failed to look at the request.\n", "{path}");
    }
    // A refusal that is to become a connection.
    let (_peer, head) = site.ask(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
}

#[test]
fn every_response_names_the_server_if_it_is_named() {
    let server = || {
        Server::new().on_request(|request| match request.path() {
            "/own" => Some(Response::builder().header("Server", "own").body(Bytes::new()).unwrap()),
            _ => None,
        })
    };
    let names = |server: Server| {
        let site = Site::echo(server);
        let requests = [
            request("/", &[]),
            request("/own", &[]),
            "GET / HTTP/1.1\r\n\r\n".into(),
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
        ];
        requests.map(|request| header(&site.ask(request.as_bytes()).1, "Server").map(str::to_owned))
    };
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(names(server()), [None, named("own"), None, None]);
    assert_eq!(
        names(server().server_header("mine/1")),
        [named("mine/1"), named("own"), named("mine/1"), named("mine/1")]
    );
    assert_eq!(names(server().server_header("mine/1").server_header(None)), [None, named("own"), None, None]);
    let error = World::new(1).at_once(Server::new().server_header("a\nb").bind("127.0.0.1:0")).unwrap_err();
    assert!(error.to_string().contains("Server header"), "{error}");
}

#[test]
fn a_rejection_is_an_output_too() {
    let site = Site::echo(
        Server::new().on_request(|_| Rejection::new(StatusCode::TOO_MANY_REQUESTS, "Slow down.").with_retry_after(30)),
    );
    let (mut peer, head) = ask(&site, "/", &[]);
    assert!(head.starts_with("HTTP/1.1 429 ") && header(&head, "Retry-After") == Some("30"), "{head}");
    assert_eq!(peer.bytes(), b"Slow down.\n");
}
