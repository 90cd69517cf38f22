//! The encoding of HTTP/1.1 requests and responses (RFC 9112).

use alloc::vec::Vec;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode};

/// The initial capacity for a head, in bytes: enough for most.
const HEAD_SIZE: usize = 512;

/// Appends the head of a request to `out` (RFC 9112 §3). The target is the URI's path and query; for CONNECT, it is the
/// authority (RFC 9112 §3.2.3).
pub fn request(request: &Request<()>, out: &mut Vec<u8>) {
    out.reserve(HEAD_SIZE);
    let uri = request.uri();
    let target = match uri.authority().filter(|_| *request.method() == Method::CONNECT) {
        Some(authority) => authority.as_str(),
        None => uri.path_and_query().map_or("/", |target| target.as_str()),
    };
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        header(name.as_str(), value, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the head and the body of a response to `out` (RFC 9112 §4, §6).
///
/// A missing `Content-Length` is added. A `Transfer-Encoding` is omitted, because the body is written unencoded. Statuses without
/// a body (1xx, 204, 304) get neither a body nor a length.
pub fn response<B: AsRef<[u8]>>(response: &Response<B>, out: &mut Vec<u8>) {
    let body = response.body().as_ref();
    head(response, has_body(response.status()).then_some(body.len()), out);
    if has_body(response.status()) {
        out.extend_from_slice(body);
    }
}

/// Appends the response to a HEAD request to `out`: the same head as for GET, with the length of the omitted body (RFC 9110
/// §9.3.2).
pub fn response_to_head_request<B: AsRef<[u8]>>(response: &Response<B>, out: &mut Vec<u8>) {
    head(response, has_body(response.status()).then_some(response.body().as_ref().len()), out);
}

/// Appends the head of a response without a body, such as a 101, to `out`. A `Transfer-Encoding` is omitted.
pub fn response_head<B>(response: &Response<B>, out: &mut Vec<u8>) {
    head(response, None, out);
}

fn head<B>(response: &Response<B>, body: Option<usize>, out: &mut Vec<u8>) {
    out.reserve(HEAD_SIZE);
    let status = response.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    // The space stays without a reason too (RFC 9112 §4).
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != TRANSFER_ENCODING) {
        header(name.as_str(), value, out);
    }
    if let Some(len) = body.filter(|_| !response.headers().contains_key(CONTENT_LENGTH)) {
        header(CONTENT_LENGTH.as_str(), &len.into(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a response of that status has a body (RFC 9112 §6.3).
pub(super) fn has_body(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn header(name: &str, value: &HeaderValue, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    capitalize(out.get_mut(start..).unwrap_or_default());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Capitalizes the name of a header as the RFC does: some peers compare names case-sensitively.
fn capitalize(name: &mut [u8]) {
    let mut begins_word = true;
    for byte in &mut *name {
        if begins_word {
            byte.make_ascii_uppercase();
        }
        begins_word = *byte == b'-';
    }
    if let Some(prefix) =
        name.get_mut(..SEC_WEBSOCKET.len()).filter(|prefix| prefix.eq_ignore_ascii_case(SEC_WEBSOCKET))
    {
        prefix.copy_from_slice(SEC_WEBSOCKET);
    }
}

/// The prefix of WebSocket's header names.
const SEC_WEBSOCKET: &[u8] = b"Sec-WebSocket";

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(response: http::Result<Response<&str>>) -> Vec<u8> {
        let mut out = Vec::new();
        super::response(&response.unwrap(), &mut out);
        out
    }

    #[test]
    fn requests() {
        let get = |uri| Request::get(uri).header("sec-websocket-key", "k").header("x-a", "b").body(()).unwrap();
        let mut out = Vec::new();
        request(&get("/a?b=c"), &mut out);
        assert_eq!(out, b"GET /a?b=c HTTP/1.1\r\nSec-WebSocket-Key: k\r\nX-A: b\r\n\r\n");
        let mut out = Vec::new();
        request(&get("ws://example.com"), &mut out);
        assert!(out.starts_with(b"GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn responses_get_their_length() {
        assert_eq!(
            encode(Response::builder().header("x-a", "1").header("x-a", "2").body("OK\n")),
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\nOK\n"
        );
        assert_eq!(
            encode(Response::builder().header("content-length", "3").body("OK\n")),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n"
        );
        assert_eq!(
            encode(Response::builder().status(599).header("transfer-encoding", "chunked").body("")),
            b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn some_statuses_have_no_body() {
        assert_eq!(
            encode(Response::builder().status(101).header("upgrade", "websocket").body("no")),
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
        );
        assert_eq!(encode(Response::builder().status(204).body("no")), b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(encode(Response::builder().status(304).body("no")), b"HTTP/1.1 304 Not Modified\r\n\r\n");
    }

    #[test]
    fn values_go_out_as_they_are() {
        let value = HeaderValue::from_bytes(b"caf\xE9").unwrap();
        let out = encode(Response::builder().header("x--a-", value).body(""));
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nX--A-: caf\xE9\r\nContent-Length: 0\r\n\r\n");
    }
}
