//! MessagePack (feature `messagepack`).

use std::error::Error as StdError;
use std::fmt;

use rmp_serde::{Deserializer, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ws_proto::Message;

use super::Format;
use crate::error::Error;

/// The most levels of nested values, as with JSON.
const DEPTH: usize = 128;

/// MessagePack in binary messages, for [`Typed`](super::Typed). A struct is a map by field names, which other languages
/// expect; arrays of the fields are received too. Values are nested at most 128 deep.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

/// The reason why a MessagePack value was not sent or received.
#[derive(Debug)]
#[non_exhaustive]
pub enum MessagePackError {
    /// The value cannot be written as MessagePack. The connection continues.
    Encode(encode::Error),
    /// The message is not MessagePack of that type. It is lost, and the connection continues.
    Decode(decode::Error),
    /// Bytes follow the value in the message; their number. The message is lost, and the connection continues.
    Trailing(usize),
    /// A text message has arrived. It is lost, and the connection continues.
    Text,
    /// The error of [`WebSocket::send`](crate::WebSocket::send) or [`WebSocket::recv`](crate::WebSocket::recv).
    WebSocket(Error),
}

impl Format for MessagePack {
    type Error = MessagePackError;

    fn encode<V: Serialize + ?Sized>(value: &V) -> Result<Message, MessagePackError> {
        rmp_serde::to_vec_named(value).map(Message::from).map_err(MessagePackError::Encode)
    }

    fn decode<V: DeserializeOwned>(message: Message) -> Result<V, MessagePackError> {
        let Message::Binary(bytes) = message else { return Err(MessagePackError::Text) };
        let mut input = Deserializer::new(&bytes[..]);
        input.set_max_depth(DEPTH);
        let value = V::deserialize(&mut input).map_err(MessagePackError::Decode)?;
        match input.get_ref().len() {
            0 => Ok(value),
            more => Err(MessagePackError::Trailing(more)),
        }
    }
}

impl fmt::Display for MessagePackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode(error) => write!(f, "MessagePack: {error}"),
            Self::Decode(error) => write!(f, "MessagePack: {error}"),
            Self::Trailing(bytes) => write!(f, "MessagePack: {bytes} bytes follow the value"),
            Self::Text => f.write_str("MessagePack: a text message"),
            Self::WebSocket(error) => error.fmt(f),
        }
    }
}

impl StdError for MessagePackError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` includes the error.
            Self::Encode(error) => error.source(),
            Self::Decode(error) => error.source(),
            Self::Trailing(_) | Self::Text => None,
            Self::WebSocket(error) => error.source(),
        }
    }
}

impl From<Error> for MessagePackError {
    fn from(error: Error) -> Self {
        Self::WebSocket(error)
    }
}
