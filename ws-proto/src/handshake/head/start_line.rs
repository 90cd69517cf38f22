//! The first line of a head.

use http::{Method, StatusCode, Uri, Version};

use super::HeadError;
use super::scanner::State;

/// The first line of a head.
pub(in crate::handshake) trait StartLine: Sized {
    /// What the scanner expects first.
    const FIRST: State;

    /// Parses the whole line, line end included.
    fn parse(line: &[u8]) -> Result<Self, HeadError>;

    /// What is wrong, where the beginning of the input says more than the byte that is wrong.
    fn explain(error: HeadError, _input: &[u8]) -> HeadError {
        error
    }
}

/// The first line of a request (RFC 9112 §3).
#[derive(Debug)]
pub(in crate::handshake) struct RequestLine {
    pub(in crate::handshake) method: Method,
    pub(in crate::handshake) target: Uri,
    pub(in crate::handshake) version: Version,
}

impl StartLine for RequestLine {
    const FIRST: State = State::BeforeRequest;

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        // The scanner lets through three words, each of which has the bytes that it may have.
        let mut words = line.trim_ascii_end().splitn(3, |&byte| byte == b' ');
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(HeadError::StartLine);
        };
        let version = parse_version(version)?;
        let method = Method::from_bytes(method).map_err(|_| HeadError::StartLine)?;
        let uri = Uri::try_from(target).map_err(|_| HeadError::StartLine)?;
        // `Uri` would silently drop a fragment, and takes an authority alone, which is for CONNECT only.
        let authority_form = uri.scheme().is_none() && uri.authority().is_some();
        // A scheme begins with a letter (RFC 3986 §3.1).
        let has_wrong_scheme = uri.scheme().is_some() && !target.first().is_some_and(u8::is_ascii_alphabetic);
        if target.contains(&b'#') || has_wrong_scheme || (authority_form && method != Method::CONNECT) {
            return Err(HeadError::StartLine);
        }
        Ok(Self { method, target: uri, version })
    }

    /// Replaces the errors of other protocols: TLS, and the header of the PROXY protocol with which some proxies begin each
    /// connection.
    fn explain(error: HeadError, input: &[u8]) -> HeadError {
        let v1 = [&b"PROXY TCP4 "[..], b"PROXY TCP6 ", b"PROXY UNKNOWN"];
        match error {
            // The signature goes on, but nothing else begins so.
            HeadError::Byte(0) if input.starts_with(b"\r\n\r\n\0") => HeadError::ProxyProtocol { version: 2 },
            // A record of a handshake, of any version of SSL 3 or TLS (RFC 8446 §5.1).
            HeadError::Byte(0x16) if input.first() == Some(&0x16) => HeadError::Tls,
            _ if v1.iter().any(|begin| input.starts_with(begin)) => HeadError::ProxyProtocol { version: 1 },
            error => error,
        }
    }
}

/// The first line of a response (RFC 9112 §4).
#[derive(Debug)]
pub(in crate::handshake) struct StatusLine {
    pub(in crate::handshake) version: Version,
    pub(in crate::handshake) status: StatusCode,
}

impl StartLine for StatusLine {
    const FIRST: State = State::BeforeResponse;

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let mut words = line.trim_ascii_end().splitn(3, |&byte| byte == b' ');
        let version = parse_version(words.next().unwrap_or_default())?;
        // What follows is for people to read.
        let status = StatusCode::from_bytes(words.next().unwrap_or_default());
        Ok(Self { version, status: status.map_err(|_| HeadError::StartLine)? })
    }
}

/// HTTP/1.0 or HTTP/1.1, as which every later minor version is handled (RFC 9110 §2.5, RFC 9112 §2.3).
fn parse_version(text: &[u8]) -> Result<Version, HeadError> {
    match text.strip_prefix(b"HTTP/1.") {
        Some(b"0") => Ok(Version::HTTP_10),
        Some([b'1'..=b'9']) => Ok(Version::HTTP_11),
        _ => Err(HeadError::Version),
    }
}
