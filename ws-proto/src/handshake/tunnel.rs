//! A tunnel through an HTTP proxy: the CONNECT request, and its response (RFC 9110 §9.3.6).
//!
//! ```
//! use ws_proto::handshake::tunnel::Tunnel;
//!
//! let mut tunnel = Tunnel::new("server.example.com:443")?;
//! assert!(tunnel.request_bytes().starts_with(b"CONNECT server.example.com:443 HTTP/1.1\r\n"));
//!
//! let mut received = b"HTTP/1.1 200 Connection".to_vec();
//! assert!(tunnel.receive(&received)?.is_none()); // read on
//! received.extend(b" established\r\n\r\n");
//! assert_eq!(tunnel.receive(&received)?.unwrap().consumed, received.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Authority;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};

use super::client::BuildError;
use super::encode;
use super::fields::mark_secret;
use super::head::{HeadError, HeadLimits, HeadReader, StatusLine};

/// The limit for the head of the request: 16 KiB, as much as many proxies take.
pub const REQUEST_LIMIT: usize = 16 * 1024;

/// A CONNECT request, and the checks of its response.
#[derive(Debug)]
pub struct Tunnel {
    request: Request<()>,
    head: HeadReader<StatusLine>,
}

/// A tunnel that the proxy has opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct TunnelOpened {
    /// The proxy's response, which has no body, whatever its headers say (RFC 9110 §9.3.6).
    pub response: Response<()>,
    /// The position in the input where the bytes of the tunnel begin.
    pub consumed: usize,
}

impl Tunnel {
    /// Asks for a tunnel to `host:port`. An IPv6 address stands in brackets, without a zone. The head of the response is
    /// limited to 16 KiB and 100 headers.
    ///
    /// # Errors
    ///
    /// [`BuildError::Host`] if this is not a host and a port.
    pub fn new(authority: &str) -> Result<Self, BuildError> {
        let authority = Authority::try_from(authority).map_err(|_| BuildError::Host)?;
        // The port has no default here, and user information is for nobody but the proxy.
        if authority.port_u16().is_none() || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(BuildError::Host);
        }
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        let host = HeaderValue::try_from(authority.as_str()).map_err(|_| BuildError::Host)?;
        request.headers_mut().insert(HOST, host);
        *request.uri_mut() = Uri::from(authority);
        Self { request, head: HeadReader::new(HeadLimits::default()) }.checked()
    }

    /// Adds a header, such as `User-Agent`. Another value replaces the previous one.
    ///
    /// # Errors
    ///
    /// If the name or the value has a byte that is not allowed, or the request exceeds [`REQUEST_LIMIT`].
    pub fn header(
        mut self,
        name: impl TryInto<HeaderName>,
        value: impl TryInto<HeaderValue>,
    ) -> Result<Self, BuildError> {
        let name = name.try_into().map_err(|_| BuildError::HeaderName)?;
        let mut value = value.try_into().map_err(|_| BuildError::HeaderValue(name.clone()))?;
        mark_secret(&name, &mut value);
        self.request.headers_mut().try_insert(name, value).map_err(|_| BuildError::TooManyHeaders)?;
        self.checked()
    }

    /// Sends these credentials to the proxy, such as `Basic dTpw` (RFC 9110 §11.7.1). `Debug` does not print them.
    ///
    /// # Errors
    ///
    /// The same as [`header`](Self::header).
    pub fn authorization(self, credentials: &str) -> Result<Self, BuildError> {
        self.header(PROXY_AUTHORIZATION, credentials)
    }

    fn checked(self) -> Result<Self, BuildError> {
        match self.request_bytes().len() > REQUEST_LIMIT {
            true => Err(BuildError::TooLarge { limit: REQUEST_LIMIT }),
            false => Ok(self),
        }
    }

    /// The request.
    pub fn request(&self) -> &Request<()> {
        &self.request
    }

    /// The `host:port` that the tunnel leads to.
    pub fn authority(&self) -> &str {
        self.request.uri().authority().map_or("", Authority::as_str)
    }

    /// The request's bytes, to be sent.
    pub fn request_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode::request(&self.request, &mut bytes);
        bytes
    }

    /// Takes *everything received so far*, and returns a value once the tunnel is open. Only new bytes are parsed. Interim
    /// responses are skipped; they count toward the limit of the head.
    ///
    /// # Errors
    ///
    /// If the response is malformed, over a limit, or not a 2xx. After [`TunnelError::Refused`] the body can still be read.
    pub fn receive(&mut self, input: &[u8]) -> Result<Option<TunnelOpened>, TunnelError> {
        while let Some(head) = self.head.read(input).map_err(TunnelError::Head)? {
            let consumed = head.consumed;
            let response = head.into_response();
            match response.status() {
                status if status.is_success() => return Ok(Some(TunnelOpened { response, consumed })),
                // A proxy that switches protocols has not opened a tunnel.
                status if status.is_informational() && status != 101 => self.head.read_another(),
                _ => return Err(TunnelError::Refused { response: Box::new(response), consumed }),
            }
        }
        Ok(None)
    }
}

/// The reason why a proxy opened no tunnel.
#[derive(Debug)]
#[non_exhaustive]
pub enum TunnelError {
    /// The response is malformed, over a limit, or not HTTP/1.
    Head(HeadError),
    /// The proxy answered with another status than 2xx: 407 if it wants credentials (RFC 9110 §15.5.8).
    Refused {
        /// The response without its body.
        response: Box<Response<()>>,
        /// The position in the input where the body begins. A [`BodyReader`](super::body::BodyReader) reads it.
        consumed: usize,
    },
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "invalid HTTP response: {error}"),
            Self::Refused { response, .. } => write!(f, "refused: HTTP {}", response.status()),
        }
    }
}

impl core::error::Error for TunnelError {}

/// Writes `host:port`, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => alloc::format!("[{host}]:{port}"),
        false => alloc::format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    fn tunnel() -> Tunnel {
        Tunnel::new("example.com:443").unwrap()
    }

    /// Reads a response whole and byte by byte, which must come to the same.
    #[track_caller]
    fn receive(input: &[u8]) -> Result<Option<TunnelOpened>, TunnelError> {
        let whole = tunnel().receive(input);
        let mut slow = tunnel();
        let mut last = None;
        for end in 1..=input.len() {
            let read = slow.receive(&input[..end]);
            if !matches!(read, Ok(None)) {
                last = Some(read);
                break;
            }
        }
        match (&whole, &last) {
            (Ok(None), None) => {}
            (Ok(Some(a)), Some(Ok(Some(b)))) => assert_eq!(a.consumed, b.consumed),
            (Err(a), Some(Err(b))) => assert_eq!(format!("{a}"), format!("{b}")),
            other => panic!("{other:?}"),
        }
        whole
    }

    #[test]
    fn the_request_names_host_and_port_twice_and_nothing_else() {
        assert_eq!(tunnel().request_bytes(), b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
        let six = Tunnel::new(&authority("2001:db8::1", 80)).unwrap();
        assert!(six.request_bytes().starts_with(b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n"));
        assert_eq!(six.authority(), "[2001:db8::1]:80");
        let full = tunnel().header("User-Agent", "x/1").unwrap().authorization("Basic c2VjcmV0").unwrap();
        let bytes = String::from_utf8(full.request_bytes()).unwrap();
        assert!(bytes.ends_with("User-Agent: x/1\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n"), "{bytes}");
        assert!(!format!("{full:?}").contains("c2VjcmV0"));
    }

    #[test]
    fn what_cannot_be_asked_for() {
        for authority in ["", "a", "a:", ":80", "u@a:80", "u:p@a:80", "a b:80", "a:80/", "a\r\nX: y:80", "a:99999"] {
            assert_eq!(Tunnel::new(authority).unwrap_err(), BuildError::Host, "{authority:?}");
        }
        assert_eq!(tunnel().header("a b", "c").unwrap_err(), BuildError::HeaderName);
        assert!(matches!(tunnel().authorization("a\r\nb").unwrap_err(), BuildError::HeaderValue(_)));
        let long = "x".repeat(REQUEST_LIMIT);
        assert_eq!(tunnel().header("x", &*long).unwrap_err(), BuildError::TooLarge { limit: REQUEST_LIMIT });
        let fits = REQUEST_LIMIT - tunnel().header("x", "").unwrap().request_bytes().len();
        assert!(tunnel().header("x", &*"x".repeat(fits)).is_ok());
        assert!(tunnel().header("x", &*"x".repeat(fits + 1)).is_err());
    }

    #[test]
    fn any_2xx_opens_the_tunnel_and_has_no_body() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
            "HTTP/1.1 204 \r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            let opened = receive(format!("{head}first").as_bytes()).unwrap().unwrap();
            assert_eq!(opened.consumed, head.len(), "{head}");
        }
        assert!(receive(b"HTTP/1.1 200 OK\r\n\r").unwrap().is_none());
    }

    #[test]
    fn any_other_status_refuses() {
        for status in [101, 301, 400, 403, 407, 502, 999] {
            let head = format!("HTTP/1.1 {status} X\r\nProxy-Authenticate: Basic\r\n\r\n");
            match receive(format!("{head}body").as_bytes()).unwrap_err() {
                TunnelError::Refused { response, consumed } => {
                    assert_eq!((response.status().as_u16(), consumed), (status, head.len()));
                    assert!(response.headers().contains_key("proxy-authenticate"));
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn the_response_is_bounded() {
        let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(17_000));
        let error = tunnel().receive(large.as_bytes()).unwrap_err();
        assert!(matches!(error, TunnelError::Head(HeadError::TooLarge { limit: 16_384 })), "{error}");
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
        let error = tunnel().receive(many.as_bytes()).unwrap_err();
        assert!(matches!(error, TunnelError::Head(HeadError::TooManyHeaders { limit: 100 })), "{error}");
        let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        let error = tunnel().receive(endless.as_bytes()).unwrap_err();
        assert!(matches!(error, TunnelError::Head(HeadError::TooLarge { .. })), "{error}");
        assert!(matches!(receive(b"SSH-2.0").unwrap_err(), TunnelError::Head(HeadError::Byte(b'S'))));
    }
}
