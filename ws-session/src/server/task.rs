//! One connection of a server that listens, from its handshake to its end: a task.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{StatusCode, Uri};
use pin_project_lite::pin_project;
use tracing::instrument::Instrumented;
use tracing::{Instrument, debug, error, info, info_span};
use ws_proto::Escaped;

use super::ServerSettings;
#[cfg(feature = "tls")]
use super::accept::refuse_plain_http;
use super::accept::{accept_from, exchange};
#[cfg(feature = "http2")]
use super::http2::{BoxedHandler, serve_http2, speaks_http2};
use super::limits::Door;
#[cfg(feature = "proxy-protocol")]
use super::proxy_protocol::read_header;
#[cfg(feature = "tls")]
use super::secure::{secure, speaks_http};
use crate::error::{AcceptError, Error, HandlerError, HandlerResult};
use crate::handle::{Sender, WebSocket};
use crate::info::{Caller, next_id};
use crate::logging::{Chain, TARGET, causes, unless_heard};
use crate::opening::Parts;
#[cfg(feature = "http2")]
use crate::opening::exchange::Exchange;
use crate::registry::{HandshakeFailure, HandshakeGuard, Registry};
use crate::runtime::Runtime;
use crate::transport::{Addresses, MaybeTls, Timer, Transport};

/// State that the tasks of a server share.
pub(super) struct Serving {
    pub(super) settings: ServerSettings,
    pub(super) registry: Arc<Registry>,
}

pin_project! {
    /// The whole life of a connection. It is written by hand, because the future of an `async fn` reserves space for the
    /// futures it awaits twice. The handshake is boxed, so that an open connection does not keep its space.
    #[project = ConnectionTaskProjection]
    pub(super) enum ConnectionTask<H, F> {
        Opening { handshake: Pin<Box<H>> },
        Open { #[pin] open: F },
    }
}

impl<H: Future<Output = Option<F>>, F: Future<Output = ()>> Future for ConnectionTask<H, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let opened = match self.as_mut().project() {
                ConnectionTaskProjection::Open { open } => return open.poll(cx),
                ConnectionTaskProjection::Opening { handshake } => ready!(handshake.as_mut().poll(cx)),
            };
            match opened {
                Some(open) => self.set(Self::Open { open }),
                None => return Poll::Ready(()),
            }
        }
    }
}

/// Does the handshake. Returns the connection to run if it succeeds.
pub(super) async fn open<R, H, F>(
    shared: Arc<Serving>,
    handler: Arc<H>,
    handshake: HandshakeGuard,
    stream: MaybeTls<R::Stream>,
    addresses: Addresses,
) -> Option<Opened<impl Future<Output = Result<(), HandlerError>>>>
where
    R: Runtime,
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let Serving { settings, .. } = &*shared;
    let mut caller = Caller::new(addresses);
    let accepted = {
        let mut accepting = pin!(accept_stream::<R>(settings, &handshake, stream, &mut caller));
        poll_fn(|cx| match accepting.as_mut().poll(cx) {
            Poll::Ready(accepted) => Poll::Ready(accepted),
            Poll::Pending => handshake.poll_displaced(cx).map(|()| Err(AcceptError::Displaced)),
        })
        .await
    };
    match accepted {
        Ok(Accepted::WebSocket(parts)) => {
            let parts = Parts { place: Some(handshake), ..parts };
            Some(run(parts, move |socket| handler(socket)))
        }
        #[cfg(feature = "http2")]
        Ok(Accepted::Http2(exchange)) => {
            let handler: BoxedHandler = Arc::new(move |socket| Box::pin(handler(socket)));
            Box::pin(serve_http2::<R>(shared, handler, caller, handshake, exchange)).await;
            None
        }
        Err(error) => {
            handshake.fail(failure_of(&error));
            log_rejection(&error, &caller);
            None
        }
    }
}

/// Opens a connection, to be run beside its handler.
pub(super) fn run<T, C, H, F>(parts: Parts<T, C>, handler: H) -> Opened<impl Future<Output = Result<(), HandlerError>>>
where
    T: Transport + Unpin,
    C: Timer + Unpin,
    H: FnOnce(WebSocket) -> F,
    F: Future<Output = HandlerResult>,
{
    let (peer, client) = (parts.caller.peer(), parts.caller.client());
    let (id, path) = (next_id(), parts.target.as_ref().map(Uri::path));
    let span = info_span!(target: TARGET, "websocket", id, peer, client, path);
    let (socket, driver) = span.in_scope(|| parts.open_as(id));
    // The handler may drop all other handles. The connection stays open until it returns.
    let sender = socket.sender();
    let handler = Handler::Ready { handler: Some((handler, socket)) };
    Opened { running: driver.run(handler).instrument(span), sender }
}

/// A connection after its first bytes.
#[cfg_attr(feature = "http2", expect(clippy::large_enum_variant, reason = "it is moved once"))]
enum Accepted<T, C> {
    WebSocket(Parts<T, C>),
    /// A connection of HTTP/2, which carries many.
    #[cfg(feature = "http2")]
    Http2(Exchange<T, C>),
}

/// Does the TLS handshake, if there is TLS, and the opening handshake, both within one deadline.
async fn accept_stream<R: Runtime>(
    settings: &ServerSettings,
    handshake: &HandshakeGuard,
    stream: MaybeTls<R::Stream>,
    caller: &mut Caller,
) -> Result<Accepted<MaybeTls<R::Stream>, R::Timer>, AcceptError> {
    let timer = R::timer();
    let deadline = timer.now() + settings.handshake_timeout;
    let exchange = exchange(stream, timer, deadline);
    #[cfg(feature = "proxy-protocol")]
    let exchange = {
        let mut exchange = exchange;
        if let Some(expected) = settings.expected_header(&caller.addresses) {
            Box::pin(read_header(expected, settings, handshake, &mut exchange, caller)).await?;
        }
        exchange
    };
    #[cfg(feature = "tls")]
    let exchange = match &settings.tls {
        Some(source) => {
            let mut exchange = exchange;
            if speaks_http::<R>(handshake, &mut exchange).await? {
                return Err(Box::pin(refuse_plain_http(settings, handshake, exchange)).await);
            }
            let config = source.config().ok_or(AcceptError::Stopped)?;
            let exchange = secure::<R>(config, handshake, exchange).await?;
            caller.note_tls(exchange.transport.tls());
            exchange
        }
        None => exchange,
    };
    #[cfg(feature = "http2")]
    let exchange = {
        let mut exchange = exchange;
        if settings.http2.is_some() && speaks_http2(handshake, &mut exchange).await? {
            return Ok(Accepted::Http2(exchange));
        }
        exchange
    };
    accept_from(settings, Door::of(handshake), exchange, caller).await.map(Accepted::WebSocket)
}

pin_project! {
    /// An open connection beside its handler, and a handle that keeps it open.
    pub(super) struct Opened<F> {
        // Its span is that of the connection.
        #[pin]
        running: Instrumented<F>,
        sender: Sender,
    }
}

impl<F: Future<Output = Result<(), HandlerError>>> Future for Opened<F> {
    type Output = ();

    /// Everything is logged before the server stops counting the connection, which happens when `running` is dropped.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let id = this.sender.id();
        let result = ready!(this.running.as_mut().poll(cx));
        let _entered = this.running.span().enter();
        match result {
            Ok(()) => {}
            Err(HandlerError::Failed(error)) if is_end_of(id, &*error) => {}
            Err(error) => {
                let why = Escaped(Chain(&error));
                error!(target: TARGET, id, "connection handler failed: {why}");
                unless_heard(format_args!("connection {id}: the handler failed: {why}"));
            }
        }
        Poll::Ready(())
    }
}

pin_project! {
    /// A handler. It is called at the first poll, within its span, so that its panics are caught.
    #[project = HandlerProjection]
    enum Handler<H, F> {
        Ready { handler: Option<(H, WebSocket)> },
        Running { #[pin] running: F },
    }
}

impl<H: FnOnce(WebSocket) -> F, F: Future<Output = HandlerResult>> Future for Handler<H, F> {
    type Output = HandlerResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HandlerResult> {
        loop {
            let running = match self.as_mut().project() {
                HandlerProjection::Running { running } => return running.poll(cx),
                HandlerProjection::Ready { handler } => match handler.take() {
                    Some((handler, socket)) => handler(socket),
                    // It panicked when it was called.
                    None => return Poll::Ready(Ok(())),
                },
            };
            self.set(Self::Running { running });
        }
    }
}

/// The reason for which a failed handshake counts.
pub(super) fn failure_of(error: &AcceptError) -> HandshakeFailure {
    match error {
        AcceptError::Rejected(rejection) => HandshakeFailure::Rejected(rejection.status()),
        AcceptError::Answered(status) => HandshakeFailure::Answered(*status),
        AcceptError::Timeout => HandshakeFailure::Timeout,
        AcceptError::Eof => HandshakeFailure::Left,
        AcceptError::Silent => HandshakeFailure::Silent,
        AcceptError::Stopped => HandshakeFailure::Stopped,
        AcceptError::Displaced => HandshakeFailure::Displaced,
        AcceptError::Setting(_) => HandshakeFailure::Other,
        AcceptError::Tls(_) => HandshakeFailure::Tls,
        AcceptError::Io(_) => HandshakeFailure::Io,
    }
}

pub(super) fn log_rejection(error: &AcceptError, caller: &Caller) {
    let (peer, client) = (caller.peer(), caller.client());
    // One event for each level: each `info!` is as much code as all of this.
    let tell = |status: Option<StatusCode>, text: fmt::Arguments<'_>| {
        info!(target: TARGET, peer, client, status = status.map(|status| status.as_u16()), "{text}");
    };
    let tell_quietly = |text: fmt::Arguments<'_>| debug!(target: TARGET, peer, client, "{text}");
    match error {
        AcceptError::Rejected(rejection) => {
            tell(Some(rejection.status()), format_args!("connection rejected: {rejection}"));
        }
        AcceptError::Answered(status) => tell(Some(*status), format_args!("request answered")),
        // Counted where it was decided.
        AcceptError::Silent => tell_quietly(format_args!("{error}")),
        AcceptError::Displaced => tell_quietly(format_args!("opening handshake failed: {error}")),
        error => tell(None, format_args!("opening handshake failed: {error}")),
    }
}

/// Whether the error only reports the end of the handler's own connection. Such a handler has not failed. The chain of
/// causes is searched, because the handler may have wrapped the error.
fn is_end_of(id: u64, error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    causes(error).any(|cause| Error::is_end_of(id, cause))
}
