//! A client's opening handshake of HTTP/2 and HTTP/3: an extended CONNECT (RFC 8441 §5, RFC 9220 §3).

use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Uri, Version};

use super::builder::{BuildError, Builder};
use super::{Confirmed, HandshakeError, Offers, rejected};
use crate::handshake::server::remove_connection_fields;

/// A client's opening handshake over HTTP/2 or HTTP/3: the request as data, and the checks of the response.
/// [`Builder::build_extended_connect`] returns it.
///
/// An HTTP library sends the request as a new stream, with [`WEBSOCKET`](crate::handshake::server::WEBSOCKET) as the
/// pseudo-header `:protocol`. The client must have received `SETTINGS_ENABLE_CONNECT_PROTOCOL` with the value 1 before
/// (RFC 8441 §3).
///
/// ```
/// use ws_proto::handshake::client::ClientHandshake;
///
/// let builder = ClientHandshake::builder("server.example.com", "/chat").subprotocols(["chat"]);
/// let handshake = builder.build_extended_connect(true)?;
/// let request = handshake.request();
/// assert_eq!(request.method(), "CONNECT");
/// assert_eq!(request.uri(), "https://server.example.com/chat");
///
/// let response = http::Response::builder().header("sec-websocket-protocol", "chat").body(())?; // a 200
/// assert_eq!(handshake.confirm(&response)?.subprotocol.as_deref(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExtendedConnect {
    request: Request<()>,
    offers: Offers,
}

impl Builder {
    /// Builds the request for HTTP/2 or HTTP/3. It has no key, no `Upgrade`, no `Connection` and no `Host`: the host is a part
    /// of the URI. `secure` chooses the scheme, `https` or `http` (RFC 8441 §4). The limits of the head do not apply, because
    /// an HTTP library reads it.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_extended_connect(self, secure: bool) -> Result<ExtendedConnect, BuildError> {
        let parts = self.into_parts()?;
        let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
        let uri = Uri::builder().scheme(scheme).authority(parts.host.as_bytes()).path_and_query(parts.target);
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri.build().map_err(|_| BuildError::Target)?;
        parts.offers.append_headers(request.headers_mut(), &parts.extra)?;
        remove_connection_fields(request.headers_mut());
        Ok(ExtendedConnect { request, offers: parts.offers })
    }
}

impl ExtendedConnect {
    /// The request, with an absolute URI.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Converts into the request, after the handshake.
    pub fn into_request(self) -> Request<()> {
        self.request
    }

    /// Checks the response. `Sec-WebSocket-Accept` is ignored, as the handshake has no key (RFC 8441 §5).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Rejected`] with the status and the headers if the response is not a 200. Another error if the server
    /// chose something that was not offered. Then reset the stream.
    pub fn confirm<B>(&self, response: &Response<B>) -> Result<Confirmed, HandshakeError> {
        match response.status() {
            StatusCode::OK => self.offers.confirm(response.headers()),
            _ => Err(rejected(response)),
        }
    }
}
