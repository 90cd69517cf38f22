//! Connections of a client over streams that block.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use http::header::{
    CONNECTION, HOST, LOCATION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderName, HeaderValue, Uri};

use crate::error::{Error, Result, UrlError};
use crate::handshake::HandshakeError;
use crate::handshake::client::{ClientHandshake, Request, Response, generate_key};
use crate::handshake::server::from_parsed;
use crate::protocol::{WebSocket, WebSocketConfig};
use crate::stream::{MaybeTlsStream, Mode, NoDelay};

/// Connects to a URL, and follows up to 3 redirects.
///
/// # Errors
///
/// As [`connect_with_config`].
pub fn connect<Req: IntoClientRequest>(request: Req) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    connect_with_config(request, None, 3)
}

/// Connects to a URL, and follows up to `max_redirects` redirects. `wss://` needs one of the features for TLS.
///
/// # Errors
///
/// [`Error::Url`], [`Error::Io`], [`Error::Tls`], and those of the opening handshake: [`Error::Http`] when the status is not 101.
pub fn connect_with_config<Req: IntoClientRequest>(
    request: Req,
    config: Option<WebSocketConfig>,
    max_redirects: u8,
) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    let mut request = request.into_client_request()?;
    let mut redirects = 0;
    loop {
        let response = match connect_once(request.clone(), config) {
            Err(Error::Http(response)) if response.status().is_redirection() && redirects < max_redirects => response,
            result => return result,
        };
        let Some(location) = response.headers().get(LOCATION) else { return Err(Error::Http(response)) };
        *request.uri_mut() = location.to_str()?.parse()?;
        redirects += 1;
    }
}

fn connect_once(
    request: Request,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocket<MaybeTlsStream<TcpStream>>, Response)> {
    let uri = request.uri();
    let mode = uri_mode(uri)?;
    if matches!(mode, Mode::Tls) && !cfg!(feature = "__rustls-tls") {
        return Err(UrlError::TlsFeatureNotEnabled.into());
    }
    let host = host(uri)?;
    let port = uri.port_u16().unwrap_or(match mode {
        Mode::Plain => 80,
        Mode::Tls => 443,
    });
    let stream = (host, port).to_socket_addrs()?.find_map(|address| TcpStream::connect(address).ok());
    let mut stream = stream.ok_or_else(|| UrlError::UnableToConnect(uri.to_string()))?;
    NoDelay::set_nodelay(&mut stream, true)?;
    #[cfg(feature = "__rustls-tls")]
    let opened = crate::tls::client_tls_with_config(request, stream, config, None);
    #[cfg(not(feature = "__rustls-tls"))]
    let opened = client_with_config(request, MaybeTlsStream::Plain(stream), config);
    opened.map_err(|error| match error {
        HandshakeError::Failure(error) => error,
        // The system may have a time limit for reads.
        HandshakeError::Interrupted(_) => Error::Io(std::io::ErrorKind::WouldBlock.into()),
    })
}

/// The host of a URL, an IPv6 address without its brackets.
pub(crate) fn host(uri: &Uri) -> Result<&str> {
    let host = uri.host().ok_or(UrlError::NoHostName)?;
    Ok(host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host))
}

/// Whether a URL asks for TLS.
///
/// # Errors
///
/// [`UrlError::UnsupportedUrlScheme`] for any other than `ws://` and `wss://`.
pub fn uri_mode(uri: &Uri) -> Result<Mode> {
    match uri.scheme_str() {
        Some("ws") => Ok(Mode::Plain),
        Some("wss") => Ok(Mode::Tls),
        _ => Err(UrlError::UnsupportedUrlScheme.into()),
    }
}

/// Opens a connection over a stream.
///
/// # Errors
///
/// [`HandshakeError::Interrupted`] when the stream would block, and [`HandshakeError::Failure`].
pub fn client<Stream, Req>(
    request: Req,
    stream: Stream,
) -> Result<(WebSocket<Stream>, Response), HandshakeError<ClientHandshake<Stream>>>
where
    Stream: Read + Write,
    Req: IntoClientRequest,
{
    client_with_config(request, stream, None)
}

/// Opens a connection over a stream.
///
/// # Errors
///
/// As [`client`].
pub fn client_with_config<Stream, Req>(
    request: Req,
    stream: Stream,
    config: Option<WebSocketConfig>,
) -> Result<(WebSocket<Stream>, Response), HandshakeError<ClientHandshake<Stream>>>
where
    Stream: Read + Write,
    Req: IntoClientRequest,
{
    ClientHandshake::start(stream, request.into_client_request()?, config)?.handshake()
}

/// What a client's request is made of: a URL as text or as a [`Uri`], a [`Request`], a [`ClientRequestBuilder`].
///
/// A URL becomes a request with all headers of the handshake. A [`Request`] is taken as it is: it must have them.
pub trait IntoClientRequest {
    /// The request.
    ///
    /// # Errors
    ///
    /// When the URL has no host or cannot be parsed, or a header is malformed.
    fn into_client_request(self) -> Result<Request>;
}

impl IntoClientRequest for &str {
    fn into_client_request(self) -> Result<Request> {
        self.parse::<Uri>()?.into_client_request()
    }
}

impl IntoClientRequest for &String {
    fn into_client_request(self) -> Result<Request> {
        self.as_str().into_client_request()
    }
}

impl IntoClientRequest for String {
    fn into_client_request(self) -> Result<Request> {
        self.as_str().into_client_request()
    }
}

impl IntoClientRequest for &Uri {
    fn into_client_request(self) -> Result<Request> {
        self.clone().into_client_request()
    }
}

impl IntoClientRequest for Uri {
    fn into_client_request(self) -> Result<Request> {
        let authority = self.authority().ok_or(UrlError::NoHostName)?.as_str();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if host.is_empty() {
            return Err(UrlError::EmptyHostName.into());
        }
        let host = HeaderValue::try_from(host)?;
        Ok(http::Request::get(self)
            .header(HOST, host)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, generate_key())
            .body(())?)
    }
}

#[cfg(feature = "url")]
impl IntoClientRequest for &url::Url {
    fn into_client_request(self) -> Result<Request> {
        self.as_str().into_client_request()
    }
}

#[cfg(feature = "url")]
impl IntoClientRequest for url::Url {
    fn into_client_request(self) -> Result<Request> {
        self.as_str().into_client_request()
    }
}

impl IntoClientRequest for Request {
    fn into_client_request(self) -> Result<Request> {
        Ok(self)
    }
}

impl IntoClientRequest for httparse::Request<'_, '_> {
    fn into_client_request(self) -> Result<Request> {
        from_parsed(self)
    }
}

/// A request with further headers and subprotocols.
///
/// ```
/// use ws_tungstenite::ClientRequestBuilder;
/// use ws_tungstenite::client::IntoClientRequest;
///
/// let request = ClientRequestBuilder::new("ws://localhost:3012/socket".parse()?)
///     .with_header("Authorization", "Bearer my_jwt_token")
///     .with_sub_protocol("chat.v2")
///     .with_sub_protocol("chat.v1")
///     .into_client_request()?;
/// assert_eq!(request.headers()["Sec-WebSocket-Protocol"], "chat.v2, chat.v1");
/// # Ok::<(), ws_tungstenite::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientRequestBuilder {
    uri: Uri,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
}

impl ClientRequestBuilder {
    /// A request for a URL.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { uri, headers: Vec::new(), subprotocols: Vec::new() }
    }

    /// Adds a header.
    pub fn with_header<K: Into<String>, V: Into<String>>(mut self, key: K, value: V) -> Self {
        self.headers.push((key.into(), value.into()));
        self
    }

    /// Adds a subprotocol, less preferred than those before.
    pub fn with_sub_protocol<P: Into<String>>(mut self, protocol: P) -> Self {
        self.subprotocols.push(protocol.into());
        self
    }
}

impl IntoClientRequest for ClientRequestBuilder {
    fn into_client_request(self) -> Result<Request> {
        let mut request = self.uri.into_client_request()?;
        for (name, value) in self.headers {
            request.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        if !self.subprotocols.is_empty() {
            let names = HeaderValue::try_from(self.subprotocols.join(", "))?;
            request.headers_mut().append(SEC_WEBSOCKET_PROTOCOL, names);
        }
        Ok(request)
    }
}
