//! The layer for services that answer the opening handshake.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

use super::{CURRENT, IS_TAKEN, accept};

/// Adds compression to a service that answers opening handshakes, such as an axum router with its `ws` feature, whose
/// `tokio-tungstenite` is this crate.
///
/// ```text
/// let app = Router::new().route("/ws", any(handler)).layer(CompressionLayer::new());
/// ```
///
/// The service must make its [`WebSocketConfig`](crate::protocol::WebSocketConfig) with `default()` while it handles the request,
/// in the same task. If it makes none, the offer is not answered, and nothing is compressed.
#[derive(Clone, Copy, Debug)]
pub struct CompressionLayer {
    deflate: Deflate,
}

impl CompressionLayer {
    /// Windows of 4 KiB: a connection that compresses keeps about 32 KiB.
    pub const fn new() -> Self {
        Self::with(Deflate::server())
    }

    /// Other settings.
    pub const fn with(deflate: Deflate) -> Self {
        Self { deflate }
    }
}

impl Default for CompressionLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for CompressionLayer {
    type Service = CompressionService<S>;

    fn layer(&self, inner: S) -> CompressionService<S> {
        CompressionService { inner, deflate: self.deflate }
    }
}

/// The service of a [`CompressionLayer`].
#[derive(Clone, Copy, Debug)]
pub struct CompressionService<S> {
    inner: S,
    deflate: Deflate,
}

impl<S, B, R> Service<Request<B>> for CompressionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CompressionFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_upgrade = request.headers().contains_key(UPGRADE);
        let negotiated = if is_upgrade { accept(request.headers(), self.deflate) } else { None };
        let mut negotiated = negotiated.map(|(answer, agreed)| Negotiated { answer, agreed, is_taken: false });
        let future = within(&mut negotiated, || self.inner.call(request));
        CompressionFuture { future, negotiated }
    }
}

pin_project! {
    /// The response of a [`CompressionService`].
    #[derive(Debug)]
    pub struct CompressionFuture<F> {
        #[pin]
        future: F,
        negotiated: Option<Negotiated>,
    }
}

#[derive(Debug)]
struct Negotiated {
    answer: HeaderValue,
    agreed: DeflateParams,
    is_taken: bool,
}

impl<F, R, E> Future for CompressionFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(within(this.negotiated, || this.future.poll(cx)));
        if let Ok(response) = &mut response
            && let Some(Negotiated { answer, is_taken: true, .. }) = this.negotiated.take()
            && response.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            response.headers_mut().insert(SEC_WEBSOCKET_EXTENSIONS, answer);
        }
        Poll::Ready(response)
    }
}

/// Calls `act`, within which [`current`](super::current) is what was negotiated.
fn within<T>(negotiated: &mut Option<Negotiated>, act: impl FnOnce() -> T) -> T {
    let Some(negotiated) = negotiated else { return act() };
    /// Restores what was before, even if `act` panics.
    struct Restore(Option<DeflateParams>, bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
            IS_TAKEN.set(self.1);
        }
    }
    let _restore = Restore(CURRENT.replace(Some(negotiated.agreed)), IS_TAKEN.replace(negotiated.is_taken));
    let result = act();
    negotiated.is_taken = IS_TAKEN.get();
    result
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{Ready, ready};
    use std::task::Waker;

    use super::*;
    use crate::protocol::{Compression, WebSocketConfig};

    /// Answers with a status, and makes a configuration or does not.
    struct Upgrades {
        status: StatusCode,
        configures: bool,
    }

    impl Service<Request<()>> for Upgrades {
        type Response = Response<Option<Compression>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _request: Request<()>) -> Self::Future {
            let compression = if self.configures { WebSocketConfig::default().compression } else { None };
            let mut response = Response::new(compression);
            *response.status_mut() = self.status;
            ready(Ok(response))
        }
    }

    fn answer(offer: Option<&str>, status: StatusCode, configures: bool) -> (bool, bool) {
        let mut request = Request::get("/").header(UPGRADE, "websocket");
        if let Some(offer) = offer {
            request = request.header(SEC_WEBSOCKET_EXTENSIONS, offer);
        }
        let mut service = CompressionLayer::new().layer(Upgrades { status, configures });
        let mut future = Box::pin(service.call(request.body(()).unwrap()));
        let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
        assert_eq!(WebSocketConfig::default().compression, None, "no longer");
        (response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS), response.into_body().is_some())
    }

    #[test]
    fn an_offer_is_answered_where_a_configuration_took_it() {
        let (upgraded, offer) = (StatusCode::SWITCHING_PROTOCOLS, Some("permessage-deflate"));
        assert_eq!(answer(offer, upgraded, true), (true, true));
        assert_eq!(answer(offer, upgraded, false), (false, false));
        assert_eq!(answer(offer, StatusCode::OK, true), (false, true));
        assert_eq!(answer(Some("other"), upgraded, true), (false, false));
        assert_eq!(answer(Some("permessage-deflate;"), upgraded, true), (false, false));
        assert_eq!(answer(None, upgraded, true), (false, false));
    }
}
