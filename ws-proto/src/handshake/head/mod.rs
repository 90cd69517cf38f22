//! Incremental parsing of the head of an HTTP/1.1 message (RFC 9112 §2–§5) from a buffer that the caller owns.
//!
//! A scanner reads each byte once, as it arrives. It finds line ends, enforces the limits, and reports an error at the first
//! byte that shows it. The `httparse` crate then parses each part once, when it is complete: the start line at its end, and
//! the header lines at the end of the head.

mod scanner;
mod start_line;
#[cfg(test)]
mod tests;

use core::fmt;

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};

use self::scanner::{Part, Scanner};
use self::start_line::StartLine;
pub(super) use self::start_line::{RequestLine, StatusLine};

/// Limits for the head of a request or response. A value equal to a limit is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// The size of the head in bytes, including line ends. Beyond it, the answer is 431 (RFC 6585 §5). Default 16 KiB.
    pub head: usize,
    /// The number of header lines. Beyond it, the answer is 431 (RFC 6585 §5). Default 100.
    pub headers: usize,
    /// The size of the request target in bytes. Beyond it, the answer is 414 (RFC 9110 §15.5.15). Default 8 KiB.
    pub target: usize,
}

impl HeadLimits {
    const NONE: Self = Self { head: usize::MAX, headers: usize::MAX, target: usize::MAX };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { head: 16 * 1024, headers: 100, target: 8 * 1024 }
    }
}

/// An error in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// A line feed without a carriage return before it (RFC 9112 §2.2).
    BareLineFeed,
    /// A carriage return without a line feed after it (RFC 9112 §2.2).
    BareCarriageReturn,
    /// A byte that is not allowed at its place: NUL or another control character anywhere, a delimiter in a method or a header
    /// name, or a byte over 0x7E in a request target (RFC 9110 §5.5, RFC 9112 §3, §5.1).
    Byte(u8),
    /// White space before the colon of a header line (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A header line that begins with white space: an obsolete line folding (RFC 9112 §5.2).
    LineFolding,
    /// A header line without a colon (RFC 9112 §5).
    HeaderLine,
    /// A malformed request line or status line (RFC 9112 §3, §4).
    StartLine,
    /// A header of the PROXY protocol instead of a request: a proxy is configured to send one.
    ProxyProtocol {
        /// The version of the PROXY protocol: 1 (text) or 2 (binary).
        version: u8,
    },
    /// A TLS handshake instead of a request: the client uses `wss://` or `https://` where there is no TLS.
    Tls,
    /// A major version of HTTP other than 1, or an opening handshake in HTTP/1.0 (RFC 9112 §2.3, RFC 6455 §4.2.1).
    Version,
    /// More bytes than [`HeadLimits::head`].
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More header lines than [`HeadLimits::headers`].
    TooManyHeaders {
        /// The limit, in lines.
        limit: usize,
    },
    /// A request target longer than [`HeadLimits::target`].
    TargetTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareLineFeed => f.write_str("line feed without a carriage return before it"),
            Self::BareCarriageReturn => f.write_str("carriage return without a line feed after it"),
            Self::Byte(byte) => write!(f, "byte 0x{byte:02X} where it is not allowed"),
            Self::SpaceBeforeColon => f.write_str("white space before the colon of a header line"),
            Self::LineFolding => f.write_str("header line that begins with white space"),
            Self::HeaderLine => f.write_str("header line without a colon"),
            Self::StartLine => f.write_str("malformed start line"),
            Self::ProxyProtocol { version } => write!(f, "header of the PROXY protocol, version {version}"),
            Self::Tls => f.write_str("TLS handshake instead of a request"),
            Self::Version => f.write_str("HTTP version other than 1.1"),
            Self::TooLarge { limit } => write!(f, "head over the limit of {limit} bytes"),
            Self::TooManyHeaders { limit } => write!(f, "more headers than the limit of {limit}"),
            Self::TargetTooLong { limit } => write!(f, "request target over the limit of {limit} bytes"),
        }
    }
}

impl core::error::Error for HeadError {}

/// A complete head. It ends at `consumed` in the input.
#[derive(Debug)]
pub(super) struct Head<L> {
    pub(super) start: L,
    pub(super) headers: HeaderMap,
    pub(super) consumed: usize,
}

/// Parses a complete head of a request, of any size. `None` when it is incomplete.
///
/// The rules of a WebSocket handshake are not checked: this is for a head that was accepted before. The host of a target in
/// absolute form replaces the Host header (RFC 9112 §3.2.2).
///
/// # Errors
///
/// When it is malformed.
pub fn parse_request(head: &[u8]) -> Result<Option<Request<()>>, HeadError> {
    HeadReader::<RequestLine>::new(HeadLimits::NONE).read(head)?.map(Head::into_request).transpose()
}

/// Parses the head of a response, as [`parse_request`] does a request's.
///
/// # Errors
///
/// When it is malformed.
pub fn parse_response(head: &[u8]) -> Result<Option<Response<()>>, HeadError> {
    Ok(HeadReader::<StatusLine>::new(HeadLimits::NONE).read(head)?.map(Head::into_response))
}

impl Head<RequestLine> {
    /// Fails if there is no room for the Host header that the target implies.
    pub(super) fn into_request(self) -> Result<Request<()>, HeadError> {
        let Self { start: RequestLine { method, target, version }, mut headers, .. } = self;
        if let Some(host) = host_of_absolute_form(&target) {
            let limit = headers.keys_len();
            headers.try_insert(HOST, host).map_err(|_| HeadError::TooManyHeaders { limit })?;
        }
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The Host header for a request with a host in its target, which replaces the received one (RFC 9112 §3.2.2).
fn host_of_absolute_form(target: &Uri) -> Option<HeaderValue> {
    target.scheme()?;
    let authority = target.authority()?.as_str();
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    HeaderValue::from_str(host).ok()
}

impl Head<StatusLine> {
    pub(super) fn into_response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.version_mut() = self.start.version;
        *response.status_mut() = self.start.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// Reads the head of a request (`L` is [`RequestLine`]) or of a response ([`StatusLine`]).
#[derive(Debug)]
pub(super) struct HeadReader<L> {
    scanner: Scanner,
    start: Option<L>,
    failed: Option<HeadError>,
}

impl<L: StartLine> HeadReader<L> {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { scanner: Scanner::new(limits, L::FIRST), start: None, failed: None }
    }

    /// Takes *everything received so far*, and parses only the new bytes. The head is returned once. After an error, each call
    /// returns it again.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Option<Head<L>>, HeadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let read = self.advance(input).map_err(|error| L::explain(error, input));
        read.inspect_err(|&error| self.failed = Some(error))
    }

    /// Continues with another head after the one just read. Its bytes count toward the same limit, which bounds the caller's
    /// buffer for any number of heads.
    pub(super) fn read_another(&mut self) {
        self.scanner.state = L::FIRST;
        self.scanner.headers = 0;
    }

    fn advance(&mut self, input: &[u8]) -> Result<Option<Head<L>>, HeadError> {
        while let Some(part) = self.scanner.advance(input)? {
            match part {
                Part::StartLine(line) => self.start = Some(L::parse(input.get(line).unwrap_or_default())?),
                Part::Headers(lines) => {
                    let consumed = lines.end;
                    let headers = self.scanner.parse_headers(input.get(lines).unwrap_or_default())?;
                    return Ok(self.start.take().map(|start| Head { start, headers, consumed }));
                }
            }
        }
        Ok(None)
    }
}
