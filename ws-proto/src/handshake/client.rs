//! The client's side of the opening handshake (RFC 6455 §4.1).
//!
//! ```
//! use ws_proto::handshake::client::Handshake;
//!
//! let nonce = *b"the sample nonce"; // 16 random bytes, fresh for each connection
//! let mut handshake = Handshake::builder("server.example.com", "/chat").subprotocols(["chat"]).build(nonce)?;
//! let sent = handshake.request_bytes();
//! assert!(sent.starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
//!
//! let mut received = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_vec();
//! assert!(handshake.receive(&received)?.is_none()); // read on
//! received.extend(b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02Hi");
//! let established = handshake.receive(&received)?.unwrap();
//! assert_eq!(received[established.consumed..], *b"\x81\x02Hi"); // the first frame
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};

use super::extensions::{self, Extension};
use super::fields::{RESERVED, first_duplicate, has_token, host_and_port, is_token, mark_secret, single};
use super::head::{HeadError, HeadLimits, HeadReader, StatusLine};
use super::{encode, key};

/// A handshake from the client's side: the request to send, then the response to wait for.
#[derive(Debug)]
pub struct Handshake {
    request: Request<()>,
    subprotocols: Vec<String>,
    /// The names of the extensions that are offered.
    extensions: Vec<String>,
    accept: String,
    head: HeadReader<StatusLine>,
}

/// The connection is open: a valid 101 has arrived.
#[derive(Debug)]
#[non_exhaustive]
pub struct Established {
    /// The response.
    pub response: Response<()>,
    /// The subprotocol the server chose among those offered, if it chose one.
    pub subprotocol: Option<String>,
    /// The extensions the server accepted, all of which were offered. What their parameters mean is still to be checked:
    /// [`Deflate::confirm`](crate::deflate::Deflate::confirm) does so.
    pub extensions: Vec<Extension>,
    /// Where in the input the server's frames begin: they may come in the same segment.
    pub consumed: usize,
}

impl Handshake {
    /// Begins a request to `host`, which may have a port (`example.com:8080`), for `target`, a path with an
    /// optional query (`/chat?room=1`), already percent-encoded.
    pub fn builder(host: impl Into<String>, target: impl Into<String>) -> Builder {
        Builder {
            host: host.into(),
            target: target.into(),
            headers: Ok(HeaderMap::new()),
            subprotocols: Vec::new(),
            extensions: Vec::new(),
            limits: HeadLimits::default(),
        }
    }

    /// The request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The request, once the handshake is over.
    pub fn into_request(self) -> Request<()> {
        self.request
    }

    /// The request as it is to be sent.
    pub fn request_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::request(&self.request, &mut bytes);
        bytes
    }

    /// Takes *everything received so far*, the bytes of earlier calls included, and tells once the connection is
    /// open. Only bytes that are new are looked at. Interim responses, such as 103, are skipped
    /// (RFC 9110 §15.2); they count toward the limit of the head.
    ///
    /// # Errors
    ///
    /// When the response is not a valid 101 (RFC 6455 §4.1), as early as the input allows. Nothing may be sent
    /// then. Of [`Error::Rejected`] the body may be read; after any other error the connection is of no use.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Established>, Error> {
        while let Some(head) = self.head.read(input)? {
            let consumed = head.consumed;
            let response = head.into_response();
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let (subprotocol, extensions) = self.check(&response)?;
                return Ok(Some(Established { response, subprotocol, extensions, consumed }));
            }
            if !response.status().is_informational() {
                return Err(Error::Rejected { response: Box::new(response), consumed });
            }
            self.head.read_another();
        }
        Ok(None)
    }

    /// RFC 6455 §4.1, the numbered list on the response; and the subprotocol and the extensions chosen.
    fn check(&self, response: &Response<()>) -> Result<(Option<String>, Vec<Extension>), Error> {
        if response.version() != Version::HTTP_11 {
            return Err(HeadError::Version.into());
        }
        let headers = response.headers();
        let upgrade = required(headers, UPGRADE)?;
        if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
            return Err(Error::WrongHeader(UPGRADE, upgrade.clone()));
        }
        let connection = headers.get(CONNECTION).ok_or(Error::MissingHeader(CONNECTION))?;
        if !has_token(headers, CONNECTION, "upgrade") {
            return Err(Error::WrongHeader(CONNECTION, connection.clone()));
        }
        let accept = required(headers, SEC_WEBSOCKET_ACCEPT)?;
        if *accept != self.accept {
            return Err(Error::WrongHeader(SEC_WEBSOCKET_ACCEPT, accept.clone()));
        }
        let extensions = extensions::parse(headers).map_err(|_| Error::MalformedExtensions)?;
        if let Some(extension) = extensions.iter().find(|extension| !self.extensions.contains(&extension.name)) {
            return Err(Error::ExtensionNotOffered(extension.name.clone()));
        }
        Ok((self.check_subprotocol(headers)?, extensions))
    }

    fn check_subprotocol(&self, headers: &HeaderMap) -> Result<Option<String>, Error> {
        let chosen =
            single(headers, SEC_WEBSOCKET_PROTOCOL).map_err(|_| Error::DuplicateHeader(SEC_WEBSOCKET_PROTOCOL))?;
        let Some(chosen) = chosen else {
            return Ok(None);
        };
        let offered = self.subprotocols.iter().find(|offer| chosen == offer.as_str());
        offered.cloned().map(Some).ok_or_else(|| Error::SubprotocolNotOffered(chosen.clone()))
    }
}

/// The value of a header that must stand once.
fn required(headers: &HeaderMap, name: HeaderName) -> Result<&HeaderValue, Error> {
    match single(headers, &name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Error::MissingHeader(name)),
        Err(_) => Err(Error::DuplicateHeader(name)),
    }
}

/// Why the connection did not open.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The response is malformed, over a limit, or not HTTP/1.1.
    Head(HeadError),
    /// The server answered, but not with 101: it refuses, redirects, or is no WebSocket server.
    Rejected {
        /// The response without its body. A redirection has a `Location`.
        response: Box<Response<()>>,
        /// Where in the input the body begins. A [`BodyReader`](super::body::BodyReader) reads it.
        consumed: usize,
    },
    /// A 101 without a header it needs (RFC 6455 §4.1).
    MissingHeader(HeaderName),
    /// A 101 with a header that stands twice and must not (RFC 6455 §11.3).
    DuplicateHeader(HeaderName),
    /// A 101 with another value than the one this header must have (RFC 6455 §4.1).
    WrongHeader(HeaderName, HeaderValue),
    /// A 101 with a subprotocol that was not offered (RFC 6455 §4.1).
    SubprotocolNotOffered(HeaderValue),
    /// A 101 with an extension that was not offered (RFC 6455 §4.1).
    ExtensionNotOffered(String),
    /// A 101 with a `Sec-WebSocket-Extensions` header that cannot be parsed (RFC 6455 §9.1).
    MalformedExtensions,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "invalid HTTP response: {error}"),
            Self::Rejected { response, .. } => {
                write!(f, "server rejected the WebSocket connection: HTTP {}", response.status())
            }
            Self::MissingHeader(name) => write!(f, "invalid handshake response: no {name} header"),
            Self::DuplicateHeader(name) => write!(f, "invalid handshake response: more than one {name} header"),
            Self::WrongHeader(name, value) => write!(f, "invalid handshake response: wrong {name} header {value:?}"),
            Self::SubprotocolNotOffered(name) => {
                write!(f, "invalid handshake response: subprotocol {name:?} was not offered")
            }
            Self::ExtensionNotOffered(name) => {
                write!(f, "invalid handshake response: extension {name:?} was not offered")
            }
            Self::MalformedExtensions => f.write_str("invalid handshake response: malformed extensions"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Head(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HeadError> for Error {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// What goes into the request. The first mistake is reported by [`build`](Self::build).
#[derive(Debug)]
pub struct Builder {
    host: String,
    target: String,
    headers: Result<HeaderMap, BuildError>,
    subprotocols: Vec<String>,
    extensions: Vec<Extension>,
    limits: HeadLimits,
}

impl Builder {
    /// Adds a header. A `Host` replaces the one there is: there is only ever one (RFC 9112 §3.2).
    #[must_use]
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(headers) = &mut self.headers
            && let Err(error) = add(headers, name, value)
        {
            self.headers = Err(error);
        }
        self
    }

    /// Adds several headers, each as [`header`](Self::header) does.
    #[must_use]
    pub fn headers(self, headers: &HeaderMap) -> Self {
        headers.iter().fold(self, |builder, (name, value)| builder.header(name, value))
    }

    /// Offers subprotocols, the preferred ones first, after those offered before (RFC 6455 §4.1).
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols.extend(subprotocols.into_iter().map(Into::into));
        self
    }

    /// Offers extensions, the preferred ones first, after those offered before (RFC 6455 §9.1). One may be offered several
    /// times, with other parameters each time. [`Deflate::offer`](crate::deflate::Deflate::offer) gives one.
    #[must_use]
    pub fn extensions(mut self, extensions: impl IntoIterator<Item = Extension>) -> Self {
        self.extensions.extend(extensions);
        self
    }

    /// Sets the limits for the head of the response: 16 KiB and 100 headers unless set.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the request. `nonce` must be random and fresh for each connection (RFC 6455 §4.1).
    ///
    /// # Errors
    ///
    /// When something given cannot stand in the request, such as a line end in a path. So nothing is ever sent
    /// that would be read as another header or another request.
    pub fn build(self, nonce: [u8; 16]) -> Result<Handshake, BuildError> {
        let mut extra = self.headers?;
        if let Some(reserved) = extra.keys().find(|name| RESERVED.contains(name)) {
            return Err(BuildError::ReservedHeader(reserved.clone()));
        }
        let host = extra.remove(HOST).map_or_else(|| HeaderValue::try_from(self.host), Ok);
        let host = host.map_err(|_| BuildError::Host)?;
        host_and_port(host.as_bytes()).ok_or(BuildError::Host)?;
        let target = parse_target(self.target)?;
        let offer = offer_subprotocols(&self.subprotocols)?;
        let key = key::encode(nonce);
        let accept = key::accept(key.as_bytes());

        let mut headers = HeaderMap::new();
        headers.insert(HOST, host);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let key = HeaderValue::try_from(key).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_KEY))?;
        headers.insert(SEC_WEBSOCKET_KEY, key);
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Some(offer) = offer {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, offer);
        }
        if let Some(offer) = offer_extensions(&self.extensions)? {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, offer);
        }
        headers.extend(extra);
        let mut request = Request::new(());
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        let extensions = self.extensions.into_iter().map(|extension| extension.name).collect();
        let head = HeadReader::new(self.limits);
        Ok(Handshake { request, subprotocols: self.subprotocols, extensions, accept, head })
    }
}

fn add(
    headers: &mut HeaderMap,
    name: impl TryInto<HeaderName>,
    value: impl TryInto<HeaderValue>,
) -> Result<(), BuildError> {
    let name = name.try_into().map_err(|_| BuildError::HeaderName)?;
    let mut value = value.try_into().map_err(|_| BuildError::HeaderValue(name.clone()))?;
    mark_secret(&name, &mut value);
    if name == HOST {
        headers.remove(HOST);
    }
    headers.try_append(name, value).map_err(|_| BuildError::TooManyHeaders)?;
    Ok(())
}

/// A target in origin form (RFC 9112 §3.2.1).
fn parse_target(target: String) -> Result<Uri, BuildError> {
    // A fragment would silently be dropped, and other than ASCII be let pass.
    if !target.starts_with('/') || target.bytes().any(|byte| byte == b'#' || !byte.is_ascii_graphic()) {
        return Err(BuildError::Target);
    }
    PathAndQuery::try_from(target).map(Uri::from).map_err(|_| BuildError::Target)
}

fn offer_subprotocols(subprotocols: &[String]) -> Result<Option<HeaderValue>, BuildError> {
    let invalid = |name: &String| BuildError::Subprotocol(name.clone());
    if let Some(name) = subprotocols.iter().find(|name| !is_token(name.as_bytes())) {
        return Err(invalid(name));
    }
    if let Some(name) = first_duplicate(subprotocols) {
        return Err(BuildError::DuplicateSubprotocol(name.into()));
    }
    if subprotocols.is_empty() {
        return Ok(None);
    }
    let offer = HeaderValue::try_from(subprotocols.join(", "));
    offer.map(Some).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_PROTOCOL))
}

fn offer_extensions(extensions: &[Extension]) -> Result<Option<HeaderValue>, BuildError> {
    let is_fine = |extension: &Extension| {
        let params = extension.params.iter();
        let mut words = params.flat_map(|param| [Some(&param.name), param.value.as_ref()]).flatten();
        is_token(extension.name.as_bytes()) && words.all(|word| is_token(word.as_bytes()))
    };
    if let Some(extension) = extensions.iter().find(|extension| !is_fine(extension)) {
        return Err(BuildError::Extension(extension.name.clone()));
    }
    if extensions.is_empty() {
        return Ok(None);
    }
    let offer = HeaderValue::try_from(extensions::format(extensions));
    offer.map(Some).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_EXTENSIONS))
}

/// Why a request could not be built. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The host is not a host with an optional port. It must be ASCII, without user information.
    Host,
    /// The target does not begin with a slash, has a fragment, or has a byte that would have to be
    /// percent-encoded: a space, a control character, or anything but ASCII.
    Target,
    /// The name of a header is not a token.
    HeaderName,
    /// The value of this header has a byte that must not stand there: a line end, NUL or another control character.
    HeaderValue(HeaderName),
    /// This header is the handshake's own, or announces a body that the request cannot have.
    ReservedHeader(HeaderName),
    /// There are more headers than can be held: 32768.
    TooManyHeaders,
    /// This subprotocol is not a token.
    Subprotocol(String),
    /// This subprotocol is offered twice.
    DuplicateSubprotocol(String),
    /// The name of this extension, or of a parameter of it, or a value is not a token.
    Extension(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("invalid host"),
            Self::Target => f.write_str("invalid path or query: it must begin with a slash and be percent-encoded"),
            Self::HeaderName => f.write_str("invalid header name"),
            Self::HeaderValue(name) => write!(f, "invalid value for the header {name}"),
            Self::ReservedHeader(name) => write!(f, "the header {name} is set by the handshake"),
            Self::TooManyHeaders => f.write_str("too many headers"),
            Self::Subprotocol(name) => write!(f, "invalid subprotocol {name:?}"),
            Self::Extension(name) => write!(f, "invalid extension {name:?}"),
            Self::DuplicateSubprotocol(name) => write!(f, "subprotocol {name:?} offered twice"),
        }
    }
}

impl core::error::Error for BuildError {}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    fn builder() -> Builder {
        Handshake::builder("example.com", "/")
    }

    fn build(builder: Builder) -> Result<Handshake, BuildError> {
        builder.build(*b"the sample nonce")
    }

    #[test]
    fn hosts_and_targets() {
        for host in ["", "a b", "a\r\nX: y", "u@a", "a:b", "\u{e9}.example"] {
            assert_eq!(build(Handshake::builder(host, "/")).unwrap_err(), BuildError::Host, "{host:?}");
        }
        for target in ["", "a", "?a", "*", "/#", "/ ", "/\u{e9}", "/\t", "/\r\n", "/\0", "/\x7F", "http://a/"] {
            assert_eq!(build(Handshake::builder("a", target)).unwrap_err(), BuildError::Target, "{target:?}");
        }
        for target in ["/", "//", "/a?b", "/?", "/%20?a=/?b", "/a;b=c,d:e@f"] {
            let handshake = build(Handshake::builder("a", target)).unwrap();
            assert!(handshake.request_bytes().starts_with(format!("GET {target} HTTP/1.1\r\n").as_bytes()));
        }
    }

    #[test]
    fn headers() {
        let error = |name: &str, value: &str| build(builder().header(name, value)).unwrap_err();
        assert_eq!(error("X Y", "z"), BuildError::HeaderName);
        assert_eq!(error("", "z"), BuildError::HeaderName);
        assert_eq!(error("X\r\n", "z"), BuildError::HeaderName);
        assert_eq!(error("X", "a\r\nb"), BuildError::HeaderValue(HeaderName::from_static("x")));
        for name in RESERVED {
            assert_eq!(error(name.as_str(), "x"), BuildError::ReservedHeader(name));
        }
        let handshake = build(builder().header("x-a", b"caf\xE9".as_slice()).header("X-A", "2")).unwrap();
        assert_eq!(handshake.request().headers().get_all("x-a").iter().count(), 2);
        let many = (0..40_000).fold(builder(), |builder, _| builder.header("x", ""));
        assert!(build(many).is_ok(), "values of one name are not limited in number");
        let many = (0..40_000).fold(builder(), |builder, n| builder.header(format!("x-{n}"), ""));
        assert_eq!(build(many).unwrap_err(), BuildError::TooManyHeaders);
    }

    #[test]
    fn a_host_replaces_the_host() {
        let handshake = build(builder().header("Host", "a").header("host", "b:1")).unwrap();
        let hosts: Vec<_> = handshake.request().headers().get_all(HOST).iter().collect();
        assert_eq!(hosts, ["b:1"]);
        assert_eq!(build(builder().header("host", "a b")).unwrap_err(), BuildError::Host);
    }

    #[test]
    fn subprotocols() {
        let error = |names: &[&str]| build(builder().subprotocols(names.iter().copied())).unwrap_err();
        for name in ["", "a b", "a,b", "a\r\n", "\u{e9}", "a\0"] {
            assert_eq!(error(&["x", name]), BuildError::Subprotocol(name.into()));
        }
        assert_eq!(error(&["a", "b", "a"]), BuildError::DuplicateSubprotocol("a".into()));
        let handshake = build(builder().subprotocols(["a"]).subprotocols(["b".to_string(), "A".into()])).unwrap();
        assert_eq!(handshake.request().headers()[SEC_WEBSOCKET_PROTOCOL], "a, b, A");
        let handshake = build(builder().subprotocols([""; 0])).unwrap();
        assert!(!handshake.request().headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn extensions_are_offered_in_order_and_only_they_may_be_answered() {
        let extension = |name: &str, param: &str| Extension {
            name: name.into(),
            params: [extensions::Param { name: param.into(), value: None }].into(),
        };
        for (name, param) in [("", "a"), ("a b", "a"), ("a", ""), ("a", "b\r\nc")] {
            let error = build(builder().extensions([extension(name, param)])).unwrap_err();
            assert_eq!(error, BuildError::Extension(name.into()));
        }
        let offers = [extension("a", "b"), extension("a", "c"), extension("d", "e")];
        let mut handshake = build(builder().extensions(offers)).unwrap();
        assert_eq!(handshake.request().headers()[SEC_WEBSOCKET_EXTENSIONS], "a; b, a; c, d; e");
        let head = |extensions: &str| {
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n"
            )
        };
        let established = handshake.receive(head("d; x=1").as_bytes()).unwrap().unwrap();
        assert_eq!(extensions::format(&established.extensions), "d; x=1");
        let mut handshake = build(builder().extensions([extension("a", "b")])).unwrap();
        let error = handshake.receive(head("a, b").as_bytes()).unwrap_err();
        assert!(matches!(error, Error::ExtensionNotOffered(name) if name == "b"));
    }

    #[test]
    fn credentials_are_not_printed() {
        let handshake = build(builder().header("Authorization", "Basic c2VjcmV0")).unwrap();
        assert!(!format!("{handshake:?}").contains("c2VjcmV0"));
        let sent = handshake.request_bytes();
        assert!(sent.windows(14).any(|bytes| bytes == b"Basic c2VjcmV0"));
    }

    #[test]
    fn an_interim_response_counts_toward_the_limit() {
        let mut handshake = build(builder()).unwrap();
        let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(1000));
        let endless = interim.repeat(100);
        let error = handshake.receive(endless.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Head(HeadError::TooLarge { limit: 16_384 })), "{error}");
    }
}
