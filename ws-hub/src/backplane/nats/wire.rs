//! Messages of the server, and what they mean.
//!
//! The payload is raw, so that other programs can read and publish. What else belongs to a publication is its [`Tag`] and its
//! key. Without history, the tag is in the reply subject, where it costs the client library less than headers would; a key is in
//! a header. With history, both are in headers, because the reply subject is for the server's answer. A message without a tag
//! was published by another program: it is text if it is UTF-8.

use std::hash::{DefaultHasher, Hasher as _};

use async_nats::{HeaderMap, Message as Raw};
use bytes::Bytes;
use ws_session::{ByteString, Message, MessageKind};

use super::chain::Tag;
use super::subject;
use crate::backplane::Outgoing;
use crate::position::{Epoch, Position};
use crate::publication::Publication;
use crate::topic::Topic;

/// Reply subjects that are tags begin with this. Nobody listens there.
const TAG_REPLY: &str = "ws-hub.";
const TAG_HEADER: &str = "Ws-Hub";
const KEY_HEADER: &str = "Ws-Key";

/// The reply subject of a publication without history.
pub(super) fn reply(tag: &Tag) -> String {
    format!("{TAG_REPLY}{tag}")
}

/// Adds the tag of a publication with history.
pub(super) fn add_tag(headers: &mut HeaderMap, tag: &Tag) {
    headers.insert(TAG_HEADER, tag.to_string());
}

/// The headers of a publication, apart from its tag, if it needs any.
pub(super) fn headers(topic: &Topic, outgoing: &Outgoing) -> Option<HeaderMap> {
    let mut headers = None;
    if let Some(key) = &outgoing.key {
        headers.get_or_insert_with(HeaderMap::new).insert(KEY_HEADER, subject::encode(key));
    }
    if let Some(key) = outgoing.idempotency_key.as_ref().filter(|_| outgoing.history.is_some()) {
        // Without the topic, the same key on another topic of the stream would be a double. The dot is in neither of them.
        let id = format!("{}.{}", subject::encode(topic.as_str()), subject::encode(key));
        headers.get_or_insert_with(HeaderMap::new).insert(async_nats::header::NATS_MESSAGE_ID, id);
    }
    headers
}

/// The size of headers on the wire, in bytes.
pub(super) fn size(headers: &HeaderMap) -> usize {
    let lines = headers.iter().flat_map(|(name, values)| {
        let name = AsRef::<str>::as_ref(name).len();
        values.iter().map(move |value| name + ": ".len() + value.as_str().len() + "\r\n".len())
    });
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

/// A message that arrived on the subject of a topic.
pub(super) struct Arrived {
    pub(super) publication: Publication,
    pub(super) tag: Option<Tag>,
    pub(super) stored: Option<Stored>,
}

/// Where a stream has stored a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) position: Position,
    /// The sequence number of the one before it that was still there, or 0.
    pub(super) last: u64,
    pub(super) time: Option<Time>,
}

/// The time at which a stream has stored a message, hashed. A server that has lost the end of a stream gives the same sequence
/// numbers to other messages, at other times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(u64);

/// When a stream has stored a message.
pub(super) fn time(raw: &Raw) -> Option<Time> {
    let text = raw.headers.as_ref()?.get("Nats-Time-Stamp")?;
    let mut hasher = DefaultHasher::new();
    hasher.write(text.as_str().as_bytes());
    Some(Time(hasher.finish()))
}

pub(super) fn read(topic: &Topic, raw: Raw) -> Arrived {
    let header = |name: &str| raw.headers.as_ref().and_then(|headers| headers.get(name)).map(|value| value.as_str());
    let tag = match &raw.reply {
        // A gateway between clusters puts more before it.
        Some(reply) => reply.rfind(TAG_REPLY).and_then(|start| Tag::parse(&reply[start + TAG_REPLY.len()..])),
        None => header(TAG_HEADER).and_then(Tag::parse),
    };
    let key = header(KEY_HEADER).map(|key| ByteString::from(subject::decode(key)));
    let number = |name| header(name).and_then(|value| value.parse::<u64>().ok());
    let stored = header("Nats-Stream").and_then(subject::epoch_of).zip(number("Nats-Sequence"));
    let stored = stored.map(|(epoch, sequence)| Stored {
        position: Position::new(epoch, sequence),
        last: number("Nats-Last-Sequence").unwrap_or(0),
        time: time(&raw),
    });
    let mut publication = Publication::new(topic.clone(), message(raw.payload, tag.map(|tag| tag.kind)));
    publication.key = key;
    Arrived { publication, tag, stored }
}

/// Payloads up to this are copied, because a small part of the client library's read buffer would keep all of it.
const COPIED: usize = 16 << 10;

fn message(payload: Bytes, kind: Option<MessageKind>) -> Message {
    let payload = if payload.len() <= COPIED { Bytes::copy_from_slice(&payload) } else { payload };
    if kind == Some(MessageKind::Binary) {
        return Message::binary(payload);
    }
    match ByteString::try_from(payload.clone()) {
        Ok(text) => Message::text(text),
        Err(_) => Message::binary(payload),
    }
}

/// The answer of a stream to a publication.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is stored there.
    Stored(Position),
    /// Another one is the last of the subject: its sequence number, 0 if there is none.
    WrongLast(u64),
    /// The stream is not there any more. Nothing was stored.
    NoStream,
    /// Nothing was stored, for this reason.
    Refused(String),
    /// Something else was expected.
    Unclear,
}

const WRONG_LAST_SEQUENCE: u64 = 10071;
const NOT_THE_EXPECTED_STREAM: u64 = 10060;

pub(super) fn answer(raw: &Raw) -> Answer {
    if raw.status.is_some_and(|status| status.as_u16() == 503) {
        return Answer::NoStream;
    }
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&raw.payload) else { return Answer::Unclear };
    if let Some(error) = json.get("error") {
        let description = error["description"].as_str().unwrap_or("without a reason");
        return match error["err_code"].as_u64() {
            Some(WRONG_LAST_SEQUENCE) => {
                let last = description.rsplit(' ').next().and_then(|last| last.parse().ok());
                last.map_or(Answer::Unclear, Answer::WrongLast)
            }
            Some(NOT_THE_EXPECTED_STREAM) => Answer::NoStream,
            _ => Answer::Refused(description.to_owned()),
        };
    }
    let epoch: Option<Epoch> = json["stream"].as_str().and_then(subject::epoch_of);
    match epoch.zip(json["seq"].as_u64()) {
        Some((epoch, sequence)) => Answer::Stored(Position::new(epoch, sequence)),
        None => Answer::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(payload: &'static [u8]) -> Raw {
        Raw {
            subject: "s".into(),
            reply: None,
            payload: Bytes::from_static(payload),
            headers: None,
            status: None,
            description: None,
            length: payload.len(),
        }
    }

    fn topic() -> Topic {
        Topic::new("a").unwrap()
    }

    #[test]
    fn a_plain_message_is_text_if_it_is_utf8() {
        let arrived = read(&topic(), raw(b"Hello"));
        assert_eq!(arrived.publication.message, "Hello");
        assert!(arrived.tag.is_none() && arrived.stored.is_none() && arrived.publication.key.is_none());
        assert!(read(&topic(), raw(b"\xff")).publication.message.is_binary());
        assert!(read(&topic(), raw(b"")).publication.message.is_text());
    }

    #[test]
    fn the_kind_and_the_number_of_a_publication_are_in_its_reply_subject() {
        let tag = Tag { kind: MessageKind::Binary, publisher: 1, number: 2, pause: None };
        for before in ["", "_GR_.abcd.efgh."] {
            let mut message = raw(b"Hello");
            message.reply = Some(format!("{before}{}", reply(&tag)).into());
            let arrived = read(&topic(), message);
            assert_eq!(arrived.tag, Some(tag));
            assert_eq!(arrived.publication.message, Message::from(b"Hello"));
        }
        let mut request = raw(b"Hello");
        request.reply = Some("_INBOX.1.2".into());
        assert!(read(&topic(), request).tag.is_none());
    }

    #[test]
    fn text_that_is_no_utf8_is_binary_whatever_it_says() {
        let tag = Tag { kind: MessageKind::Text, publisher: 1, number: 1, pause: None };
        let mut message = raw(b"\xff");
        message.reply = Some(reply(&tag).into());
        assert!(read(&topic(), message).publication.message.is_binary());
    }

    #[test]
    fn a_stored_message_has_a_position_key_and_number() {
        let mut outgoing = Outgoing::new("x");
        outgoing.key = Some("line\r\nend: ü".into());
        outgoing.idempotency_key = Some("once".into());
        outgoing.history = Some(crate::options::History { size: 1, age: std::time::Duration::from_secs(1) });
        let mut headers = headers(&topic(), &outgoing).unwrap();
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), "a.once");
        let tag = Tag { kind: MessageKind::Text, publisher: 1, number: 2, pause: Some(3) };
        add_tag(&mut headers, &tag);
        headers.insert("Nats-Stream", "WS_HUB_1-1000_00000000000000ab");
        headers.insert("Nats-Sequence", "7");
        headers.insert("Nats-Last-Sequence", "5");
        headers.insert("Nats-Time-Stamp", "2026-12-01T04:00:00.000000001Z");
        let mut message = raw(b"x");
        message.headers = Some(headers);
        let arrived = read(&topic(), message);
        assert_eq!(arrived.publication.key.as_deref(), Some("line\r\nend: ü"));
        assert_eq!(arrived.tag, Some(tag));
        let stored = arrived.stored.unwrap();
        assert_eq!((stored.position, stored.last), (Position::new(Epoch(0xab), 7), 5));
        let mut other = raw(b"x");
        assert_eq!(time(&other), None);
        let headers = other.headers.insert(HeaderMap::new());
        headers.insert("Nats-Time-Stamp", "2026-12-01T04:00:00.000000001Z");
        assert_eq!(time(&other), stored.time);
        other.headers.as_mut().unwrap().insert("Nats-Time-Stamp", "2026-12-01T04:00:00.000000002Z");
        assert!(stored.time.is_some() && time(&other) != stored.time);
    }

    #[test]
    fn an_idempotency_key_names_its_topic_too() {
        let id = |name: &str, key: &'static str| {
            let mut outgoing = Outgoing::new("x");
            outgoing.idempotency_key = Some(key.into());
            outgoing.history = Some(crate::options::History { size: 1, age: std::time::Duration::from_secs(1) });
            let headers = headers(&Topic::new(name).unwrap(), &outgoing).unwrap();
            headers.get("Nats-Msg-Id").unwrap().to_string()
        };
        assert_ne!(id("a", "b.c"), id("a.b", "c"));
        assert_ne!(id("a", "k"), id("b", "k"));
    }

    #[test]
    fn answers_are_read() {
        let stored = br#"{"stream":"WS_HUB_1-1000_00000000000000ab","seq":3}"#;
        assert_eq!(answer(&raw(stored)), Answer::Stored(Position::new(Epoch(0xab), 3)));
        let wrong =
            br#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 6"},"stream":"X","seq":0}"#;
        assert_eq!(answer(&raw(wrong)), Answer::WrongLast(6));
        let full = br#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"seq":0}"#;
        assert_eq!(answer(&raw(full)), Answer::Refused("maximum messages exceeded".to_owned()));
        for unclear in [&b""[..], b"{}", b"[]", br#"{"stream":"ORDERS","seq":1}"#, br#"{"error":{"err_code":10071}}"#] {
            assert_eq!(answer(&raw(unclear)), Answer::Unclear);
        }
        let mut gone = raw(b"");
        gone.status = Some(async_nats::StatusCode::NO_RESPONDERS);
        assert_eq!(answer(&gone), Answer::NoStream);
    }
}
