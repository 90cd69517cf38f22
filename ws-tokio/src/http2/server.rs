//! A server's connection of HTTP/2: accepts streams, and answers requests as the policy of `ws-session` decides.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream, ext::Protocol};
use tokio::time::timeout;
use ws_session::http::Request;
use ws_session::{Bytes, Http2Accepted, Http2Decision, Http2Policy, Http2Refused, Http2State, Transport};

use super::below::{Below, Watched};
use super::stream::Http2Stream;
use crate::carrier::Carrier;

/// The most connection window (RFC 9113 §6.9.1).
const MOST_WINDOW: u32 = (1 << 31) - 1;

/// The least budget for short frames that wait to be read: 16,384 of them. Each costs `h2` some memory beside its bytes. Beyond
/// it, the connection ends with `ENHANCE_YOUR_CALM`.
const DATA_FRAME_BUDGET: usize = 4 << 20;

/// Serves a connection until it ends. `received` are its first bytes.
pub(crate) async fn serve<T: Transport + Send + 'static>(
    transport: T,
    received: Vec<u8>,
    mut policy: Box<dyn Http2Policy>,
) {
    let transport = Watched::new(transport);
    let below = transport.below();
    let carrier = Carrier::with_received(transport, received);
    let mut handshake = pin!(builder(&*policy).handshake(carrier));
    let accepted = poll_fn(|cx| match (handshake.as_mut().poll(cx), policy.poll_state(cx)) {
        (Poll::Ready(accepted), _) => Poll::Ready(accepted.ok()),
        (Poll::Pending, Http2State::Closed) => Poll::Ready(None),
        (Poll::Pending, _) => Poll::Pending,
    });
    let Some(mut connection) = accepted.await else { return };
    let mut told = false;
    poll_fn(|cx| poll_serve(&mut connection, &mut *policy, &below, &mut told, cx)).await;
}

fn builder(policy: &dyn Http2Policy) -> Builder {
    let settings = policy.settings();
    let window = settings.receive_buffer.clamp(1, MOST_WINDOW);
    let connection_window = window.saturating_mul(settings.max_streams).clamp(window, MOST_WINDOW);
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(settings.max_streams)
        .max_header_list_size(policy.max_header_list())
        .initial_window_size(window)
        // No stream that is not read keeps another from receiving: they share this window.
        .initial_connection_window_size(connection_window)
        // Short frames that wait to be read, as many as an honest client can have on its way.
        .data_frame_budget(DATA_FRAME_BUDGET.max(connection_window as usize / 2))
        .max_send_buffer_size(settings.send_buffer.max(1));
    builder
}

/// Ready when the connection has ended.
fn poll_serve<T: Transport>(
    connection: &mut Connection<Carrier<Watched<T>>, Bytes>,
    policy: &mut dyn Http2Policy,
    below: &Below,
    told: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<()> {
    loop {
        loop {
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => answer(policy, below, request, respond, cx),
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        match policy.poll_state(cx) {
            Http2State::Finishing if !*told => {
                *told = true;
                connection.graceful_shutdown();
                // It is sent by the next poll.
            }
            Http2State::Open | Http2State::Finishing => return Poll::Pending,
            Http2State::Closed => {
                connection.abrupt_shutdown(Reason::NO_ERROR);
                // GOAWAY is sent as far as the transport takes it at once.
                let _ = connection.poll_closed(cx);
                return Poll::Ready(());
            }
        }
    }
}

/// Answers a request, in a task of its own if the decision takes time.
fn answer(
    policy: &mut dyn Http2Policy,
    below: &Below,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    cx: &mut Context<'_>,
) {
    let (head, receive) = request.into_parts();
    let protocol = head.extensions.get::<Protocol>().cloned();
    let time = policy.response_timeout();
    let mut deciding = policy.decide(Request::from_parts(head, ()), protocol.as_ref().map(Protocol::as_str));
    match deciding.as_mut().poll(cx) {
        Poll::Ready(decided) => send_decision(decided, below.clone(), receive, respond, time),
        Poll::Pending => {
            tokio::spawn(decide_later(deciding, below.clone(), receive, respond, time));
        }
    }
}

/// Waits for a decision, unless the client resets the stream.
async fn decide_later(
    mut deciding: Http2Decision,
    below: Below,
    receive: RecvStream,
    mut respond: SendResponse<Bytes>,
    time: Duration,
) {
    let decided = poll_fn(|cx| match deciding.as_mut().poll(cx) {
        Poll::Ready(decided) => Poll::Ready(Some(decided)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    });
    if let Some(decided) = decided.await {
        send_decision(decided, below, receive, respond, time);
    }
}

/// Sends a response. Its body may take that time.
fn send_decision(
    decided: Result<Http2Accepted, Http2Refused>,
    below: Below,
    receive: RecvStream,
    mut respond: SendResponse<Bytes>,
    time: Duration,
) {
    // A stream that has been reset meanwhile takes no response.
    match decided {
        Ok(accepted) => {
            if let Ok(send) = respond.send_response(accepted.response().clone(), false) {
                accepted.open(Http2Stream::new(send, receive).with_below(below));
            }
        }
        Err(refused) => {
            let is_empty = refused.response().body().is_empty();
            if let Ok(send) = respond.send_response(refused.response().clone().map(drop), is_empty)
                && !is_empty
            {
                tokio::spawn(async move {
                    // If it is not taken in time, or must make room, the stream is dropped, which resets it.
                    let _ = timeout(time, send_body(send, refused)).await;
                });
            }
        }
    }
}

/// Sends the body as far as the client's window allows, until it has all of it.
async fn send_body(mut send: SendStream<Bytes>, mut refused: Http2Refused) {
    let mut body = refused.response().body().clone();
    while !body.is_empty() {
        send.reserve_capacity(body.len());
        let capacity = poll_fn(|cx| match refused.poll_displaced(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => send.poll_capacity(cx),
        });
        match capacity.await {
            Some(Ok(capacity)) => {
                let part = body.split_to(capacity.min(body.len()));
                if send.send_data(part, body.is_empty()).is_err() {
                    return;
                }
            }
            Some(Err(_)) | None => return,
        }
    }
}
