//! The names of [`tokio-tungstenite`](https://docs.rs/tokio-tungstenite/0.30), which are those of [`ws_tungstenite`].
//!
//! Cargo does not let a package depend on one crate under two names. A package that depends on both `tungstenite` and
//! `tokio-tungstenite` renames the first to `ws-tungstenite` and the second to this crate:
//!
//! ```toml
//! tungstenite = { package = "ws-tungstenite", version = "0.1" }
//! tokio-tungstenite = { package = "ws-tokio-tungstenite", version = "0.1" }
//! ```
//!
//! The features are those of [`ws_tungstenite`].

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use ws_tungstenite::{WebSocketStream, tungstenite};

#[cfg(any(feature = "connect", feature = "__rustls-tls"))]
pub use ws_tungstenite::Connector;
#[cfg(feature = "stream")]
pub use ws_tungstenite::MaybeTlsStream;
#[cfg(all(feature = "connect", feature = "__rustls-tls"))]
pub use ws_tungstenite::connect_async_tls_with_config;
#[cfg(feature = "handshake")]
pub use ws_tungstenite::{
    accept_async, accept_async_with_config, accept_hdr_async, accept_hdr_async_with_config, client_async,
    client_async_with_config,
};
#[cfg(feature = "__rustls-tls")]
pub use ws_tungstenite::{client_async_tls, client_async_tls_with_config};
#[cfg(feature = "connect")]
pub use ws_tungstenite::{connect_async, connect_async_with_config};
