//! Connections over tokio's streams.

#[cfg(feature = "connect")]
mod connect;
#[cfg(any(feature = "connect", feature = "__rustls-tls"))]
mod connector;
#[cfg(feature = "handshake")]
mod opening;
mod polled;
#[cfg(feature = "stream")]
mod stream;
mod websocket;

pub use self::websocket::WebSocketStream;

#[cfg(all(feature = "connect", feature = "__rustls-tls"))]
pub use self::connect::connect_async_tls_with_config;
#[cfg(feature = "connect")]
pub use self::connect::{connect_async, connect_async_with_config};
#[cfg(any(feature = "connect", feature = "__rustls-tls"))]
pub use self::connector::Connector;
#[cfg(feature = "__rustls-tls")]
pub use self::connector::{client_async_tls, client_async_tls_with_config};
#[cfg(feature = "handshake")]
pub use self::opening::{
    accept_async, accept_async_with_config, accept_hdr_async, accept_hdr_async_with_config, client_async,
    client_async_with_config,
};
#[cfg(feature = "stream")]
pub use self::stream::MaybeTlsStream;
