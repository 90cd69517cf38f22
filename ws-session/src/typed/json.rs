//! JSON (feature `json`).

use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ws_proto::Message;

use super::Format;
use crate::error::Error;

/// JSON, for [`Typed`](super::Typed): sent in text messages, received in text and in binary ones.
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Format for Json {
    type Error = JsonError;

    fn encode<V: Serialize + ?Sized>(value: &V) -> Result<Message, JsonError> {
        Ok(serde_json::to_string(value)?.into())
    }

    fn decode<V: DeserializeOwned>(message: Message) -> Result<V, JsonError> {
        Ok(match message {
            Message::Text(text) => serde_json::from_str(&text)?,
            Message::Binary(bytes) => serde_json::from_slice(&bytes)?,
        })
    }
}

/// The reason why a JSON message was not sent or received.
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The value cannot be written as JSON, or the message is not JSON of that type. The connection continues.
    Json(serde_json::Error),
    /// The error of [`WebSocket::send`](crate::WebSocket::send) or [`WebSocket::recv`](crate::WebSocket::recv).
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

/// Parses a received message, if there is one.
pub(crate) fn from_json<T: DeserializeOwned>(received: Option<Message>) -> Result<Option<T>, JsonError> {
    received.map(Json::decode).transpose()
}
