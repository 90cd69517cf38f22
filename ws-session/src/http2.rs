//! HTTP/2 (RFC 8441): the words in which the policy of servers and clients talks to an adapter that does the I/O.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::transport::Transport;

/// Limits and deadlines of HTTP/2 on a server, for each connection of HTTP/2: [`Server::http2`](crate::Server::http2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http2 {
    /// The most streams at a time, WebSocket connections and other requests together
    /// (`SETTINGS_MAX_CONCURRENT_STREAMS`, RFC 9113 §6.5.2). A further one is reset with `REFUSED_STREAM`. Default 256.
    pub max_streams: u32,
    /// The received bytes that are held for each stream, in addition to the messages that wait to be received. Beyond them, the
    /// peer's flow control stops it. Default 64 KiB; from 1 byte to 2^31 - 1.
    pub receive_buffer: u32,
    /// The bytes that are held for each stream until the connection has sent them, in addition to the outgoing queue. Default
    /// 64 KiB.
    pub send_buffer: usize,
    /// The time after which a connection without a stream in use is ended. Until the first request,
    /// [`Server::handshake_timeout`](crate::Server::handshake_timeout) applies. Default 60 s.
    ///
    /// Such a connection counts as an opening handshake in progress: it makes room for others as they do
    /// ([`Server::max_handshakes`](crate::Server::max_handshakes)).
    pub idle_timeout: Duration,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_streams: 256,
            receive_buffer: 64 << 10,
            send_buffer: 64 << 10,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// Decides on the requests of one connection of HTTP/2, and when it ends. [`Runtime::serve_http2`](crate::Runtime::serve_http2)
/// gets one.
pub trait Http2Policy: Send {
    /// The limits.
    fn settings(&self) -> Http2;

    /// The most bytes of a request's header fields, each with 32 bytes of overhead (RFC 9113 §10.5.1).
    fn max_header_list(&self) -> u32;

    /// The time that sending a response without a connection may take. Then its stream is reset.
    fn response_timeout(&self) -> Duration;

    /// The state that the connection should have now. It is called whenever the task is polled, after accepting requests. The
    /// task is woken when the state changes.
    fn poll_state(&mut self, cx: &mut Context<'_>) -> Http2State;

    /// Decides on a request. `protocol` is its `:protocol`. The decision may take time, within a deadline of its own; most are
    /// made at the first poll. If it is dropped, the request has not been decided on.
    fn decide(&mut self, request: Request<()>, protocol: Option<&str>) -> Http2Decision;
}

/// A decision on a request of HTTP/2: a connection, or the response to a request that does not open one.
pub type Http2Decision = Pin<Box<dyn Future<Output = Result<Http2Accepted, Http2Refused>> + Send>>;

/// The state that an adapter should bring a connection of HTTP/2 to. [`Http2Policy::poll_state`] returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http2State {
    /// Accept requests.
    Open,
    /// Send GOAWAY. Streams continue (RFC 9113 §6.8).
    Finishing,
    /// Close the transport.
    Closed,
}

/// A client's connection of HTTP/2 whose server offers WebSocket over it. [`Runtime::connect_http2`](crate::Runtime::connect_http2)
/// returns one.
pub trait Http2Session: Send + Sync {
    /// Whether the connection is open and takes requests.
    fn is_open(&self) -> bool;

    /// Whether a request can be sent at once: the connection is open, and below the server's limit of streams.
    fn has_room(&self) -> bool;

    /// Sends an extended CONNECT with `websocket` as its `:protocol`, and waits for the response. The call itself takes the
    /// stream's place: [`has_room`](Self::has_room) counts it before the future is polled. Dropping the future resets the stream.
    ///
    /// # Errors
    ///
    /// If there is no response.
    fn open(&self, request: Request<()>) -> Pin<Box<dyn Future<Output = Result<Http2Opened, Http2Failure>> + Send>>;
}

/// A response, and the stream behind it.
pub struct Http2Opened {
    pub(crate) response: Response<()>,
    pub(crate) transport: Box<dyn Transport + Send>,
}

impl Http2Opened {
    /// A response of any status, and the stream behind it.
    pub fn new(response: Response<()>, transport: impl Transport + Send + 'static) -> Self {
        Self { response, transport: Box::new(transport) }
    }
}

/// The reason why a request got no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum Http2Failure {
    /// The server has not processed the request, or the connection has ended. It can be tried again on another connection.
    Refused(io::Error),
    /// The server asks for HTTP/1.1 (`HTTP_1_1_REQUIRED`).
    Http1Required,
    /// The server has reset the stream.
    Io(io::Error),
}

/// An accepted request. An adapter sends the [`response`](Self::response), then [opens](Self::open) the connection.
pub struct Http2Accepted {
    pub(crate) response: Response<()>,
    pub(crate) open: Box<dyn FnOnce(Box<dyn Transport + Send>) + Send>,
}

impl Http2Accepted {
    /// The response, 200. It does not end the stream.
    pub fn response(&self) -> &Response<()> {
        &self.response
    }

    /// Opens the connection on its stream, in a task of its own.
    pub fn open(self, transport: impl Transport + Send + 'static) {
        (self.open)(Box::new(transport));
    }
}

/// Ready when a place is needed for others.
type PollDisplaced = dyn FnMut(&mut Context<'_>) -> Poll<()> + Send;

/// A request that got another response. While it lives, its stream counts as in use, and as a handshake in progress.
pub struct Http2Refused {
    pub(crate) response: Box<Response<Bytes>>,
    /// Holds its places.
    pub(crate) poll_displaced: Box<PollDisplaced>,
}

impl Http2Refused {
    /// Ready when a body that the client does not take must make room for other requests: then the stream is to be reset.
    /// Only the waker of the last call is woken.
    pub fn poll_displaced(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        (self.poll_displaced)(cx)
    }

    /// The response, with its whole body. It ends the stream.
    pub fn response(&self) -> &Response<Bytes> {
        &self.response
    }
}

impl fmt::Debug for Http2Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Opened").field("response", &self.response).finish_non_exhaustive()
    }
}

impl fmt::Debug for Http2Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Accepted").field("response", &self.response).finish_non_exhaustive()
    }
}

impl fmt::Debug for Http2Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Refused").field("response", &self.response).finish_non_exhaustive()
    }
}
