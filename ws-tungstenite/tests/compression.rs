//! Compressed messages, negotiated by this crate or elsewhere.

use ws_tungstenite::error::CapacityError;
use ws_tungstenite::handshake::server::{Request, Response};
use ws_tungstenite::protocol::{Compression, Deflate, DeflateParams, Role, WebSocketConfig};
use ws_tungstenite::{Error, Message, WebSocket, accept_hdr_async_with_config, client_async_with_config};

use crate::common::*;

const COMPRESSED: u8 = TEXT | RSV1;

/// "Hello", as in RFC 7692 §7.2.3.1.
const HELLO: &[u8] = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

fn compressible() -> Message {
    Message::text("the same again, ".repeat(20))
}

fn config(compression: Compression) -> WebSocketConfig {
    WebSocketConfig::default().compression(Some(compression))
}

#[test]
fn agreed_parameters_apply_at_once() {
    for role in ROLES {
        let agreed = Compression::Agreed(DeflateParams::new(Deflate::server()));
        let mut ws = with_config(role, &[(COMPRESSED, HELLO)], config(agreed));
        assert_eq!(ws.read().unwrap(), Message::text("Hello"));
        ws.send(compressible()).unwrap();
        ws.send(Message::text("short")).unwrap();
        let frames = ws.get_ref().frames(role);
        assert!(matches!(&frames[0], Frame(COMPRESSED, payload) if payload.len() < 50), "{frames:?}");
        assert_eq!(frames[1], Frame(TEXT, b"short".to_vec()));
    }
}

#[test]
fn a_compressed_message_shows_that_the_peer_has_agreed() {
    for role in ROLES {
        let mut ws = with_config(role, &[(TEXT, b"plain"), (COMPRESSED, HELLO)], config(Compression::default()));
        ws.read().unwrap();
        ws.send(compressible()).unwrap();
        assert_eq!(ws.read().unwrap(), Message::text("Hello"));
        for _ in 0..3 {
            ws.send(compressible()).unwrap();
        }
        let frames = ws.get_ref().frames(role);
        let firsts: Vec<_> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(firsts[0], TEXT, "until then nothing is compressed");
        assert_eq!(firsts[1..], [COMPRESSED; 3]);
        assert_eq!(frames[2].1, frames[3].1, "without context takeover, which the peer may have refused");
    }
}

#[test]
fn limits_hold_for_inflated_messages() {
    // 1,290 zeros, in a block with fixed codes.
    const ZEROS: &[u8] = &[0x63, 0x18, 0x05, 0xA3, 0x60, 0x14, 0x8C, 0x82, 0x51, 0x30, 0x00];
    let config = config(Compression::default()).max_message_size(Some(1000));
    let mut ws = with_config(Role::Client, &[(BINARY | RSV1, ZEROS)], config);
    let error = ws.read().unwrap_err();
    assert!(
        matches!(error, Error::Capacity(CapacityError::MessageTooLong { size: 1001.., max_size: 1000 })),
        "{error:?}"
    );

    let mut ws = with_config(Role::Client, &[(BINARY | RSV1, &[0xFF; 20])], config);
    let error = ws.read().unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData), "{error:?}");
}

/// Both ends of a connection, opened with these configurations; and the answer to the offer.
async fn opened(client: Option<WebSocketConfig>, server: Option<WebSocketConfig>) -> Opened {
    let (near, far) = tokio::io::duplex(1 << 20);
    let mut offer = None;
    let seen = |request: &Request, response: Response| {
        offer = request.headers().get("sec-websocket-extensions").cloned();
        Ok(response)
    };
    let (client, server) = tokio::join!(
        client_async_with_config("ws://localhost/", near, client),
        accept_hdr_async_with_config(far, seen, server)
    );
    let (client, response) = client.unwrap();
    let answer = response.headers().get("sec-websocket-extensions").cloned();
    let text = |value: Option<ws_tungstenite::http::HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned());
    Opened { client, server: server.unwrap(), offer: text(offer), answer: text(answer) }
}

struct Opened {
    client: ws_tungstenite::WebSocketStream<tokio::io::DuplexStream>,
    server: ws_tungstenite::WebSocketStream<tokio::io::DuplexStream>,
    offer: Option<String>,
    answer: Option<String>,
}

#[tokio::test]
async fn compression_is_negotiated_when_both_want_it() {
    use futures_util::{SinkExt, StreamExt};

    let on = Some(config(Compression::default()));
    for (client, server) in [(on, on), (on, None), (None, on), (None, None)] {
        let mut ends = opened(client, server).await;
        assert_eq!(ends.offer.is_some(), client.is_some());
        assert_eq!(ends.answer.is_some(), client.is_some() && server.is_some());
        for _ in 0..3 {
            ends.client.send(compressible()).await.unwrap();
            assert_eq!(ends.server.next().await.unwrap().unwrap(), compressible());
            ends.server.send(compressible()).await.unwrap();
            assert_eq!(ends.client.next().await.unwrap().unwrap(), compressible());
        }
    }
}

#[tokio::test]
async fn compressed_messages_are_small_on_the_wire() {
    use futures_util::SinkExt;
    use tokio::io::AsyncReadExt;

    let on = Some(config(Compression::default()));
    let mut ends = opened(on, on).await;
    ends.server.send(compressible()).await.unwrap();
    ends.server.send(compressible()).await.unwrap();
    let mut bytes = [0; 1000];
    let n = ends.client.get_mut().read(&mut bytes).await.unwrap();
    let first = decode(&bytes[..n]).unwrap();
    let second = decode(&bytes[first.size..n]).unwrap();
    assert_eq!((first.frame.0, second.frame.0), (COMPRESSED, COMPRESSED));
    assert!(second.size < first.size && first.size < 50, "with context takeover: {} and {}", first.size, second.size);
}

#[tokio::test]
async fn a_callback_may_take_the_answer_out() {
    use futures_util::{SinkExt, StreamExt};

    let on = Some(config(Compression::default()));
    let (near, far) = tokio::io::duplex(1 << 20);
    let declines = |_: &Request, mut response: Response| {
        assert!(response.headers_mut().remove("sec-websocket-extensions").is_some());
        Ok(response)
    };
    let (client, server) = tokio::join!(
        client_async_with_config("ws://localhost/", near, on),
        accept_hdr_async_with_config(far, declines, on)
    );
    let ((mut client, _), mut server) = (client.unwrap(), server.unwrap());
    server.send(compressible()).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), compressible());
    let mut raw = WebSocket::from_raw_socket(Script::new([]), Role::Server, None);
    raw.send(compressible()).unwrap();
    assert_eq!(raw.get_ref().frames(Role::Server)[0].0, TEXT, "off unless asked for");
}
