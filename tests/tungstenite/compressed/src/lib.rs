//! Compression through other people's crates, whose `tungstenite` is ws-tungstenite: what is sent is compressed, both ways.

#![cfg(test)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use hyper_tungstenite::tungstenite::protocol::WebSocketConfig;
use reqwest_websocket::Upgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use ws_tungstenite::compression::{CompressionLayer, accept};
use ws_tungstenite::protocol::{Compression, Deflate};
use ws_tungstenite::{Message, accept_async_with_config, client_async_with_config};

/// How often the message is sent, and its length.
const TIMES: usize = 20;
const LENGTH: usize = 16_000;

fn text() -> String {
    "the same again, ".repeat(LENGTH / 16)
}

fn compressing() -> Option<WebSocketConfig> {
    Some(WebSocketConfig::default().compression(Some(Compression::default())))
}

async fn bound<F: Future<Output = ()> + Send + 'static>(serve: impl FnOnce(TcpListener) -> F) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener));
    address
}

/// Sends messages to an echo, and counts the bytes both ways.
async fn echoed(address: std::net::SocketAddr, config: Option<WebSocketConfig>) -> (Option<String>, usize, usize) {
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let stream = Counting { stream: TcpStream::connect(address).await.unwrap(), counts: counts.clone() };
    let (mut ws, response) = client_async_with_config(format!("ws://{address}/"), stream, config).await.unwrap();
    let answer = response.headers().get("sec-websocket-extensions").map(|answer| answer.to_str().unwrap().to_owned());
    for _ in 0..TIMES {
        ws.send(Message::text(text())).await.unwrap();
        assert_eq!(ws.next().await.unwrap().unwrap(), Message::text(text()));
    }
    (answer, counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst))
}

struct Counting {
    stream: TcpStream,
    counts: Arc<(AtomicUsize, AtomicUsize)>,
}

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.counts.0.fetch_add(buf.filled().len() - before, Ordering::SeqCst);
        polled
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(n)) = &polled {
            self.counts.1.fetch_add(*n, Ordering::SeqCst);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A client that offers compression gets it, and another does not.
async fn assert_compresses(address: std::net::SocketAddr) {
    let (answer, received, sent) = echoed(address, compressing()).await;
    assert!(answer.is_some_and(|answer| answer.starts_with("permessage-deflate")));
    assert!(received < TIMES * LENGTH / 10 && sent < TIMES * LENGTH / 10, "{received} and {sent} bytes");
    let (answer, received, sent) = echoed(address, None).await;
    assert_eq!(answer, None);
    assert!(received > TIMES * LENGTH && sent > TIMES * LENGTH, "{received} and {sent} bytes");
}

fn routes() -> Router {
    let echo = |ws: WebSocketUpgrade| async {
        ws.on_upgrade(async |mut ws| {
            while let Some(Ok(message)) = ws.recv().await {
                if ws.send(message).await.is_err() {
                    break;
                }
            }
        })
    };
    Router::new().route("/", any(echo))
}

#[tokio::test]
async fn axum_compresses_within_a_layer() {
    let address = bound(async |listener| {
        axum::serve(listener, routes().layer(CompressionLayer::new())).await.unwrap();
    });
    assert_compresses(address.await).await;
}

#[tokio::test]
async fn axum_without_the_layer_does_not() {
    let address = bound(async |listener| axum::serve(listener, routes()).await.unwrap()).await;
    let (answer, received, _) = echoed(address, compressing()).await;
    assert_eq!(answer, None);
    assert!(received > TIMES * LENGTH);
}

#[tokio::test]
async fn hyper_tungstenite_compresses_with_a_configuration() {
    use hyper::body::Incoming;
    use hyper::{Request, Response};

    async fn answer(request: Request<Incoming>) -> Result<Response<http_body_util::Full<hyper::body::Bytes>>, String> {
        let negotiated = accept(request.headers(), Deflate::server());
        let agreed = negotiated.as_ref().map(|(_, agreed)| Compression::Agreed(*agreed));
        let config = WebSocketConfig::default().compression(agreed);
        let (mut response, ws) =
            hyper_tungstenite::upgrade(request, Some(config)).map_err(|error| error.to_string())?;
        if let Some((answer, _)) = negotiated {
            response.headers_mut().insert("sec-websocket-extensions", answer);
        }
        tokio::spawn(async move {
            let mut ws = ws.await.unwrap();
            while let Some(Ok(message)) = ws.next().await {
                if ws.send(message).await.is_err() {
                    break;
                }
            }
        });
        Ok(response)
    }

    let address = bound(async |listener| {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let io = hyper_util::rt::TokioIo::new(stream);
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, hyper::service::service_fn(answer))
                .with_upgrades();
            tokio::spawn(connection);
        }
    });
    assert_compresses(address.await).await;
}

#[tokio::test]
async fn reqwest_websocket_compresses_with_a_header_and_a_configuration() {
    let counts = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let counted = counts.clone();
    let address = bound(async move |listener| {
        let stream = Counting { stream: listener.accept().await.unwrap().0, counts: counted };
        let mut ws = accept_async_with_config(stream, compressing()).await.unwrap();
        while let Some(Ok(message)) = ws.next().await {
            if ws.send(message).await.is_err() {
                break;
            }
        }
    })
    .await;
    let mut ws = reqwest::Client::new()
        .get(format!("ws://{address}/"))
        .header("Sec-WebSocket-Extensions", "permessage-deflate")
        .upgrade()
        .web_socket_config(compressing().unwrap())
        .send()
        .await
        .unwrap()
        .into_websocket()
        .await
        .unwrap();
    for _ in 0..TIMES {
        ws.send(reqwest_websocket::Message::Text(text())).await.unwrap();
        let echo = ws.try_next().await.unwrap().unwrap();
        assert!(matches!(echo, reqwest_websocket::Message::Text(echo) if echo == text()));
    }
    let (received, sent) = (counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst));
    // The first message shows what the server has agreed to.
    assert!(received < 2 * LENGTH, "{received} bytes");
    assert!(sent < TIMES * LENGTH / 10, "{sent} bytes");
}
