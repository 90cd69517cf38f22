//! Heads of requests and responses, kept small.

use std::fmt;
use std::sync::OnceLock;

use http::{Request, Response};
use ws_proto::handshake::head::{parse_request, parse_response};

/// The head of a request or a response, as it went over the wire. Parsed it would take ten times the room, so that is
/// done when somebody asks; most never do.
pub(crate) struct Head<T> {
    bytes: Box<[u8]>,
    parsed: OnceLock<Box<T>>,
}

impl<T> Head<T> {
    /// One that was parsed before, and can be again.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: bytes.into(), parsed: OnceLock::new() }
    }

    /// One that stays parsed.
    pub(crate) fn parsed(head: T) -> Self {
        Self { bytes: Box::default(), parsed: OnceLock::from(Box::new(head)) }
    }
}

impl Head<Request<()>> {
    pub(crate) fn get(&self) -> &Request<()> {
        self.parsed.get_or_init(|| Box::new(parse_request(&self.bytes).ok().flatten().unwrap_or_default()))
    }
}

impl Head<Response<()>> {
    pub(crate) fn get(&self) -> &Response<()> {
        self.parsed.get_or_init(|| Box::new(parse_response(&self.bytes).ok().flatten().unwrap_or_default()))
    }
}

impl<T> fmt::Debug for Head<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} bytes)", self.bytes.len())
    }
}
