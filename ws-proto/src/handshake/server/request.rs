//! Reads the head of a request, and checks the rules for all requests (RFC 9112).

use alloc::format;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};

use super::Rejection;
use super::checks::bad_request;
use crate::escaped::EscapedBytes;
use crate::handshake::fields::{host_and_port, is_ipv6_without_brackets, single};
use crate::handshake::head::{Head, HeadLimits, HeadReader, RequestLine};

/// Reads a request without a body (RFC 9112).
///
/// It checks the rules for all requests. [`Upgrade`](super::Upgrade) checks the rules for an opening handshake. So the same
/// port can also answer a plain GET, even in HTTP/1.0, as sent by health checks and proxies.
#[derive(Debug)]
pub struct RequestReader {
    head: HeadReader<RequestLine>,
}

/// A request and the length of its head.
#[derive(Debug)]
#[non_exhaustive]
pub struct RequestHead {
    /// The request. Its version is HTTP/1.0 or HTTP/1.1; later minor versions count as HTTP/1.1 (RFC 9110 §2.5). If the target
    /// has the absolute form (`GET http://example.com/ HTTP/1.1`), the target's host replaces the Host header (RFC 9112
    /// §3.2.2).
    pub request: Request<()>,
    /// The length of the head in bytes. The bytes after it are frames if the request is accepted, and never another request.
    pub consumed: usize,
}

impl RequestReader {
    /// A reader with the default limits: 16 KiB for the head, 100 headers, and 8 KiB for the target.
    pub fn new() -> Self {
        Self::with_limits(HeadLimits::default())
    }

    /// A reader with other limits.
    pub fn with_limits(limits: HeadLimits) -> Self {
        Self { head: HeadReader::new(limits) }
    }

    /// Takes *everything received so far*, including the bytes of earlier calls, and returns the request once its head is
    /// complete. Only new bytes are parsed.
    ///
    /// Empty lines before the request are skipped (RFC 9112 §2.2).
    ///
    /// # Errors
    ///
    /// As early as the input allows. Send the rejection, then close the transport.
    ///
    /// - 400: malformed (RFC 9112 §2.2, §3, §5); no Host in HTTP/1.1, or more than one (RFC 9112 §3.2); a request with
    ///   a body, even an ambiguous one (RFC 9112 §6)
    /// - 414, 431: over a limit
    /// - 505: a major version of HTTP other than 1
    pub fn read(&mut self, input: &[u8]) -> Result<Option<RequestHead>, Rejection> {
        let Some(head) = self.head.read(input)? else {
            return Ok(None);
        };
        check_host(&head)?;
        check_no_body(&head.headers)?;
        let consumed = head.consumed;
        Ok(Some(RequestHead { request: head.into_request()?, consumed }))
    }
}

impl Default for RequestReader {
    fn default() -> Self {
        Self::new()
    }
}

/// RFC 9112 §3.2.
fn check_host(head: &Head<RequestLine>) -> Result<(), Rejection> {
    let host = single(&head.headers, HOST).map_err(|_| bad_request("The request has more than one Host header."))?;
    match host.map(|host| host_and_port(host.as_bytes())) {
        None if head.start.version == Version::HTTP_10 => {}
        None => return Err(bad_request("The request has no Host header.")),
        Some(Some(_)) => {}
        Some(None) => {
            let host = host.map(HeaderValue::as_bytes).unwrap_or_default();
            let mut message = format!("The Host header {:?} is not a host with an optional port.", EscapedBytes(host));
            if is_ipv6_without_brackets(host) {
                message.push_str(" IPv6 addresses in Host need brackets, as in [::1]:80.");
            }
            return Err(Rejection::new(StatusCode::BAD_REQUEST, message));
        }
    }
    let target = &head.start.target;
    match target.scheme().and(target.authority()).map(|authority| host_and_port(authority.as_str().as_bytes())) {
        Some(None) => Err(bad_request("The request's target does not name a host with an optional port.")),
        _ => Ok(()),
    }
}

/// A body would have to be skipped before the first frame, and implementations disagree about its end if it has two lengths. So
/// requests with a body are rejected (RFC 9112 §6).
fn check_no_body(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(bad_request("The request has a Transfer-Encoding. It must not have a body."));
    }
    let length = single(headers, CONTENT_LENGTH)
        .map_err(|_| bad_request("The request has more than one Content-Length header."))?;
    match length.map(HeaderValue::as_bytes) {
        None => Ok(()),
        Some(length) if !length.is_empty() && length.iter().all(|&digit| digit == b'0') => Ok(()),
        Some(length) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            Err(bad_request("The request has a body. It must not have one."))
        }
        Some(_) => Err(bad_request("The Content-Length is not a number.")),
    }
}
