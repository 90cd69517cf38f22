//! Responses that reject an opening handshake.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::head::HeadError;
use super::server::remove_connection_fields;
use crate::escaped::Escaped;

/// An HTTP response that rejects a request: a status, headers, and a plain text with the reason. Close the transport after
/// sending it.
#[derive(Clone, Debug)]
pub struct Rejection {
    status: StatusCode,
    headers: Box<HeaderMap>,
    message: Cow<'static, str>,
}

impl Rejection {
    /// A rejection with a status and a text. The client sees the text.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, headers: Box::default(), message: message.into() }
    }

    /// 408: the request did not arrive in time (RFC 9110 §15.5.9).
    pub fn request_timeout() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time.")
    }

    /// 503: the server is shutting down or has too many connections (RFC 9110 §15.6.4). Use
    /// [`with_retry_after`](Self::with_retry_after) to tell the client when to try again.
    pub fn service_unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server takes no new connections now. Try again later.")
    }

    /// Adds a `Retry-After` header, in seconds (RFC 9110 §10.2.3).
    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, seconds.into())
    }

    /// Adds a header. [`into_response`](Self::into_response) always sets `Connection` and `Content-Length`, and sets
    /// `Content-Type` unless it is added here. A header for which a [`HeaderMap`] has no room, after tens of thousands of
    /// others, is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        // Room for the headers that `into_response` adds.
        if self.headers.try_reserve(1 + 3).is_ok() {
            self.headers.append(name, value);
        }
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The added headers, without the ones that every rejection has.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Converts into the response, with `Connection: close` and `Content-Length`. Unless another `Content-Type` was added, it is
    /// `text/plain; charset=utf-8`. The body is the text and a line end.
    ///
    /// If there is an `Upgrade` header, the Connection header also names it (RFC 9110 §7.8).
    ///
    /// This is a response of HTTP/1.1. [`into_multiplexed_response`](Self::into_multiplexed_response) makes one of HTTP/2.
    pub fn into_response(self) -> Response<Bytes> {
        let mut body = String::from(self.message);
        body.push('\n');
        let mut headers = *self.headers;
        let upgrade = headers.contains_key(UPGRADE);
        let connection = if upgrade { "close, Upgrade" } else { "close" };
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, body.len().into());
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }

    /// Converts into a response of HTTP/2 or HTTP/3: as [`into_response`](Self::into_response), without the fields that these
    /// versions do not have, such as `Connection` and `Upgrade` (RFC 9113 §8.2.2). It ends its stream, and other streams of
    /// the connection continue.
    pub fn into_multiplexed_response(self) -> Response<Bytes> {
        let mut response = self.into_response();
        remove_connection_fields(response.headers_mut());
        *response.version_mut() = Version::HTTP_2;
        response
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, Escaped(&self.message))
    }
}

impl core::error::Error for Rejection {}

impl From<HeadError> for Rejection {
    fn from(error: HeadError) -> Self {
        let status = match error {
            HeadError::Version => {
                return Self::new(
                    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                    "This server speaks HTTP/1.1, which the WebSocket handshake needs. A proxy before it must do so too: \
                     nginx does with \"proxy_http_version 1.1;\", Apache httpd unless \"force-proxy-request-1.0\" is set.",
                );
            }
            HeadError::Tls => {
                return Self::new(
                    StatusCode::BAD_REQUEST,
                    "The connection begins with a TLS handshake, and this port has no TLS. Connect to ws:// or http:// instead of \
                     wss:// or https://, or give the server a certificate.",
                );
            }
            HeadError::ProxyProtocol { version } => {
                let message = alloc::format!(
                    "The connection begins with a header of the PROXY protocol, version {version}, which this server does not \
                     read, or not from this address. Have the server read it and trust the proxy, or have the proxy send plain HTTP: in haproxy without \"send-proxy\" and \"send-proxy-v2\", in nginx \
                     without \"proxy_protocol on\", in stunnel without \"protocol = proxy\". It can name the client in \
                     X-Forwarded-For instead."
                );
                return Self::new(StatusCode::BAD_REQUEST, message);
            }
            HeadError::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            HeadError::TooLarge { .. } | HeadError::TooManyHeaders { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, alloc::format!("The request cannot be read: {error}."))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn becomes_a_response() {
        let rejection = Rejection::service_unavailable().with_retry_after(30);
        assert_eq!(rejection.status(), 503);
        assert_eq!(rejection.headers()["retry-after"], "30");
        assert_eq!(
            rejection.to_string(),
            "503 Service Unavailable: The server takes no new connections now. Try again later."
        );
        let response = rejection.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        assert_eq!(response.headers()["content-length"], response.body().len().to_string());
        assert_eq!(response.body(), "The server takes no new connections now. Try again later.\n");
        assert_eq!(Rejection::request_timeout().status(), 408);
    }

    #[test]
    fn headers_without_number_leave_room_for_those_of_every_response() {
        let mut rejection = Rejection::request_timeout();
        for n in 0..30_000 {
            let name = HeaderName::try_from(alloc::format!("x-{n}")).unwrap();
            rejection = rejection.with_header(name, HeaderValue::from_static("1"));
        }
        let added = rejection.headers().len();
        assert!(added > 20_000);
        assert_eq!(rejection.into_response().headers().len(), added + 3);
    }

    #[test]
    fn headers_that_frame_the_response_cannot_be_changed() {
        let response = Rejection::new(StatusCode::UNAUTHORIZED, "<p>No.</p>")
            .with_header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"x\""))
            .with_header(CONTENT_TYPE, HeaderValue::from_static("text/html"))
            .with_header(CONTENT_LENGTH, 999.into())
            .with_header(CONNECTION, HeaderValue::from_static("keep-alive"))
            .into_response();
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"x\"");
        assert_eq!(response.headers()["content-type"], "text/html");
        assert_eq!(response.headers()["content-length"], "11");
        assert_eq!(response.headers()["connection"], "close");
        assert_eq!(response.headers().len(), 4);
    }

    #[test]
    fn errors_of_the_head_have_their_status() {
        let status = |error: HeadError| Rejection::from(error).status();
        assert_eq!(status(HeadError::BareLineFeed), 400);
        assert_eq!(status(HeadError::Version), 505);
        assert_eq!(status(HeadError::TooLarge { limit: 1 }), 431);
        assert_eq!(status(HeadError::TooManyHeaders { limit: 1 }), 431);
        assert_eq!(status(HeadError::TargetTooLong { limit: 1 }), 414);
    }
}
