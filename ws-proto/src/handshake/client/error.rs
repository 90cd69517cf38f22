//! Errors of a client's opening handshake.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::LOCATION;
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::escaped::EscapedBytes;
use crate::handshake::head::HeadError;

/// An error of a client's opening handshake: the connection did not open.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The response is malformed, over a limit, or not HTTP/1.1.
    Head(HeadError),
    /// The server answered with another status than 101: a rejection, a redirection, or a response of another HTTP service.
    Rejected {
        /// The response without its body. A redirection has a `Location`.
        response: Box<Response<()>>,
        /// The position in the input where the body begins. A [`BodyReader`](crate::handshake::body::BodyReader) reads it.
        consumed: usize,
    },
    /// A 101 without a required header (RFC 6455 §4.1).
    MissingHeader(HeaderName),
    /// A 101 with a duplicate header that must appear once (RFC 6455 §11.3).
    DuplicateHeader(HeaderName),
    /// A 101 with a wrong value of this header (RFC 6455 §4.1).
    WrongHeader(HeaderName, HeaderValue),
    /// A 101 with a subprotocol that was not offered (RFC 6455 §4.1).
    SubprotocolNotOffered(HeaderValue),
    /// A 101 without any of these subprotocols, of which one is required
    /// ([`Builder::require_subprotocol`](super::Builder::require_subprotocol)).
    NoSubprotocol(Vec<String>),
    /// A 101 with an extension that was not offered (RFC 6455 §4.1).
    ExtensionNotOffered(String),
    /// A 101 with a `Sec-WebSocket-Extensions` header that cannot be parsed (RFC 6455 §9.1).
    MalformedExtensions,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "invalid HTTP response: {error}"),
            Self::Rejected { response, .. } => describe_refusal(response).fmt(f),
            Self::MissingHeader(name) => write!(f, "invalid handshake response: no {name} header"),
            Self::DuplicateHeader(name) => write!(f, "invalid handshake response: more than one {name} header"),
            Self::WrongHeader(name, value) => {
                let value = EscapedBytes(value.as_bytes());
                write!(f, "invalid handshake response: wrong {name} header {value:?}")
            }
            Self::SubprotocolNotOffered(name) => {
                let name = EscapedBytes(name.as_bytes());
                write!(f, "invalid handshake response: subprotocol {name:?} was not offered")
            }
            Self::NoSubprotocol(offered) => {
                write!(f, "the server speaks none of the subprotocols offered: {}", offered.join(", "))
            }
            Self::ExtensionNotOffered(name) => {
                write!(f, "invalid handshake response: extension {name:?} was not offered")
            }
            Self::MalformedExtensions => f.write_str("invalid handshake response: malformed extensions"),
        }
    }
}

/// Describes a response other than 101 in a sentence.
pub fn describe_refusal<B>(response: &Response<B>) -> RefusalDescription<'_> {
    RefusalDescription { status: response.status(), location: response.headers().get(LOCATION) }
}

/// A description of a response other than 101, to be displayed. [`describe_refusal`] returns it.
#[derive(Clone, Copy, Debug)]
pub struct RefusalDescription<'a> {
    status: StatusCode,
    location: Option<&'a HeaderValue>,
}

impl fmt::Display for RefusalDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, location } = self;
        match location {
            Some(to) if status.is_redirection() => {
                write!(f, "the server redirects to {:?} (HTTP {status})", EscapedBytes(to.as_bytes()))
            }
            _ if status.is_success() => write!(f, "this is not a WebSocket endpoint (HTTP {status})"),
            _ => write!(f, "server rejected the WebSocket connection: HTTP {status}"),
        }
    }
}

impl core::error::Error for HandshakeError {}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}
