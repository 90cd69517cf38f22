//! Hooks: code of the application that sees requests before they are decided on, and responses before they are sent.

mod decision;
mod run;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

pub use self::decision::Decision;
pub(super) use self::run::{Failure, Granted, ask, in_time, revise};
use super::Server;
#[cfg(feature = "auth")]
use super::auth::Scheme;
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Adds a hook that gets each request before the handshake, and lets it go on or responds to it: with a page, a health
    /// check, a redirect, a refusal. [`Decision`] lists the outputs.
    ///
    /// ```
    /// use ws_session::http::Response;
    /// use ws_session::{Bytes, RequestExt, Runtime, Server};
    ///
    /// fn with_health_check<R: Runtime>(server: Server<R>) -> Server<R> {
    ///     server.on_request(|request| (request.path() == "/health").then(|| Response::new(Bytes::from("OK\n"))))
    /// }
    /// ```
    ///
    /// Hooks run in the order in which they were added, [authentication](Self::basic_auth) among them. The first response
    /// wins. Headers and state of all hooks that let the request go on are kept. If a hook fails or panics, that is logged
    /// at ERROR, and the response is 500.
    ///
    /// The hook gets every valid HTTP request, also in HTTP/1.0, which haproxy's `httpchk` and nginx's `proxy_pass` send by
    /// default. If it lets such a request go on, the request is refused with 505.
    ///
    /// [`RequestExt`](crate::RequestExt) reads a query parameter, a header or a cookie, and the client's address. The
    /// request's extensions hold [`ClientIp`](crate::ClientIp), if it is known, [`Addresses`](crate::Addresses), and with TLS a
    /// `TlsInfo`.
    #[must_use]
    pub fn on_request<D: Into<Decision>>(mut self, hook: impl Fn(&Request<()>) -> D + Send + Sync + 'static) -> Self {
        self.settings.hooks.requests.push(RequestHook::Sync(Arc::new(move |request| hook(request).into())));
        self
    }

    /// Adds a hook as [`on_request`](Self::on_request) does, whose decision may take time: it asks a database, or another
    /// server.
    ///
    /// ```
    /// use ws_session::{BoxError, Decision, RequestExt, Runtime, Server};
    ///
    /// # async fn banned(_address: std::net::IpAddr) -> Result<bool, BoxError> { Ok(false) }
    /// fn without_banned<R: Runtime>(server: Server<R>) -> Server<R> {
    ///     server.on_request_async(|request| async move {
    ///         let banned = match request.client_ip() {
    ///             Some(address) => banned(address).await?,
    ///             None => false,
    ///         };
    ///         Ok::<_, BoxError>(match banned {
    ///             true => Decision::reject(ws_session::http::StatusCode::FORBIDDEN, "Your address is banned."),
    ///             false => Decision::proceed(),
    ///         })
    ///     })
    /// }
    /// ```
    ///
    /// The request is shared, so the future owns it. The future is dropped after
    /// [`handshake_timeout`](Self::handshake_timeout) and during a shutdown; the response is 503 then.
    ///
    /// On the connections of another HTTP server, use [`upgrade_async`](Self::upgrade_async): [`upgrade`](Self::upgrade) does
    /// not wait. There, a shutdown lets the future go on until that time, and the response is 503 afterwards.
    #[must_use]
    pub fn on_request_async<F>(mut self, hook: impl Fn(Arc<Request<()>>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output: Into<Decision>> + Send + 'static,
    {
        let hook = move |request: Arc<Request<()>>| -> Deciding {
            let deciding = hook(request);
            Box::pin(async { deciding.await.into() })
        };
        self.settings.hooks.requests.push(RequestHook::Async(Arc::new(hook)));
        self
    }

    /// Adds a hook that gets each response before it is sent, with its request: to add headers, to count, or to replace the
    /// text of a refusal. It may change the response, or return another one: [`Decision`] lists the outputs, and `()` is the
    /// usual one.
    ///
    /// ```
    /// use ws_session::http::{HeaderValue, StatusCode};
    /// use ws_session::{Runtime, Server};
    ///
    /// fn with_cookie<R: Runtime>(server: Server<R>) -> Server<R> {
    ///     server.on_response(|_request, response| {
    ///         if response.status() == StatusCode::SWITCHING_PROTOCOLS {
    ///             response.headers_mut().insert("Set-Cookie", HeaderValue::from_static("seen=1; Secure"));
    ///         }
    ///     })
    /// }
    /// ```
    ///
    /// The response that opens a connection is a 101, or a 200 over HTTP/2. Its body, and changes to headers that the
    /// handshake sets, have no effect. With another status, the request is refused instead. A refusal cannot be turned into a
    /// connection: an informational status there is a failure.
    ///
    /// Hooks run in the order in which they were added. If one fails or panics, that is logged at ERROR, and the response
    /// is 500. Requests that cannot be read as HTTP are refused without a hook.
    #[must_use]
    pub fn on_response<D: Into<Decision>>(
        mut self,
        hook: impl Fn(&Request<()>, &mut Response<Bytes>) -> D + Send + Sync + 'static,
    ) -> Self {
        let hook = move |request: &Request<()>, response: &mut Response<Bytes>| hook(request, response).into();
        self.settings.hooks.responses.push(ResponseHook::Sync(Arc::new(hook)));
        self
    }

    /// Adds a hook as [`on_response`](Self::on_response) does, which may take time. It gets a copy of the response, and
    /// returns a response to replace it, or only headers to add. See [`on_request_async`](Self::on_request_async) for its
    /// deadline.
    #[must_use]
    pub fn on_response_async<F>(
        mut self,
        hook: impl Fn(Arc<Request<()>>, Response<Bytes>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output: Into<Decision>> + Send + 'static,
    {
        let hook = move |request: Arc<Request<()>>, response: Response<Bytes>| -> Deciding {
            let deciding = hook(request, response);
            Box::pin(async { deciding.await.into() })
        };
        self.settings.hooks.responses.push(ResponseHook::Async(Arc::new(hook)));
        self
    }
}

/// A decision that takes time.
pub(super) type Deciding = Pin<Box<dyn Future<Output = Decision> + Send>>;

type OnRequest = dyn Fn(&Request<()>) -> Decision + Send + Sync;
type OnRequestAsync = dyn Fn(Arc<Request<()>>) -> Deciding + Send + Sync;
type OnResponse = dyn Fn(&Request<()>, &mut Response<Bytes>) -> Decision + Send + Sync;
type OnResponseAsync = dyn Fn(Arc<Request<()>>, Response<Bytes>) -> Deciding + Send + Sync;

/// The hooks of a server, in the order in which they run.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    requests: Vec<RequestHook>,
    responses: Vec<ResponseHook>,
}

#[derive(Clone)]
enum RequestHook {
    Sync(Arc<OnRequest>),
    Async(Arc<OnRequestAsync>),
    /// Authentication by any of these schemes.
    #[cfg(feature = "auth")]
    Auth(Arc<[Scheme]>),
}

#[derive(Clone)]
enum ResponseHook {
    Sync(Arc<OnResponse>),
    Async(Arc<OnResponseAsync>),
}

impl Hooks {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.responses.is_empty()
    }

    /// Whether one of them may take time.
    pub(super) fn may_wait(&self) -> bool {
        self.requests.iter().any(|hook| !matches!(hook, RequestHook::Sync(_)))
            || self.responses.iter().any(|hook| matches!(hook, ResponseHook::Async(_)))
    }

    /// Adds a scheme of authentication, beside other schemes.
    #[cfg(feature = "auth")]
    pub(super) fn add_scheme(&mut self, scheme: Scheme) {
        for hook in &mut self.requests {
            if let RequestHook::Auth(schemes) = hook {
                *schemes = schemes.iter().cloned().chain([scheme]).collect();
                return;
            }
        }
        self.requests.push(RequestHook::Auth([scheme].into()));
    }

    pub(super) fn see_responses(&self) -> bool {
        !self.responses.is_empty()
    }
}
