//! The checks of a request that opens a connection (RFC 6455 §4.2.1).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{ALLOW, CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::Rejection;
use crate::escaped::EscapedBytes;
use crate::handshake::fields::{Duplicate, elements, first_duplicate, has_token, is_token, single};
use crate::handshake::head::HeadError;
use crate::handshake::key;

/// The rules for a request of HTTP/1.1, except for its key (RFC 6455 §4.2.1).
pub(super) fn check_upgrade(request: &Request<()>) -> Result<(), Rejection> {
    check_method(request)?;
    check_upgrade_headers(request.headers())?;
    check_version(request.headers())
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
fn check_upgrade_headers(headers: &HeaderMap) -> Result<(), Rejection> {
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
pub(super) fn accept_of_key(headers: &HeaderMap) -> Result<HeaderValue, Rejection> {
    let key = single(headers, SEC_WEBSOCKET_KEY)
        .map_err(|_| bad_request("The request has more than one Sec-WebSocket-Key header."))?
        .ok_or_else(|| bad_request("The request has no Sec-WebSocket-Key header."))?
        .as_bytes();
    let accept = key::is_valid(key).then(|| HeaderValue::from_bytes(&key::accept(key)).ok()).flatten();
    accept.ok_or_else(|| bad_request("The Sec-WebSocket-Key is not 16 bytes in Base64."))
}

/// RFC 6455 §4.1, item 10 of the request, and §11.3.4.
pub(super) fn parse_subprotocols(headers: &HeaderMap) -> Result<Vec<String>, Rejection> {
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

pub(super) fn bad_request(message: &'static str) -> Rejection {
    Rejection::new(StatusCode::BAD_REQUEST, message)
}
