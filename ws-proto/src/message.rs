//! Messages: owned ones, which can be passed between tasks, and received ones, which may borrow from the read buffer.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::frame::OpCode;

/// A whole message. Cloning shares the payload.
///
/// Text messages are converted from `&str`, `String`, `Cow<str>` and `char`, binary ones from `Vec<u8>`, `&[u8]`, arrays of
/// bytes and [`Bytes`]. A text message can be compared with strings: `message == "Hello"`. A binary message equals no string.
///
/// `Display` writes a text message unchanged, including control characters from the peer, and the length of a binary message.
/// For a log, use `Debug`, which escapes line ends and control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, always valid UTF-8.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<ByteString>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message. Use [`From`] to copy borrowed bytes: `Message::from(&bytes)`.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text of a text message.
    #[doc(alias = "to_text", alias = "as_str", alias = "into_text")]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload, without a copy.
    #[doc(alias = "into_data")]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Whether it is a text message.
    pub fn is_text(&self) -> bool {
        self.kind() == MessageKind::Text
    }

    /// Whether it is a binary message.
    pub fn is_binary(&self) -> bool {
        self.kind() == MessageKind::Binary
    }

    /// The kind: text or binary.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload's length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.pad(text),
            Self::Binary(bytes) => write!(f, "[{} bytes]", bytes.len()),
        }
    }
}

impl PartialEq<str> for Message {
    fn eq(&self, text: &str) -> bool {
        self.as_text() == Some(text)
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl PartialEq<String> for Message {
    fn eq(&self, text: &String) -> bool {
        *self == **text
    }
}

impl PartialEq<Message> for str {
    fn eq(&self, message: &Message) -> bool {
        message == self
    }
}

impl PartialEq<Message> for &str {
    fn eq(&self, message: &Message) -> bool {
        message == *self
    }
}

impl PartialEq<Message> for String {
    fn eq(&self, message: &Message) -> bool {
        message == self
    }
}

impl From<&Message> for Message {
    /// Shares the payload.
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Cow<'_, str>> for Message {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::from(text),
            Cow::Owned(text) => Self::from(text),
        }
    }
}

impl From<char> for Message {
    fn from(character: char) -> Self {
        Self::from(&*character.encode_utf8(&mut [0; 4]))
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<ByteString> for Message {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<const N: usize> From<[u8; N]> for Message {
    fn from(bytes: [u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&Vec<u8>> for Message {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

/// The two kinds of message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Valid UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    /// The opcode of a message's first frame.
    #[inline]
    pub(crate) const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

/// A received message.
///
/// A message that arrived in a single frame within one read borrows from the read buffer. A message that was assembled from
/// pieces is owned, and becomes a [`Message`] without a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'i> {
    /// Text, checked to be UTF-8.
    Text(Cow<'i, str>),
    /// Bytes.
    Binary(Cow<'i, [u8]>),
}

impl Incoming<'_> {
    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text of a text message.
    #[doc(alias = "to_text", alias = "as_str")]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Whether it is a text message.
    pub fn is_text(&self) -> bool {
        self.kind() == MessageKind::Text
    }

    /// Whether it is a binary message.
    pub fn is_binary(&self) -> bool {
        self.kind() == MessageKind::Binary
    }

    /// The kind: text or binary.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// The payload's length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Converts into an owned message. A borrowed payload is copied, and an owned one is moved.
    pub fn into_message(self) -> Message {
        match self {
            Self::Text(Cow::Borrowed(text)) => Message::from(text),
            Self::Text(Cow::Owned(text)) => Message::from(text),
            Self::Binary(Cow::Borrowed(bytes)) => Message::from(bytes),
            Self::Binary(Cow::Owned(bytes)) => Message::from(bytes),
        }
    }
}

impl From<Incoming<'_>> for Message {
    fn from(incoming: Incoming<'_>) -> Self {
        incoming.into_message()
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    #[test]
    fn text_prints_and_compares_as_the_text_it_is() {
        let message = Message::from("Hello\n");
        assert_eq!(message.to_string(), "Hello\n");
        assert_eq!(format!("{:>8}|", Message::from("Hello")), "   Hello|");
        assert_eq!(message, "Hello\n");
        assert_eq!("Hello\n", message);
        assert_eq!(message, *"Hello\n");
        assert_eq!(*"Hello\n", message);
        assert_eq!(message, "Hello\n".to_owned());
        assert_eq!("Hello\n".to_owned(), message);
        assert_ne!(message, "hello");
    }

    #[test]
    fn an_incoming_message_is_typed_without_a_copy() {
        for (incoming, text) in [
            (Incoming::Text(Cow::Borrowed("Hello")), Some("Hello")),
            (Incoming::Text(Cow::Owned("Hello".to_owned())), Some("Hello")),
            (Incoming::Binary(Cow::Borrowed(b"Hello")), None),
        ] {
            assert_eq!((incoming.as_text(), incoming.len(), incoming.is_empty()), (text, 5, false));
            assert_eq!((incoming.is_text(), incoming.is_binary()), (text.is_some(), text.is_none()));
            assert_eq!(incoming.kind(), incoming.clone().into_message().kind());
        }
        assert!(Incoming::Text(Cow::Borrowed("")).is_empty());
    }

    #[test]
    fn messages_are_made_by_kind() {
        assert_eq!(Message::text("Hello"), Message::Text("Hello".into()));
        assert_eq!(Message::text("Hello".to_owned()), "Hello");
        assert_eq!(Message::binary(vec![1, 2]), Message::Binary(Bytes::from_static(&[1, 2])));
        assert_eq!(Message::binary("Hello").kind(), MessageKind::Binary);
    }

    #[test]
    fn binary_prints_its_length_and_equals_no_string() {
        let message = Message::from(b"Hello");
        assert_eq!(message.to_string(), "[5 bytes]");
        assert_ne!(message, "Hello");
        assert_ne!("Hello", message);
    }

    #[test]
    fn values_convert_into_messages() {
        let text = "é".to_owned();
        for message in [
            Message::from("é"),
            Message::from(&text),
            Message::from(text.clone()),
            Message::from(Cow::Borrowed("é")),
            Message::from(Cow::<str>::Owned(text)),
            Message::from('é'),
            Message::from(&Message::from("é")),
        ] {
            assert_eq!(message, "é");
        }
        for message in [Message::from([1, 2]), Message::from(&[1, 2]), Message::from(&vec![1, 2]), vec![1, 2].into()] {
            assert_eq!(message, Message::Binary(Bytes::from_static(&[1, 2])));
        }
    }
}
