//! A client's connection of HTTP/2, on which WebSockets are opened as streams.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, Reason};
use ws_session::http::{Request, Response};
use ws_session::{Bytes, Http2Failure, Http2Opened, Http2Session, Transport};

use super::below::{Below, Watched};
use super::stream::{Http2Stream, into_io};
use crate::carrier::Carrier;

/// The receive window of each stream, and that of all together.
const WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// The bytes that are held for each stream until the connection has sent them.
const SEND_BUFFER: usize = 64 << 10;

/// The most bytes of a response's header fields.
const MAX_HEADER_LIST: u32 = 16 << 10;

/// The budget for short frames that wait to be read. Beyond it, the connection ends with `ENHANCE_YOUR_CALM`.
const DATA_FRAME_BUDGET: usize = 8 << 20;

/// A connection whose server offers WebSocket over HTTP/2.
struct Session {
    requests: SendRequest<Bytes>,
    below: Below,
    /// Each stream has a clone.
    places: Arc<()>,
}

/// Sends the preface, and waits for the server's SETTINGS. `None` if it does not offer WebSocket over HTTP/2 (RFC 8441 §3).
pub(crate) async fn connect<T>(transport: T) -> io::Result<Option<Arc<dyn Http2Session>>>
where
    T: Transport + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(MAX_HEADER_LIST)
        .data_frame_budget(DATA_FRAME_BUDGET)
        // Until the server's SETTINGS say otherwise, which shows that they have come.
        .initial_max_send_streams(0);
    let transport = Watched::new(transport);
    let below = transport.below();
    let (requests, mut connection) = builder.handshake(Carrier::new(transport)).await.map_err(into_io)?;
    let mut ping = connection.ping_pong();
    if let Some(ping) = &mut ping {
        // Its answer comes behind the SETTINGS, even if they allow no stream.
        let _ = ping.send_ping(Ping::opaque());
    }
    let is_offered = {
        let mut connection = pin!(&mut connection);
        poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                let error = ended.map_or_else(into_io, |()| io::ErrorKind::UnexpectedEof.into());
                return Poll::Ready(Err(error));
            }
            let answered = ping.as_mut().is_some_and(|ping| ping.poll_pong(cx).is_ready());
            if answered || requests.current_max_send_streams() > 0 {
                return Poll::Ready(Ok(requests.is_extended_connect_protocol_enabled()));
            }
            Poll::Pending
        })
        .await?
    };
    if !is_offered {
        return Ok(None);
    }
    tokio::spawn(async move {
        // Its streams report how it ended.
        let _ = connection.await;
    });
    Ok(Some(Arc::new(Session { requests, below, places: Arc::default() })))
}

impl Session {
    /// Whether a request can be sent now, or the error of a connection that has ended.
    fn poll_ready(&self) -> Poll<Result<(), h2::Error>> {
        self.requests.clone().poll_ready(&mut Context::from_waker(Waker::noop()))
    }
}

impl Http2Session for Session {
    fn is_open(&self) -> bool {
        !matches!(self.poll_ready(), Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        matches!(self.poll_ready(), Poll::Ready(Ok(())))
            && Arc::strong_count(&self.places) <= self.requests.current_max_send_streams()
    }

    fn open(
        &self,
        mut request: Request<()>,
    ) -> Pin<Box<dyn Future<Output = Result<Http2Opened, Http2Failure>> + Send>> {
        let (requests, below, place) = (self.requests.clone(), self.below.clone(), Arc::clone(&self.places));
        Box::pin(async move {
            request.extensions_mut().insert(Protocol::from_static("websocket"));
            let mut requests = requests.ready().await.map_err(failure)?;
            let (response, send) = requests.send_request(request, false).map_err(failure)?;
            let (head, receive) = response.await.map_err(failure)?.into_parts();
            let stream = Http2Stream::new(send, receive).with_below(below).with_place(place);
            Ok(Http2Opened::new(Response::from_parts(head, ()), stream))
        })
    }
}

fn failure(error: h2::Error) -> Http2Failure {
    match error.reason() {
        Some(Reason::HTTP_1_1_REQUIRED) => Http2Failure::Http1Required,
        Some(reason) if error.is_reset() && reason != Reason::REFUSED_STREAM => Http2Failure::Io(into_io(error)),
        // Not processed, or the connection has ended.
        _ => Http2Failure::Refused(into_io(error)),
    }
}
