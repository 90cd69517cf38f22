//! The server's side of the opening handshake (RFC 6455 §4.2).

use std::io::{self, Read, Write};
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use ws_proto::permessage_deflate::DeflateParams;

use super::headers::{self, MAX_HEADERS};
use super::machine::{HandshakeMachine, HeadReader, HeadWriter, TryParse};
use super::{HandshakeRole, MidHandshake, derive_accept_key};
use crate::compression;
use crate::error::{Error, ProtocolError, Result};
use crate::protocol::{Compression, Role, WebSocket, WebSocketConfig, WebSocketContext};

/// A request, without a body.
pub type Request = http::Request<()>;

/// A response that accepts a request.
pub type Response = http::Response<()>;

/// A response that refuses a request.
pub type ErrorResponse = http::Response<Option<String>>;

/// What a server does with a request before it answers: a closure, for instance.
pub trait Callback: Sized {
    /// Takes the request and the response that accepts it, and returns the response with further headers.
    ///
    /// # Errors
    ///
    /// The response that refuses the request. Its status must not be one of success.
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse>;
}

impl<F> Callback for F
where
    F: FnOnce(&Request, Response) -> Result<Response, ErrorResponse>,
{
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        self(request, response)
    }
}

/// Accepts every request.
#[derive(Clone, Copy, Debug)]
pub struct NoCallback;

impl Callback for NoCallback {
    fn on_request(self, _request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        Ok(response)
    }
}

/// The server's role.
#[derive(Debug)]
pub struct ServerHandshake<S, C> {
    opening: Opening<C>,
    response: Option<HeadWriter>,
    stream: PhantomData<S>,
}

impl<S: Read + Write, C: Callback> ServerHandshake<S, C> {
    /// Begins a handshake. Nothing is read yet.
    pub fn start(stream: S, callback: C, config: Option<WebSocketConfig>) -> MidHandshake<Self> {
        let opening = Opening::new(callback, config);
        MidHandshake::new(Self { opening, response: None, stream: PhantomData }, stream)
    }
}

impl<S: Read + Write, C: Callback> HandshakeRole for ServerHandshake<S, C> {
    type InternalStream = S;
    type FinalResult = WebSocket<S>;

    fn proceed(&mut self, machine: &mut HandshakeMachine<S>) -> Result<bool> {
        if self.response.is_none() {
            let Some(request) = machine.read(&mut self.opening.reader)? else { return Ok(false) };
            self.response = Some(self.opening.answer(request)?);
        }
        self.response.as_mut().map_or(Ok(false), |response| machine.write(response))
    }

    fn finish(self, stream: S) -> Result<WebSocket<S>> {
        Ok(WebSocket::from_context(stream, self.opening.into_context()?))
    }
}

/// A server's handshake without its stream.
#[derive(Debug)]
pub(crate) struct Opening<C> {
    callback: Option<C>,
    config: WebSocketConfig,
    pub(crate) reader: HeadReader,
    refusal: Option<ErrorResponse>,
    agreed: Option<DeflateParams>,
}

impl<C: Callback> Opening<C> {
    pub(crate) fn new(callback: C, config: Option<WebSocketConfig>) -> Self {
        let config = config.unwrap_or_default();
        Self { callback: Some(callback), config, reader: HeadReader::default(), refusal: None, agreed: None }
    }

    /// The response to a request, accepting it or not.
    pub(crate) fn answer(&mut self, request: Request) -> Result<HeadWriter> {
        if self.reader.has_tail() {
            return Err(ProtocolError::JunkAfterRequest.into());
        }
        let mut response = create_response(&request)?;
        let negotiated = match self.config.compression {
            Some(Compression::Negotiate(deflate)) => compression::accept(request.headers(), deflate),
            _ => None,
        };
        if let Some((answer, _)) = &negotiated {
            response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, answer.clone());
        }
        let mut out = Vec::new();
        match self.callback.take().map_or(Ok(response.clone()), |callback| callback.on_request(&request, response)) {
            Ok(response) => {
                // A callback may have taken the answer out.
                self.agreed = negotiated
                    .filter(|(answer, _)| response.headers().get(SEC_WEBSOCKET_EXTENSIONS) == Some(answer))
                    .map(|(_, agreed)| agreed);
                write_response(&mut out, &response)?;
            }
            Err(refusal) if refusal.status().is_success() => {
                return Err(ProtocolError::CustomResponseSuccessful.into());
            }
            Err(refusal) => {
                write_response(&mut out, &refusal)?;
                out.extend_from_slice(refusal.body().as_deref().unwrap_or_default().as_bytes());
                self.refusal = Some(refusal);
            }
        }
        Ok(HeadWriter::new(out))
    }

    /// The connection, when the response is written.
    pub(crate) fn into_context(self) -> Result<WebSocketContext> {
        match self.refusal {
            Some(refusal) => Err(Error::Http(refusal.map(|body| body.map(String::into_bytes)).into())),
            None => Ok(WebSocketContext::negotiated(Vec::new(), Role::Server, self.config, self.agreed)),
        }
    }
}

/// The response that accepts a request.
///
/// # Errors
///
/// The [`ProtocolError`] that names the first fault of the request.
pub fn create_response(request: &Request) -> Result<Response> {
    create_response_with_body(request, || ())
}

/// The response that accepts a request, with a body of the caller's.
///
/// # Errors
///
/// As [`create_response`].
pub fn create_response_with_body<T1, T2>(
    request: &http::Request<T1>,
    generate_body: impl FnOnce() -> T2,
) -> Result<http::Response<T2>> {
    if request.method() != Method::GET {
        return Err(ProtocolError::WrongHttpMethod.into());
    }
    if request.version() < Version::HTTP_11 {
        return Err(ProtocolError::WrongHttpVersion.into());
    }
    let headers = request.headers();
    if !has_token(headers, &CONNECTION, "Upgrade") {
        return Err(ProtocolError::MissingConnectionUpgradeHeader.into());
    }
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(ProtocolError::MissingUpgradeWebSocketHeader.into());
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(ProtocolError::MissingSecWebSocketVersionHeader.into());
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(ProtocolError::MissingSecWebSocketKey)?;
    if !STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        return Err(ProtocolError::InvalidSecWebSocketKey.into());
    }
    Ok(http::Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .version(request.version())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(generate_body())?)
}

/// Whether a list of tokens has this one.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let is_separator = |&byte: &u8| matches!(byte, b',' | b' ' | b'\t');
    let mut lines = headers.get_all(name).iter();
    lines.any(|line| line.as_bytes().split(is_separator).any(|word| word.eq_ignore_ascii_case(token.as_bytes())))
}

/// Writes the head of a response.
///
/// # Errors
///
/// Those of `w`; [`ProtocolError::WrongHttpVersion`] for a version above HTTP/1.1.
pub fn write_response<T>(mut w: impl io::Write, response: &http::Response<T>) -> Result<()> {
    write!(w, "{} {}\r\n", version_text(response.version())?, response.status())?;
    for (name, value) in response.headers() {
        write!(w, "{name}: ")?;
        w.write_all(value.as_bytes())?;
        w.write_all(b"\r\n")?;
    }
    Ok(w.write_all(b"\r\n")?)
}

pub(super) fn version_text(version: Version) -> Result<&'static str> {
    match version {
        Version::HTTP_09 => Ok("HTTP/0.9"),
        Version::HTTP_10 => Ok("HTTP/1.0"),
        Version::HTTP_11 => Ok("HTTP/1.1"),
        _ => Err(ProtocolError::WrongHttpVersion.into()),
    }
}

impl TryParse for Request {
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>> {
        let mut parsed = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut parsed);
        let httparse::Status::Complete(size) = head.parse(data)? else { return Ok(None) };
        Ok(Some((size, from_parsed(head)?)))
    }
}

/// A request of HTTP/1.1, from its parts.
pub(crate) fn from_parsed(head: httparse::Request<'_, '_>) -> Result<Request> {
    if head.method != Some("GET") {
        return Err(ProtocolError::WrongHttpMethod.into());
    }
    if head.version != Some(1) {
        return Err(ProtocolError::WrongHttpVersion.into());
    }
    let mut request = Request::new(());
    *request.uri_mut() = head.path.unwrap_or_default().parse()?;
    *request.headers_mut() = headers::collect(head.headers)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &str) -> Request {
        Request::try_parse(head.as_bytes()).unwrap().unwrap().1
    }

    #[test]
    fn the_first_fault_of_a_request_is_named() {
        let lines = [
            ("Connection: keep-alive, upgrade", ProtocolError::MissingConnectionUpgradeHeader),
            ("Upgrade: WebSocket", ProtocolError::MissingUpgradeWebSocketHeader),
            ("Sec-WebSocket-Version: 13", ProtocolError::MissingSecWebSocketVersionHeader),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", ProtocolError::MissingSecWebSocketKey),
        ];
        for (n, (_, fault)) in lines.iter().enumerate() {
            let there: String = lines[..n].iter().map(|(line, _)| format!("{line}\r\n")).collect();
            let error = create_response(&request(&format!("GET / HTTP/1.1\r\n{there}\r\n"))).unwrap_err();
            assert!(matches!(&error, Error::Protocol(found) if found == fault), "{error:?}");
        }
        let all: String = lines.iter().map(|(line, _)| format!("{line}\r\n")).collect();
        let response = create_response(&request(&format!("GET / HTTP/1.1\r\n{all}\r\n"))).unwrap();
        let mut out = Vec::new();
        write_response(&mut out, &response).unwrap();
        assert_eq!(
            str::from_utf8(&out).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        for key in ["", "dGhlIHNhbXBsZSBub25jZQ==AAAA", "dGhlIHNhbXBsZSBub25jZQ!!", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            let head = format!(
                "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {key}\r\n\r\n"
            );
            let error = create_response(&request(&head)).unwrap_err();
            assert!(matches!(error, Error::Protocol(ProtocolError::InvalidSecWebSocketKey)), "{key}: {error:?}");
        }
    }

    #[test]
    fn other_methods_and_versions_are_refused() {
        let error = |head: &str| Request::try_parse(head.as_bytes()).unwrap_err();
        assert!(matches!(error("POST / HTTP/1.1\r\n\r\n"), Error::Protocol(ProtocolError::WrongHttpMethod)));
        assert!(matches!(error("GET / HTTP/1.0\r\n\r\n"), Error::Protocol(ProtocolError::WrongHttpVersion)));
        assert!(matches!(error("GET\r\n\r\n"), Error::Protocol(ProtocolError::HttparseError(_))));
    }
}
