//! The client's side of the opening handshake (RFC 6455 §4.1).
//!
//! ```
//! use ws_proto::handshake::client::ClientHandshake;
//!
//! let nonce = *b"the sample nonce"; // 16 random bytes, fresh for each connection
//! let mut handshake = ClientHandshake::builder("server.example.com", "/chat").subprotocols(["chat"]).build(nonce)?;
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

mod builder;
mod error;
mod extended_connect;
mod offers;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};

use super::encode;
use super::extensions::Extension;
use super::fields::{has_token, single};
use super::head::{HeadError, HeadReader, StatusLine};

use self::offers::Offers;

pub use self::builder::{BuildError, Builder};
pub use self::error::{HandshakeError, RefusalDescription, describe_refusal};
pub use self::extended_connect::ExtendedConnect;

/// The client's side of an opening handshake: the request, and the checks of the response.
#[derive(Debug)]
pub struct ClientHandshake {
    request: Request<()>,
    offers: Offers,
    accept: [u8; 28],
    head: HeadReader<StatusLine>,
}

/// A completed handshake: a valid 101 has been received, and the connection is open.
#[derive(Debug)]
#[non_exhaustive]
pub struct Established {
    /// The response.
    pub response: Response<()>,
    /// The subprotocol that the server chose from the offer, if any.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted. All of them were offered. Their parameters have not been checked:
    /// [`Deflate::confirm`](crate::permessage_deflate::Deflate::confirm) does that.
    pub extensions: Vec<Extension>,
    /// The position in the input where the server's frames begin. They may arrive in the same segment.
    pub consumed: usize,
}

/// The server's choices in a valid response that an HTTP library has parsed. [`ClientHandshake::confirm`] and
/// [`ExtendedConnect::confirm`] return it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Confirmed {
    /// The subprotocol that the server chose from the offer, if any.
    pub subprotocol: Option<String>,
    /// The extensions that the server accepted, as in [`Established::extensions`].
    pub extensions: Vec<Extension>,
}

impl ClientHandshake {
    /// Starts a request. `host` may have a port (`example.com:8080`). `target` is a percent-encoded path with an optional query
    /// (`/chat?room=1`).
    pub fn builder(host: impl Into<String>, target: impl Into<String>) -> Builder {
        Builder::new(host.into(), target.into())
    }

    /// The request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// Converts into the request, after the handshake.
    pub fn into_request(self) -> Request<()> {
        self.request
    }

    /// The request's bytes, to be sent.
    pub fn request_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::request(&self.request, &mut bytes);
        bytes
    }

    /// Takes *everything received so far*, including the bytes of earlier calls, and returns a value once the connection is
    /// open. Only new bytes are parsed. Interim responses, such as 103, are skipped (RFC 9110 §15.2). They count toward the
    /// limit of the head.
    ///
    /// # Errors
    ///
    /// When the response is not a valid 101 (RFC 6455 §4.1), as early as the input allows. Then send nothing. After
    /// [`HandshakeError::Rejected`] the body can still be read. After any other error, close the transport.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<Established>, HandshakeError> {
        self.receive_with(input, |_| {})
    }

    /// Does the same as [`receive`](Self::receive), and shows each interim response, such as 103 (RFC 8297), once.
    ///
    /// # Errors
    ///
    /// The same as [`receive`](Self::receive).
    pub fn receive_with(
        &mut self,
        input: &[u8],
        mut on_interim: impl FnMut(&Response<()>),
    ) -> Result<Option<Established>, HandshakeError> {
        while let Some(head) = self.head.read(input)? {
            let consumed = head.consumed;
            let response = head.into_response();
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                let Confirmed { subprotocol, extensions } = self.check(&response)?;
                return Ok(Some(Established { response, subprotocol, extensions, consumed }));
            }
            if !response.status().is_informational() {
                return Err(HandshakeError::Rejected { response: Box::new(response), consumed });
            }
            on_interim(&response);
            self.head.read_another();
        }
        Ok(None)
    }

    /// Checks a response that an HTTP library has parsed. Its body is ignored.
    ///
    /// The HTTP library skips interim responses (1xx other than 101). [`ExtendedConnect`] checks the response of HTTP/2.
    ///
    /// # Errors
    ///
    /// When the response is not a valid 101 (RFC 6455 §4.1). Then send nothing. [`HandshakeError::Rejected`] has the status and
    /// the headers.
    pub fn confirm<B>(&self, response: &Response<B>) -> Result<Confirmed, HandshakeError> {
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => self.check(response),
            _ => Err(rejected(response)),
        }
    }

    /// Checks the response (RFC 6455 §4.1, the numbered list). Returns the chosen subprotocol and extensions.
    fn check<B>(&self, response: &Response<B>) -> Result<Confirmed, HandshakeError> {
        if response.version() != Version::HTTP_11 {
            return Err(HeadError::Version.into());
        }
        let headers = response.headers();
        let upgrade = required(headers, UPGRADE)?;
        if !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket") {
            return Err(HandshakeError::WrongHeader(UPGRADE, upgrade.clone()));
        }
        let connection = headers.get(CONNECTION).ok_or(HandshakeError::MissingHeader(CONNECTION))?;
        if !has_token(headers, CONNECTION, "upgrade") {
            return Err(HandshakeError::WrongHeader(CONNECTION, connection.clone()));
        }
        let accept = required(headers, SEC_WEBSOCKET_ACCEPT)?;
        if accept.as_bytes() != self.accept {
            return Err(HandshakeError::WrongHeader(SEC_WEBSOCKET_ACCEPT, accept.clone()));
        }
        self.offers.confirm(headers)
    }
}

/// The error for a response with another status. Its body is ignored.
fn rejected<B>(response: &Response<B>) -> HandshakeError {
    let mut head = Response::new(());
    *head.status_mut() = response.status();
    *head.version_mut() = response.version();
    *head.headers_mut() = response.headers().clone();
    HandshakeError::Rejected { response: Box::new(head), consumed: 0 }
}

/// The value of a header that must appear once.
fn required(headers: &HeaderMap, name: HeaderName) -> Result<&HeaderValue, HandshakeError> {
    match single(headers, &name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(HandshakeError::MissingHeader(name)),
        Err(_) => Err(HandshakeError::DuplicateHeader(name)),
    }
}
