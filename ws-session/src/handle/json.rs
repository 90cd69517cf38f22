//! Messages of JSON (feature `json`).

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ws_proto::Message;

use super::{Sender, WebSocket};
use crate::error::Error;

/// Why JSON was not sent or received.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The value cannot be written as JSON, or the message is not JSON of that type. The connection goes on.
    Json(serde_json::Error),
    /// As [`WebSocket::send`] and [`WebSocket::recv`] fail.
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
            // Each is told by the sentence above.
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
    /// Queues a value as JSON in a text message, as [`send`](Self::send) does. It is written with the call. To send one
    /// value to many, make a [`Message`] of it once with `serde_json::to_string`.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// When the value cannot be written as JSON (a map whose keys are no strings, for one), or as [`send`](Self::send).
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
    /// As [`Sender::send_json`].
    pub fn send_json<T>(&self, value: &T) -> impl Future<Output = Result<(), JsonError>> + Send + use<'_, T>
    where
        T: Serialize + ?Sized,
    {
        let sending = serde_json::to_string(value).map(|text| self.send(text));
        async { Ok(sending?.await?) }
    }

    /// The next message, text or binary, read as JSON; `None` as [`recv`](Self::recv) returns it.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// When the message is not JSON of that type: it is gone then, and the connection goes on. Otherwise as
    /// [`recv`](Self::recv).
    pub async fn recv_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, JsonError> {
        from_json(self.recv().await?)
    }
}

/// What a message says that was received, if one was.
pub(crate) fn from_json<T: DeserializeOwned>(received: Option<Message>) -> Result<Option<T>, JsonError> {
    Ok(match received {
        Some(Message::Text(text)) => Some(serde_json::from_str(&text)?),
        Some(Message::Binary(bytes)) => Some(serde_json::from_slice(&bytes)?),
        None => None,
    })
}
