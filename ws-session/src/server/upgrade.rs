//! A server's opening handshake over `http` types, without I/O.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tracing::error;
use ws_proto::Role;
use ws_proto::handshake::server::Rejection;

use super::Server;
use super::decision::{AcceptedRequest, RefusedRequest, decide, identify};
use crate::error::AcceptError;
use crate::info::Caller;
use crate::logging::TARGET;
use crate::opening::CompletedHandshake;
use crate::runtime::Runtime;
use crate::transport::Addresses;

/// A request that gets another answer than 101, and no connection. See [`Server::upgrade`].
pub struct Refused {
    refusal: RefusedRequest,
}

impl<R: Runtime> Server<R> {
    /// Does the opening handshake without I/O, for an HTTP server that has parsed the request and sends the response itself:
    /// hyper, axum, or one of your own.
    ///
    /// What holds for a request to a server that listens holds here: the request hook, origins, subprotocols, compression,
    /// headers of the response, trusted proxies. What concerns listening does not: TLS, deadlines and limits of opening
    /// handshakes, `max_connections`. Addresses are the transport's, as far as they are known.
    ///
    /// ```
    /// use ws_session::http::{Request, Response};
    /// use ws_session::{Addresses, Bytes, HandlerResult, Runtime, Server, Transport};
    ///
    /// /// `send` sends a response over HTTP/1.1, and returns the transport and what was read from it behind the request.
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
    /// When the request does not become a connection: with the response that says so, and the reason.
    pub fn upgrade<B>(&self, request: &Request<B>, addresses: Addresses) -> Result<CompletedHandshake<R>, Refused> {
        let settings = &self.settings;
        if let Err(mistake) = self.check() {
            error!(target: TARGET, "a setting is invalid: {mistake}");
            let rejection =
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "The server is not set up as it should be.");
            return Err(Refused { refusal: RefusedRequest::new(rejection.into_response(), mistake.into()) });
        }
        let mut caller = Caller::new(addresses);
        identify(&mut caller, settings, request.headers());
        let mut head = Request::new(());
        *head.method_mut() = request.method().clone();
        *head.uri_mut() = request.uri().clone();
        *head.version_mut() = request.version();
        *head.headers_mut() = request.headers().clone();
        *head.extensions_mut() = request.extensions().clone();
        let decided = decide(settings, None, head, &caller).map_err(|refusal| Refused { refusal })?;
        let AcceptedRequest { request, response, subprotocol, agreement } = decided;
        Ok(CompletedHandshake {
            role: Role::Server,
            request,
            response,
            subprotocol,
            agreement,
            config: Arc::clone(&settings.config),
            inbound: settings.inbound,
            notsent_lowat: settings.notsent_lowat,
            caller,
            runtime: PhantomData,
        })
    }
}

impl Refused {
    /// The response: a status, headers, and a plain text that a human can act on, or what the request hook answered. It says
    /// `Connection: close`.
    pub fn response(&self) -> &Response<Bytes> {
        &self.refusal.response
    }

    /// The response, to be sent.
    pub fn into_response(self) -> Response<Bytes> {
        *self.refusal.response
    }

    /// Why the connection did not open: [`AcceptError::Rejected`], [`AcceptError::Answered`] or [`AcceptError::Setting`].
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
