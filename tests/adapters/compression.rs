//! Compression: what both ends agree on, and that it is used. Without the feature: that nothing is agreed on.

use super::setup::*;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";

/// What the server agreed to, as the client sees it.
fn agreed(ws: &WebSocket) -> Option<&str> {
    ws.response().headers().get("sec-websocket-extensions").map(|value| value.to_str().unwrap())
}

fn offered(ws: &WebSocket) -> Option<&str> {
    ws.request().headers().get("sec-websocket-extensions").map(|value| value.to_str().unwrap())
}

/// Sends messages of all sorts there and back.
fn echoes(mut ws: WebSocket) {
    for message in
        [Message::from("short"), "long, ".repeat(1000).into(), pattern(100_000).into(), vec![0; MIB].into(), "".into()]
    {
        send(&ws, message.clone());
        assert!(recv(&mut ws) == message);
    }
    close(ws);
}

#[cfg(feature = "deflate")]
mod with_it {
    use super::*;

    #[test]
    fn both_ends_compress_by_default() {
        let server = start(Server::new(), echo);
        let ws = server.connect();
        assert_eq!(offered(&ws), Some("permessage-deflate; client_max_window_bits"));
        assert_eq!(agreed(&ws), Some("permessage-deflate; client_max_window_bits=12"));
        echoes(ws);
        server.stop();
    }

    #[test]
    fn a_server_may_keep_nothing_between_messages() {
        let mut alone = Deflate::server();
        alone.send_context_takeover = false;
        alone.receive_context_takeover = false;
        let server = start(Server::new().compression(Some(alone)), echo);
        let ws = server.connect();
        let answer = "permessage-deflate; client_no_context_takeover; client_max_window_bits=12";
        assert_eq!(agreed(&ws), Some(answer));
        echoes(ws);
        server.stop();
    }

    #[test]
    fn a_server_that_does_not_want_to_compresses_nothing() {
        let server = start(Server::new().compression(None), echo);
        let ws = server.connect();
        assert_eq!(agreed(&ws), None);
        echoes(ws);
        server.stop();
    }

    #[test]
    fn a_client_that_does_not_want_to_offers_nothing() {
        let server = start(Server::new(), echo);
        let ws = block_on(server.client().compression(None).connect()).unwrap();
        assert_eq!((offered(&ws), agreed(&ws)), (None, None));
        echoes(ws);
        server.stop();
    }

    #[test]
    fn long_messages_are_smaller_on_the_wire_and_those_that_must_not_be_are_not() {
        let server = start(Server::new(), |ws| async move {
            ws.send("x".repeat(10_000)).await?;
            ws.send_with("x".repeat(10_000), Compress::Never).await?;
            ws.send_with("x", Compress::Always).await?;
            drain(ws).await
        });
        let mut peer = server.peer();
        peer.write(request("/", &[OFFER]));
        assert!(peer.head().contains("permessage-deflate"));
        let (first, payload) = peer.frame();
        assert_eq!(first, 0xC1);
        assert!(payload.len() < 100, "{} bytes", payload.len());
        assert!(peer.frame() == (0x81, vec![b'x'; 10_000]));
        assert_eq!(peer.frame().0, 0xC1);
        drop(peer);
        server.stop();
    }

    #[test]
    fn a_bomb_is_refused_and_the_sender_is_told() {
        let server = start(Server::new(), echo);
        let mut ws = server.connect();
        send(&ws, vec![0; MIB + 1]);
        let says = "frame over the receiver's limit of 1048576 bytes (limits.frame)";
        let error = failure(&mut ws);
        assert_eq!((u16::from(outcome(&error).code()), outcome(&error).reason()), (1009, says));
        server.stop();
    }
}

#[cfg(not(feature = "deflate"))]
mod without_it {
    use super::*;

    #[test]
    fn an_offer_is_declined() {
        let server = start(Server::new(), echo);
        let mut peer = server.peer();
        peer.write(request("/", &[OFFER]));
        let head = peer.head();
        assert!(head.starts_with("HTTP/1.1 101 ") && !head.to_lowercase().contains("extensions"), "{head}");
        peer.write(masked(0x81, "x".repeat(1000)));
        assert_eq!(peer.frame(), (0x81, vec![b'x'; 1000]));
        peer.write(masked(0xC1, "compressed all the same"));
        assert_eq!(peer.close_frame().0, 1002);
        drop(peer);
        server.stop();
    }

    #[test]
    fn nothing_is_offered() {
        let server = start(Server::new(), echo);
        let ws = server.connect();
        assert_eq!((offered(&ws), agreed(&ws)), (None, None));
        echoes(ws);
        server.stop();
    }
}
