//! The client's side of the opening handshake (RFC 6455 §4.1).

use std::io::{Read, Write};
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use ws_proto::handshake::extensions;
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

use super::headers::{self, MAX_HEADERS};
use super::machine::{HandshakeMachine, HeadReader, HeadWriter, TryParse};
use super::server::{has_token, version_text};
use super::{HandshakeRole, MidHandshake, derive_accept_key};
use crate::error::{Error, ProtocolError, Result, SubProtocolError, UrlError};
use crate::protocol::{Compression, Role, WebSocket, WebSocketConfig, WebSocketContext};

/// A request, without a body.
pub type Request = http::Request<()>;

/// A response. Its body is `None` if the handshake succeeds, and else as much of the body as came with the head.
pub type Response = http::Response<Option<Vec<u8>>>;

/// The headers that a request must have, in the order and the spelling in which they are written.
const REQUIRED: [(HeaderName, &str); 5] = [
    (HOST, "Host"),
    (CONNECTION, "Connection"),
    (UPGRADE, "Upgrade"),
    (SEC_WEBSOCKET_VERSION, "Sec-WebSocket-Version"),
    (SEC_WEBSOCKET_KEY, "Sec-WebSocket-Key"),
];

/// Headers whose spelling some servers insist on.
const SPELLED: [(HeaderName, &str); 3] = [
    (SEC_WEBSOCKET_PROTOCOL, "Sec-WebSocket-Protocol"),
    (SEC_WEBSOCKET_EXTENSIONS, "Sec-WebSocket-Extensions"),
    (ORIGIN, "Origin"),
];

/// The client's role.
#[derive(Debug)]
pub struct ClientHandshake<S> {
    opening: Opening,
    response: Option<Response>,
    stream: PhantomData<S>,
}

impl<S: Read + Write> ClientHandshake<S> {
    /// Begins a handshake. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// When the request cannot open a connection: see [`generate_request`].
    pub fn start(stream: S, request: Request, config: Option<WebSocketConfig>) -> Result<MidHandshake<Self>> {
        let opening = Opening::new(request, config)?;
        Ok(MidHandshake::new(Self { opening, response: None, stream: PhantomData }, stream))
    }
}

impl<S: Read + Write> HandshakeRole for ClientHandshake<S> {
    type InternalStream = S;
    type FinalResult = (WebSocket<S>, Response);

    fn proceed(&mut self, machine: &mut HandshakeMachine<S>) -> Result<bool> {
        if !self.opening.is_sent {
            self.opening.is_sent = machine.write(&mut self.opening.request)?;
        }
        if !self.opening.is_sent {
            return Ok(false);
        }
        let Some(response) = machine.read(&mut self.opening.reader)? else { return Ok(false) };
        self.response = Some(self.opening.verify(response)?);
        Ok(true)
    }

    fn finish(self, stream: S) -> Result<Self::FinalResult> {
        let response = self.response.ok_or(ProtocolError::HandshakeIncomplete)?;
        Ok((WebSocket::from_context(stream, self.opening.into_context()), response))
    }
}

/// A client's handshake without its stream.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) request: HeadWriter,
    is_sent: bool,
    pub(crate) reader: HeadReader,
    accept: String,
    subprotocols: Option<Vec<String>>,
    config: WebSocketConfig,
    /// The compression that is offered.
    offered: Option<Deflate>,
    /// Whether the request offers extensions of the caller's.
    has_offers: bool,
    agreed: Option<DeflateParams>,
}

impl Opening {
    pub(crate) fn new(mut request: Request, config: Option<WebSocketConfig>) -> Result<Self> {
        let config = config.unwrap_or_default();
        crate::client::uri_mode(request.uri())?;
        let headers = request.headers_mut();
        let has_offers = headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
        let offered = match config.compression {
            Some(Compression::Negotiate(deflate)) if !has_offers => {
                let offer = extensions::format(&[deflate.offer()]);
                headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::try_from(offer)?);
                Some(deflate)
            }
            _ => None,
        };
        let subprotocols = match headers.get(SEC_WEBSOCKET_PROTOCOL) {
            Some(names) => Some(names.to_str()?.split(',').map(|name| name.trim().to_owned()).collect()),
            None => None,
        };
        let (request, key) = generate_request(request)?;
        Ok(Self {
            request: HeadWriter::new(request),
            is_sent: false,
            reader: HeadReader::default(),
            accept: derive_accept_key(key.as_bytes()),
            subprotocols,
            config,
            offered,
            has_offers,
            agreed: None,
        })
    }

    /// Checks a response (RFC 6455 §4.1, "Once the client's opening handshake has been sent").
    pub(crate) fn verify(&mut self, mut response: Response) -> Result<Response> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            *response.body_mut() = Some(std::mem::take(&mut self.reader).into_tail());
            return Err(Error::Http(response.into()));
        }
        let headers = response.headers();
        if !headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket")) {
            return Err(ProtocolError::MissingUpgradeWebSocketHeader.into());
        }
        if !has_token(headers, &CONNECTION, "Upgrade") {
            return Err(ProtocolError::MissingConnectionUpgradeHeader.into());
        }
        if headers.get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != self.accept) {
            return Err(ProtocolError::SecWebSocketAcceptKeyMismatch.into());
        }
        let fault = match (headers.get(SEC_WEBSOCKET_PROTOCOL), &self.subprotocols) {
            (None, None) => None,
            (None, Some(_)) => Some(SubProtocolError::NoSubProtocol),
            (Some(_), None) => Some(SubProtocolError::ServerSentSubProtocolNoneRequested),
            (Some(name), Some(requested)) => {
                let name = name.to_str()?;
                (!requested.iter().any(|requested| requested == name)).then_some(SubProtocolError::InvalidSubProtocol)
            }
        };
        if let Some(fault) = fault {
            return Err(ProtocolError::SecWebSocketSubProtocolError(fault).into());
        }
        // The caller's offers are the caller's to check.
        if !self.has_offers {
            let fault = || ProtocolError::InvalidHeader(SEC_WEBSOCKET_EXTENSIONS.into());
            let answers = extensions::parse(headers).map_err(|_| fault())?;
            self.agreed = match self.offered {
                Some(deflate) => deflate.confirm(&answers).map_err(|_| fault())?,
                None if answers.is_empty() => None,
                None => return Err(fault().into()),
            };
        }
        Ok(response)
    }

    pub(crate) fn into_context(self) -> WebSocketContext {
        WebSocketContext::negotiated(self.reader.into_tail(), Role::Client, self.config, self.agreed)
    }
}

/// The bytes of a request, and its key.
///
/// # Errors
///
/// When the method is not GET, the version is older than HTTP/1.1, the URL has no path, or one of the headers Host, Connection,
/// Upgrade, Sec-WebSocket-Version and Sec-WebSocket-Key is missing, not text or there twice.
pub fn generate_request(request: Request) -> Result<(Vec<u8>, String)> {
    if request.method() != Method::GET {
        return Err(ProtocolError::WrongHttpMethod.into());
    }
    if request.version() < Version::HTTP_11 {
        return Err(ProtocolError::WrongHttpVersion.into());
    }
    let path = request.uri().path_and_query().ok_or(UrlError::NoPathOrQuery)?;
    let mut out = format!("GET {path} {}\r\n", version_text(request.version())?).into_bytes();
    let headers = request.headers();
    for (name, spelled) in &REQUIRED {
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ProtocolError::InvalidHeader(name.clone().into()).into());
        };
        let value = value.to_str().map_err(|error| Error::Utf8(format!("{error} in the header {name}: {value:?}")))?;
        write!(out, "{spelled}: {value}\r\n")?;
    }
    for (name, value) in headers.iter().filter(|(name, _)| REQUIRED.iter().all(|(required, _)| required != *name)) {
        let spelled = SPELLED.iter().find(|(special, _)| special == name);
        out.extend_from_slice(spelled.map_or(name.as_str(), |(_, spelled)| spelled).as_bytes());
        out.extend_from_slice(b": ");
        // Not only text: a header is octets.
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let key = headers.get(SEC_WEBSOCKET_KEY).map_or(Ok(""), HeaderValue::to_str)?.to_owned();
    Ok((out, key))
}

/// A random `Sec-WebSocket-Key`.
pub fn generate_key() -> String {
    STANDARD.encode(rand::random::<[u8; 16]>())
}

impl TryParse for Response {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut parsed);
        let httparse::Status::Complete(size) = head.parse(data)? else { return Ok(None) };
        if head.version != Some(1) {
            return Err(ProtocolError::WrongHttpVersion.into());
        }
        let mut response = Self::new(None);
        *response.status_mut() = StatusCode::from_u16(head.code.unwrap_or_default())?;
        *response.headers_mut() = headers::collect(head.headers)?;
        Ok(Some((size, response)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::IntoClientRequest;

    #[test]
    fn a_request_has_its_headers_in_order() {
        let mut request = "wss://user:pass@localhost:9001/path?a=b".into_client_request().unwrap();
        request.headers_mut().insert("X-City", HeaderValue::from_bytes(b"Montr\xE9al").unwrap());
        request.headers_mut().insert("Origin", HeaderValue::from_static("http://localhost"));
        let (bytes, key) = generate_request(request).unwrap();
        let mut expected = format!(
            "GET /path?a=b HTTP/1.1\r\nHost: localhost:9001\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nx-city: "
        )
        .into_bytes();
        expected.extend_from_slice(b"Montr\xE9al\r\nOrigin: http://localhost\r\n\r\n");
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
        assert_eq!((key.len(), generate_key() == key), (24, false));
    }

    #[test]
    fn a_request_without_its_headers_is_refused() {
        let request = || "ws://localhost/".into_client_request().unwrap();
        for (name, _) in &REQUIRED {
            let mut missing = request();
            missing.headers_mut().remove(name);
            let mut twice = request();
            twice.headers_mut().append(name, HeaderValue::from_static("again"));
            for request in [missing, twice] {
                let error = generate_request(request).unwrap_err();
                assert!(
                    matches!(&error, Error::Protocol(ProtocolError::InvalidHeader(wrong)) if **wrong == *name),
                    "{error:?}"
                );
            }
        }
        let mut post = request();
        *post.method_mut() = Method::POST;
        assert!(matches!(generate_request(post), Err(Error::Protocol(ProtocolError::WrongHttpMethod))));
        let mut old = request();
        *old.version_mut() = Version::HTTP_10;
        assert!(matches!(generate_request(old), Err(Error::Protocol(ProtocolError::WrongHttpVersion))));
    }
}
