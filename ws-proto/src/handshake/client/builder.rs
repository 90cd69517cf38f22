//! The builder of the request, and its errors.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, ORIGIN, SEC_WEBSOCKET_KEY, UPGRADE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::ClientHandshake;
use super::offers::Offers;
use crate::handshake::extensions::Extension;
use crate::handshake::fields::{RESERVED, host_and_port, mark_secret};
use crate::handshake::head::{HeadLimits, HeadReader};
use crate::handshake::key;

/// Builds the request of an opening handshake. [`build`](Self::build) reports the first error of the setters.
#[derive(Clone, Debug)]
pub struct Builder {
    host: String,
    target: String,
    headers: Result<HeaderMap, BuildError>,
    subprotocols: Vec<String>,
    requires_subprotocol: bool,
    extensions: Vec<Extension>,
    limits: HeadLimits,
}

impl Builder {
    pub(super) fn new(host: String, target: String) -> Self {
        Self {
            host,
            target,
            headers: Ok(HeaderMap::new()),
            subprotocols: Vec::new(),
            requires_subprotocol: false,
            extensions: Vec::new(),
            limits: HeadLimits::default(),
        }
    }

    /// Adds a header. `Host`, `Authorization`, `Origin` and `User-Agent` appear once in a request: another value replaces the
    /// previous one (RFC 9110 §5.3). `Cookie` also appears once: its values are joined with `; ` (RFC 6265 §5.4).
    #[must_use]
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        let field = || {
            let name = name.try_into().map_err(|_| BuildError::HeaderName)?;
            let value = value.try_into().map_err(|_| BuildError::HeaderValue(name.clone()))?;
            Ok((name, value))
        };
        self.add(field());
        self
    }

    fn add(&mut self, field: Result<(HeaderName, HeaderValue), BuildError>) {
        if let Ok(headers) = &mut self.headers
            && let Err(error) = field.and_then(|(name, value)| add(headers, name, value))
        {
            self.headers = Err(error);
        }
    }

    /// Removes the added headers with this name. For `Host`, the value given to [`ClientHandshake::builder`] applies again.
    #[must_use]
    pub fn remove_header(mut self, name: impl TryInto<HeaderName>) -> Self {
        match (&mut self.headers, name.try_into()) {
            (Ok(headers), Ok(name)) => drop(headers.remove(name)),
            (Ok(_), Err(_)) => self.headers = Err(BuildError::HeaderName),
            (Err(_), _) => {}
        }
        self
    }

    /// The first value of a header that was added.
    pub fn get_header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers.as_ref().ok()?.get(name)
    }

    /// Replaces the host and the target, for a redirected request. Headers stay, an added `Host` included.
    #[must_use]
    pub fn retarget(self, host: impl Into<String>, target: impl Into<String>) -> Self {
        Self { host: host.into(), target: target.into(), ..self }
    }

    /// Adds several headers, each as [`header`](Self::header) does.
    #[must_use]
    pub fn headers(self, headers: &HeaderMap) -> Self {
        headers.iter().fold(self, |builder, (name, value)| builder.header(name.clone(), value.clone()))
    }

    /// Adds subprotocols to the offer, the preferred ones first (RFC 6455 §4.1).
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols.extend(subprotocols.into_iter().map(Into::into));
        self
    }

    /// Sets whether the server must choose one of the offered subprotocols, as browsers require. Default `false`: if the server
    /// chooses none, the connection opens without a subprotocol. Without an offer, this has no effect.
    #[must_use]
    pub fn require_subprotocol(mut self, required: bool) -> Self {
        self.requires_subprotocol = required;
        self
    }

    /// Adds extensions to the offer, the preferred ones first (RFC 6455 §9.1). An extension may be offered several times with
    /// different parameters. [`Deflate::offer`](crate::permessage_deflate::Deflate::offer) returns an offer.
    #[must_use]
    pub fn extensions(mut self, extensions: impl IntoIterator<Item = Extension>) -> Self {
        self.extensions.extend(extensions);
        self
    }

    /// Sets the limits for the head of the response. Default 16 KiB and 100 headers.
    #[must_use]
    pub fn limits(mut self, limits: HeadLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds the request for HTTP/1.1. `nonce` must be random and fresh for each connection (RFC 6455 §4.1).
    ///
    /// # Errors
    ///
    /// When a value is not allowed in the request, such as a line end in a path. This prevents the injection of headers and
    /// requests.
    pub fn build(self, nonce: [u8; 16]) -> Result<ClientHandshake, BuildError> {
        let parts = self.into_parts()?;
        let key = key::encode(nonce);
        let accept = key::accept(key.as_bytes());
        let key = HeaderValue::try_from(key).map_err(|_| BuildError::HeaderValue(SEC_WEBSOCKET_KEY))?;
        let mut request = Request::new(());
        let headers = request.headers_mut();
        let (upgrade, connection) = (HeaderValue::from_static("websocket"), HeaderValue::from_static("Upgrade"));
        let own = [(HOST, parts.host), (UPGRADE, upgrade), (CONNECTION, connection), (SEC_WEBSOCKET_KEY, key)];
        for (name, value) in own {
            headers.insert(name, value);
        }
        parts.offers.append_headers(headers, &parts.extra)?;
        *request.uri_mut() = parts.target.into();
        Ok(ClientHandshake { request, offers: parts.offers, accept, head: HeadReader::new(parts.limits) })
    }

    /// The values that are checked for every version of HTTP.
    pub(super) fn into_parts(self) -> Result<RequestParts, BuildError> {
        let mut extra = self.headers?;
        if let Some(reserved) = extra.keys().find(|name| RESERVED.contains(name)) {
            return Err(BuildError::ReservedHeader(reserved.clone()));
        }
        let host = extra.remove(HOST).map_or_else(|| HeaderValue::try_from(self.host), Ok);
        let host = host.map_err(|_| BuildError::Host)?;
        host_and_port(host.as_bytes()).ok_or(BuildError::Host)?;
        let target = parse_target(self.target)?;
        let Self { subprotocols, requires_subprotocol, extensions, limits, .. } = self;
        let offers = Offers { subprotocols, requires_subprotocol, extensions };
        Ok(RequestParts { host, target, extra, offers, limits })
    }
}

/// The parts of a request, before it has the form of a version of HTTP.
pub(super) struct RequestParts {
    pub(super) host: HeaderValue,
    pub(super) target: PathAndQuery,
    /// The headers of the application.
    pub(super) extra: HeaderMap,
    pub(super) offers: Offers,
    limits: HeadLimits,
}

fn add(headers: &mut HeaderMap, name: HeaderName, mut value: HeaderValue) -> Result<(), BuildError> {
    mark_secret(&name, &mut value);
    if SINGLE.contains(&name) {
        headers.remove(&name);
    } else if name == COOKIE
        && let Some(before) = headers.remove(&COOKIE)
    {
        value = joined(&before, &value).ok_or_else(|| BuildError::HeaderValue(COOKIE))?;
    }
    headers.try_append(name, value).map_err(|_| BuildError::TooManyHeaders)?;
    Ok(())
}

/// The fields that appear once: a repeated one replaces the value.
const SINGLE: [HeaderName; 4] = [AUTHORIZATION, HOST, ORIGIN, USER_AGENT];

/// Cookies as one field's value.
fn joined(before: &HeaderValue, value: &HeaderValue) -> Option<HeaderValue> {
    let mut joined = HeaderValue::from_bytes(&[before.as_bytes(), b"; ", value.as_bytes()].concat()).ok()?;
    joined.set_sensitive(true);
    Some(joined)
}

/// A target in origin form (RFC 9112 §3.2.1).
fn parse_target(target: String) -> Result<PathAndQuery, BuildError> {
    // The parser would silently drop a fragment, and accept bytes other than ASCII.
    if !target.starts_with('/') || target.bytes().any(|byte| byte == b'#' || !byte.is_ascii_graphic()) {
        return Err(BuildError::Target);
    }
    PathAndQuery::try_from(target).map_err(|_| BuildError::Target)
}

/// An error of building the request. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The host is not a valid host with an optional port. It must be ASCII, without user information.
    Host,
    /// The target does not begin with a slash, has a fragment, or has a byte that would have to be
    /// percent-encoded: a space, a control character, or anything but ASCII.
    Target,
    /// The name of a header is not a token.
    HeaderName,
    /// The value of this header has a byte that is not allowed: a line end, NUL or another control character.
    HeaderValue(HeaderName),
    /// This header is set by the handshake, or announces a body, which the request cannot have.
    ReservedHeader(HeaderName),
    /// The request to a proxy is longer than this limit, in bytes
    /// ([`REQUEST_LIMIT`](crate::handshake::tunnel::REQUEST_LIMIT)).
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// There are more names of headers than a [`HeaderMap`] holds, the handshake's own included: tens of thousands.
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
            Self::TooLarge { limit } => write!(f, "request over the limit of {limit} bytes"),
            Self::TooManyHeaders => f.write_str("too many headers"),
            Self::Subprotocol(name) => write!(f, "invalid subprotocol {name:?}"),
            Self::Extension(name) => write!(f, "invalid extension {name:?}"),
            Self::DuplicateSubprotocol(name) => write!(f, "subprotocol {name:?} offered twice"),
        }
    }
}

impl core::error::Error for BuildError {}
