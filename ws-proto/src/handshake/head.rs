//! The head of an HTTP/1.1 message (RFC 9112 §2–§5), read incrementally from a buffer the caller owns.
//!
//! A scanner looks at each byte once, as it arrives: it finds where lines end, keeps the limits, and refuses
//! what is wrong at the byte that makes it wrong. The `httparse` crate then parses each part once, when it is
//! complete: the start line at its end, the header lines at the end of the head.

use alloc::vec;
use core::{fmt, mem, ops::Range};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};

use super::fields::{is_token_byte, mark_secret};

/// How large the head of a request or response may be. All counts are inclusive: this much is still accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeadLimits {
    /// The whole head, in bytes, with its line ends: 16 KiB by default. Beyond: 431 (RFC 6585 §5).
    pub head: usize,
    /// Header lines: 100 by default. Beyond: 431 (RFC 6585 §5).
    pub headers: usize,
    /// The request target, in bytes: 8 KiB by default. Beyond: 414 (RFC 9110 §15.5.15).
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

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// A line feed that no carriage return precedes (RFC 9112 §2.2).
    BareLineFeed,
    /// A carriage return that no line feed follows (RFC 9112 §2.2).
    BareCarriageReturn,
    /// A byte that must not stand where it does: NUL or another control character anywhere, a delimiter in a
    /// method or a header name, a byte over 0x7E in a request target (RFC 9110 §5.5, RFC 9112 §3, §5.1).
    Byte(u8),
    /// White space before the colon of a header line (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A header line that begins with white space: an obsolete line folding (RFC 9112 §5.2).
    LineFolding,
    /// A header line without a colon (RFC 9112 §5).
    HeaderLine,
    /// A request line or status line that is none (RFC 9112 §3, §4).
    StartLine,
    /// A version of HTTP other than 1.1 in a request, or other than 1.0 and 1.1 in a response (RFC 9112 §2.3).
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
            Self::Version => f.write_str("unsupported HTTP version"),
            Self::TooLarge { limit } => write!(f, "head over the limit of {limit} bytes"),
            Self::TooManyHeaders { limit } => write!(f, "more headers than the limit of {limit}"),
            Self::TargetTooLong { limit } => write!(f, "request target over the limit of {limit} bytes"),
        }
    }
}

impl core::error::Error for HeadError {}

/// A complete head. Whatever follows it in the input, from `consumed` on, is the caller's.
#[derive(Debug)]
pub(super) struct Head<L> {
    pub(super) start: L,
    pub(super) headers: HeaderMap,
    pub(super) consumed: usize,
}

/// Parses the head of a request that is there as a whole, however large; `None` when it is not. None of the rules apply
/// that make a request a WebSocket handshake: this is for a head that was read, and accepted, before.
///
/// # Errors
///
/// When it is malformed.
pub fn parse_request(head: &[u8]) -> Result<Option<Request<()>>, HeadError> {
    Ok(HeadReader::<RequestLine>::new(HeadLimits::NONE).read(head)?.map(Head::into_request))
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
    pub(super) fn into_request(self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.start.method;
        *request.uri_mut() = self.start.target;
        *request.headers_mut() = self.headers;
        request
    }
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

    /// Takes *everything received so far*, and looks only at what is new. The head is returned once; an error
    /// is returned again and again.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<Option<Head<L>>, HeadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.advance(input).inspect_err(|&error| self.failed = Some(error))
    }

    /// Goes on with another head that follows the one just read. Its bytes count toward the same limit, so the
    /// caller's buffer stays bounded however many heads come.
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

/// The first line of a head.
pub(super) trait StartLine: Sized {
    /// What the scanner expects first.
    const FIRST: State;

    /// Parses the whole line, line end included.
    fn parse(line: &[u8]) -> Result<Self, HeadError>;
}

/// The first line of a request (RFC 9112 §3). Its version is HTTP/1.1.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) target: Uri,
}

impl StartLine for RequestLine {
    const FIRST: State = State::BeforeRequest;

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let mut request = httparse::Request::new(&mut []);
        // Never more than "partial", for no header follows; what matters is what was filled in.
        request.parse(line).map_err(start_line_error)?;
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(HeadError::StartLine);
        };
        if request.version != Some(1) {
            return Err(HeadError::Version);
        }
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::StartLine)?;
        let uri = Uri::try_from(target).map_err(|_| HeadError::StartLine)?;
        // `Uri` would silently drop a fragment, and takes an authority alone, which is for CONNECT only.
        let authority_form = uri.scheme().is_none() && uri.authority().is_some();
        if target.contains('#') || (authority_form && method != Method::CONNECT) {
            return Err(HeadError::StartLine);
        }
        Ok(Self { method, target: uri })
    }
}

/// The first line of a response (RFC 9112 §4). Its version is HTTP/1.0 or HTTP/1.1.
#[derive(Debug)]
pub(super) struct StatusLine {
    pub(super) version: Version,
    pub(super) status: StatusCode,
}

impl StartLine for StatusLine {
    const FIRST: State = State::BeforeResponse;

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let mut response = httparse::Response::new(&mut []);
        response.parse(line).map_err(start_line_error)?;
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let version = match response.version {
            Some(0) => Version::HTTP_10,
            Some(1) => Version::HTTP_11,
            _ => return Err(HeadError::Version),
        };
        Ok(Self { version, status: status.ok_or(HeadError::StartLine)? })
    }
}

fn start_line_error(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::Version => HeadError::Version,
        _ => HeadError::StartLine,
    }
}

/// What the scanner has found complete, as a range of the input.
enum Part {
    /// The start line with its line end.
    StartLine(Range<usize>),
    /// All header lines and the empty line after them: the head is complete.
    Headers(Range<usize>),
}

/// Where in the head the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before a request: empty lines may come first, and are ignored (RFC 9112 §2.2).
    BeforeRequest,
    Method,
    Target,
    RequestVersion,
    BeforeResponse,
    StatusLine,
    /// At the first byte of a header line or of the empty line.
    LineStart,
    Name,
    Value,
    /// After a carriage return.
    LineFeed(Ends),
    Done,
}

/// What the line feed will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    EmptyLine,
    StartLine,
    HeaderLine,
    Head,
}

#[derive(Debug)]
struct Scanner {
    limits: HeadLimits,
    state: State,
    /// How much of the input has been looked at.
    scanned: usize,
    /// Where the start line begins, then where the header lines do.
    begin: usize,
    target: usize,
    headers: usize,
}

impl Scanner {
    fn new(limits: HeadLimits, state: State) -> Self {
        Self { limits, state, scanned: 0, begin: 0, target: 0, headers: 0 }
    }

    /// Looks at the bytes of `input` not looked at before, up to the end of the next part.
    fn advance(&mut self, input: &[u8]) -> Result<Option<Part>, HeadError> {
        for &byte in input.get(self.scanned..).unwrap_or_default() {
            if self.state == State::Done {
                break;
            }
            if self.scanned == self.limits.head {
                return Err(HeadError::TooLarge { limit: self.limits.head });
            }
            if matches!(self.state, State::BeforeRequest | State::BeforeResponse) {
                self.begin = self.scanned;
            }
            let before = self.state;
            self.state = self.step(byte)?;
            self.scanned += 1;
            match before {
                State::LineFeed(Ends::StartLine) => {
                    let begin = mem::replace(&mut self.begin, self.scanned);
                    return Ok(Some(Part::StartLine(begin..self.scanned)));
                }
                State::LineFeed(Ends::Head) => return Ok(Some(Part::Headers(self.begin..self.scanned))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The state after `byte`.
    fn step(&mut self, byte: u8) -> Result<State, HeadError> {
        match (self.state, byte) {
            (State::LineFeed(ends), b'\n') => Ok(match ends {
                Ends::EmptyLine => State::BeforeRequest,
                Ends::StartLine | Ends::HeaderLine => State::LineStart,
                Ends::Head => State::Done,
            }),
            (State::LineFeed(_), _) => Err(HeadError::BareCarriageReturn),
            (_, b'\n') => Err(HeadError::BareLineFeed),
            (_, b'\r') => self.line_end(),
            // Control characters, the tab excepted, stand nowhere.
            (_, 0..=0x1F | 0x7F) if byte != b'\t' => Err(HeadError::Byte(byte)),

            (State::BeforeRequest | State::Method, _) if is_token_byte(byte) => Ok(State::Method),
            (State::Method, b' ') => Ok(State::Target),
            (State::Target, b'!'..=b'~') => {
                self.target += 1;
                if self.target > self.limits.target {
                    return Err(HeadError::TargetTooLong { limit: self.limits.target });
                }
                Ok(State::Target)
            }
            (State::Target, b' ') if self.target > 0 => Ok(State::RequestVersion),
            (State::RequestVersion, b'!'..=b'~') => Ok(State::RequestVersion),

            (State::BeforeResponse, b'H') | (State::StatusLine, _) => Ok(State::StatusLine),

            (State::LineStart, b' ' | b'\t') => Err(HeadError::LineFolding),
            (State::LineStart, _) if is_token_byte(byte) => {
                self.headers += 1;
                if self.headers > self.limits.headers {
                    return Err(HeadError::TooManyHeaders { limit: self.limits.headers });
                }
                Ok(State::Name)
            }
            (State::Name, b':') | (State::Value, _) => Ok(State::Value),
            (State::Name, b' ' | b'\t') => Err(HeadError::SpaceBeforeColon),
            (State::Name, _) if is_token_byte(byte) => Ok(State::Name),

            _ => Err(HeadError::Byte(byte)),
        }
    }

    /// The state after a carriage return.
    fn line_end(&self) -> Result<State, HeadError> {
        match self.state {
            State::BeforeRequest => Ok(State::LineFeed(Ends::EmptyLine)),
            State::RequestVersion | State::StatusLine => Ok(State::LineFeed(Ends::StartLine)),
            State::Value => Ok(State::LineFeed(Ends::HeaderLine)),
            State::LineStart => Ok(State::LineFeed(Ends::Head)),
            State::Name => Err(HeadError::HeaderLine),
            _ => Err(HeadError::StartLine),
        }
    }

    fn parse_headers(&self, lines: &[u8]) -> Result<HeaderMap, HeadError> {
        let mut parsed = vec![httparse::EMPTY_HEADER; self.headers];
        httparse::parse_headers(lines, &mut parsed).map_err(|_| HeadError::HeaderLine)?;
        let mut headers = HeaderMap::new();
        for header in parsed {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| HeadError::HeaderLine)?;
            let mut value = HeaderValue::from_bytes(header.value).map_err(|_| HeadError::HeaderLine)?;
            mark_secret(&name, &mut value);
            // Fails past 32768 headers, whatever the limit says.
            headers.try_append(name, value).map_err(|_| HeadError::TooManyHeaders { limit: self.limits.headers })?;
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    const HEAD: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\n\r\n";

    #[test]
    fn a_head_that_was_read_before_is_parsed_again() {
        let request = parse_request(HEAD).unwrap().unwrap();
        assert_eq!(
            (request.uri().path(), &request.headers()["host"]),
            ("/chat", &HeaderValue::from_static("example.com"))
        );
        assert!(parse_request(&HEAD[..HEAD.len() - 1]).unwrap().is_none());
        let response = parse_response(b"HTTP/1.1 101 \r\nUpgrade: websocket\r\n\r\n").unwrap().unwrap();
        assert_eq!(
            (response.status(), &response.headers()["upgrade"]),
            (StatusCode::SWITCHING_PROTOCOLS, &HeaderValue::from_static("websocket"))
        );
        assert_eq!(parse_response(b"HTTP/1.1 101\n").unwrap_err(), HeadError::BareLineFeed);
    }

    fn request(input: &[u8]) -> Result<Option<Head<RequestLine>>, HeadError> {
        HeadReader::new(HeadLimits::default()).read(input)
    }

    fn response(input: &[u8]) -> Result<Option<Head<StatusLine>>, HeadError> {
        HeadReader::new(HeadLimits::default()).read(input)
    }

    /// The error, after checking that it comes at the last byte of `input`, and not before.
    #[track_caller]
    fn request_error(input: &[u8]) -> HeadError {
        let mut reader = HeadReader::<RequestLine>::new(HeadLimits::default());
        for end in 0..input.len() {
            assert!(reader.read(&input[..end]).unwrap().is_none(), "after {end} bytes");
        }
        let error = reader.read(input).unwrap_err();
        assert_eq!(request(input).unwrap_err(), error);
        assert_eq!(reader.read(HEAD).unwrap_err(), error, "an error is final");
        error
    }

    #[track_caller]
    fn response_error(input: &[u8]) -> HeadError {
        assert!(response(&input[..input.len() - 1]).unwrap().is_none());
        response(input).unwrap_err()
    }

    #[test]
    fn parses_a_request_at_its_last_byte() {
        let mut reader = HeadReader::<RequestLine>::new(HeadLimits::default());
        for end in 0..HEAD.len() {
            assert!(reader.read(&HEAD[..end]).unwrap().is_none());
        }
        let head = reader.read(HEAD).unwrap().unwrap();
        assert_eq!(head.start.method, Method::GET);
        assert_eq!(head.start.target, "/chat");
        assert_eq!(head.headers["host"], "example.com");
        assert_eq!(head.headers["x-empty"], "");
        assert_eq!(head.headers.len(), 2);
        assert_eq!(head.consumed, HEAD.len());
        assert!(reader.read(HEAD).unwrap().is_none(), "a head is returned once");
    }

    #[test]
    fn parses_a_response() {
        let input = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";
        let head = response(input).unwrap().unwrap();
        assert_eq!(head.start.version, Version::HTTP_11);
        assert_eq!(head.start.status, 101);
        assert_eq!(head.headers["upgrade"], "websocket");
        assert_eq!(head.consumed, input.len() - 2);
        let head = response(b"HTTP/1.0 403 D\xE9fendu\tici\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.start.version, Version::HTTP_10);
        assert_eq!(head.start.status, 403);
        assert_eq!(response(b"HTTP/1.1 200\r\n\r\n").unwrap().unwrap().start.status, 200);
    }

    #[test]
    fn looks_at_each_byte_once() {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        for n in 0..100 {
            head.extend_from_slice(format!("X-{n}: {}\r\n", "v".repeat(150)).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        assert!(head.len() > 15_000 && head.len() <= 16 * 1024);
        // All that has been looked at is blanked out: were it looked at again, it would be an error.
        let mut scanner = Scanner::new(HeadLimits::default(), State::BeforeRequest);
        let mut view = vec![0; head.len()];
        for at in 0..head.len() {
            view[at] = head[at];
            let part = scanner.advance(&view[..=at]).unwrap();
            assert_eq!(scanner.scanned, at + 1);
            match part {
                Some(Part::StartLine(line)) => assert_eq!(line, 0..16),
                Some(Part::Headers(lines)) => assert_eq!(lines, 16..head.len()),
                None => {}
            }
            view[at] = 0;
        }
        assert_eq!(scanner.state, State::Done);
    }

    #[test]
    fn line_ends() {
        assert_eq!(request_error(b"GET / HTTP/1.1\n"), HeadError::BareLineFeed);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost: a\n"), HeadError::BareLineFeed);
        assert_eq!(request_error(b"\n"), HeadError::BareLineFeed);
        assert_eq!(request_error(b"\r\r"), HeadError::BareCarriageReturn);
        assert_eq!(request_error(b"GET / HTTP/1.1\rH"), HeadError::BareCarriageReturn);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\r"), HeadError::BareCarriageReturn);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n\rX"), HeadError::BareCarriageReturn);
    }

    #[test]
    fn bytes_out_of_place() {
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\0"), HeadError::Byte(0));
        assert_eq!(request_error(b"GET /\0"), HeadError::Byte(0));
        assert_eq!(request_error(b"GET /\x7F"), HeadError::Byte(0x7F));
        assert_eq!(request_error(b"GET /\xFF"), HeadError::Byte(0xFF));
        assert_eq!(request_error(b"GET /\t"), HeadError::Byte(b'\t'));
        assert_eq!(request_error(b"GET  "), HeadError::Byte(b' '));
        assert_eq!(request_error(b"GET / HTTP/1.1 "), HeadError::Byte(b' '));
        assert_eq!(request_error(b" "), HeadError::Byte(b' '));
        assert_eq!(request_error(b"G@"), HeadError::Byte(b'@'));
        // A TLS ClientHello, from a client that took ws: for wss:.
        assert_eq!(request_error(b"\x16"), HeadError::Byte(0x16));
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA\xE9"), HeadError::Byte(0xE9));
        assert_eq!(request_error(b"GET / HTTP/1.1\r\n:"), HeadError::Byte(b':'));
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA("), HeadError::Byte(b'('));
        assert_eq!(response_error(b"\r"), HeadError::StartLine);
        assert_eq!(response_error(b"S"), HeadError::Byte(b'S'));
    }

    #[test]
    fn header_lines() {
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n "), HeadError::LineFolding);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nA: b\r\n\t"), HeadError::LineFolding);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\n "), HeadError::LineFolding);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost "), HeadError::SpaceBeforeColon);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost\t"), HeadError::SpaceBeforeColon);
        assert_eq!(request_error(b"GET / HTTP/1.1\r\nHost\r"), HeadError::HeaderLine);
        let head = request(b"GET / HTTP/1.1\r\nA: \t b\xE9\tc \t \r\na:d:e\r\n\r\n").unwrap().unwrap();
        let values: vec::Vec<_> = head.headers.get_all("a").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(values, [&b"b\xE9\tc"[..], b"d:e"]);
    }

    #[test]
    fn start_lines() {
        for line in ["GET /\r", "GET\r"] {
            assert_eq!(request_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
        }
        for line in ["GET /#top HTTP/1.1\r\n", "GET example.com:80 HTTP/1.1\r\n", "GET path HTTP/1.1\r\n"] {
            assert_eq!(request_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
        }
        for version in ["HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/3", "HTTP/1.", "http/1.1", "HTTP"] {
            let line = format!("GET / {version}\r\n");
            assert_eq!(request_error(line.as_bytes()), HeadError::Version, "{line:?}");
        }
        assert_eq!(request_error(b"PRI * HTTP/2.0\r\n"), HeadError::Version);
        for line in ["HTTP/1.1 20\r\n", "HTTP/1.1 2000\r\n", "HTTP/1.1 099 X\r\n", "HTTP/1.1 abc X\r\n"] {
            assert_eq!(response_error(line.as_bytes()), HeadError::StartLine, "{line:?}");
        }
        for line in ["HTTP/2.0 200 OK\r\n", "HTTP/1.1\r\n", "HELLO\r\n"] {
            assert_eq!(response_error(line.as_bytes()), HeadError::Version, "{line:?}");
        }
    }

    #[test]
    fn targets() {
        for (target, path) in [("/", "/"), ("*", "*"), ("/a?b=%20", "/a"), ("http://example.com/a", "/a")] {
            let head = request(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().unwrap();
            assert_eq!(head.start.target.path(), path);
        }
        assert!(request(b"CONNECT example.com:80 HTTP/1.1\r\n\r\n").unwrap().is_some());
    }

    #[test]
    fn empty_lines_before_a_request() {
        let head = request(b"\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n\r\nrest").unwrap().unwrap();
        assert_eq!(head.start.target, "/");
        assert_eq!(head.headers["a"], "b");
        assert_eq!(head.consumed, 28);
        let mut empty = "\r\n".repeat(8 * 1024).into_bytes();
        assert!(request(&empty).unwrap().is_none());
        empty.push(b'\r');
        assert_eq!(request_error(&empty), HeadError::TooLarge { limit: 16 * 1024 });
    }

    #[test]
    fn limits_are_inclusive() {
        let lines = |count: usize| "A: b\r\n".repeat(count);
        let head = format!("GET / HTTP/1.1\r\n{}\r\n", lines(100));
        assert_eq!(request(head.as_bytes()).unwrap().unwrap().headers.len(), 100);
        let head = format!("GET / HTTP/1.1\r\n{}A", lines(100));
        assert_eq!(request_error(head.as_bytes()), HeadError::TooManyHeaders { limit: 100 });

        let target = "/".repeat(8 * 1024);
        assert!(request(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().is_some());
        let error = request_error(format!("GET {target}/").as_bytes());
        assert_eq!(error, HeadError::TargetTooLong { limit: 8 * 1024 });

        let fill = |len: usize| -> String {
            let start = "GET / HTTP/1.1\r\nA: ";
            format!("{start}{}\r\n\r\n", "b".repeat(len - start.len() - 4))
        };
        let head = fill(16 * 1024);
        assert_eq!(request(head.as_bytes()).unwrap().unwrap().consumed, 16 * 1024);
        let head = fill(16 * 1024 + 1);
        assert_eq!(request_error(head.as_bytes()), HeadError::TooLarge { limit: 16 * 1024 });
        let endless = format!("HTTP/1.1 200 {}", "O".repeat(16 * 1024));
        assert_eq!(response(endless.as_bytes()).unwrap_err(), HeadError::TooLarge { limit: 16 * 1024 });
    }

    #[test]
    fn unreasonable_limits_do_not_panic() {
        let limits = HeadLimits { head: usize::MAX, headers: usize::MAX, target: usize::MAX };
        let read = |head: String| HeadReader::<RequestLine>::new(limits).read(head.as_bytes());
        let many: String = (0..40_000).map(|n| format!("X-{n}:\r\n")).collect();
        assert!(read(format!("GET / HTTP/1.1\r\n{many}\r\n")).is_err());
        assert!(read(format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000))).is_err());
        assert!(read(format!("GET / HTTP/1.1\r\n{}:\r\n\r\n", "a".repeat(70_000))).is_err());
    }

    #[test]
    fn any_byte_anywhere_never_panics() {
        for at in 0..HEAD.len() {
            for byte in 0..=u8::MAX {
                let mut head = HEAD.to_vec();
                head[at] = byte;
                let _ = request(&head);
                let _ = response(&head);
            }
        }
    }
}
