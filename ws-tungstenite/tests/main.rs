//! Tests of what callers of tungstenite and of tokio-tungstenite see.

mod asynchronous;
mod closing;
mod common;
mod compression;
mod errors;
mod flushing;
mod handshake;
mod limits;
mod messages;
#[cfg(feature = "__rustls-tls")]
mod tls;
