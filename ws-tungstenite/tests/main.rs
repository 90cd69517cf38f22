//! Tests of what callers of tungstenite and of tokio-tungstenite see.

#![allow(clippy::result_large_err, reason = "the responses of callbacks are those that callers know")]

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
