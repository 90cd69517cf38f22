//! HTTP/2 on a server (RFC 8441): requests, limits, idle time and shutdown. An adapter does the I/O.

use std::future::{Future, poll_fn, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Request};
use pin_project_lite::pin_project;
use tracing::debug;
use ws_proto::Timestamp;
use ws_proto::handshake::head::{HeadError, HeadLimits};
use ws_proto::handshake::server::Rejection;

use super::Server;
use super::accept::{FINISH_TIME, read_more, set_date};
use super::decision::{AcceptedRequest, Form, RefusedRequest, decide, decide_at_once, identify};
use super::hooks::in_time;
use super::limits::Door;
use super::task::{Serving, failure_of, log_rejection, run};
use crate::error::{AcceptError, HandlerResult, InvalidSetting};
use crate::handle::WebSocket;
use crate::http2::{Http2, Http2Accepted, Http2Decision, Http2Policy, Http2Refused, Http2State};
use crate::info::Caller;
use crate::logging::{Redacted, TARGET};
use crate::opening::exchange::Exchange;
use crate::registry::{CarrierGuard, HandshakeGuard, StreamGuard};
use crate::runtime::Runtime;
#[cfg(feature = "tls")]
use crate::tls::ServerTlsSource;
use crate::transport::{MaybeTls, Timer, Transport};

/// The first bytes of a client that speaks HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<R: Runtime> Server<R> {
    /// Serves HTTP/2 (RFC 8441) beside HTTP/1.1, on the same listener. `None`, the default, serves HTTP/1.1 only.
    ///
    /// With TLS, ALPN offers `h2`, then the other protocols. Without TLS, a client begins with HTTP/2 at once ("prior
    /// knowledge"): browsers do not, but proxies can. The first bytes of a connection show the version.
    ///
    /// All other settings apply to each stream as to a connection of HTTP/1.1. The [request hook](Self::on_request) also gets
    /// requests that are not for WebSocket. Cookies in several fields are joined into one (RFC 9113 §8.2.3), and the authority
    /// is added as `Host`. When the server shuts down, it sends GOAWAY, and closes the streams with 1001.
    ///
    /// Browsers use HTTP/2 for a WebSocket only if they have a connection to the same host already, as after a page that came
    /// from it. Otherwise they use HTTP/1.1.
    ///
    /// [`bind`](Self::bind) fails with [`InvalidSetting::Http2Unsupported`] on a runtime without HTTP/2.
    #[must_use]
    pub fn http2(mut self, http2: impl Into<Option<Http2>>) -> Self {
        self.settings.http2 = http2.into();
        self
    }

    /// Adds HTTP/2 to ALPN if it is to be served.
    pub(super) fn ready_for_http2(self) -> Result<Self, InvalidSetting> {
        match &self.settings.http2 {
            Some(_) if !R::HTTP2 => Err(InvalidSetting::Http2Unsupported),
            #[cfg(feature = "tls")]
            Some(_) => Ok(self.negotiating_http2()),
            _ => Ok(self),
        }
    }

    #[cfg(feature = "tls")]
    fn negotiating_http2(mut self) -> Self {
        self.settings.tls = self.settings.tls.map(ServerTlsSource::offering_http2);
        self
    }
}

/// Whether a client speaks HTTP/2. Reads until its first bytes show that.
pub(super) async fn speaks_http2<T: Transport, C: Timer>(
    place: &HandshakeGuard,
    exchange: &mut Exchange<T, C>,
) -> Result<bool, AcceptError> {
    loop {
        let n = exchange.received.len().min(PREFACE.len());
        if exchange.received.get(..n) != PREFACE.get(..n) {
            return Ok(false);
        }
        if n == PREFACE.len() {
            return Ok(true);
        }
        match read_more(Some(place), exchange).await {
            Ok(()) => {}
            // The client gets an answer of HTTP/1.1.
            Err(AcceptError::Timeout | AcceptError::Stopped | AcceptError::Rejected(_)) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Serves a connection of HTTP/2 until it ends.
pub(super) async fn serve_http2<R: Runtime>(
    serving: Arc<Serving>,
    handler: BoxedHandler,
    caller: Caller,
    place: HandshakeGuard,
    exchange: Exchange<MaybeTls<R::Stream>, R::Timer>,
) {
    let Exchange { transport, timer, received, .. } = exchange;
    debug!(target: TARGET, peer = caller.peer(), "HTTP/2");
    let policy = Carrier::<R>::new(serving, handler, caller, place, timer);
    R::serve_http2(transport, received, Box::new(policy)).await;
}

/// A handler whose type is erased, so that an adapter's code does not depend on it.
pub(super) type BoxedHandler = Arc<dyn Fn(WebSocket) -> BoxedRunning + Send + Sync>;
type BoxedRunning = Pin<Box<dyn Future<Output = HandlerResult> + Send>>;

/// A connection of HTTP/2.
struct Carrier<R: Runtime> {
    serving: Arc<Serving>,
    handler: BoxedHandler,
    caller: Caller,
    /// The address for which it counts while it is idle.
    source: Option<IpAddr>,
    guard: CarrierGuard,
    timer: R::Timer,
    usage: Usage,
    /// The time at which it was told to take no more requests.
    finishing: Option<Timestamp>,
}

/// Whether a connection has streams in use.
enum Usage {
    /// None. It counts as an opening handshake.
    Idle { since: Timestamp, place: HandshakeGuard, has_served: bool },
    /// Some.
    Busy,
}

impl<R: Runtime> Carrier<R> {
    fn new(
        serving: Arc<Serving>,
        handler: BoxedHandler,
        caller: Caller,
        place: HandshakeGuard,
        timer: R::Timer,
    ) -> Self {
        let guard = CarrierGuard::new(&serving.registry);
        let source = place.source();
        let usage = Usage::Idle { since: timer.now(), place, has_served: false };
        Self { serving, handler, caller, source, guard, timer, usage, finishing: None }
    }

    /// Without a stream, a connection takes a place among the opening handshakes.
    fn note_use(&mut self, streams: usize, now: Timestamp) {
        match &self.usage {
            Usage::Idle { .. } if streams > 0 => self.usage = Usage::Busy,
            Usage::Busy if streams == 0 => {
                let place = self.serving.registry.begin_handshake(self.source, now);
                place.hear();
                self.usage = Usage::Idle { since: now, place, has_served: true };
            }
            _ => {}
        }
    }
}

impl<R: Runtime> Http2Policy for Carrier<R> {
    fn settings(&self) -> Http2 {
        self.serving.settings.http2.clone().unwrap_or_default()
    }

    fn response_timeout(&self) -> Duration {
        self.serving.settings.handshake_timeout
    }

    fn max_header_list(&self) -> u32 {
        let HeadLimits { head, headers, .. } = self.serving.settings.head;
        head.saturating_add(headers.saturating_mul(32)).try_into().unwrap_or(u32::MAX)
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Http2State {
        let now = self.timer.now();
        let state = self.guard.watch(cx);
        if state.aborted {
            return Http2State::Closed;
        }
        self.note_use(state.streams, now);
        let Usage::Idle { since, place, has_served } = &self.usage else {
            if state.shutting_down {
                self.finishing.get_or_insert(now);
            }
            return self.finishing.map_or(Http2State::Open, |_| Http2State::Finishing);
        };
        if place.poll_displaced(cx).is_ready() {
            return Http2State::Closed;
        }
        let settings = &self.serving.settings;
        let time = match has_served {
            true => settings.http2.as_ref().map_or(Duration::ZERO, |http2| http2.idle_timeout),
            false => settings.handshake_timeout,
        };
        if state.shutting_down || *since + time <= now {
            self.finishing.get_or_insert(now);
        }
        let deadline = self.finishing.map_or(*since + time, |finishing| finishing.max(*since) + FINISH_TIME);
        match (self.timer.poll_at(cx, deadline), self.finishing) {
            (Poll::Pending, None) => Http2State::Open,
            (Poll::Pending, Some(_)) => Http2State::Finishing,
            (Poll::Ready(()), Some(_)) => Http2State::Closed,
            (Poll::Ready(()), None) => {
                // It passed meanwhile.
                cx.waker().wake_by_ref();
                Http2State::Open
            }
        }
    }

    fn decide(&mut self, request: Request<()>, protocol: Option<&str>) -> Http2Decision {
        let stream = self.guard.begin_stream();
        self.usage = Usage::Busy;
        let mut caller = self.caller.clone();
        let uri = request.uri().to_string();
        debug!(target: TARGET, peer = caller.peer(), "< {} {} HTTP/2", request.method(), Redacted(&uri));
        let serving = Arc::clone(&self.serving);
        identify(&mut caller, &serving.settings, request.headers());
        let waits = serving.settings.hooks.may_wait();
        // Only a decision that takes time needs a place among the handshakes: one client can ask for many at once.
        let source = self.source.filter(|_| waits);
        let (most, most_of_one) = (serving.settings.max_handshakes, serving.settings.max_handshakes_per_ip);
        let is_crowded = waits && serving.registry.is_crowded(source, most, most_of_one);
        let place = serving.registry.begin_handshake(source, self.timer.now());
        let is_head = request.method() == Method::HEAD;
        let asked = Asked { serving, handler: Arc::clone(&self.handler), caller, place, stream, is_head };
        if waits {
            return Box::pin(asked.decide_in_time::<R>(request, protocol.map(str::to_owned), is_crowded));
        }
        let decided = asked.decide_at_once(request, protocol);
        Box::pin(ready(asked.complete::<R>(decided)))
    }
}

/// A request of HTTP/2 that is being decided on.
struct Asked {
    serving: Arc<Serving>,
    handler: BoxedHandler,
    caller: Caller,
    place: HandshakeGuard,
    stream: StreamGuard,
    is_head: bool,
}

impl Asked {
    fn decide_at_once(&self, request: Request<()>, protocol: Option<&str>) -> Result<AcceptedRequest, RefusedRequest> {
        let (settings, form) = (&self.serving.settings, Form::ExtendedConnect(protocol));
        self.check_limits(&request, form)?;
        decide_at_once(settings, Door::of(&self.place), request, form, &self.caller)
    }

    /// Decides with hooks that take time, within the deadline of an opening handshake. On a crowded server they must decide at
    /// once.
    async fn decide_in_time<R: Runtime>(
        self,
        request: Request<()>,
        protocol: Option<String>,
        is_crowded: bool,
    ) -> Result<Http2Accepted, Http2Refused> {
        let decided = {
            let (settings, form) = (&self.serving.settings, Form::ExtendedConnect(protocol.as_deref()));
            match self.check_limits(&request, form) {
                Ok(()) => {
                    let mut timer = R::timer();
                    let deadline = timer.now() + settings.handshake_timeout;
                    let mut deciding = Box::pin(decide(settings, Door::of(&self.place), request, form, &self.caller));
                    let decided = match is_crowded {
                        true => match poll_fn(|cx| Poll::Ready(deciding.as_mut().poll(cx))).await {
                            Poll::Ready(decided) => Ok(decided),
                            Poll::Pending => Err(Rejection::service_unavailable().into()),
                        },
                        false => in_time(deciding, |cx| timer.poll_at(cx, deadline), Some(&self.place)).await,
                    };
                    decided.unwrap_or_else(|late| Err(self.refuse(late, form)))
                }
                Err(refusal) => Err(refusal),
            }
        };
        self.complete::<R>(decided)
    }

    fn check_limits(&self, request: &Request<()>, form: Form<'_>) -> Result<(), RefusedRequest> {
        check_limits(request, &self.serving.settings.head).map_err(|rejection| self.refuse(rejection.into(), form))
    }

    fn refuse(&self, mut refusal: RefusedRequest, form: Form<'_>) -> RefusedRequest {
        self.serving.settings.name_server(refusal.response.headers_mut());
        refusal.in_form(form)
    }

    /// The response, and for an accepted request its connection.
    fn complete<R: Runtime>(
        self,
        decided: Result<AcceptedRequest, RefusedRequest>,
    ) -> Result<Http2Accepted, Http2Refused> {
        let Self { serving, handler, caller, place, stream, is_head } = self;
        match decided {
            Ok(mut accepted) => {
                set_date(&mut accepted.response);
                let handshake = accepted.complete::<R>(&serving.settings, caller, Some(place));
                let response = handshake.response().clone();
                let open = move |transport: Box<dyn Transport + Send>| {
                    let opened = run(handshake.parts(transport), move |socket| handler(socket));
                    R::spawn(StreamTask { opened, stream });
                };
                Ok(Http2Accepted { response, open: Box::new(open) })
            }
            Err(RefusedRequest { mut response, error }) => {
                place.fail(failure_of(&error));
                log_rejection(&error, &caller);
                set_date(&mut response);
                let length = response.body().len();
                if length > 0 {
                    response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
                }
                if is_head {
                    *response.body_mut() = Bytes::new();
                }
                let poll_displaced = move |cx: &mut Context<'_>| {
                    // It counts as long as this lives.
                    let _stream = &stream;
                    place.poll_displaced(cx)
                };
                Err(Http2Refused { response, poll_displaced: Box::new(poll_displaced) })
            }
        }
    }
}

/// The limits of a request's head, which HTTP/1.1 checks as it reads.
fn check_limits(request: &Request<()>, limits: &HeadLimits) -> Result<(), Rejection> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target {
        return Err(HeadError::TargetTooLong { limit: limits.target }.into());
    }
    if request.headers().len() > limits.headers {
        return Err(HeadError::TooManyHeaders { limit: limits.headers }.into());
    }
    Ok(())
}

pin_project! {
    /// A WebSocket connection, and its place among the streams of its connection of HTTP/2.
    struct StreamTask<F> {
        #[pin]
        opened: F,
        stream: StreamGuard,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().opened.poll(cx)
    }
}
