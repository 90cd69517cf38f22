//! The opening handshake of HTTP/2 and HTTP/3: an extended CONNECT (RFC 8441 §4, §5; RFC 9220 §3).

use alloc::vec::Vec;

use http::header::{
    ALLOW, CONNECTION, COOKIE, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::checks::{accept_of_key, bad_request};
use super::{Rejection, Upgrade};
use crate::escaped::EscapedBytes;
use crate::handshake::fields::{elements, mark_secret, single};

/// The value of the pseudo-header `:protocol` that opens a WebSocket connection (RFC 8441 §5).
pub const WEBSOCKET: &str = "websocket";

impl Upgrade {
    /// Checks that a request of HTTP/2 or HTTP/3 is a valid opening handshake: an extended CONNECT (RFC 8441 §4).
    ///
    /// `protocol` is the value of the pseudo-header `:protocol`, which HTTP libraries keep in an extension of the request:
    /// `h2::ext::Protocol`, `hyper::ext::Protocol`. `None` is a request without it. Such a server announces
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
    ///
    /// [`accept`](Self::accept) then makes a 200. It has no `Upgrade` and no `Connection`, and has `Sec-WebSocket-Accept` only
    /// if the request has a valid `Sec-WebSocket-Key`. Neither is needed (RFC 8441 §5). Some clients and proxies insist on the
    /// answer all the same. Cookies are joined as [`join_cookies`] does.
    ///
    /// # Errors
    ///
    /// Convert the rejection with [`Rejection::into_multiplexed_response`].
    ///
    /// - 505: HTTP/1.1 or older
    /// - 405 with `Allow`: the method is not CONNECT
    /// - 400: a CONNECT without `:protocol`, for which a proxy would open a tunnel; another
    ///   version, with `Sec-WebSocket-Version: 13`; subprotocols and extensions as for [`new`](Self::new)
    /// - 501: another protocol than `websocket` (RFC 9220 §3)
    pub fn extended_connect(mut request: Request<()>, protocol: Option<&str>) -> Result<Self, Rejection> {
        check_protocol(&request, protocol)?;
        check_version(request.headers())?;
        join_cookies(request.headers_mut());
        let has_key = matches!(single(request.headers(), SEC_WEBSOCKET_KEY), Ok(Some(_)));
        let accept = has_key.then(|| accept_of_key(request.headers()).ok()).flatten();
        Self::with_offers(request, accept)
    }
}

fn check_protocol(request: &Request<()>, protocol: Option<&str>) -> Result<(), Rejection> {
    if !matches!(request.version(), Version::HTTP_2 | Version::HTTP_3) {
        let message = "An extended CONNECT needs HTTP/2 or HTTP/3.";
        return Err(Rejection::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, message));
    }
    if request.method() != Method::CONNECT {
        let message = "This is a WebSocket endpoint. Open it with a WebSocket client, not as a page. \
                       Over HTTP/2, a WebSocket connection is opened with an extended CONNECT (RFC 8441).";
        let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, message);
        return Err(rejection.with_header(ALLOW, HeaderValue::from_static("CONNECT")));
    }
    match protocol {
        // Unlike the token of `Upgrade`, it is compared as it is (RFC 8441 §5).
        Some(WEBSOCKET) => Ok(()),
        Some(other) => {
            let message =
                alloc::format!("This server does not speak the protocol {:?}.", EscapedBytes(other.as_bytes()));
            Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, message))
        }
        None => Err(bad_request(
            "The CONNECT request has no :protocol. A WebSocket connection is opened with \":protocol: websocket\" \
             (RFC 8441). This server is not a proxy.",
        )),
    }
}

/// RFC 6455 §4.4. A 426 would need an `Upgrade` header, which these versions of HTTP do not have (RFC 9113 §8.2.2).
fn check_version(headers: &HeaderMap) -> Result<(), Rejection> {
    match single(headers, SEC_WEBSOCKET_VERSION) {
        Ok(None) => Err(bad_request("The request has no Sec-WebSocket-Version header.")),
        Ok(Some(version)) if version == "13" => Ok(()),
        _ => Err(bad_request("This server speaks version 13 of the WebSocket protocol (RFC 6455).")
            .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))),
    }
}

/// Joins cookies in several fields into one, with `; ` between them. Browsers send one field for each cookie over HTTP/2, and
/// an application expects one field (RFC 9113 §8.2.3).
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let (Some(first), Some(_)) = (cookies.next(), cookies.next()) else { return };
    let mut joined = Vec::from(first.as_bytes());
    for cookie in headers.get_all(COOKIE).iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(cookie.as_bytes());
    }
    // Each part is a valid value, and so is the whole.
    if let Ok(mut joined) = HeaderValue::from_bytes(&joined) {
        mark_secret(&COOKIE, &mut joined);
        headers.insert(COOKIE, joined);
    }
}

/// Removes the fields that concern one connection of HTTP/1.1, `Connection` and those that it names among them. In HTTP/2 and
/// HTTP/3 they make a message malformed (RFC 9113 §8.2.2).
pub fn remove_connection_fields(headers: &mut HeaderMap) {
    let named: Vec<_> = elements(headers, CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    let is_allowed = headers.get(TE).is_none_or(|te| te == "trailers");
    for name in named.iter().chain(&CONNECTION_FIELDS) {
        headers.remove(name);
    }
    if !is_allowed {
        headers.remove(TE);
    }
}

/// See [`remove_connection_fields`].
const CONNECTION_FIELDS: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];
