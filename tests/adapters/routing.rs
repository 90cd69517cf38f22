//! Routes over real sockets. `ws-session` tests their rules.

use http::Response;

use super::super::adapter::{RequestExt as _, Routes};
use super::setup::*;

/// A server that runs the handlers of its routes.
fn routed(server: Server, routes: Routes) -> (std::net::SocketAddr, ServerHandle, impl FnOnce()) {
    let listening = block_on(server.routes(routes).bind("127.0.0.1:0")).unwrap();
    let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
    let serving = spawn(listening.serve_routes());
    (address, handle.clone(), move || {
        handle.shutdown();
        block_on(serving).unwrap();
    })
}

async fn say(ws: WebSocket, text: String) -> HandlerResult {
    ws.send(text).await?;
    Ok(())
}

fn routes() -> Routes {
    let greeting = "Welcome to".to_owned();
    Routes::new()
        .get("/health", |_| Response::new(Bytes::from_static(b"OK\n")))
        .get("/lobby", |request| Response::new(Bytes::from(format!("<p>{}\n", request.path()))))
        .websocket("/lobby", |ws| say(ws, "the lobby".to_owned()))
        .websocket_with("/rooms/{room}", move |ws, room: String| say(ws, format!("{greeting} {room}")))
        .websocket_with("/seats/{row}/{number}", |ws, (row, number): (char, u32)| say(ws, format!("{row}{number}")))
        .websocket_with("/files/{*path}", |ws, path: String| say(ws, path))
}

#[test]
fn each_path_has_its_handler_and_typed_parameters() {
    let (address, handle, stop) = routed(Server::new(), routes());
    for (path, expected) in [
        ("/lobby", "the lobby"),
        ("/rooms/caf%C3%A9%2F1?x=1", "Welcome to café/1"),
        ("/seats/B/12", "B12"),
        ("/files/a/b%20c", "a/b c"),
    ] {
        let mut ws = block_on(connect(format!("ws://{address}{path}"))).unwrap();
        assert_eq!(text(&mut ws), expected, "{path}");
        assert_eq!(ending(&mut ws).0, 1000);
    }
    until(|| handle.connections() == 0);
    stop();
}

#[test]
fn other_requests_are_told_what_to_do() {
    let (address, _, stop) = routed(Server::new(), routes());
    for (line, status, allow, says) in [
        ("GET /health", 200, None, "OK\n"),
        ("HEAD /health", 200, None, ""),
        ("GET /lobby", 200, None, "<p>/lobby\n"),
        ("POST /health", 405, Some("GET, HEAD"), "must be GET or HEAD"),
        ("DELETE /rooms/1", 405, Some("GET"), "GET"),
        ("GET /rooms/1", 426, None, "WebSocket"),
        ("GET /nowhere", 404, None, "nothing at this path"),
        ("GET /rooms/", 404, None, "nothing at this path"),
        ("GET /seats/B/x", 404, None, "its number cannot be \"x\""),
    ] {
        let mut peer = Peer::connect(address);
        peer.write(format!("{line} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let reply = peer.reply();
        assert_eq!(reply.status, status, "{line}: {reply:?}");
        assert!(reply.text().contains(says), "{line}: {}", reply.text());
        assert_eq!(reply.header("allow"), allow, "{line}");
        assert_eq!(reply.header("connection").map(|value| value.starts_with("close")), Some(true), "{line}");
    }
    for (path, says) in [
        ("/health", "OK"),
        ("/nowhere", "There is nothing at this path."),
        ("/seats/B/twelve", "its number cannot be \"twelve\""),
        ("/rooms/%ff", "its room cannot be"),
    ] {
        let error = block_on(connect(format!("ws://{address}{path}"))).unwrap_err();
        let body = String::from_utf8_lossy(error.response().unwrap().body()).into_owned();
        assert!(body.contains(says), "{path}: {body}");
    }
    stop();
}
