//! A client's opening handshake over `http` types, without I/O.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use ws_proto::handshake::client::{BuildError, Builder, ClientHandshake, Confirmed, ExtendedConnect, HandshakeError};
use ws_proto::{Config, Role};

use super::Client;
use crate::error::ConnectError;
use crate::info::{Attached, Caller};
use crate::opening::CompletedHandshake;
use crate::opening::compression::Compression;
use crate::random::nonce;
use crate::runtime::Runtime;
use crate::shared::inbound::InboundLimits;
use crate::transport::Addresses;

/// A client's opening handshake for an HTTP library that does the I/O: gives the request to send, and checks the response.
/// [`Client::upgrade`] and [`Client::extended_connect`] return it.
#[must_use = "send `request`, and give the response to `confirm`"]
pub struct ClientUpgrade<R> {
    handshake: Handshake,
    compression: Compression,
    config: Arc<Config>,
    inbound: InboundLimits,
    notsent_lowat: Option<u32>,
    /// The scheme and the authority of an absolute URI.
    base: (Scheme, String),
    runtime: PhantomData<fn() -> R>,
}

/// A handshake in the form of a version of HTTP.
enum Handshake {
    Upgrade(ClientHandshake),
    ExtendedConnect(ExtendedConnect),
}

impl Handshake {
    fn request(&self) -> &Request<()> {
        match self {
            Self::Upgrade(handshake) => handshake.request(),
            Self::ExtendedConnect(handshake) => handshake.request(),
        }
    }

    fn into_request(self) -> Request<()> {
        match self {
            Self::Upgrade(handshake) => handshake.into_request(),
            Self::ExtendedConnect(handshake) => handshake.into_request(),
        }
    }

    fn confirm<B>(&self, response: &Response<B>) -> Result<Confirmed, HandshakeError> {
        match self {
            Self::Upgrade(handshake) => handshake.confirm(response),
            Self::ExtendedConnect(handshake) => handshake.confirm(response),
        }
    }
}

impl<R: Runtime> Client<R> {
    /// Begins an opening handshake without I/O, for an HTTP library that sends the request itself, such as hyper.
    ///
    /// ```
    /// use ws_session::http::{Request, Response};
    /// use ws_session::{Client, ConnectError, Runtime, Transport, WebSocketStream};
    ///
    /// /// `exchange` sends the request over HTTP/1.1, and returns the response and the transport behind it.
    /// async fn connect<R: Runtime, T: Transport>(
    ///     url: &str,
    ///     exchange: impl AsyncFnOnce(Request<()>) -> (Response<()>, T),
    /// ) -> Result<WebSocketStream<T, R::Timer>, ConnectError> {
    ///     let upgrade = Client::<R>::new(url).subprotocols(["chat"]).upgrade()?;
    ///     let (response, transport) = exchange(upgrade.request().clone()).await;
    ///     Ok(upgrade.confirm(&response)?.parts(transport).into_stream())
    /// }
    /// ```
    ///
    /// The URL's scheme, [`connect_timeout`](Self::connect_timeout) and the settings of TLS have no effect here: the HTTP
    /// library does the I/O.
    ///
    /// # Errors
    ///
    /// If the URL or the request is invalid.
    pub fn upgrade(self) -> Result<ClientUpgrade<R>, ConnectError> {
        self.begin(|builder, _| builder.build(nonce()).map(Handshake::Upgrade))
    }

    /// Begins an opening handshake of HTTP/2 (RFC 8441) without I/O, as [`upgrade`](Self::upgrade) does for HTTP/1.1.
    ///
    /// The request is a CONNECT with an absolute URI. The HTTP library sends it with `websocket` as the pseudo-header
    /// `:protocol`, which is an extension of the request: `hyper::ext::Protocol::from_static("websocket")`, and
    /// `h2::ext::Protocol` likewise.
    ///
    /// Wait for the server's SETTINGS first: without `SETTINGS_ENABLE_CONNECT_PROTOCOL` the server does not support this
    /// (RFC 8441 §3). hyper's client does not look at the setting; `h2::client::SendRequest::is_extended_connect_protocol_enabled`
    /// returns it.
    ///
    /// # Errors
    ///
    /// If the URL or the request is invalid.
    pub fn extended_connect(self) -> Result<ClientUpgrade<R>, ConnectError> {
        self.begin(|builder, secure| builder.build_extended_connect(secure).map(Handshake::ExtendedConnect))
    }

    fn begin(
        self,
        build: impl FnOnce(Builder, bool) -> Result<Handshake, BuildError>,
    ) -> Result<ClientUpgrade<R>, ConnectError> {
        let Self { request, compression, config, inbound, notsent_lowat, runtime, .. } = self;
        let (target, builder) = request.map_err(ConnectError::Url)?;
        let handshake = build(compression.offer(builder), target.secure).map_err(ConnectError::Request)?;
        let base = (if target.secure { Scheme::HTTPS } else { Scheme::HTTP }, target.authority);
        Ok(ClientUpgrade { handshake, compression, config, inbound, notsent_lowat, base, runtime })
    }
}

impl<R: Runtime> ClientUpgrade<R> {
    /// The request. In HTTP/1.1 its target is a path, and `Host` names the server. In HTTP/2 its URI is absolute.
    pub fn request(&self) -> &Request<()> {
        self.handshake.request()
    }

    /// The request with an absolute URI (`http://` or `https://`), for an HTTP library that dials itself: reqwest, or the
    /// `Client` of hyper-util. Such a library may choose HTTP/2 for `https://`. An upgrade needs HTTP/1.1, so have it use that.
    pub fn absolute_request(&self) -> Request<()> {
        let mut request = self.request().clone();
        let mut parts = mem::take(request.uri_mut()).into_parts();
        if parts.scheme.is_none() {
            let (scheme, authority) = &self.base;
            parts.scheme = Some(scheme.clone());
            parts.authority = Authority::try_from(authority.as_str()).ok();
        }
        // It is valid: its parts are.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        request
    }

    /// Checks the response (RFC 6455 §4.1, RFC 8441 §5). Its body, if there is one, is ignored. The HTTP library must skip
    /// interim responses (1xx other than 101).
    ///
    /// # Errors
    ///
    /// [`ConnectError::Rejected`], without a body, if the response is not a 101, or not a 200 over HTTP/2. Another error if that
    /// response is invalid. The connection, or the stream, cannot be used for WebSocket then.
    pub fn confirm<B>(self, response: &Response<B>) -> Result<CompletedHandshake<R>, ConnectError> {
        let Self { handshake, compression, config, inbound, notsent_lowat, base: _, runtime } = self;
        let confirmed = handshake.confirm(response).map_err(|error| match error {
            HandshakeError::Rejected { response, .. } => {
                ConnectError::Rejected(Box::new(response.map(|()| Bytes::new())))
            }
            error => ConnectError::Handshake(error),
        })?;
        let agreement = compression.confirm(&confirmed.extensions)?;
        let mut head = Response::new(());
        *head.status_mut() = response.status();
        *head.version_mut() = response.version();
        *head.headers_mut() = response.headers().clone();
        Ok(CompletedHandshake {
            role: Role::Client,
            request: handshake.into_request(),
            response: head,
            subprotocol: confirmed.subprotocol.map(Into::into),
            agreement,
            attached: Attached::default(),
            config,
            inbound,
            notsent_lowat,
            lifetime: None,
            caller: Caller::new(Addresses::default()),
            place: None,
            runtime,
        })
    }
}

impl<R> fmt::Debug for ClientUpgrade<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientUpgrade").field("target", self.handshake.request().uri()).finish_non_exhaustive()
    }
}
