//! [`RequestExt`]: the fields of a request for a hook.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::COOKIE;
use http::{HeaderValue, Request};

use super::fields;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;
use crate::transport::Addresses;

/// The client's address: an extension of the requests that [`Server::on_request`](crate::Server::on_request) gets. See
/// [`WebSocket::client_ip`](crate::WebSocket::client_ip).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientIp(pub IpAddr);

/// Reads single fields of a request, for hooks such as [`Server::on_request`](crate::Server::on_request). An open connection
/// has the same methods: [`WebSocket::query`](crate::WebSocket::query) and others.
///
/// ```
/// use ws_session::RequestExt;
/// use ws_session::http::Request;
///
/// let request = Request::get("/chat?room=a%20b").header("Cookie", "theme=dark; session=123").body(())?;
/// assert_eq!(request.query("room").as_deref(), Some("a b"));
/// assert_eq!(request.cookie("session"), Some("123"));
/// # Ok::<(), ws_session::http::Error>(())
/// ```
pub trait RequestExt {
    /// The path, still percent-encoded: `/chat`.
    fn path(&self) -> &str;

    /// The first query parameter of this name, decoded as browsers encode forms: `%41` is `A`, and `+` is a space. Bytes that
    /// are not UTF-8 become U+FFFD. A parameter without `=` has an empty value.
    fn query(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The first value of this header, in upper or lower case. `None` if it is not UTF-8.
    fn header(&self, name: &str) -> Option<&str>;

    /// The first cookie of this name (RFC 6265 §4.2.1). Its value is not decoded, and quotes are part of it.
    fn cookie(&self, name: &str) -> Option<&str>;

    /// The client's address, if it is known, in a hook's request. See
    /// [`WebSocket::client_ip`](crate::WebSocket::client_ip).
    fn client_ip(&self) -> Option<IpAddr>;

    /// The result of the TLS handshake, in a hook's request: the host name that was asked for, and the client's certificate.
    /// `None` without TLS, or if the TLS is not the server's own. See [`WebSocket::tls`](crate::WebSocket::tls).
    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<&TlsInfo>;
}

impl<B> RequestExt for Request<B> {
    fn path(&self) -> &str {
        self.uri().path()
    }

    fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        fields::parameter(self.uri().query()?, name)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name).map(HeaderValue::as_bytes).and_then(fields::as_text)
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.headers().get_all(COOKIE).iter().find_map(|value| fields::cookie(value.as_bytes(), name))
    }

    fn client_ip(&self) -> Option<IpAddr> {
        let peer = || Some(self.extensions().get::<Addresses>()?.peer?.ip().to_canonical());
        self.extensions().get::<ClientIp>().map(|client| client.0).or_else(peer)
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Option<&TlsInfo> {
        self.extensions().get()
    }
}
