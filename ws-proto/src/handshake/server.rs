//! The server's side of the opening handshake (RFC 6455 §4.2).
//!
//! ```
//! use ws_proto::handshake::{encode, server::{Rejection, RequestReader, Upgrade}};
//!
//! /// Returns the response, and the position in `received` where the frames begin. `None` while the request is incomplete.
//! fn answer(reader: &mut RequestReader, received: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Rejection> {
//!     let Some(head) = reader.read(received)? else {
//!         return Ok(None); // read on
//!     };
//!     let upgrade = Upgrade::new(head.request)?;
//!     let subprotocol = upgrade.select_subprotocol(["chat.v2", "chat.v1"]);
//!     let accepted = upgrade.accept(subprotocol, Default::default())?;
//!     let mut response = Vec::new();
//!     encode::response_head(&accepted.response, &mut response);
//!     Ok(Some((response, head.consumed)))
//! }
//!
//! let received = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
//!     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
//! let (response, consumed) = answer(&mut RequestReader::new(), received)?.unwrap();
//! assert_eq!(consumed, received.len());
//! assert!(response.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! # Ok::<(), Rejection>(())
//! ```

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::extensions::{self, Extension};
use super::fields::{
    Duplicate, RESERVED, elements, first_duplicate, has_token, host_and_port, is_ipv6_without_brackets, is_token,
    single,
};
use super::head::{Head, HeadError, HeadLimits, HeadReader, RequestLine};
use super::key;
use crate::escaped::EscapedBytes;

pub use super::origins::{InvalidOrigin, Origins};
pub use super::rejection::Rejection;

/// Reads a request without a body (RFC 9112).
///
/// It checks the rules for all requests. [`Upgrade`] checks the rules for an opening handshake. So the same port can also
/// answer a plain GET, even in HTTP/1.0, as sent by health checks and proxies.
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
        Ok(Some(RequestHead { request: head.into_request(), consumed }))
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

fn bad_request(message: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, message)
}

/// A valid request for a WebSocket connection that has not been answered (RFC 6455 §4.2.1).
///
/// [`accept`](Self::accept) accepts it. To refuse it, send a [`Rejection`] instead.
#[derive(Debug)]
pub struct Upgrade {
    request: Request<()>,
    accept: HeaderValue,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

impl Upgrade {
    /// Checks that a request is a valid opening handshake.
    ///
    /// # Errors
    ///
    /// - 505: not HTTP/1.1 (RFC 6455 §4.2.1)
    /// - 405 with `Allow`: the method is not GET (RFC 6455 §4.2.1)
    /// - 426 with `Upgrade`: not an upgrade to `websocket` (RFC 9110 §15.5.22)
    /// - 400: no version; a key that is missing, given twice, or not 16 bytes in Base64; subprotocols that are given twice
    ///   or not tokens (RFC 6455 §4.1); extensions that are malformed (RFC 6455 §9.1). Empty elements of both lists are
    ///   ignored, and an empty list counts as no header (RFC 9110 §5.6.1.2)
    /// - 426 with `Sec-WebSocket-Version: 13`: another version (RFC 6455 §4.2.2, §4.4)
    pub fn new(request: Request<()>) -> Result<Self, Rejection> {
        check_method(&request)?;
        let headers = request.headers();
        check_upgrade(headers)?;
        check_version(headers)?;
        let accept = accept_of_key(headers)?;
        let subprotocols = parse_subprotocols(headers)?;
        let extensions =
            extensions::parse(headers).map_err(|_| bad_request("The Sec-WebSocket-Extensions header is malformed."))?;
        Ok(Self { request, accept, subprotocols, extensions })
    }

    /// The request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The offered subprotocols, in the client's order of preference. Each is a token, and there are no duplicates.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The offered extensions, in the client's order of preference. [`accept`](Self::accept) declines all of them, and
    /// [`accept_with`](Self::accept_with) accepts some.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The first of the `supported` subprotocols that the client offers: the server's order decides (RFC 6455 §4.2.2). The
    /// comparison is case-sensitive.
    pub fn select_subprotocol<S: AsRef<str>>(&self, supported: impl IntoIterator<Item = S>) -> Option<S> {
        let offered = |name: &S| self.subprotocols.iter().any(|offer| offer == name.as_ref());
        supported.into_iter().find(offered)
    }

    /// Accepts the connection with a 101 (RFC 6455 §4.2.2) that has the headers of the handshake and the given `headers`.
    ///
    /// # Errors
    ///
    /// When the client did not offer this subprotocol, or when `headers` has a header that the handshake sets or that announces a
    /// body. These are mistakes of the server: converted into a [`Rejection`], they become a 500.
    pub fn accept(self, subprotocol: Option<&str>, headers: HeaderMap) -> Result<AcceptedUpgrade, UpgradeError> {
        self.accept_with(subprotocol, &[], headers)
    }

    /// Accepts the connection as [`accept`](Self::accept) does, with these extensions and their negotiated parameters:
    /// [`Deflate::accept`](crate::permessage_deflate::Deflate::accept) returns one.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept). Also when the client did not offer an extension of this name.
    pub fn accept_with(
        self,
        subprotocol: Option<&str>,
        extensions: &[Extension],
        headers: HeaderMap,
    ) -> Result<AcceptedUpgrade, UpgradeError> {
        if let Some(reserved) = headers.keys().find(|name| RESERVED.contains(name)) {
            return Err(UpgradeError::ReservedHeader(reserved.clone()));
        }
        let mut all = HeaderMap::new();
        all.insert(UPGRADE, HeaderValue::from_static("websocket"));
        all.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        all.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(name) = subprotocol {
            let not_offered = || UpgradeError::SubprotocolNotOffered(name.to_owned());
            let offered = self.subprotocols.into_iter().find(|offer| offer == name).ok_or_else(not_offered)?;
            all.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::try_from(offered).map_err(|_| not_offered())?);
        }
        if !extensions.is_empty() {
            let is_offered = |name: &str| self.extensions.iter().any(|offer| offer.name == name);
            if let Some(extension) = extensions.iter().find(|extension| !is_offered(&extension.name)) {
                return Err(UpgradeError::ExtensionNotOffered(extension.name.clone()));
            }
            let value = HeaderValue::try_from(extensions::format(extensions));
            all.insert(SEC_WEBSOCKET_EXTENSIONS, value.map_err(|_| UpgradeError::MalformedExtension)?);
        }
        all.extend(headers);
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = all;
        Ok(AcceptedUpgrade { request: self.request, response })
    }
}

/// Whether [`Upgrade::accept`] refuses a header, because the handshake sets it or because it announces a body.
pub fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(name)
}

/// An accepted request. The connection opens when the response has been sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct AcceptedUpgrade {
    /// The client's request.
    pub request: Request<()>,
    /// The response, 101. See [`encode::response_head`](super::encode::response_head).
    pub response: Response<()>,
}

/// An error of accepting a request, by a mistake of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The client did not offer this subprotocol (RFC 6455 §4.2.2).
    SubprotocolNotOffered(String),
    /// The client did not offer this extension (RFC 6455 §9.1).
    ExtensionNotOffered(String),
    /// An extension has a name or a parameter that is not allowed in a header.
    MalformedExtension,
    /// This header is set by the handshake, or announces a body, which a 101 cannot have.
    ReservedHeader(HeaderName),
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubprotocolNotOffered(name) => write!(f, "the client did not offer the subprotocol {name:?}"),
            Self::ExtensionNotOffered(name) => write!(f, "the client did not offer the extension {name:?}"),
            Self::MalformedExtension => f.write_str("an extension has a byte that is not allowed in a header"),
            Self::ReservedHeader(name) => write!(f, "the header {name} cannot be set in a 101 response"),
        }
    }
}

impl core::error::Error for UpgradeError {}

impl From<UpgradeError> for Rejection {
    /// Converts into a 500 without details, which belong in the server's log.
    fn from(_: UpgradeError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed to accept the connection.")
    }
}

/// RFC 6455 §4.2.1, item 1.
fn check_method(request: &Request<()>) -> Result<(), Rejection> {
    if request.version() != Version::HTTP_11 {
        return Err(HeadError::Version.into());
    }
    if request.method() != Method::GET {
        let message = "A WebSocket connection is opened with GET.";
        let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, message);
        return Err(rejection.with_header(ALLOW, HeaderValue::from_static("GET")));
    }
    Ok(())
}

/// RFC 6455 §4.2.1, items 3 and 4.
fn check_upgrade(headers: &HeaderMap) -> Result<(), Rejection> {
    if has_token(headers, UPGRADE, "websocket") && has_token(headers, CONNECTION, "upgrade") {
        return Ok(());
    }
    let message = if headers.contains_key(SEC_WEBSOCKET_KEY) {
        "The request lacks \"Upgrade: websocket\" or \"Connection: Upgrade\". \
         A proxy before this server must pass them on: nginx does with \"proxy_set_header Upgrade $http_upgrade;\" and \
         \"proxy_set_header Connection upgrade;\", Apache httpd with \"upgrade=websocket\" in ProxyPass."
    } else {
        "This is a WebSocket endpoint. Open it with a WebSocket client, not as a page."
    };
    Err(upgrade_required(message))
}

fn upgrade_required(message: &'static str) -> Rejection {
    Rejection::new(StatusCode::UPGRADE_REQUIRED, message).with_header(UPGRADE, HeaderValue::from_static("websocket"))
}

/// RFC 6455 §4.2.1, item 6, and §4.4.
fn check_version(headers: &HeaderMap) -> Result<(), Rejection> {
    match single(headers, SEC_WEBSOCKET_VERSION) {
        Ok(None) => return Err(bad_request("The request has no Sec-WebSocket-Version header.")),
        Ok(Some(version)) if version == "13" => return Ok(()),
        // Two headers are as good as a list in one.
        Ok(Some(_)) | Err(Duplicate) => {}
    }
    Err(upgrade_required("This server speaks version 13 of the WebSocket protocol (RFC 6455).")
        .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")))
}

/// RFC 6455 §4.2.1, item 5.
fn accept_of_key(headers: &HeaderMap) -> Result<HeaderValue, Rejection> {
    let key = single(headers, SEC_WEBSOCKET_KEY)
        .map_err(|_| bad_request("The request has more than one Sec-WebSocket-Key header."))?
        .ok_or_else(|| bad_request("The request has no Sec-WebSocket-Key header."))?
        .as_bytes();
    let accept = key::is_valid(key).then(|| HeaderValue::from_bytes(&key::accept(key)).ok()).flatten();
    accept.ok_or_else(|| bad_request("The Sec-WebSocket-Key is not 16 bytes in Base64."))
}

/// RFC 6455 §4.1, item 10 of the request, and §11.3.4.
fn parse_subprotocols(headers: &HeaderMap) -> Result<Vec<String>, Rejection> {
    let mut subprotocols = Vec::new();
    let refuse = |why: fmt::Arguments<'_>| {
        let message = format!("The Sec-WebSocket-Protocol header offers {why}.");
        Rejection::new(StatusCode::BAD_REQUEST, message)
    };
    for element in elements(headers, SEC_WEBSOCKET_PROTOCOL) {
        let Some(name) = str::from_utf8(element).ok().filter(|name| is_token(name.as_bytes())) else {
            let name = EscapedBytes(element);
            return Err(refuse(format_args!("{name:?}, which is not a token (RFC 9110, section 5.6.2)")));
        };
        subprotocols.push(name.to_owned());
    }
    if let Some(name) = first_duplicate(&subprotocols) {
        return Err(refuse(format_args!("{name:?} twice")));
    }
    Ok(subprotocols)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn request() -> http::request::Builder {
        Request::get("/chat")
            .header(HOST, "server.example.com")
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "Upgrade")
            .header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .header(SEC_WEBSOCKET_VERSION, "13")
    }

    fn upgrade() -> Upgrade {
        Upgrade::new(request().header(SEC_WEBSOCKET_PROTOCOL, "a, B").body(()).unwrap()).unwrap()
    }

    #[test]
    fn the_order_of_the_server_decides() {
        let upgrade = upgrade();
        assert_eq!(upgrade.subprotocols(), ["a", "B"]);
        assert_eq!(upgrade.select_subprotocol(["B", "a"]), Some("B"));
        assert_eq!(upgrade.select_subprotocol(["x".to_string(), "a".to_string()]), Some("a".into()));
        assert_eq!(upgrade.select_subprotocol(["A", "b"]), None);
        assert_eq!(upgrade.select_subprotocol([""; 0]), None);
    }

    #[test]
    fn accepts_only_what_was_offered() {
        let error = upgrade().accept(Some("c"), HeaderMap::new()).unwrap_err();
        assert_eq!(error, UpgradeError::SubprotocolNotOffered("c".into()));
        assert_eq!(error.to_string(), "the client did not offer the subprotocol \"c\"");
        assert_eq!(Rejection::from(error).status(), 500);
    }

    #[test]
    fn accepts_only_extensions_that_were_offered() {
        let offered =
            || Upgrade::new(request().header(SEC_WEBSOCKET_EXTENSIONS, "foo; bar=1").body(()).unwrap()).unwrap();
        let extension = |name: &str| Extension { name: name.into(), params: Vec::new() };
        let accepted = offered().accept_with(None, &[extension("foo")], HeaderMap::new()).unwrap();
        assert_eq!(accepted.response.headers()[SEC_WEBSOCKET_EXTENSIONS], "foo");
        let accepted = offered().accept(None, HeaderMap::new()).unwrap();
        assert!(!accepted.response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS));
        let error = offered().accept_with(None, &[extension("bar")], HeaderMap::new()).unwrap_err();
        assert_eq!(error, UpgradeError::ExtensionNotOffered("bar".into()));
        let broken = Extension {
            params: [super::super::extensions::Param { name: "a\r\nb".into(), value: None }].into(),
            ..extension("foo")
        };
        assert_eq!(
            offered().accept_with(None, &[broken], HeaderMap::new()).unwrap_err(),
            UpgradeError::MalformedExtension
        );
    }

    #[test]
    fn keeps_its_own_headers() {
        for name in RESERVED {
            let mut headers = HeaderMap::new();
            headers.insert(&name, HeaderValue::from_static("x"));
            assert_eq!(upgrade().accept(None, headers).unwrap_err(), UpgradeError::ReservedHeader(name));
        }
    }

    #[test]
    fn adds_the_headers_of_the_application() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        let accepted = upgrade().accept(Some("B"), headers).unwrap();
        assert_eq!(accepted.request.uri(), "/chat");
        assert_eq!(accepted.response.status(), 101);
        assert_eq!(accepted.response.headers()["sec-websocket-protocol"], "B");
        assert_eq!(accepted.response.headers().get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn checks_requests_from_elsewhere() {
        let http2 = request().version(Version::HTTP_2).body(()).unwrap();
        assert_eq!(Upgrade::new(http2).unwrap_err().status(), 505);
    }
}
