//! Requests and their answers: those that open a connection, and others.

use std::time::Duration;

#[cfg(feature = "deflate")]
use ws_test_support::frames::TEXT;
use ws_test_support::frames::text;
use ws_tokio::http::{Method, Response, StatusCode};
use ws_tokio::{Bytes, ClientIp, Decision, Http2, InvalidSetting, Routes, ServeError, Server};

use super::*;

#[tokio::test]
async fn one_port_serves_both_versions() {
    let running = start(server(), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    stream.echo("over HTTP/2").await;
    let mut ws = running.connect().await;
    ws.send("over HTTP/1.1").await.unwrap();
    assert_eq!(in_time(ws.recv()).await.unwrap(), Some("over HTTP/1.1".into()));
    assert_eq!(running.handle.connections(), 2);
    stream.echo("both at once").await;
    drop((stream, ws));
    running.stop().await;
}

#[tokio::test]
async fn without_the_setting_the_preface_gets_an_answer_of_http_1_1() {
    let running = start(Server::new(), echo).await;
    let mut raw = running.raw().await;
    raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(raw.rest().await.starts_with(b"HTTP/1.1 505 "));
    running.stop().await;
}

/// The preface in parts, and other requests that begin as it does.
#[tokio::test]
async fn the_version_is_told_by_the_first_bytes_however_they_arrive() {
    let running = start(server(), echo).await;
    for request in [&b"P"[..], b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", b"PUT / HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut raw = running.raw().await;
        for byte in request {
            raw.write([*byte]).await;
        }
        raw.finish().await;
        let answer = raw.rest().await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
    let stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (near, far) = tokio::io::duplex(1);
    // A byte at a time.
    tokio::spawn(async move {
        let (mut near, mut stream) = (near, stream);
        tokio::io::copy_bidirectional(&mut near, &mut stream).await
    });
    let mut peer = Peer::over(far, h2::client::Builder::new()).await;
    peer.open().await.echo("slowly").await;
    running.stop().await;
}

#[tokio::test]
async fn hooks_origins_subprotocols_and_headers_apply() {
    let server = server()
        .origins(["https://example.com"])
        .subprotocols(["b", "a"])
        .header("x-own", "1")
        .trusted_proxies(["127.0.0.1"])
        .on_request(|request| {
            let client = request.extensions().get::<ClientIp>().unwrap().0.to_string();
            let host = request.headers()["host"].to_str().unwrap();
            let cookie = request.headers().get("cookie").map(|cookie| cookie.to_str().unwrap());
            (request.uri().path() == "/who").then(|| Response::new(format!("{client} {host} {cookie:?}").into()))
        });
    let running = start(server, |ws: WebSocket| async move {
        ws.send(format!("{} {:?}", ws.request().uri().path(), ws.client_ip())).await?;
        Ok(())
    })
    .await;
    let mut peer = Peer::connect(running.address).await;
    let fields =
        [("origin", "https://example.com"), ("sec-websocket-protocol", "a, b"), ("x-forwarded-for", "192.0.2.1")];
    let mut stream = peer.open_with(&fields).await;
    assert_eq!(stream.head.headers()["sec-websocket-protocol"], "b");
    assert_eq!(stream.head.headers()["x-own"], "1");
    assert!(stream.head.headers().contains_key("date"));
    assert!(!stream.head.headers().contains_key("sec-websocket-accept"));
    assert_eq!(stream.frame().await, text("/ Some(192.0.2.1)"));

    let request = peer.connect_request("/", &[("origin", "https://elsewhere.example")]);
    assert_eq!(peer.ask(request).await.0.status(), StatusCode::FORBIDDEN);
    let request =
        peer.request(Method::GET, "/who", &[("cookie", "a=1"), ("cookie", "b=2"), ("x-forwarded-for", "192.0.2.1")]);
    let (response, body) = peer.ask(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(String::from_utf8(body).unwrap(), "192.0.2.1 server.example.com Some(\"a=1; b=2\")");
    running.stop().await;
}

#[tokio::test]
async fn a_key_is_answered() {
    let running = start(server(), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let stream = peer.open_with(&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]).await;
    assert_eq!(stream.head.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    running.stop().await;
}

#[cfg(feature = "deflate")]
#[tokio::test]
async fn messages_are_compressed() {
    let running = start(server().compression(Some(ws_tokio::Deflate::server())), |ws: WebSocket| async move {
        ws.send("over and over, ".repeat(1000)).await?;
        Ok(())
    })
    .await;
    let mut peer = Peer::connect(running.address).await;
    // Firefox offers it so.
    let mut stream = peer.open_with(&[("sec-websocket-extensions", "permessage-deflate")]).await;
    assert!(stream.head.headers()["sec-websocket-extensions"].to_str().unwrap().starts_with("permessage-deflate"));
    let frame = stream.frame().await;
    assert_eq!(frame.0, TEXT | ws_test_support::frames::RSV1);
    assert!(frame.1.len() < 1000, "{frame:?}");
    running.stop().await;
}

#[tokio::test]
async fn other_requests_get_a_clear_answer_and_the_connection_continues() {
    let running = start(server(), echo).await;
    let mut peer = Peer::connect(running.address).await;
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let request = peer.request(method, "/", &[]);
        let (response, body) = peer.ask(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()["allow"], "CONNECT");
        assert_eq!(response.headers()["content-length"], body.len().to_string());
        assert!(String::from_utf8(body).unwrap().contains("WebSocket"));
    }
    let request = peer.request(Method::HEAD, "/", &[]);
    let (response, body) = peer.ask(request).await;
    assert_eq!((response.status(), body.len()), (StatusCode::METHOD_NOT_ALLOWED, 0));
    assert_ne!(response.headers()["content-length"], "0", "that of a GET");

    let mut request = peer.connect_request("/", &[]);
    request.extensions_mut().insert(h2::ext::Protocol::from_static("connect-udp"));
    assert_eq!(peer.ask(request).await.0.status(), StatusCode::NOT_IMPLEMENTED);
    let mut request = peer.connect_request("/", &[]);
    request.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    let (response, _) = peer.ask(request).await;
    assert_eq!(
        (response.status(), &response.headers()["sec-websocket-version"]),
        (StatusCode::BAD_REQUEST, &"13".parse().unwrap())
    );
    peer.open().await.echo("still there").await;
    running.stop().await;
}

/// A client that sends a body which nobody reads.
#[tokio::test]
async fn a_body_of_a_request_is_not_read() {
    let running = start(server(), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let request = peer.request(Method::POST, "/", &[]);
    let (response, mut send) = peer.send(request, false).await;
    send.send_data(Bytes::from(vec![0; 1 << 20]), false).unwrap();
    let response = in_time(response).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let mut body = response.into_body();
    while let Some(data) = in_time(body.data()).await {
        data.unwrap();
    }
    assert_eq!(in_time(std::future::poll_fn(|cx| send.poll_reset(cx))).await.unwrap(), h2::Reason::NO_ERROR);
    peer.open().await.echo("still there").await;
    running.stop().await;
}

#[tokio::test]
async fn a_page_that_is_larger_than_the_window_is_sent_as_the_client_takes_it() {
    let page = "page ".repeat(200_000);
    let (sent, timeout) = (Bytes::from(page.clone()), Duration::from_millis(300));
    let server = server().on_request(move |_| Some(Response::new(sent.clone()))).handshake_timeout(timeout);
    let running = start(server, echo).await;
    let mut peer = Peer::connect(running.address).await;
    let request = peer.request(Method::GET, "/", &[]);
    let (response, body) = peer.ask(request).await;
    assert_eq!((response.headers()["content-length"].to_str().unwrap(), body.len()), ("1000000", 1_000_000));
    assert_eq!(String::from_utf8(body).unwrap(), page);
    // A client that does not take it is not waited for.
    let request = peer.request(Method::GET, "/", &[]);
    let (response, _send) = peer.send(request, true).await;
    let mut body = in_time(response).await.unwrap().into_body();
    let end = in_time(async {
        loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.reason(),
                None => break None,
            }
        }
    });
    assert_eq!(end.await, Some(h2::Reason::CANCEL));
    running.stop().await;
}

#[tokio::test]
async fn a_server_without_room_says_so() {
    let running = start(server().max_connections(1), echo).await;
    let mut peer = Peer::connect(running.address).await;
    let mut stream = peer.open().await;
    let request = peer.connect_request("/", &[]);
    assert_eq!(peer.ask(request).await.0.status(), StatusCode::SERVICE_UNAVAILABLE);
    stream.send_close(1000, true);
    stream.end().await;
    in_time(async {
        while running.handle.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    peer.open().await.echo("room again").await;
    running.stop().await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_told_by_bind() {
    let error = server().origins(["no origin"]).bind("127.0.0.1:0").await.unwrap_err();
    assert!(matches!(error, ServeError::Setting(InvalidSetting::Origins(_))), "{error}");
    assert!(Server::new().http2(None).bind("127.0.0.1:0").await.is_ok());
    let _ = Http2::default();
}

#[tokio::test]
async fn credentials_hooks_that_take_time_and_routes_apply() {
    let routes = Routes::new().websocket_with("/rooms/{room}", |ws: WebSocket, room: String| async move {
        ws.send(format!("{room} {:?} {:?} {:?}", ws.user(), ws.state::<u32>(), ws.cookie("b"))).await?;
        Ok(())
    });
    let server = server()
        .server_header("tests")
        .basic_auth("rooms", [("ann", "secret")])
        .on_request_async(|_| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Decision::proceed().state(7_u32).header("x-own", "1")
        })
        .routes(routes)
        .require_subprotocol(true)
        .subprotocols(["chat"]);
    let listening = server.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
    let serving = tokio::spawn(listening.serve_routes());
    let mut peer = Peer::connect(address).await;
    let ann = ("authorization", "Basic YW5uOnNlY3JldA==");
    let chat = ("sec-websocket-protocol", "chat");
    let mut stream = peer.open_at("/rooms/blue", &[ann, chat, ("cookie", "a=1"), ("cookie", "b=2")]).await;
    assert_eq!(stream.head.headers()["x-own"], "1");
    assert_eq!(stream.head.headers()["server"], "tests");
    assert_eq!(stream.frame().await, text(r#"blue Some("ann") Some(7) Some("2")"#));
    for (path, fields, status) in
        [("/rooms/blue", &[chat][..], 401), ("/nowhere", &[ann, chat], 404), ("/rooms/blue", &[ann], 400)]
    {
        let request = peer.connect_request(path, fields);
        let (response, body) = peer.ask(request).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        assert_eq!(response.headers()["server"], "tests");
        assert!(!body.is_empty() && !response.headers().contains_key("connection"));
    }
    drop((stream, peer));
    handle.shutdown();
    in_time(serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_hook_is_dropped_when_its_stream_is_reset_and_stopped_at_the_deadline() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    struct Tells(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let server = server().handshake_timeout(Duration::from_millis(500)).on_request_async(move |_| {
        let tells = Tells(tell.clone());
        async move {
            std::future::pending::<()>().await;
            drop(tells);
        }
    });
    let running = start(server, echo).await;
    let mut peer = Peer::connect(running.address).await;
    let request = peer.connect_request("/", &[]);
    let (response, body) = peer.ask(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8(body).unwrap().contains("too long"));
    in_time(told.recv()).await.unwrap();
    let request = peer.connect_request("/", &[]);
    let (response, mut send) = peer.send(request, false).await;
    send.send_reset(h2::Reason::CANCEL);
    drop(response);
    in_time(told.recv()).await.unwrap();
    assert_eq!(running.handle.connections(), 0);
    drop(peer);
    running.stop().await;
}
