//! Messages.

use std::fmt;

use bytes::Bytes;

use super::frame::{CloseFrame, Frame, Utf8Bytes};
use crate::error::Result;

/// A message, or a control frame (RFC 6455 §5.5, §5.6).
#[derive(Debug, Eq, PartialEq, Clone)]
pub enum Message {
    /// Text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// A ping, with at most 125 bytes. A received one is answered without further ado.
    Ping(Bytes),
    /// A pong, with at most 125 bytes.
    Pong(Bytes),
    /// A Close frame. `None`: without a code.
    Close(Option<CloseFrame>),
    /// A frame that is sent as it is. It is never received.
    Frame(Frame),
}

impl Message {
    /// A text message.
    pub fn text<S: Into<Utf8Bytes>>(string: S) -> Self {
        Self::Text(string.into())
    }

    /// A binary message.
    pub fn binary<B: Into<Bytes>>(bin: B) -> Self {
        Self::Binary(bin.into())
    }

    /// Whether it is a text message.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether it is a binary message.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Whether it is a ping.
    pub fn is_ping(&self) -> bool {
        matches!(self, Self::Ping(_))
    }

    /// Whether it is a pong.
    pub fn is_pong(&self) -> bool {
        matches!(self, Self::Pong(_))
    }

    /// Whether it is a Close frame.
    pub fn is_close(&self) -> bool {
        matches!(self, Self::Close(_))
    }

    /// The length of the payload in bytes: of a Close frame that of its reason, of a [`Frame`](Self::Frame) with its header.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data.len(),
            Self::Close(frame) => frame.as_ref().map_or(0, |frame| frame.reason.len()),
            Self::Frame(frame) => frame.len(),
        }
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The payload: of a Close frame its reason.
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data,
            Self::Close(frame) => frame.map(|frame| frame.reason.into()).unwrap_or_default(),
            Self::Frame(frame) => frame.into_payload(),
        }
    }

    /// The payload as text: of a Close frame its reason.
    ///
    /// # Errors
    ///
    /// [`Error::Utf8`](crate::Error::Utf8) when it is not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Close(frame) => Ok(frame.map(|frame| frame.reason).unwrap_or_default()),
            other => Ok(other.into_data().try_into()?),
        }
    }

    /// The payload as text: of a Close frame its reason.
    ///
    /// # Errors
    ///
    /// [`Error::Utf8`](crate::Error::Utf8) when it is not UTF-8.
    pub fn to_text(&self) -> Result<&str> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => Ok(str::from_utf8(data)?),
            Self::Close(frame) => Ok(frame.as_ref().map_or("", |frame| &frame.reason)),
            Self::Frame(frame) => Ok(frame.to_text()?),
        }
    }
}

impl From<String> for Message {
    fn from(string: String) -> Self {
        Self::text(string)
    }
}

impl From<&str> for Message {
    fn from(string: &str) -> Self {
        Self::text(string)
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::binary(Bytes::copy_from_slice(data))
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::binary(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::binary(data)
    }
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_data()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_text() {
            Ok(text) => f.write_str(text),
            Err(_) => write!(f, "Binary Data<length={}>", self.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::coding::CloseCode;

    #[test]
    fn payloads_are_data_and_text() {
        let close = Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }));
        for (message, payload) in [
            (Message::from("text"), "text"),
            (Message::from("text".to_owned()), "text"),
            (Message::from(&b"bin"[..]), "bin"),
            (Message::from(b"bin".to_vec()), "bin"),
            (Message::Ping(Bytes::from_static(b"ping")), "ping"),
            (Message::Frame(Frame::pong("pong")), "pong"),
            (Message::Close(None), ""),
            (close, "bye"),
        ] {
            assert_eq!(message.to_text().unwrap(), payload);
            assert_eq!(message.to_string(), payload);
            assert_eq!(message.clone().into_text().unwrap(), payload);
            assert_eq!(message.into_data(), payload);
        }
        let binary = Message::binary(vec![0xFF; 5]);
        assert!(binary.to_text().is_err() && binary.clone().into_text().is_err());
        assert_eq!(binary.to_string(), "Binary Data<length=5>");
    }
}
