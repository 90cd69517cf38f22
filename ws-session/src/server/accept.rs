//! The server's side of the opening handshake, over a transport.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg(feature = "tls")]
use http::StatusCode;
use http::header::DATE;
use http::{HeaderValue, Method, Request, Response, Uri};
use ws_proto::Timestamp;
use ws_proto::handshake::encode;
use ws_proto::handshake::server::{Rejection, RequestReader};

use super::decision::{AcceptedRequest, Form, RefusedRequest, decide, decide_at_once, identify};
use super::hooks::in_time;
use super::limits::Door;
use super::{Server, ServerSettings};
use crate::driver::Driver;
use crate::error::AcceptError;
use crate::handle::WebSocket;
use crate::info::{Attached, Caller, Heads};
use crate::logging::log_head;
use crate::opening::Parts;
use crate::opening::compression::NegotiatedCompression;
use crate::opening::exchange::{Exchange, Interrupted};
use crate::registry::HandshakeGuard;
use crate::runtime::Runtime;
use crate::stream::WebSocketStream;
use crate::tls::{self, TlsError};
use crate::transport::{Addresses, Timer, Transport};

/// The time, and the bytes, for which input is read and discarded after a response other than 101.
pub(super) const FINISH_TIME: Duration = Duration::from_secs(2);
pub(super) const FINISH_BYTES: usize = 1 << 20;

/// The initial size of a buffer for a request and its response, in bytes. It fits most.
const HEADS_SIZE: usize = 1000;

impl From<Interrupted> for AcceptError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Timeout => Self::Timeout,
            // TLS reports the end of TCP in an error of its own.
            Interrupted::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Eof,
            Interrupted::Io(error) => tls::from_io(error).map_or_else(Self::Io, Self::Tls),
        }
    }
}

impl<R: Runtime> Server<R> {
    /// Does the opening handshake on a transport, and returns the connection's handle and its driver.
    ///
    /// The caller must run the driver: in a task of its own ([`Driver::spawn`]) or beside a handler ([`Driver::run`]). No TLS
    /// handshake is done; the transport may be a TLS connection.
    ///
    /// The connection counts among those of this server and its [`handle`](Self::handle): for the limits of connections, and
    /// for a shutdown, which closes it with 1001. Clones of a server share their connections.
    ///
    /// # Errors
    ///
    /// If the handshake fails. The client has got a response with the reason, if it could.
    pub async fn accept<T: Transport>(
        &self,
        transport: T,
        addresses: Addresses,
    ) -> Result<(WebSocket, Driver<T, R::Timer>), AcceptError> {
        Ok(self.accept_parts(transport, addresses).await?.open())
    }

    /// Does the opening handshake as [`accept`](Self::accept) does, and returns a connection without a task of its own: it
    /// moves bytes while it is polled.
    ///
    /// # Errors
    ///
    /// The same as [`accept`](Self::accept).
    pub async fn accept_stream<T: Transport>(
        &self,
        transport: T,
        addresses: Addresses,
    ) -> Result<WebSocketStream<T, R::Timer>, AcceptError> {
        Ok(self.accept_parts(transport, addresses).await?.into_stream())
    }

    async fn accept_parts<T: Transport>(
        &self,
        transport: T,
        addresses: Addresses,
    ) -> Result<Parts<T, R::Timer>, AcceptError> {
        self.check()?;
        let timer = R::timer();
        let deadline = timer.now() + self.settings.handshake_timeout;
        let mut caller = Caller::new(addresses);
        #[cfg(feature = "tls")]
        caller.note_tls(transport.tls());
        accept(&self.settings, Door::new(&self.registry), transport, timer, deadline, &mut caller).await
    }
}

/// A connection that is open once its response is sent.
struct Grant {
    heads: Heads,
    subprotocol: Option<Box<str>>,
    agreement: NegotiatedCompression,
    attached: Attached,
    place: Option<HandshakeGuard>,
    /// The target of the request.
    target: Uri,
}

impl Grant {
    /// `head` is the request's, as it came.
    fn new(decision: AcceptedRequest, mut head: Vec<u8>) -> Self {
        let AcceptedRequest { request, mut response, subprotocol, agreement, attached, place } = decision;
        set_date(&mut response);
        let response_at = head.len();
        encode::response_head(&response, &mut head);
        let heads = Heads::from_bytes(head, response_at);
        Self { heads, subprotocol, agreement, attached, place, target: request.into_parts().0.uri }
    }
}

/// The bytes of a response that refuses.
fn encode_refusal(mut refusal: RefusedRequest, is_head: bool) -> (Vec<u8>, AcceptError) {
    set_date(&mut refusal.response);
    let mut bytes = Vec::new();
    match is_head {
        true => encode::response_to_head_request(&refusal.response, &mut bytes),
        false => encode::response(&refusal.response, &mut bytes),
    }
    (bytes, refusal.error)
}

/// The bytes of a response to a request that could not be read.
fn encode_unread(settings: &ServerSettings, mut refusal: RefusedRequest) -> (Vec<u8>, AcceptError) {
    settings.name_server(refusal.response.headers_mut());
    encode_refusal(refusal, false)
}

/// Does the handshake within the deadline. `door` counts it. Headers of a proxy may complete
/// `caller`.
pub(crate) async fn accept<T: Transport, C: Timer>(
    settings: &ServerSettings,
    door: Door<'_>,
    transport: T,
    timer: C,
    deadline: Timestamp,
    caller: &mut Caller,
) -> Result<Parts<T, C>, AcceptError> {
    accept_from(settings, door, exchange(transport, timer, deadline), caller).await
}

/// A transport from which nothing was read yet.
pub(super) fn exchange<T, C>(transport: T, timer: C, deadline: Timestamp) -> Exchange<T, C> {
    Exchange { transport, timer, deadline, received: Vec::with_capacity(HEADS_SIZE) }
}

/// Continues with the bytes that were received.
pub(super) async fn accept_from<T: Transport, C: Timer>(
    settings: &ServerSettings,
    door: Door<'_>,
    mut exchange: Exchange<T, C>,
    caller: &mut Caller,
) -> Result<Parts<T, C>, AcceptError> {
    // Requests and responses are large, so none is kept across an await.
    let decision = match read_request(settings, door.guard, &mut exchange).await {
        Ok((request, head)) => {
            log_head("<", &head);
            let is_head = request.method() == Method::HEAD;
            identify(caller, settings, request.headers());
            let decision = match settings.hooks.may_wait() {
                false => decide_at_once(settings, door, request, Form::Upgrade, caller),
                true => decide_in_time(settings, door, &mut exchange, request, caller).await,
            };
            decision.map(|decision| Grant::new(decision, head)).map_err(|refusal| encode_refusal(refusal, is_head))
        }
        // A client that speaks TLS cannot read this response, but sees that it is not TLS.
        Err(AcceptError::Rejected(rejection)) if tls::is_handshake(&exchange.received) => {
            let error = AcceptError::Tls(TlsError::Unexpected);
            Err(encode_unread(settings, RefusedRequest::new(rejection.into_response(), error)))
        }
        Err(AcceptError::Rejected(rejection)) => Err(encode_unread(settings, rejection.into())),
        Err(AcceptError::Timeout) => {
            let response = Rejection::request_timeout().into_response();
            Err(encode_unread(settings, RefusedRequest::new(response, AcceptError::Timeout)))
        }
        Err(error) => return Err(error),
    };
    log_head(">", decision.as_ref().map_or_else(|(bytes, _)| &**bytes, |grant| grant.heads.response_bytes()));
    match &decision {
        Ok(grant) => exchange.write(grant.heads.response_bytes()).await?,
        Err((bytes, _)) => answer(&mut exchange, bytes).await,
    }
    decision.map(|grant| open(settings, exchange, grant, caller)).map_err(|(_, error)| error)
}

/// Answers a client that speaks plain HTTP where TLS was expected.
#[cfg(feature = "tls")]
pub(super) async fn refuse_plain_http<T: Transport, C: Timer>(
    settings: &ServerSettings,
    guard: &HandshakeGuard,
    mut exchange: Exchange<T, C>,
) -> AcceptError {
    let is_head = match read_request(settings, Some(guard), &mut exchange).await {
        Ok((request, head)) => {
            log_head("<", &head);
            request.method() == Method::HEAD
        }
        Err(AcceptError::Rejected(rejection)) if exchange.received.starts_with(b"PROXY ") => {
            let (bytes, error) = encode_unread(settings, rejection.into());
            answer(&mut exchange, &bytes).await;
            return error;
        }
        // The answer is the same for a request that is malformed, too long or too slow.
        Err(AcceptError::Rejected(_) | AcceptError::Timeout) => false,
        Err(error) => return error,
    };
    let message = "This port speaks TLS: use wss://, or https:// for a page.";
    let mut response = Rejection::new(StatusCode::BAD_REQUEST, message).into_response();
    settings.name_server(response.headers_mut());
    let (bytes, error) = encode_refusal(RefusedRequest::new(response, AcceptError::Tls(TlsError::NotTls)), is_head);
    log_head(">", &bytes);
    answer(&mut exchange, &bytes).await;
    error
}

/// Decides on a request with hooks that take time, within the deadline.
async fn decide_in_time<T: Transport, C: Timer>(
    settings: &ServerSettings,
    door: Door<'_>,
    exchange: &mut Exchange<T, C>,
    request: Request<()>,
    caller: &Caller,
) -> Result<AcceptedRequest, RefusedRequest> {
    let deciding = Box::pin(decide(settings, door, request, Form::Upgrade, caller));
    let Exchange { timer, deadline, .. } = exchange;
    let decided = in_time(deciding, |cx| timer.poll_at(cx, *deadline), door.guard).await;
    decided.unwrap_or_else(|mut late| {
        settings.name_server(late.response.headers_mut());
        Err(late)
    })
}

/// Reads the request's head, and returns its bytes too. The bytes after it stay in the exchange.
async fn read_request<T: Transport, C: Timer>(
    settings: &ServerSettings,
    guard: Option<&HandshakeGuard>,
    exchange: &mut Exchange<T, C>,
) -> Result<(Request<()>, Vec<u8>), AcceptError> {
    let mut reader = RequestReader::with_limits(settings.head);
    loop {
        if !exchange.received.is_empty()
            && let Some(head) = reader.read(&exchange.received).map_err(AcceptError::Rejected)?
        {
            let behind = exchange.received.split_off(head.consumed);
            return Ok((head.request, mem::replace(&mut exchange.received, behind)));
        }
        read_more(guard, exchange).await?;
    }
}

/// Reads once, unless the server is shutting down.
pub(super) async fn read_more<T: Transport, C: Timer>(
    guard: Option<&HandshakeGuard>,
    exchange: &mut Exchange<T, C>,
) -> Result<(), AcceptError> {
    read_at_most(usize::MAX, guard, exchange).await
}

/// Reads at most this many bytes, once, unless the server is shutting down.
pub(super) async fn read_at_most<T: Transport, C: Timer>(
    most: usize,
    guard: Option<&HandshakeGuard>,
    exchange: &mut Exchange<T, C>,
) -> Result<(), AcceptError> {
    let read = {
        let mut read = pin!(exchange.read_at_most(most));
        poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => guard.map_or(Poll::Pending, |guard| guard.poll_stopped(cx)).map(|()| None),
        })
        .await
    };
    match read {
        // A client that has sent nothing gets no response.
        None if exchange.received.is_empty() => Err(AcceptError::Stopped),
        None => Err(AcceptError::Rejected(Rejection::service_unavailable())),
        Some(Ok(0) | Err(Interrupted::Io(_))) if exchange.received.is_empty() => Err(AcceptError::Silent),
        Some(Ok(0)) => Err(AcceptError::Eof),
        Some(Ok(_)) => {
            guard.into_iter().for_each(HandshakeGuard::hear);
            Ok(())
        }
        Some(Err(interrupted)) => Err(interrupted.into()),
    }
}

/// Sends the response to a connection whose request was not read, and ends it. Returns the reason.
#[cfg(feature = "proxy-protocol")]
pub(super) async fn refuse<T: Transport, C: Timer>(
    settings: &ServerSettings,
    exchange: &mut Exchange<T, C>,
    refusal: RefusedRequest,
) -> AcceptError {
    let (bytes, error) = encode_unread(settings, refusal);
    log_head(">", &bytes);
    answer(exchange, &bytes).await;
    error
}

/// Hands over a connection that has been answered.
fn open<T: Transport, C: Timer>(
    settings: &ServerSettings,
    exchange: Exchange<T, C>,
    grant: Grant,
    caller: &Caller,
) -> Parts<T, C> {
    let Grant { heads, subprotocol, agreement, attached, place, target } = grant;
    let Exchange { transport, timer, received, .. } = exchange;
    let parts = Parts::server(transport, timer).config(Arc::clone(&settings.config)).received(received);
    let (inbound, notsent_lowat) = (settings.inbound, settings.notsent_lowat);
    let (target, caller, lifetime) = (Some(target), caller.clone(), settings.lifetime.draw());
    Parts { inbound, notsent_lowat, lifetime, agreement, attached, place, subprotocol, heads, target, caller, ..parts }
}

/// Sends a response other than 101 and ends the connection, so that the client gets all of it. Errors are ignored.
async fn answer<T: Transport, C: Timer>(exchange: &mut Exchange<T, C>, bytes: &[u8]) {
    exchange.deadline = exchange.deadline.max(exchange.timer.now() + FINISH_TIME);
    if exchange.write(bytes).await.is_ok() {
        exchange.deadline = exchange.timer.now() + FINISH_TIME;
        exchange.finish(FINISH_BYTES).await;
    }
}

pub(super) fn set_date<B>(response: &mut Response<B>) {
    if let Some(date) = date() {
        response.headers_mut().entry(DATE).or_insert(date);
    }
}

/// The `Date` of responses, formatted once a second.
fn date() -> Option<HeaderValue> {
    /// Its fixed length in bytes (RFC 9110 §5.6.7).
    const LEN: usize = 29;
    thread_local! {
        static LATEST: Cell<(u64, [u8; LEN])> = const { Cell::new((u64::MAX, [0; LEN])) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let (mut at, mut text) = LATEST.get();
    if at != second {
        (at, text) = (second, httpdate::fmt_http_date(now).as_bytes().try_into().ok()?);
        LATEST.set((at, text));
    }
    HeaderValue::from_bytes(&text).ok()
}
