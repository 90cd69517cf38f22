//! The names of [`tungstenite`](https://docs.rs/tungstenite/0.30) and
//! [`tokio-tungstenite`](https://docs.rs/tokio-tungstenite/0.30) over [`ws_proto`], with compression.
//!
//! A program that uses either crate keeps its source. Its `Cargo.toml` changes:
//!
//! ```toml
//! tokio-tungstenite = { package = "ws-tungstenite", version = "0.1", features = ["rustls-tls-native-roots"] }
//! ```
//!
//! Either crate can be renamed to this one. It has the names of both at its root, and those of `tungstenite` again in the module
//! [`tungstenite`], where `tokio-tungstenite` has them. A package that depends on both renames `tokio-tungstenite` to
//! `ws-tokio-tungstenite`.
//!
//! ```
//! # #[cfg(feature = "connect")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ws_tungstenite::Error> {
//! use futures_util::{SinkExt, StreamExt};
//! use tokio::net::{TcpListener, TcpStream};
//! use ws_tungstenite::protocol::{Compression, WebSocketConfig};
//! use ws_tungstenite::{Message, accept_async_with_config, client_async_with_config};
//!
//! let config = Some(WebSocketConfig::default().compression(Some(Compression::default())));
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await?;
//!     let mut ws = accept_async_with_config(stream, config).await?;
//!     while let Some(message) = ws.next().await {
//!         let message = message?;
//!         if message.is_text() || message.is_binary() {
//!             ws.send(message).await?;
//!         }
//!     }
//!     Ok::<_, ws_tungstenite::Error>(())
//! });
//!
//! let stream = TcpStream::connect(address).await?;
//! let (mut ws, _response) = client_async_with_config(format!("ws://{address}/"), stream, config).await?;
//! ws.send("Hello".into()).await?;
//! assert_eq!(ws.next().await.unwrap()?, Message::text("Hello"));
//! ws.close(None).await?;
//! while ws.next().await.is_some() {}
//! server.await.unwrap()
//! # }
//! # #[cfg(not(feature = "connect"))]
//! # fn main() {}
//! ```
//!
//! # Compression
//!
//! [`WebSocketConfig::compression`](protocol::WebSocketConfig::compression) switches permessage-deflate (RFC 7692) on, for the
//! handshake functions of this crate and for streams from [`WebSocketStream::from_raw_socket`]. For frameworks that answer the
//! opening handshake themselves, such as axum, [`compression`] has a layer.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `handshake` (default) | the opening handshake, both roles |
//! | `connect` (default) | `connect_async`: TCP connections of tokio |
//! | `rustls-tls-native-roots` | `wss://` with the certificates of the system |
//! | `rustls-tls-webpki-roots` | `wss://` with the certificates of Mozilla |
//! | `stream` | `MaybeTlsStream` for tokio's streams |
//! | `tower` | `CompressionLayer` |
//! | `url` | requests from `url::Url` |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(clippy::result_large_err, reason = "the types are those that callers know")]

/// The programs in README.md compile.
#[cfg(all(doctest, feature = "rustls-tls-native-roots", feature = "tower"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "handshake")]
pub mod client;
#[cfg(feature = "handshake")]
pub mod compression;
pub mod error;
#[cfg(feature = "handshake")]
pub mod handshake;
pub mod protocol;
pub mod stream;
pub mod util;

mod on_tokio;
mod scratch;
#[cfg(feature = "handshake")]
mod server;
#[cfg(feature = "__rustls-tls")]
mod tls;

pub use bytes::Bytes;
#[cfg(feature = "handshake")]
pub use http;

pub use self::error::{Error, Result};
pub use self::protocol::frame::Utf8Bytes;
pub use self::protocol::{Message, WebSocket};

#[cfg(feature = "handshake")]
pub use self::client::{ClientRequestBuilder, client, connect};
#[cfg(feature = "handshake")]
pub use self::handshake::HandshakeError;
#[cfg(feature = "handshake")]
pub use self::handshake::client::ClientHandshake;
#[cfg(feature = "handshake")]
pub use self::handshake::server::ServerHandshake;
#[cfg(feature = "handshake")]
pub use self::server::{accept, accept_hdr, accept_hdr_with_config, accept_with_config};
#[cfg(feature = "__rustls-tls")]
pub use self::tls::{client_tls, client_tls_with_config};

#[cfg(any(feature = "connect", feature = "__rustls-tls"))]
pub use self::on_tokio::Connector;
#[cfg(feature = "stream")]
pub use self::on_tokio::MaybeTlsStream;
pub use self::on_tokio::WebSocketStream;
#[cfg(all(feature = "connect", feature = "__rustls-tls"))]
pub use self::on_tokio::connect_async_tls_with_config;
#[cfg(feature = "handshake")]
pub use self::on_tokio::{
    accept_async, accept_async_with_config, accept_hdr_async, accept_hdr_async_with_config, client_async,
    client_async_with_config,
};
#[cfg(feature = "__rustls-tls")]
pub use self::on_tokio::{client_async_tls, client_async_tls_with_config};
#[cfg(feature = "connect")]
pub use self::on_tokio::{connect_async, connect_async_with_config};

/// The names of `tungstenite`, where `tokio-tungstenite` has them.
pub mod tungstenite {
    pub use crate::{Bytes, Error, Message, Result, Utf8Bytes, WebSocket, error, protocol, stream, util};
    #[cfg(feature = "handshake")]
    pub use crate::{
        ClientHandshake, ClientRequestBuilder, HandshakeError, ServerHandshake, accept, accept_hdr,
        accept_hdr_with_config, accept_with_config, client, compression, connect, handshake, http,
    };
    #[cfg(feature = "__rustls-tls")]
    pub use crate::{Connector, client_tls, client_tls_with_config};
}
