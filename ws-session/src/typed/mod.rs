//! [`Typed`]: a connection whose messages are values.

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "messagepack")]
mod messagepack;

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ws_proto::Message;

#[cfg(feature = "json")]
pub(crate) use self::json::from_json;
#[cfg(feature = "json")]
pub use self::json::{Json, JsonError};
#[cfg(feature = "messagepack")]
pub use self::messagepack::{MessagePack, MessagePackError};
use crate::error::Error;
use crate::socket::MessageSocket;

/// A format of values in messages: `Json`, `MessagePack`, or one of your own.
pub trait Format {
    /// The reason why a value was not sent or received: the value's, or the connection's.
    type Error: From<Error>;

    /// Makes a message of a value.
    ///
    /// # Errors
    ///
    /// If this format cannot express the value.
    fn encode<V: Serialize + ?Sized>(value: &V) -> Result<Message, Self::Error>;

    /// Makes a value of a message.
    ///
    /// # Errors
    ///
    /// If the message is not such a value.
    fn decode<V: DeserializeOwned>(message: Message) -> Result<V, Self::Error>;
}

/// A connection whose messages are values: it receives `In` and sends `Out`, in the format `F`.
///
/// [`WebSocket::typed`](crate::WebSocket::typed) and [`WebSocketStream::typed`](crate::WebSocketStream::typed) make one. It
/// has methods of its own, and is also a [`Stream`] of `In` and a [`Sink`] of `Out`.
///
#[cfg_attr(feature = "json", doc = "```")]
#[cfg_attr(not(feature = "json"), doc = "```ignore")]
/// use ws_session::{Json, JsonError, WebSocket};
///
/// /// Adds up the numbers in each message.
/// async fn sums(ws: WebSocket) -> Result<(), JsonError> {
///     let mut ws = ws.typed::<Json, Vec<f64>, f64>();
///     loop {
///         match ws.recv().await {
///             Ok(Some(numbers)) => ws.send(&numbers.iter().sum()).await?,
///             Ok(None) => return Ok(()),
///             // A bad message. The connection continues.
///             Err(JsonError::Json(error)) => println!("not a list of numbers: {error}"),
///             Err(error) => return Err(error),
///         }
///     }
/// }
/// ```
///
/// # Errors
///
/// The error of the format tells a bad value from the end of the connection: `JsonError::Json` or `JsonError::WebSocket`.
/// After a bad value the connection continues, and so does the stream. After an error of the connection the stream ends.
///
/// # Text and binary messages
///
/// | format | sends | receives |
/// | --- | --- | --- |
/// | `Json` | text | text and binary (UTF-8) |
/// | `MessagePack` | binary | binary; a text message is a bad value |
///
/// # Cancel safety
///
/// A dropped `recv` loses no message. A `send` that is dropped before it is ready has sent nothing.
pub struct Typed<S, F, In, Out = In> {
    socket: S,
    has_ended: bool,
    types: PhantomData<fn(F, Out) -> In>,
}

impl<S, F, In, Out> Typed<S, F, In, Out> {
    pub(crate) fn new(socket: S) -> Self {
        Self { socket, has_ended: false, types: PhantomData }
    }

    /// The connection: for its senders, its addresses, to close it with a code.
    pub fn get_ref(&self) -> &S {
        &self.socket
    }

    /// The connection. A message that is received or sent by its own methods is not converted.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Returns the connection.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

impl<S: MessageSocket, F: Format, In: DeserializeOwned, Out> Typed<S, F, In, Out> {
    /// Waits for the next value. `None` after a normal end, as with [`WebSocket::recv`](crate::WebSocket::recv).
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the message is not such a value. That message is lost, and the connection continues. Otherwise if the connection
    /// has not ended normally.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<In>, F::Error>> + '_ {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Receives as [`recv`](Self::recv) does, as a poll function.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<In>, F::Error>> {
        let received = ready!(self.socket.poll_message(cx))?;
        Poll::Ready(received.map(F::decode).transpose())
    }
}

impl<S: MessageSocket, F: Format, In, Out: Serialize> Typed<S, F, In, Out> {
    /// Queues a value, after waiting until the outgoing queue is below its high-water mark, as
    /// [`WebSocket::send`](crate::WebSocket::send) does. The value is converted by the call itself.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the value is not sent.
    ///
    /// # Errors
    ///
    /// If the format cannot express the value; the connection continues. Otherwise if the connection is closing or has ended.
    pub fn send(&mut self, value: &Out) -> impl Future<Output = Result<(), F::Error>> + use<'_, S, F, In, Out> {
        let mut unsent = Some(F::encode(value));
        poll_fn(move |cx| {
            if let Some(Ok(_)) = unsent {
                ready!(Pin::new(&mut self.socket).poll_ready(cx))?;
            }
            if let Some(encoded) = unsent.take() {
                Pin::new(&mut self.socket).start_send(encoded?)?;
                self.socket.write_queued(cx);
            }
            Poll::Ready(Ok(()))
        })
    }
}

impl<S: MessageSocket, F: Format, In: DeserializeOwned, Out> Stream for Typed<S, F, In, Out> {
    type Item = Result<In, F::Error>;

    /// Receives as [`Typed::recv`] does. An error of the connection is the last item; a bad value is not.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let received = ready!(self.socket.poll_message(cx));
        self.has_ended = !matches!(received, Ok(Some(_)));
        Poll::Ready(match received {
            Ok(message) => message.map(F::decode),
            Err(error) => Some(Err(error.into())),
        })
    }
}

impl<S: MessageSocket, F: Format, In: DeserializeOwned, Out> FusedStream for Typed<S, F, In, Out> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<S: MessageSocket, F: Format, In, Out: Serialize> Sink<Out> for Typed<S, F, In, Out> {
    type Error = F::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), F::Error>> {
        Pin::new(&mut self.socket).poll_ready(cx).map_err(F::Error::from)
    }

    /// A value that the format cannot express is not sent, and the connection continues.
    fn start_send(mut self: Pin<&mut Self>, value: Out) -> Result<(), F::Error> {
        Ok(Pin::new(&mut self.socket).start_send(F::encode(&value)?)?)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), F::Error>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(F::Error::from)
    }

    /// Closes with 1000 and waits for the peer's Close frame.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), F::Error>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(F::Error::from)
    }
}

impl<S: fmt::Debug, F, In, Out> fmt::Debug for Typed<S, F, In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("socket", &self.socket).field("has_ended", &self.has_ended).finish()
    }
}
