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

mod checks;
mod extended_connect;
mod request;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use self::checks::{accept_of_key, bad_request, check_upgrade, parse_subprotocols};
use super::extensions::{self, Extension};
use super::fields::RESERVED;

pub use self::extended_connect::{WEBSOCKET, join_cookies, remove_connection_fields};
pub use self::request::{RequestHead, RequestReader};
pub use super::origins::{InvalidOrigin, Origins};
pub use super::rejection::Rejection;

/// A valid request for a WebSocket connection that has not been answered (RFC 6455 §4.2.1, RFC 8441 §5).
///
/// [`new`](Self::new) checks a request of HTTP/1.1, and [`extended_connect`](Self::extended_connect) one of HTTP/2.
/// [`accept`](Self::accept) accepts it. To refuse it, send a [`Rejection`] instead.
#[derive(Debug)]
pub struct Upgrade {
    request: Request<()>,
    /// The value of `Sec-WebSocket-Accept`.
    accept: Option<HeaderValue>,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
}

impl Upgrade {
    /// Checks that a request of HTTP/1.1 is a valid opening handshake.
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
        check_upgrade(&request)?;
        let accept = accept_of_key(request.headers())?;
        Self::with_offers(request, Some(accept))
    }

    /// Checks a request of HTTP/1.1 as [`new`](Self::new) does, except that it may lack `Sec-WebSocket-Key`. Then the response
    /// lacks `Sec-WebSocket-Accept`.
    ///
    /// Such requests come from a proxy that translates HTTP/2, whose requests have no key, and does not make one up. Envoy
    /// does so. A client of RFC 6455 always sends a key, so accept this only from a proxy that is known to do so: a web page
    /// cannot forge a request with a key (RFC 6455 §1.3, §10.8), but it can forge other requests.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), except for a missing key.
    pub fn with_optional_key(request: Request<()>) -> Result<Self, Rejection> {
        check_upgrade(&request)?;
        let has_key = request.headers().contains_key(SEC_WEBSOCKET_KEY);
        let accept = if has_key { Some(accept_of_key(request.headers())?) } else { None };
        Self::with_offers(request, accept)
    }

    /// Parses the offers of a request, whose other headers are valid.
    fn with_offers(request: Request<()>, accept: Option<HeaderValue>) -> Result<Self, Rejection> {
        let headers = request.headers();
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

    /// Accepts the connection with a 101 (RFC 6455 §4.2.2), or with a 200 over HTTP/2 (RFC 8441 §5). The response has the
    /// headers of the handshake and the given `headers`.
    ///
    /// # Errors
    ///
    /// When the client did not offer this subprotocol, or when `headers` has a header that the handshake sets or that announces a
    /// body, or when there are too many of them. These are mistakes of the server: converted into a [`Rejection`], they become a 500.
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
        let upgrades = self.request.method() != Method::CONNECT;
        let mut all = HeaderMap::new();
        if upgrades {
            all.insert(UPGRADE, HeaderValue::from_static("websocket"));
            all.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        }
        if let Some(accept) = self.accept {
            all.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
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
        // `extend` would panic where the handshake's own headers are the ones too many.
        for (name, value) in &headers {
            all.try_append(name, value.clone()).map_err(|_| UpgradeError::TooManyHeaders)?;
        }
        let mut response = Response::new(());
        if upgrades {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        } else {
            remove_connection_fields(&mut all);
            *response.version_mut() = self.request.version();
        }
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
    /// The response: 101, or 200 over HTTP/2. For a 101, see [`encode::response_head`](super::encode::response_head).
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
    /// There are more names of headers than a [`HeaderMap`] holds, the handshake's own included: tens of thousands.
    TooManyHeaders,
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubprotocolNotOffered(name) => write!(f, "the client did not offer the subprotocol {name:?}"),
            Self::ExtensionNotOffered(name) => write!(f, "the client did not offer the extension {name:?}"),
            Self::MalformedExtension => f.write_str("an extension has a byte that is not allowed in a header"),
            Self::ReservedHeader(name) => write!(f, "the header {name} cannot be set in a 101 response"),
            Self::TooManyHeaders => f.write_str("too many headers for a response"),
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use http::Version;
    use http::header::{HOST, SEC_WEBSOCKET_VERSION};

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

    /// The largest map of headers with one value each.
    fn full() -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut names = (0..).map(|n| HeaderName::try_from(format!("x-{n}")).unwrap());
        while headers.try_append(names.next().unwrap(), HeaderValue::from_static("1")).is_ok() {}
        headers
    }

    #[test]
    fn refuses_headers_that_leave_no_room_for_its_own() {
        let mut headers = full();
        assert_eq!(upgrade().accept(None, headers.clone()).unwrap_err(), UpgradeError::TooManyHeaders);
        for n in 0..3 {
            headers.remove(format!("x-{n}"));
        }
        assert_eq!(upgrade().accept(Some("B"), headers.clone()).unwrap_err(), UpgradeError::TooManyHeaders);
        let accepted = upgrade().accept(None, headers.clone()).unwrap();
        assert_eq!(accepted.response.headers().len(), headers.len() + 3);
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
