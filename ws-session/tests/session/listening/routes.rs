//! Routes: handlers by path, typed parameters, and pages beside them.

use ws_session::http::Response;
use ws_session::{Bytes, Decision, Routes, WebSocket};
use ws_test_support::opening::request;

use super::*;
use crate::sim::*;

fn page(text: &'static str) -> Response<Bytes> {
    Response::new(Bytes::from_static(text.as_bytes()))
}

fn routes() -> Routes {
    let greeting = "Welcome to".to_owned();
    Routes::new()
        .get("/health", |_| page("OK\n"))
        .get("/both", |_| page("a page"))
        .websocket("/both", |ws: WebSocket| async move { tell(ws, "both").await })
        .websocket("/rooms/new", |ws: WebSocket| async move { tell(ws, "new").await })
        .websocket_with("/rooms/{room}", move |ws, room: String| {
            let text = format!("{greeting} {room}");
            async move { tell(ws, &text).await }
        })
        .websocket_with("/seats/{row}/{number}", |ws, (row, number): (char, u32)| async move {
            tell(ws, &format!("{row}{number}")).await
        })
        .websocket_with("/files/{*rest}", |ws, (rest,): (String,)| async move { tell(ws, &rest).await })
        .websocket("/any/{ignored}", |ws: WebSocket| async move { tell(ws, "any").await })
        .get("/maybe", |_| Decision::proceed())
}

async fn tell(ws: WebSocket, text: &str) -> HandlerResult {
    ws.send(text).await?;
    Ok(())
}

fn site(server: Server) -> Site {
    let world = World::new(1);
    let listening = world.at_once(server.bind("127.0.0.1:0")).unwrap();
    let handle = listening.handle();
    let serving = world.spawn("serve", listening.serve_routes());
    world.run();
    Site { world, handle, serving, backlog: Backlog::of_last_listener() }
}

#[test]
fn each_path_has_its_handler() {
    let site = site(Server::new().routes(routes()));
    for (path, expected) in [
        ("/both", "both"),
        ("/rooms/new", "new"),
        ("/rooms/a%20b%2Fc?x=/", "Welcome to a b/c"),
        ("/seats/B/12", "B12"),
        ("/files/a/b%c3%a9/c", "a/bé/c"),
        ("/any/thing", "any"),
    ] {
        let (mut peer, head) = site.ask(request(path, &[]).as_bytes());
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        assert_eq!(peer.frames(), [text(expected), close(1000, "")], "{path}");
    }
}

/// RFC 3986 §6.2.2: what a client encodes need not be what the program has written.
#[test]
fn paths_beyond_ascii_are_written_as_text_and_found_encoded() {
    let routes = Routes::new()
        .websocket("/größe", |ws: WebSocket| async move { tell(ws, "größe").await })
        .websocket("/a%20b", |ws: WebSocket| async move { tell(ws, "a b").await })
        .websocket_with("/räume/{raum}", |ws, room: String| async move { tell(ws, &room).await });
    let site = site(Server::new().routes(routes));
    for (path, expected) in [
        ("/gr%C3%B6%C3%9Fe", "größe"),
        ("/gr%c3%b6%c3%9fe", "größe"),
        ("/a%20b", "a b"),
        ("/r%C3%A4ume/%E5%A5%BD%2f1", "好/1"),
    ] {
        let (mut peer, head) = site.ask(request(path, &[]).as_bytes());
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        assert_eq!(peer.frames(), [text(expected), close(1000, "")], "{path}");
    }
}

#[test]
fn other_requests_get_a_page_or_are_told_why_not() {
    let site = site(Server::new().routes(routes()));
    let websocket = |path: &str| request(path, &[]);
    let plain = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    for (request, status, text) in [
        (plain("GET", "/health"), "200", "OK\n"),
        (plain("HEAD", "/health"), "200", ""),
        (plain("GET", "/both"), "200", "a page"),
        (websocket("/health"), "200", "OK\n"),
        (plain("POST", "/health"), "405", "This path only has a page. The method must be GET or HEAD.\n"),
        (plain("GET", "/rooms/1"), "426", "WebSocket client"),
        (plain("POST", "/rooms/1"), "405", "GET"),
        (plain("GET", "/maybe"), "404", "There is nothing at this path.\n"),
        (websocket("/maybe"), "404", "There is nothing at this path.\n"),
        (websocket("/"), "404", "There is nothing at this path.\n"),
        (websocket("/rooms"), "404", "There is nothing at this path.\n"),
        (websocket("/rooms/1/"), "404", "There is nothing at this path.\n"),
        (websocket("/seats/B/twelve"), "404", "There is nothing at this path: its number cannot be \"twelve\".\n"),
        (websocket("/seats/BB/12"), "404", "There is nothing at this path: its row cannot be \"BB\".\n"),
        (websocket("/rooms/%ff"), "404", "There is nothing at this path: its room cannot be \"%FF\".\n"),
    ] {
        let (mut peer, head) = site.ask(request.as_bytes());
        let body = String::from_utf8(peer.bytes()).unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{head}{body}");
        assert!(
            if text.ends_with('\n') || text.is_empty() { body == text } else { body.contains(text) },
            "{request}{body}"
        );
        if head.starts_with("HTTP/1.1 405 ") {
            assert!(header(&head, "Allow").is_some_and(|allow| allow.starts_with("GET")), "{head}");
        }
    }
}

#[test]
fn credentials_are_asked_for_before_or_after_the_look_up() {
    let first = site(Server::new().basic_auth("chat", [("ann", "secret")]).routes(routes()));
    let last = site(Server::new().routes(routes()).basic_auth("chat", [("ann", "secret")]));
    let status = |site: &Site, path: &str| site.ask(request(path, &[]).as_bytes()).1[9..12].to_owned();
    assert_eq!([status(&first, "/health"), status(&last, "/health")], ["401", "200"]);
    assert_eq!([status(&first, "/none"), status(&last, "/none")], ["401", "404"]);
    assert_eq!([status(&first, "/both"), status(&last, "/both")], ["401", "401"]);
}

#[test]
fn a_connection_that_was_accepted_elsewhere_finds_its_handler_too() {
    let world = World::new(1);
    let server = Server::new().routes(routes());
    let (ours, theirs) = link(LinkOptions::default(), &mut world.rng());
    let mut peer = Peer::new(Role::Client, theirs);
    peer.to.push(request("/rooms/1", &[]).as_bytes());
    let done = world.spawn("accept", async move {
        let (socket, driver) = server.accept(ours, ws_session::Addresses::default()).await.unwrap();
        driver.run(server.run_route(socket)).await.unwrap();
    });
    world.run();
    assert!(peer.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.frames(), [text("Welcome to 1"), close(1000, "")]);
    says_goodbye(&mut peer);
    world.run();
    assert!(done.is_finished());
}

#[test]
fn mistakes_are_reported_when_the_server_starts() {
    let handler = |_: WebSocket| async { Ok(()) };
    let two = |_: WebSocket, _: (String, u8)| async { Ok(()) };
    for (routes, expected) in [
        (Routes::new().websocket("/a", handler).websocket("/a", handler), "two handlers"),
        (Routes::new().get("/a", |_| ()).get("/a", |_| ()), "two pages"),
        (Routes::new().websocket("/{a}", handler).websocket("/{b}", handler), "/{b}"),
        (Routes::new().websocket("/{a", handler), "/{a"),
        (Routes::new().websocket_with("/x/{a}", two), "has 1 captures, and its handler takes 2"),
    ] {
        let error = World::new(1).at_once(Server::new().routes(routes).bind("127.0.0.1:0")).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let world = World::new(1);
    let listening = world.at_once(Server::new().bind("127.0.0.1:0")).unwrap();
    let error = world.at_once(listening.serve_routes()).unwrap_err();
    assert!(error.to_string().contains("no routes"), "{error}");
}
