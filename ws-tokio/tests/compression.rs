//! Compression over sockets: what both ends agree on, and that it is used. Without the feature: that nothing is agreed on.

mod common;

use common::*;
use ws_tokio::{Client, Message, Server, WebSocket};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

/// What the server agreed to, as the client sees it.
fn agreed(ws: &WebSocket) -> Option<&str> {
    ws.response().headers().get("sec-websocket-extensions").map(|value| value.to_str().unwrap())
}

async fn echoes(ws: &mut WebSocket) {
    for message in
        [Message::from("short"), "long, ".repeat(1000).into(), pattern(100_000).into(), vec![0; MIB].into(), "".into()]
    {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(message));
    }
}

#[cfg(feature = "deflate")]
mod with_it {
    use super::*;
    use ws_tokio::{Compress, Deflate};

    #[tokio::test]
    async fn both_ends_compress_unless_one_does_not_want_to() {
        let mut alone = Deflate::server();
        alone.send_context_takeover = false;
        alone.receive_context_takeover = false;
        let by_default = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
        let no_takeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
            server_max_window_bits=12; client_max_window_bits=12";
        for (settings, answer) in
            [(Some(Deflate::server()), Some(by_default)), (Some(alone), Some(no_takeover)), (None, None)]
        {
            let server = start(Server::new().compression(settings), echo).await;
            let mut ws = server.connect().await;
            assert_eq!(agreed(&ws), answer);
            echoes(&mut ws).await;
            close(ws).await;
            let client = Client::new(&server.url("/")).compression(None);
            let mut ws = in_time(client.connect()).await.unwrap();
            assert_eq!(agreed(&ws), None);
            echoes(&mut ws).await;
            close(ws).await;
            server.stop().await;
        }
    }

    #[tokio::test]
    async fn long_messages_are_smaller_on_the_wire_and_those_that_must_not_be_are_not() {
        let server = start(Server::new(), |ws| async move {
            ws.send("x".repeat(10_000)).await?;
            ws.send_with("x".repeat(10_000), Compress::Never).await?;
            ws.send_with("x", Compress::Always).await?;
            drain(ws).await
        })
        .await;
        let mut raw = server.raw().await;
        raw.write(request("/", &[OFFER])).await;
        assert!(raw.head().await.contains("permessage-deflate"));
        let (first, payload) = raw.frame().await;
        assert_eq!(first, 0xC1);
        assert!(payload.len() < 100, "{} bytes", payload.len());
        assert!(raw.frame().await == (0x81, vec![b'x'; 10_000]));
        assert_eq!(raw.frame().await.0, 0xC1);
        drop(raw);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_bomb_is_refused_and_the_sender_is_told() {
        let server = start(Server::new(), echo).await;
        let mut ws = server.connect().await;
        ws.send(vec![0; MIB + 1]).await.unwrap();
        let says = "frame over the receiver's limit of 1048576 bytes (limits.frame)";
        let outcome = in_time(ws.recv()).await.unwrap_err().closed().unwrap().outcome().clone();
        assert_eq!((u16::from(outcome.code()), outcome.reason()), (1009, says));
        server.stop().await;
    }
}

#[cfg(not(feature = "deflate"))]
mod without_it {
    use super::*;

    #[tokio::test]
    async fn what_is_offered_is_declined() {
        let server = start(Server::new(), echo).await;
        let mut raw = server.raw().await;
        raw.write(request("/", &[OFFER])).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("extensions"), "{head}");
        raw.write(masked(0x81, "x".repeat(1000))).await;
        assert_eq!(raw.frame().await, (0x81, vec![b'x'; 1000]));
        raw.write(masked(0xC1, "compressed all the same")).await;
        assert_eq!(raw.close_frame().await.0, 1002);
        drop(raw);
        server.stop().await;
    }

    #[tokio::test]
    async fn nothing_is_offered() {
        let server = start(Server::new(), echo).await;
        let mut ws = in_time(Client::new(&server.url("/")).connect()).await.unwrap();
        assert!(!ws.request().headers().contains_key("sec-websocket-extensions"));
        assert_eq!(agreed(&ws), None);
        echoes(&mut ws).await;
        close(ws).await;
        server.stop().await;
    }
}
