//! WebSocket over HTTP/2 (RFC 8441): the opening handshake of both roles as data, and the end of a connection on one stream
//! of many.

#[cfg(feature = "handshake")]
mod client;
#[cfg(feature = "handshake")]
mod server;

mod ending;
