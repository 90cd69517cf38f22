//! Errors.

use std::error::Error as StdError;
use std::{fmt, io, result};

#[cfg(feature = "handshake")]
use http::{HeaderName, Response};

use crate::protocol::Message;
use crate::protocol::frame::coding::Data;

mod convert;

/// The result of most calls.
pub type Result<T, E = Error> = result::Result<T, E>;

/// An error of a connection or of its opening handshake.
///
/// The variants that belong to a feature exist only with it, as in the crate whose names these are.
#[derive(Debug)]
pub enum Error {
    /// The connection is closed: both Close frames are through, and a client has seen the end of the stream. This is the normal
    /// end. The stream can be dropped.
    ConnectionClosed,
    /// The connection was used after [`ConnectionClosed`](Self::ConnectionClosed), or after another error that ended it.
    AlreadyClosed,
    /// An error of the stream. `WouldBlock` is no failure: call again. Input that cannot be read for a reason that has no variant
    /// of its own, such as corrupt compressed data, is an `InvalidData` whose inner error is a [`Violation`](ws_proto::Violation).
    Io(io::Error),
    /// An error of TLS.
    Tls(TlsError),
    /// A limit was exceeded.
    Capacity(CapacityError),
    /// The peer, or the caller, broke the protocol.
    Protocol(ProtocolError),
    /// The queue is full: see [`WebSocketConfig::max_write_buffer_size`](crate::protocol::WebSocketConfig). The message was not
    /// queued, and is in the error.
    WriteBufferFull(Box<Message>),
    /// Bytes that are not UTF-8.
    Utf8(String),
    /// The head of the opening handshake is longer than 64 KiB.
    AttackAttempt,
    /// The URL cannot be used.
    Url(UrlError),
    /// The response to the opening handshake has another status than 101, or the callback of a server refused the request. The body
    /// is as much of it as came with the head.
    #[cfg(feature = "handshake")]
    Http(Box<Response<Option<Vec<u8>>>>),
    /// Something does not fit into HTTP.
    #[cfg(feature = "handshake")]
    HttpFormat(http::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionClosed => f.write_str("the connection is closed"),
            Self::AlreadyClosed => f.write_str("the connection was closed before"),
            Self::Io(error) => write!(f, "I/O error: {error}"),
            Self::Tls(error) => write!(f, "TLS error: {error}"),
            Self::Capacity(error) => write!(f, "limit exceeded: {error}"),
            Self::Protocol(error) => write!(f, "WebSocket protocol error: {error}"),
            Self::WriteBufferFull(_) => f.write_str("the write buffer is full (max_write_buffer_size)"),
            Self::Utf8(what) => write!(f, "not UTF-8: {what}"),
            Self::AttackAttempt => f.write_str("the head of the opening handshake is too long"),
            Self::Url(error) => write!(f, "URL error: {error}"),
            #[cfg(feature = "handshake")]
            Self::Http(response) => write!(f, "HTTP error: {}", response.status()),
            #[cfg(feature = "handshake")]
            Self::HttpFormat(error) => write!(f, "HTTP format error: {error}"),
        }
    }
}

impl StdError for Error {
    /// The cause of the error inside, because the text of that one is part of the text of this one.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Tls(error) => error.source(),
            #[cfg(feature = "handshake")]
            Self::HttpFormat(error) => error.source(),
            _ => None,
        }
    }
}

/// A limit that was exceeded.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum CapacityError {
    /// The head of the opening handshake has more than 124 headers.
    TooManyHeaders,
    /// A message or a frame is too long.
    MessageTooLong {
        /// Its size in bytes: as its headers announce it, or as far as it was inflated.
        size: usize,
        /// The limit in bytes.
        max_size: usize,
    },
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyHeaders => f.write_str("too many headers"),
            Self::MessageTooLong { size, max_size } => write!(f, "message too long: {size} > {max_size}"),
        }
    }
}

impl StdError for CapacityError {}

/// The subprotocol of a response does not fit the request (RFC 6455 §4.1).
#[derive(Clone, PartialEq, Eq, Debug, Copy)]
pub enum SubProtocolError {
    /// The server named one, and none was requested.
    ServerSentSubProtocolNoneRequested,
    /// The server named one that was not requested.
    InvalidSubProtocol,
    /// The server named none, and one was requested.
    NoSubProtocol,
}

impl fmt::Display for SubProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerSentSubProtocolNoneRequested => "the server named a subprotocol, and none was requested",
            Self::InvalidSubProtocol => "the server named a subprotocol that was not requested",
            Self::NoSubProtocol => "the server named none of the requested subprotocols",
        })
    }
}

impl StdError for SubProtocolError {}

/// A rule of the protocol that was broken.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum ProtocolError {
    /// The method of the request is not GET.
    WrongHttpMethod,
    /// The version is older than HTTP/1.1.
    WrongHttpVersion,
    /// There is no `Connection: Upgrade`.
    MissingConnectionUpgradeHeader,
    /// There is no `Upgrade: websocket`.
    MissingUpgradeWebSocketHeader,
    /// There is no `Sec-WebSocket-Version: 13`.
    MissingSecWebSocketVersionHeader,
    /// There is no `Sec-WebSocket-Key`.
    MissingSecWebSocketKey,
    /// The `Sec-WebSocket-Key` is not 16 bytes in Base64.
    InvalidSecWebSocketKey,
    /// The `Sec-WebSocket-Accept` does not belong to the key.
    SecWebSocketAcceptKeyMismatch,
    /// The subprotocol of the response does not fit the request.
    SecWebSocketSubProtocolError(SubProtocolError),
    /// Bytes followed the request before it was answered.
    JunkAfterRequest,
    /// A callback refused a request with a response that does not say so.
    CustomResponseSuccessful,
    /// A header of the request is missing, duplicated or wrong.
    #[cfg(feature = "handshake")]
    InvalidHeader(Box<HeaderName>),
    /// The stream ended before the opening handshake did.
    HandshakeIncomplete,
    /// The head is not HTTP.
    #[cfg(feature = "handshake")]
    HttparseError(httparse::Error),
    /// A message was to be sent after a Close frame.
    SendAfterClosing,
    /// The peer sent something after its Close frame.
    ReceivedAfterClosing,
    /// A reserved bit is set (RFC 6455 §5.2).
    NonZeroReservedBits,
    /// A client's frame is not masked (RFC 6455 §5.1).
    UnmaskedFrameFromClient,
    /// A server's frame is masked (RFC 6455 §5.1).
    MaskedFrameFromServer,
    /// A control frame is fragmented (RFC 6455 §5.4).
    FragmentedControlFrame,
    /// A control frame is longer than 125 bytes (RFC 6455 §5.5).
    ControlFrameTooBig,
    /// Not used: a reserved opcode is an [`InvalidOpcode`](Self::InvalidOpcode).
    UnknownControlFrameType(u8),
    /// Not used: a reserved opcode is an [`InvalidOpcode`](Self::InvalidOpcode).
    UnknownDataFrameType(u8),
    /// A continuation frame outside of a fragmented message (RFC 6455 §5.4).
    UnexpectedContinueFrame,
    /// A new message inside a fragmented one (RFC 6455 §5.4). Its kind is always told as text.
    ExpectedFragment(Data),
    /// The stream ended without a Close frame.
    ResetWithoutClosingHandshake,
    /// A reserved opcode (RFC 6455 §5.2).
    InvalidOpcode(u8),
    /// A Close frame with a single byte of payload, or one to be sent with a code that must not be (RFC 6455 §5.5.1, §7.4).
    InvalidCloseSequence,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongHttpMethod => "the method is not GET",
            Self::WrongHttpVersion => "the version is older than HTTP/1.1",
            Self::MissingConnectionUpgradeHeader => "no \"Connection: upgrade\" header",
            Self::MissingUpgradeWebSocketHeader => "no \"Upgrade: websocket\" header",
            Self::MissingSecWebSocketVersionHeader => "no \"Sec-WebSocket-Version: 13\" header",
            Self::MissingSecWebSocketKey => "no \"Sec-WebSocket-Key\" header",
            Self::InvalidSecWebSocketKey => "the \"Sec-WebSocket-Key\" header is not 16 bytes in Base64",
            Self::SecWebSocketAcceptKeyMismatch => "the \"Sec-WebSocket-Accept\" header does not belong to the key",
            Self::SecWebSocketSubProtocolError(error) => return error.fmt(f),
            Self::JunkAfterRequest => "bytes followed the request before it was answered",
            Self::CustomResponseSuccessful => "a response that refuses a request must not be successful",
            #[cfg(feature = "handshake")]
            Self::InvalidHeader(name) => return write!(f, "missing, duplicated or wrong header {name}"),
            Self::HandshakeIncomplete => "the stream ended before the opening handshake did",
            #[cfg(feature = "handshake")]
            Self::HttparseError(error) => return write!(f, "not HTTP: {error}"),
            Self::SendAfterClosing => "nothing can be sent after a Close frame",
            Self::ReceivedAfterClosing => "something was received after a Close frame",
            Self::NonZeroReservedBits => "reserved bit set without an extension",
            Self::UnmaskedFrameFromClient => "client frame not masked",
            Self::MaskedFrameFromServer => "server frame masked",
            Self::FragmentedControlFrame => "fragmented control frame",
            Self::ControlFrameTooBig => "control frame longer than 125 bytes",
            Self::UnknownControlFrameType(bits) | Self::UnknownDataFrameType(bits) | Self::InvalidOpcode(bits) => {
                return write!(f, "reserved opcode 0x{bits:X}");
            }
            Self::UnexpectedContinueFrame => "continuation frame without a message to continue",
            Self::ExpectedFragment(_) => "new message before the fragmented one was finished",
            Self::ResetWithoutClosingHandshake => "the connection ended without a closing handshake",
            Self::InvalidCloseSequence => "malformed Close frame",
        })
    }
}

impl StdError for ProtocolError {}

/// A URL that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It is `wss://`, and no feature for TLS is on, or [`Connector::Plain`](crate::Connector) was given.
    TlsFeatureNotEnabled,
    /// It names no host.
    NoHostName,
    /// No address of this URL's host could be connected to.
    UnableToConnect(String),
    /// It is neither `ws://` nor `wss://`.
    UnsupportedUrlScheme,
    /// Its host is empty.
    EmptyHostName,
    /// It has no path.
    NoPathOrQuery,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsFeatureNotEnabled => {
                "wss:// needs a feature for TLS (rustls-tls-native-roots, rustls-tls-webpki-roots)"
            }
            Self::NoHostName => "no host",
            Self::UnableToConnect(url) => return write!(f, "no connection to {url}"),
            Self::UnsupportedUrlScheme => "neither ws:// nor wss://",
            Self::EmptyHostName => "the host is empty",
            Self::NoPathOrQuery => "no path",
        })
    }
}

impl StdError for UrlError {}

/// An error of TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// rustls refused its configuration or its peer.
    #[cfg(feature = "__rustls-tls")]
    Rustls(Box<rustls::Error>),
    /// The host of the URL cannot stand in a certificate.
    InvalidDnsName,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "__rustls-tls")]
            Self::Rustls(error) => error.fmt(f),
            Self::InvalidDnsName => f.write_str("the host cannot stand in a certificate"),
        }
    }
}

impl StdError for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert!(size_of::<Error>() <= 32);
        assert!(size_of::<TlsError>() <= 16);
        assert!(size_of::<ProtocolError>() <= 16);
    }
}
