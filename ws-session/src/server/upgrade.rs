//! A server's opening handshake over `http` types, without I/O.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use tracing::error;
use ws_proto::Role;
use ws_proto::handshake::server::Rejection;

use super::decision::{AcceptedRequest, Form, RefusedRequest, check_form, decide, decide_at_once, head_of, identify};
use super::hooks::in_time;
use super::limits::Door;
use super::task::failure_of;
use super::{Server, ServerSettings};
use crate::error::AcceptError;
use crate::info::Caller;
use crate::logging::TARGET;
use crate::opening::CompletedHandshake;
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::transport::{Addresses, Timer as _};

/// A request that gets another response than the one that opens a connection. See [`Server::upgrade`].
pub struct Refused {
    refusal: RefusedRequest,
}

impl AcceptedRequest {
    /// The handshake of a connection with these settings, which counts as long as it has its place.
    pub(super) fn complete<R: Runtime>(
        self,
        settings: &ServerSettings,
        caller: Caller,
        place: Option<HandshakeGuard>,
    ) -> CompletedHandshake<R> {
        let Self { request, response, subprotocol, agreement, attached, .. } = self;
        CompletedHandshake {
            role: Role::Server,
            request,
            response,
            subprotocol,
            agreement,
            attached,
            config: Arc::clone(&settings.config),
            inbound: settings.inbound,
            notsent_lowat: settings.notsent_lowat,
            lifetime: settings.lifetime.draw(),
            caller,
            place,
            runtime: PhantomData,
        }
    }
}

impl<R: Runtime> Server<R> {
    /// Does the opening handshake without I/O, for an HTTP server that parses requests and sends responses itself: hyper,
    /// axum, or one of your own.
    ///
    /// These settings apply: the request hook, origins, subprotocols, compression, headers of the response, trusted proxies,
    /// and the limits of connections, in all and of each address. Settings of listening do not apply: TLS, deadlines and limits
    /// of opening handshakes. `addresses` are those of the transport, as far as they are known. A `TlsInfo` in the request's
    /// extensions is what hooks and handlers see of TLS. Without it, a handler sees what the transport tells (`Transport::tls`).
    ///
    /// The connection counts among those of this server and its [`handle`](Self::handle): for
    /// [`max_connections`](Self::max_connections) and others, and for a shutdown, which closes it with 1001. It counts from now on until
    /// its driver, stream, or handler ([`CompletedHandshake::run`]) has ended, or what is returned here is dropped. Use one
    /// `Server` for all requests, or clones of it, which share their connections.
    ///
    /// ```
    /// use ws_session::http::{Request, Response};
    /// use ws_session::{Addresses, Bytes, HandlerResult, Runtime, Server, Transport};
    ///
    /// /// `send` sends a response over HTTP/1.1. It returns the transport and the bytes that were read after the request.
    /// async fn serve<R: Runtime, B, T: Transport + Unpin>(
    ///     server: &Server<R>,
    ///     request: Request<B>,
    ///     send: impl AsyncFnOnce(Response<Bytes>) -> (T, Vec<u8>),
    /// ) -> HandlerResult {
    ///     let accepted = match server.upgrade(&request, Addresses::default()) {
    ///         Ok(accepted) => accepted,
    ///         Err(refused) => {
    ///             send(refused.into_response()).await;
    ///             return Ok(());
    ///         }
    ///     };
    ///     let response = accepted.response().clone().map(|()| Bytes::new());
    ///     let (transport, received) = send(response).await;
    ///     let mut ws = accepted.parts(transport).received(received).into_stream();
    ///     while let Some(message) = ws.recv().await? {
    ///         ws.send(message).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request does not become a connection. It holds the response to send, and the reason.
    pub fn upgrade<B>(&self, request: &Request<B>, addresses: Addresses) -> Result<CompletedHandshake<R>, Refused> {
        self.decide_on(request, Form::Upgrade, addresses)
    }

    /// Does the opening handshake of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220) without I/O, as [`upgrade`](Self::upgrade) does
    /// for HTTP/1.1, with the same settings.
    ///
    /// `protocol` is the value of the request's pseudo-header `:protocol`. HTTP libraries keep it in an extension of the
    /// request: `request.extensions().get::<hyper::ext::Protocol>()`, and `h2::ext::Protocol` likewise. `None` is a
    /// request without it, such as a GET: the [request hook](Self::on_request) can answer it.
    ///
    /// The HTTP library must announce `SETTINGS_ENABLE_CONNECT_PROTOCOL`. hyper does so after
    /// `http2::Builder::enable_connect_protocol`. The response is a 200. Send it without a body, and pass the stream behind it
    /// to [`CompletedHandshake::parts`]. See [`Parts::multiplexed`](crate::Parts::multiplexed) for the stream's end.
    ///
    /// The application, the request hook included, gets the cookies joined into one field (RFC 9113 §8.2.3), and a `Host`
    /// with the authority of the URI.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request does not become a connection. Its response has no `Connection`.
    pub fn extended_connect<B>(
        &self,
        request: &Request<B>,
        protocol: Option<&str>,
        addresses: Addresses,
    ) -> Result<CompletedHandshake<R>, Refused> {
        self.decide_on(request, Form::ExtendedConnect(protocol), addresses)
    }

    /// Does the opening handshake as [`upgrade`](Self::upgrade) and [`extended_connect`](Self::extended_connect) do, and waits
    /// for hooks that take time, such as [`on_request_async`](Self::on_request_async), for at most
    /// [`handshake_timeout`](Self::handshake_timeout).
    ///
    /// A request of HTTP/2 or HTTP/3 must be an extended CONNECT with this `protocol`, any other an upgrade of HTTP/1.1.
    ///
    /// Cancel-safe: if the future is dropped, the request has not been decided on.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request does not become a connection.
    pub fn upgrade_async<'a, B>(
        &'a self,
        request: &Request<B>,
        protocol: Option<&str>,
        addresses: Addresses,
    ) -> impl Future<Output = Result<CompletedHandshake<R>, Refused>> + Send + use<'a, R, B> {
        let (head, protocol) = (head_of(request), protocol.map(str::to_owned));
        async move {
            let form = form_of(head.version(), protocol.as_deref());
            let caller = self.examine_caller(&head, form, addresses)?;
            let settings = &self.settings;
            let mut timer = R::timer();
            let deadline = timer.now() + settings.handshake_timeout;
            let deciding = Box::pin(decide(settings, Door::new(&self.registry), head, form, &caller));
            let decided = in_time(deciding, |cx| timer.poll_at(cx, deadline), None).await;
            let decided = decided.unwrap_or_else(|late| Err(late.in_form(form)));
            self.completed(decided, caller)
        }
    }

    fn decide_on<B>(
        &self,
        request: &Request<B>,
        form: Form<'_>,
        addresses: Addresses,
    ) -> Result<CompletedHandshake<R>, Refused> {
        let caller = self.examine_caller(request, form, addresses)?;
        let door = Door::new(&self.registry);
        let decided = decide_at_once(&self.settings, door, head_of(request), form, &caller);
        self.completed(decided, caller)
    }

    /// The client, if the settings are valid.
    fn examine_caller<B>(&self, request: &Request<B>, form: Form<'_>, addresses: Addresses) -> Result<Caller, Refused> {
        if let Err(mistake) = self.check() {
            error!(target: TARGET, "a setting is invalid: {mistake}");
            let rejection =
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "The server is not set up as it should be.");
            let refusal = RefusedRequest::new(rejection.into_response(), mistake.into()).in_form(form);
            return Err(self.refused(refusal));
        }
        let mut caller = Caller::new(addresses);
        identify(&mut caller, &self.settings, request.headers());
        #[cfg(feature = "tls")]
        caller.note_tls(request.extensions().get().cloned());
        Ok(caller)
    }

    fn completed(
        &self,
        decided: Result<AcceptedRequest, RefusedRequest>,
        caller: Caller,
    ) -> Result<CompletedHandshake<R>, Refused> {
        let mut accepted = decided.map_err(|refusal| self.refused(refusal))?;
        let place = accepted.place.take();
        Ok(accepted.complete(&self.settings, caller, place))
    }

    /// Counts a request that does not become a connection.
    fn refused(&self, refusal: RefusedRequest) -> Refused {
        self.registry.fail(failure_of(&refusal.error));
        Refused { refusal }
    }

    /// Checks the form of a request, without the settings that decide whether it is accepted: for an extractor, whose handler
    /// has not chosen them yet. Returns the subprotocols that the client offers. [`upgrade`](Self::upgrade) and
    /// [`extended_connect`](Self::extended_connect) check the form again.
    ///
    /// A request of HTTP/2 or HTTP/3 must be an extended CONNECT with this `protocol`, any other an upgrade of HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The rejection to send, if the request is not a valid opening handshake (RFC 6455 §4.2.1, RFC 8441 §5).
    pub fn examine<B>(
        &self,
        request: &Request<B>,
        protocol: Option<&str>,
        addresses: Addresses,
    ) -> Result<Vec<String>, Rejection> {
        let form = form_of(request.version(), protocol);
        let upgrade = check_form(&self.settings, head_of(request), form, &Caller::new(addresses))?;
        Ok(upgrade.subprotocols().to_vec())
    }
}

fn form_of(version: Version, protocol: Option<&str>) -> Form<'_> {
    match version {
        Version::HTTP_2 | Version::HTTP_3 => Form::ExtendedConnect(protocol),
        _ => Form::Upgrade,
    }
}

/// A refusal of your own, in the form of the others.
impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self { refusal: rejection.into() }
    }
}

impl Refused {
    /// The response: that of the request hook, or a status, headers and a plain text that names the reason. Over HTTP/1.1 it
    /// has `Connection: close`.
    pub fn response(&self) -> &Response<Bytes> {
        &self.refusal.response
    }

    /// Returns the response, to be sent.
    pub fn into_response(self) -> Response<Bytes> {
        *self.refusal.response
    }

    /// The reason: [`AcceptError::Rejected`], [`AcceptError::Answered`] or [`AcceptError::Setting`].
    pub fn error(&self) -> &AcceptError {
        &self.refusal.error
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.error.fmt(f)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Refused {}
