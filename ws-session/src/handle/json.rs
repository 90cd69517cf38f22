//! JSON messages (feature `json`).

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ws_proto::Message;

use super::{Sender, WebSocket};
use crate::error::Error;

/// The reason why a JSON message was not sent or received.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The value cannot be written as JSON, or the message is not JSON of that type. The connection continues.
    Json(serde_json::Error),
    /// The error of [`WebSocket::send`] or [`WebSocket::recv`].
    WebSocket(Error),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "JSON: {error}"),
            Self::WebSocket(error) => error.fmt(f),
        }
    }
}

impl StdError for JsonError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` includes the error.
            Self::Json(error) => error.source(),
            Self::WebSocket(error) => error.source(),
        }
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<Error> for JsonError {
    fn from(error: Error) -> Self {
        Self::WebSocket(error)
    }
}

impl Sender {
    /// Queues a value as JSON in a text message, as [`send`](Self::send) does. The value is serialized by the call itself. To
    /// send one value to many connections, make a [`Message`] of it once with `serde_json::to_string`.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON, such as a map whose keys are not strings. Otherwise the same as
    /// [`send`](Self::send).
    pub fn send_json<T>(&self, value: &T) -> impl Future<Output = Result<(), JsonError>> + Send + use<'_, T>
    where
        T: Serialize + ?Sized,
    {
        let sending = serde_json::to_string(value).map(|text| self.send(text));
        async { Ok(sending?.await?) }
    }
}

impl WebSocket {
    /// Queues a value as JSON in a text message. See [`Sender::send_json`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_json`].
    pub fn send_json<T>(&self, value: &T) -> impl Future<Output = Result<(), JsonError>> + Send + use<'_, T>
    where
        T: Serialize + ?Sized,
    {
        let sending = serde_json::to_string(value).map(|text| self.send(text));
        async { Ok(sending?.await?) }
    }

    /// Waits for the next message, text or binary, and parses it as JSON. `None` after a normal end, as with
    /// [`recv`](Self::recv).
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the message is not JSON of that type. That message is lost, and the connection continues. Otherwise the same as
    /// [`recv`](Self::recv).
    pub async fn recv_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, JsonError> {
        from_json(self.recv().await?)
    }
}

/// Parses a received message, if there is one.
pub(crate) fn from_json<T: DeserializeOwned>(received: Option<Message>) -> Result<Option<T>, JsonError> {
    Ok(match received {
        Some(Message::Text(text)) => Some(serde_json::from_str(&text)?),
        Some(Message::Binary(bytes)) => Some(serde_json::from_slice(&bytes)?),
        None => None,
    })
}
