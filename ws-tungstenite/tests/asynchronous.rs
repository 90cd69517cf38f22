//! Connections over tokio's streams.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::FusedStream;
use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use ws_tungstenite::error::{ProtocolError, UrlError};
use ws_tungstenite::handshake::server::{ErrorResponse, Request, Response};
use ws_tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use ws_tungstenite::tungstenite::Message;
use ws_tungstenite::{
    Connector, Error, MaybeTlsStream, WebSocketStream, accept_async, accept_hdr_async, client_async, connect_async,
    connect_async_with_config,
};

use crate::common::{BINARY, CLOSE, Frame, PING, PONG, TEXT, close_body, decode, letters, to};

/// Both ends, with this much room for bytes between them.
async fn pair(room: usize) -> [WebSocketStream<DuplexStream>; 2] {
    let (near, far) = tokio::io::duplex(room);
    [
        WebSocketStream::from_raw_socket(near, Role::Client, None).await,
        WebSocketStream::from_raw_socket(far, Role::Server, None).await,
    ]
}

/// A connection whose peer is written by hand.
async fn by_hand(role: Role) -> (WebSocketStream<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1 << 20);
    (WebSocketStream::from_raw_socket(near, role, None).await, far)
}

#[test]
fn streams_can_be_sent_and_need_no_pin() {
    fn check<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    check::<WebSocketStream<TcpStream>>();
    check::<WebSocketStream<MaybeTlsStream<TcpStream>>>();
    check::<Connector>();
    check::<Error>();
}

#[tokio::test]
async fn messages_go_both_ways() {
    for room in [1, 100, 1 << 20] {
        let [client, mut server] = pair(room).await;
        let (mut sink, mut stream) = client.split();
        let expected = [Message::text("Hello"), Message::binary(letters(1000)), Message::Ping("?".into())];
        let echo = async {
            for message in &expected {
                let received = server.next().await.unwrap().unwrap();
                assert_eq!(received, *message);
                server.send(received).await.unwrap();
            }
            server
        };
        let talk = async {
            for message in &expected {
                sink.send(message.clone()).await.unwrap();
            }
        };
        let listen = async {
            let mut received = vec![];
            // The pong to our ping comes beside the ping that is sent back.
            while received.len() < expected.len() + 1 {
                received.push(stream.next().await.unwrap().unwrap());
            }
            received
        };
        let (_server, (), received) = tokio::join!(echo, talk, listen);
        assert_eq!(received[..2], expected[..2]);
        assert!(received[2..].contains(&Message::Pong("?".into())), "{received:?}");
    }
}

#[tokio::test]
async fn a_connection_ends_as_a_stream_does() {
    for closes_first in [Role::Client, Role::Server] {
        let [client, server] = pair(1 << 10).await;
        let (mut first, mut second) = match closes_first {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let frame = CloseFrame { code: 4000.into(), reason: "bye".into() };
        first.close(Some(frame.clone())).await.unwrap();
        let answering = async move {
            assert_eq!(second.next().await.unwrap().unwrap(), Message::Close(Some(frame)));
            if closes_first == Role::Client {
                assert!(second.next().await.is_none());
                assert!(second.is_terminated());
            } else {
                // A client waits for the end of the stream.
                assert!(second.next().now_or_never().is_none());
            }
        };
        let closing = async move {
            let answer = CloseFrame { code: 4000.into(), reason: "".into() };
            assert_eq!(first.next().await.unwrap().unwrap(), Message::Close(Some(answer)));
            assert!(first.next().await.is_none());
            assert!(first.next().await.is_none(), "it stays so");
            assert!(matches!(first.send(Message::text("?")).await, Err(Error::AlreadyClosed)));
        };
        tokio::join!(answering, closing);
    }
}

#[tokio::test]
async fn a_sink_that_is_closed_sends_a_close_frame() {
    let (mut ws, mut peer) = by_hand(Role::Server).await;
    ws.feed(Message::text("last")).await.unwrap();
    SinkExt::close(&mut ws).await.unwrap();
    let mut bytes = [0; 8];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, *b"\x81\x04last\x88\x00");
    assert!(matches!(ws.send(Message::text("?")).await, Err(Error::Protocol(ProtocolError::SendAfterClosing))));
    SinkExt::close(&mut ws).await.unwrap();
}

#[tokio::test]
async fn an_error_is_the_last_item() {
    let (mut ws, mut peer) = by_hand(Role::Server).await;
    peer.write_all(&[to(Role::Server, TEXT, "one"), to(Role::Server, 0x83, "?")].concat()).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("one"));
    assert!(matches!(ws.next().await, Some(Err(Error::Protocol(ProtocolError::InvalidOpcode(3))))));
    assert!(ws.next().await.is_none() && ws.is_terminated());
    let mut bytes = [0; 200];
    let n = peer.read(&mut bytes).await.unwrap();
    let Frame(CLOSE, body) = decode(&bytes[..n]).unwrap().frame else { panic!("no Close frame") };
    assert!(body.starts_with(&1002u16.to_be_bytes()));

    let (mut ws, peer) = by_hand(Role::Client).await;
    drop(peer);
    assert!(matches!(ws.next().await, Some(Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)))));
    assert!(ws.next().await.is_none());
}

#[tokio::test]
async fn a_pong_needs_no_message_of_ours() {
    let (mut ws, mut peer) = by_hand(Role::Server).await;
    peer.write_all(&to(Role::Server, PING, "?")).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::Ping("?".into()));
    assert!(ws.next().now_or_never().is_none());
    let mut bytes = [0; 3];
    peer.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, [PONG, 1, b'?']);
}

#[tokio::test]
async fn fed_messages_wait_for_a_flush() {
    let (mut ws, mut peer) = by_hand(Role::Server).await;
    ws.feed(Message::text("one")).await.unwrap();
    ws.feed(Message::text("two")).await.unwrap();
    let mut bytes = [0; 10];
    assert!(peer.read(&mut bytes).now_or_never().is_none());
    ws.flush().await.unwrap();
    assert_eq!(peer.read(&mut bytes).await.unwrap(), 10);
}

#[tokio::test]
async fn a_sink_waits_while_the_stream_is_full() {
    let (near, mut peer) = tokio::io::duplex(10);
    let config = WebSocketConfig::default().write_buffer_size(0);
    let mut ws = WebSocketStream::from_raw_socket(near, Role::Server, Some(config)).await;
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(Pin::new(&mut ws).poll_ready(&mut cx).is_ready());
    Pin::new(&mut ws).start_send(Message::binary(letters(20))).unwrap();
    assert!(Pin::new(&mut ws).poll_ready(&mut cx).is_pending(), "it is queued, and no other is taken");
    let mut bytes = [0; 22];
    let (read, flushed) = tokio::join!(peer.read_exact(&mut bytes), ws.flush());
    read.unwrap();
    flushed.unwrap();
    assert_eq!(bytes[2..], letters(20));
    assert!(matches!(Pin::new(&mut ws).poll_ready(&mut cx), Poll::Ready(Ok(()))));
}

/// Each half is polled by a task of its own, and both wait for the stream to take bytes: the reader for its pongs.
#[tokio::test]
async fn two_tasks_that_wait_for_the_stream_are_both_woken() {
    for round in 0..50 {
        let (near, mut peer) = tokio::io::duplex(16);
        let ws = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
        let (mut sink, mut stream) = ws.split();
        let sender = tokio::spawn(async move {
            for _ in 0..20 {
                sink.send(Message::binary(letters(100))).await.unwrap();
            }
        });
        let reader = tokio::spawn(async move {
            let mut pings = 0;
            while pings < 20 {
                pings += usize::from(stream.next().await.unwrap().unwrap().is_ping());
            }
            // The last pong.
            let _ = tokio::time::timeout(Duration::from_millis(10), stream.next()).await;
        });
        let (mut bytes, mut seen) = (vec![], (0, 0));
        for n in 0..20 {
            peer.write_all(&to(Role::Client, PING, [n])).await.unwrap();
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            read_frames(&mut peer, &mut bytes, &mut seen).await;
        }
        let all = async {
            while seen != (20, 20) {
                read_frames(&mut peer, &mut bytes, &mut seen).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), all).await.expect("nobody is left waiting");
        sender.await.unwrap();
        reader.await.unwrap();
    }
}

async fn read_frames(peer: &mut DuplexStream, bytes: &mut Vec<u8>, seen: &mut (usize, usize)) {
    peer.read_buf(bytes).await.unwrap();
    while let Some(found) = decode(bytes) {
        bytes.drain(..found.size);
        match found.frame.0 {
            BINARY => seen.0 += 1,
            PONG => seen.1 += 1,
            other => panic!("{other:#x}"),
        }
    }
}

#[tokio::test]
async fn a_dropped_future_loses_no_message() {
    let (mut ws, mut peer) = by_hand(Role::Client).await;
    let bytes = to(Role::Client, BINARY, letters(1000));
    for piece in bytes.chunks(100) {
        assert!(ws.next().now_or_never().is_none());
        peer.write_all(piece).await.unwrap();
    }
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::binary(letters(1000)));
}

#[tokio::test]
async fn the_stream_comes_back() {
    let (near, mut peer) = tokio::io::duplex(100);
    let mut ws = WebSocketStream::from_partially_read(near, b"\x81\x02Hi".to_vec(), Role::Client, None).await;
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hi"));
    assert_eq!(ws.get_config().max_message_size, Some(64 << 20));
    ws.get_mut().write_all(b"raw").await.unwrap();
    let _: &DuplexStream = ws.get_ref();
    drop(ws.into_inner());
    let mut all = vec![];
    peer.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, b"raw");
}

#[tokio::test]
async fn clients_connect_to_servers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut ws = accept_async(listener.accept().await.unwrap().0).await.unwrap();
        let message = ws.next().await.unwrap().unwrap();
        ws.send(message).await.unwrap();
        assert!(ws.next().await.unwrap().unwrap().is_close());
        assert!(ws.next().await.is_none());
        drop(ws);

        let refuse = |_: &Request, _: Response| -> Result<Response, ErrorResponse> {
            let mut refusal = ErrorResponse::new(Some("no".into()));
            *refusal.status_mut() = ws_tungstenite::http::StatusCode::UNAUTHORIZED;
            Err(refusal)
        };
        let refused = accept_hdr_async(listener.accept().await.unwrap().0, refuse).await;
        assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 401));
    });
    let (mut ws, response) = connect_async_with_config(format!("ws://{address}/"), None, true).await.unwrap();
    assert_eq!(response.status(), 101);
    assert!(matches!(ws.get_ref(), MaybeTlsStream::Plain(stream) if stream.nodelay().unwrap()));
    ws.send(Message::text("Hello")).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("Hello"));
    ws.close(None).await.unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::Close(None));
    assert!(ws.next().await.is_none());

    let refused = connect_async(format!("ws://{address}/")).await;
    assert!(matches!(refused, Err(Error::Http(response)) if response.status() == 401));
    server.await.unwrap();
}

#[tokio::test]
async fn urls_are_checked_first() {
    assert!(matches!(connect_async("http://127.0.0.1:1/").await, Err(Error::Url(UrlError::UnsupportedUrlScheme))));
    assert!(matches!(connect_async("ws:///").await, Err(Error::HttpFormat(_) | Error::Url(_))));
    assert!(matches!(connect_async("ws://127.0.0.1:1/").await, Err(Error::Io(_))));
    let (near, _far) = tokio::io::duplex(1);
    assert!(matches!(client_async("/a/path", near).await, Err(Error::Url(UrlError::NoHostName))));
}

#[tokio::test]
async fn close_bodies_are_read() {
    let (mut ws, mut peer) = by_hand(Role::Client).await;
    peer.write_all(&to(Role::Client, CLOSE, close_body(1012, "restart"))).await.unwrap();
    let frame =
        CloseFrame { code: ws_tungstenite::protocol::frame::coding::CloseCode::Restart, reason: "restart".into() };
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::Close(Some(frame)));
}
