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
}

/// The first line of a request (RFC 9112 §3). Its version is HTTP/1.1.
#[derive(Debug)]
pub(in crate::handshake) struct RequestLine {
    pub(in crate::handshake) method: Method,
    pub(in crate::handshake) target: Uri,
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
pub(in crate::handshake) struct StatusLine {
    pub(in crate::handshake) version: Version,
    pub(in crate::handshake) status: StatusCode,
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
