//! The heads of the opening handshake, kept small.

use std::fmt;
use std::sync::OnceLock;

use http::{Request, Response, StatusCode};
use ws_proto::handshake::head::{parse_request, parse_response};

/// A request and its response, as bytes from the wire. Parsed, they would take ten times the memory, so they are parsed only
/// on demand.
pub(crate) struct Heads {
    /// The request, followed by the response.
    bytes: Box<[u8]>,
    /// The start of the response.
    response_at: usize,
    parsed: OnceLock<Box<Parsed>>,
}

struct Parsed {
    request: Request<()>,
    response: Response<()>,
}

impl Heads {
    /// Heads that can be parsed: a request, and from `response_at` on its response.
    pub(crate) fn from_bytes(bytes: Vec<u8>, response_at: usize) -> Self {
        Self { bytes: bytes.into(), response_at, parsed: OnceLock::new() }
    }

    /// No heads: an empty request, and an empty 101.
    pub(crate) fn none() -> Self {
        Self::from_bytes(Vec::new(), 0)
    }

    /// Heads that stay parsed.
    pub(crate) fn parsed(request: Request<()>, response: Response<()>) -> Self {
        Self { bytes: Box::default(), response_at: 0, parsed: OnceLock::from(Box::new(Parsed { request, response })) }
    }

    pub(crate) fn request(&self) -> &Request<()> {
        &self.get().request
    }

    pub(crate) fn response(&self) -> &Response<()> {
        &self.get().response
    }

    /// The response as bytes from the wire, unless the heads were parsed from the start.
    pub(crate) fn response_bytes(&self) -> &[u8] {
        self.split().1
    }

    fn split(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at_checked(self.response_at).unwrap_or_default()
    }

    fn get(&self) -> &Parsed {
        self.parsed.get_or_init(|| {
            let (request, response) = self.split();
            Box::new(Parsed {
                request: parse_request(request).ok().flatten().unwrap_or_default(),
                response: parse_response(response).ok().flatten().unwrap_or_else(accepted),
            })
        })
    }
}

/// A 101 without headers.
fn accepted() -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heads({} bytes)", self.bytes.len())
    }
}
