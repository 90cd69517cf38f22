//! Connections of a server over streams that block.

use std::io::{Read, Write};

use crate::handshake::HandshakeError;
use crate::handshake::server::{Callback, NoCallback, ServerHandshake};
use crate::protocol::{WebSocket, WebSocketConfig};

/// Accepts a connection over a stream.
///
/// # Errors
///
/// [`HandshakeError::Interrupted`] when the stream would block, and [`HandshakeError::Failure`]. A malformed request is not
/// answered.
pub fn accept<S: Read + Write>(stream: S) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, NoCallback>>> {
    accept_with_config(stream, None)
}

/// Accepts a connection over a stream.
///
/// # Errors
///
/// As [`accept`].
pub fn accept_with_config<S: Read + Write>(
    stream: S,
    config: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, NoCallback>>> {
    accept_hdr_with_config(stream, NoCallback, config)
}

/// Accepts a connection over a stream, after `callback` has seen the request.
///
/// # Errors
///
/// As [`accept`]; [`Error::Http`](crate::Error::Http) with the response when the callback refuses the request.
pub fn accept_hdr<S: Read + Write, C: Callback>(
    stream: S,
    callback: C,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, C>>> {
    accept_hdr_with_config(stream, callback, None)
}

/// Accepts a connection over a stream, after `callback` has seen the request.
///
/// # Errors
///
/// As [`accept_hdr`].
pub fn accept_hdr_with_config<S: Read + Write, C: Callback>(
    stream: S,
    callback: C,
    config: Option<WebSocketConfig>,
) -> Result<WebSocket<S>, HandshakeError<ServerHandshake<S, C>>> {
    ServerHandshake::start(stream, callback, config).handshake()
}
