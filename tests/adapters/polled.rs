//! Connections that are driven by being polled, without a task of their own, and those made from their parts.

use std::pin::pin;

use futures_util::future::{Either, join, select};
use futures_util::{SinkExt, StreamExt as _};

use super::super::sleep;
use super::setup::*;

#[test]
fn a_client_needs_no_task() {
    let server = start(Server::new(), echo);
    let client = server.client();
    block_on(async {
        let mut ws = client.connect_stream().await.unwrap();
        assert_eq!(ws.peer_addr(), Some(server.address));
        assert!(!ws.get_ref().is_tls() && ws.get_ref().tcp().is_some());
        for len in [0, 1, 125, 126, 16 * KIB, 300 * KIB] {
            ws.send(pattern(len)).await.unwrap();
            assert!(ws.recv().await.unwrap() == Some(pattern(len).into()), "{len}");
        }
        assert!(ws.ping().await.unwrap().time < TOO_LONG);
        assert!(ws.close(1000, "").await.unwrap().is_clean());
        assert_eq!(ws.recv().await.unwrap(), None);
    });
    block_on(async {
        let mut ws = connect_stream(server.url("/")).await.unwrap();
        SinkExt::send(&mut ws, "sunk".into()).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), "sunk");
        SinkExt::close(&mut ws).await.unwrap();
        assert!(ws.next().await.is_none());
    });
    server.stop();
}

#[test]
fn a_server_accepts_over_any_stream() {
    let (near, far) = tcp_pair();
    let serving = spawn(async move {
        let mut ws = accept_stream(stream(far)).await.unwrap();
        while let Some(message) = ws.recv().await.unwrap() {
            ws.send(message).await.unwrap();
        }
        ws.closed().await
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    peer.write(masked(0x89, "ping"));
    assert_eq!(peer.frame(), (0x8A, b"ping".to_vec()));
    peer.write(masked(0x81, "echo"));
    assert_eq!(peer.frame(), (0x81, b"echo".to_vec()));
    peer.write(masked_close(1000, "bye"));
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.finish();
    assert!(block_on(serving).is_clean());
}

#[test]
fn both_ends_are_polled_and_send_a_lot() {
    let (near, far) = tcp_pair();
    let server = spawn(async move {
        let mut ws = Server::new().accept_stream(Io::new(stream(far)), Addresses::default()).await.unwrap();
        while let Some(message) = ws.recv().await.unwrap() {
            ws.send(message).await.unwrap();
        }
    });
    block_on(async {
        let client = Client::new("ws://test/").handshake_stream(Io::new(stream(near)), Addresses::default());
        let mut ws = client.await.unwrap();
        for _ in 0..4_000 {
            ws.send("all of them, before the first answer is received").await.unwrap();
        }
        for _ in 0..4_000 {
            assert!(ws.recv().await.unwrap().is_some());
        }
        let sender = ws.sender();
        let sending = async {
            for n in 0..20 {
                sender.send(pattern(100 * KIB + n)).await.unwrap();
            }
        };
        let receiving = async {
            for n in 0..20 {
                assert!(ws.recv().await.unwrap() == Some(pattern(100 * KIB + n).into()));
            }
        };
        join(sending, receiving).await;
        assert!(ws.close(1000, "").await.unwrap().is_clean());
    });
    block_on(server);
}

#[test]
fn another_task_sends_while_this_one_waits() {
    let (near, far) = tcp_pair();
    let (told, telling) = std::sync::mpsc::channel();
    let serving = spawn(async move {
        let mut ws = accept_stream(stream(far)).await.unwrap();
        told.send(ws.sender()).unwrap();
        ws.recv().await.map(|message| message.is_none())
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    let sender = hear(&telling);
    settle();
    for n in 0..3 {
        block_on(sender.send(n.to_string())).unwrap();
        assert_eq!(peer.frame(), (0x81, n.to_string().into_bytes()));
    }
    let closing = spawn(async move { sender.close(1000, "").await });
    assert_eq!(peer.close_frame(), (1000, String::new()));
    peer.write(masked_close(1000, ""));
    peer.finish();
    // Nobody polls the stream once its task has what it waited for: what is known by then is told.
    assert!(block_on(serving).unwrap());
    drop(block_on(closing));
}

#[test]
fn keepalive_goes_on_while_it_is_polled_and_finds_a_peer_that_is_gone() {
    let (near, far) = tcp_pair();
    let serving = spawn(async move {
        let server = Server::new().ping_interval(A_WHILE).pong_timeout(A_WHILE);
        let mut ws = server.accept_stream(Io::new(stream(far)), Addresses::default()).await.unwrap();
        // Deadlines are looked at whatever is waited for beside it.
        match select(pin!(ws.recv()), pin!(sleep(TOO_LONG))).await {
            Either::Left((received, _)) => received.unwrap_err(),
            Either::Right(_) => panic!("nobody has noticed"),
        }
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    let (first, _) = peer.frame();
    assert_eq!(first, 0x89);
    assert_eq!(outcome(&block_on(serving)).cause, Cause::KeepaliveTimeout);
}

#[test]
fn parts_are_made_into_connections_without_a_handshake() {
    let (near, far) = tcp_pair();
    let mut bytes = masked(0x81, "read before");
    let rest = bytes.split_off(8);
    let (serving, connecting) = (stream(far), stream(near));
    let serving = spawn(async move {
        let (mut ws, driver) = server_parts(serving).subprotocol("raw").received(bytes).open();
        driver
            .run(async move {
                assert_eq!((ws.subprotocol(), ws.request().uri().path()), (Some("raw"), "/"));
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                Ok(())
            })
            .await
    });
    block_on(async {
        let mut ws = client_parts(connecting).into_stream();
        // The rest of the frame whose beginning was read before: not by the client's engine, but past it.
        write_all(ws.get_mut(), &rest).await;
        assert_eq!(ws.recv().await.unwrap(), Some("read before".into()));
        ws.send("and more").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some("and more".into()));
        assert!(ws.close(1000, "").await.unwrap().is_clean());
    });
    block_on(serving).unwrap();
}

/// Writes past the connection.
async fn write_all(transport: &mut impl Transport, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let buffers = [std::io::IoSlice::new(bytes)];
        let n = std::future::poll_fn(|cx| transport.poll_write_vectored(cx, &buffers)).await.unwrap();
        bytes = &bytes[n..];
    }
}

#[test]
fn the_transport_comes_back() {
    let (near, far) = tcp_pair();
    let serving = spawn(async move {
        let mut ws = accept_stream(stream(far)).await.unwrap();
        let first = ws.recv().await.unwrap();
        ws.send("enough").await.unwrap();
        ws.flush().await.unwrap();
        let parts = ws.into_parts();
        assert!(parts.unsent.is_empty() && parts.unread.is_empty());
        let mut transport = parts.transport;
        write_all(&mut transport, b"another protocol").await;
        (first, transport.into_inner())
    });
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    peer.write(masked(0x81, "first"));
    assert_eq!(peer.frame(), (0x81, b"enough".to_vec()));
    let (first, stream) = block_on(serving);
    assert_eq!(first, Some("first".into()));
    drop(stream);
    assert_eq!(peer.rest(), b"another protocol");
}

#[test]
fn a_stream_becomes_a_driver_in_a_task() {
    let server = start(Server::new(), echo);
    let mut ws = block_on(async {
        let mut ws = server.client().connect_stream().await.unwrap();
        ws.send("polled").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some("polled".into()));
        let (ws, driver) = ws.into_driven();
        drop(spawn(driver));
        ws
    });
    send(&ws, "driven");
    assert_eq!(text(&mut ws), "driven");
    close(ws);
    server.stop();
}

#[test]
fn a_server_that_parses_http_itself_answers_as_ours_does() {
    let (near, far) = tcp_pair();
    let serving = spawn(async move {
        let server = Server::new().origins(["https://example.com"]).subprotocols(["chat"]).header("x-served-by", "me");
        let mut transport = Io::new(stream(far));
        let mut received = Vec::new();
        let end = loop {
            let mut buffer = [0; 100];
            let n = std::future::poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await.unwrap();
            received.extend_from_slice(&buffer[..n]);
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let behind = received.split_off(end);
        let request = parse(std::str::from_utf8(&received).unwrap());
        let accepted = server.upgrade(&request, Addresses::default()).unwrap();
        let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in accepted.response().headers() {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        write_all(&mut transport, (head + "\r\n").as_bytes()).await;
        let mut ws = accepted.parts(transport).received(behind).into_stream();
        assert_eq!(ws.subprotocol(), Some("chat"));
        while let Some(message) = ws.recv().await.unwrap() {
            ws.send(message).await.unwrap();
        }
    });
    let mut peer = Peer::new(near);
    let asked = request("/", &["Origin: https://example.com", "Sec-WebSocket-Protocol: talk, chat"]);
    peer.write([asked.as_bytes(), &masked(0x81, "at once")].concat());
    let head = peer.head().to_lowercase();
    assert!(head.contains("x-served-by: me") && head.contains("sec-websocket-protocol: chat"), "{head}");
    assert_eq!(peer.frame(), (0x81, b"at once".to_vec()));
    peer.write(masked_close(1000, ""));
    peer.close_frame();
    block_on(serving);
}
