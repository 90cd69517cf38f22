//! The heads of the opening handshake, kept small.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use http::header::COOKIE;
use http::{Method, Request, Response, StatusCode, Version};
use ws_proto::handshake::encode;
use ws_proto::handshake::head::{parse_request, parse_response};

use super::{RequestExt, fields};

/// A request and its response, as bytes from the wire. Parsed, they would take ten times the memory, so they are parsed only
/// on demand.
pub(crate) struct Heads {
    /// The request, followed by the response.
    bytes: Box<[u8]>,
    /// The start of the response.
    response_at: usize,
    parsed: OnceLock<Box<Parsed>>,
}

/// Each is parsed when it is asked for. The cells are behind the box, because most connections need neither.
#[derive(Default)]
struct Parsed {
    request: OnceLock<Request<()>>,
    response: OnceLock<Response<()>>,
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
        let parsed = Parsed { request: OnceLock::from(request), response: OnceLock::from(response) };
        Self { bytes: Box::default(), response_at: 0, parsed: OnceLock::from(Box::new(parsed)) }
    }

    /// Heads that an HTTP library has parsed, without their extensions. Those of HTTP/1.1 are kept as text: the values of parsed
    /// headers may share the library's read buffer, which would stay as long as the connection.
    pub(crate) fn of_library(mut request: Request<()>, mut response: Response<()>) -> Self {
        let is_plain = request.version() == Version::HTTP_11
            && request.uri().authority().is_none()
            && request.method() != Method::CONNECT;
        if is_plain {
            let mut bytes = Vec::new();
            encode::request(&request, &mut bytes);
            let response_at = bytes.len();
            encode::response_head(&response, &mut bytes);
            let heads = Self::from_bytes(bytes, response_at);
            if heads.is_read_as(&request, &response) {
                return heads;
            }
        }
        request.extensions_mut().clear();
        response.extensions_mut().clear();
        Self::parsed(request, response)
    }

    /// Whether the text is read as these heads. A library may allow what our parser does not.
    fn is_read_as(&self, request: &Request<()>, response: &Response<()>) -> bool {
        let (request_bytes, response_bytes) = self.split();
        let is_request = |read: &Request<()>| {
            read.method() == request.method() && read.uri() == request.uri() && read.headers() == request.headers()
        };
        let is_response =
            |read: &Response<()>| read.status() == response.status() && read.headers() == response.headers();
        parse_request(request_bytes).ok().flatten().as_ref().is_some_and(is_request)
            && parse_response(response_bytes).ok().flatten().as_ref().is_some_and(is_response)
    }

    pub(crate) fn request(&self) -> &Request<()> {
        let parse = || parse_request(self.split().0).ok().flatten().unwrap_or_default();
        self.cells().request.get_or_init(parse)
    }

    pub(crate) fn response(&self) -> &Response<()> {
        let parse = || parse_response(self.split().1).ok().flatten().unwrap_or_else(accepted);
        self.cells().response.get_or_init(parse)
    }

    /// The path of the request.
    pub(crate) fn path(&self) -> &str {
        match self.head() {
            Some((target, _)) => target.split_once('?').map_or(target, |(path, _)| path),
            None => self.request().uri().path(),
        }
    }

    /// The first query parameter of this name, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = match self.head() {
            Some((target, _)) => target.split_once('?').map(|(_, query)| query),
            None => return self.request().query(name),
        };
        fields::parameter(query?, name)
    }

    /// The first value of this header of the request, if it is text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        match self.head() {
            Some((_, lines)) => fields::values(lines, name).next().and_then(fields::as_text),
            None => self.request().header(name),
        }
    }

    /// The first cookie of this name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        match self.head() {
            Some((_, lines)) => fields::values(lines, COOKIE.as_str()).find_map(|value| fields::cookie(value, name)),
            None => self.request().cookie(name),
        }
    }

    /// The target and the header lines of a request that need not be parsed.
    fn head(&self) -> Option<(&str, &[u8])> {
        fields::split_head(self.split().0)
    }

    /// The response as bytes from the wire, unless the heads were parsed from the start.
    pub(crate) fn response_bytes(&self) -> &[u8] {
        self.split().1
    }

    fn split(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at_checked(self.response_at).unwrap_or_default()
    }

    fn cells(&self) -> &Parsed {
        self.parsed.get_or_init(Box::default)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request<()> {
        let request = Request::get("/room?a=1").header("host", "example.com").header("x-a", "1").header("x-a", "2");
        request.extension("the library's").body(()).unwrap()
    }

    fn response() -> Response<()> {
        Response::builder().status(101).header("upgrade", "websocket").extension(1).body(()).unwrap()
    }

    #[test]
    fn fields_are_found_in_either_form_and_nothing_is_parsed_for_it() {
        let head = b"GET /a/b?t=1+2 HTTP/1.1\r\nHost: example.com\r\nCookie: a=1; b=2\r\nX-A: first\r\nX-A: 2\r\n\
            X-B: \xff\r\nCookie: c=3\r\n\r\n";
        let text = Heads::from_bytes(head.to_vec(), head.len());
        let parsed = Heads::parsed(parse_request(head).unwrap().unwrap(), response());
        for heads in [&text, &parsed] {
            assert_eq!((heads.path(), heads.parameter("t").as_deref()), ("/a/b", Some("1 2")));
            assert_eq!((heads.field("x-a"), heads.field("X-Missing")), (Some("first"), None));
            assert_eq!(heads.field("x-b"), None, "it is not text");
            assert_eq!((heads.cookie("b"), heads.cookie("c"), heads.cookie("d")), (Some("2"), Some("3"), None));
        }
        assert!(text.parsed.get().is_none());
        let absolute = b"GET http://inner.example/x?y=1 HTTP/1.1\r\nHost: example.com\r\n\r\n";
        let heads = Heads::from_bytes(absolute.to_vec(), absolute.len());
        assert_eq!((heads.path(), heads.parameter("y").as_deref()), ("/x", Some("1")));
        assert_eq!(heads.field("host"), Some("inner.example"), "the target's host counts");
        assert_eq!((Heads::none().path(), Heads::none().field("host")), ("/", None));
    }

    #[test]
    fn heads_of_a_library_are_kept_as_text_where_that_loses_nothing() {
        let heads = Heads::of_library(request(), response());
        assert!(heads.parsed.get().is_none() && !heads.bytes.is_empty());
        let mut of_http2 = request();
        *of_http2.version_mut() = Version::HTTP_2;
        *of_http2.uri_mut() = "https://example.com/room?a=1".parse().unwrap();
        let mut odd = request();
        odd.headers_mut().insert("x-b", http::HeaderValue::from_bytes(b" spaces around ").unwrap());
        let uri = |heads: &Heads| heads.request().uri().to_string();
        assert_eq!(uri(&Heads::of_library(of_http2, response())), "https://example.com/room?a=1");
        let odd = Heads::of_library(odd, response());
        assert_eq!(odd.request().headers()["x-b"], " spaces around ");
        for heads in [heads, odd] {
            assert_eq!(heads.request().headers().get_all("x-a").iter().count(), 2);
            assert_eq!((uri(&heads), heads.response().status().as_u16()), ("/room?a=1".to_owned(), 101));
            assert!(heads.request().extensions().is_empty() && heads.response().extensions().is_empty());
        }
    }
}
