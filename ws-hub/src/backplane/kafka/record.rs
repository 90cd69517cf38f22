//! Publications as records of Kafka, and the stamps on them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rskafka::chrono::{DateTime, Utc};
use rskafka::record::{Record, RecordAndOffset};
use ws_session::{ByteString, Message};

use crate::backplane::Outgoing;
use crate::position::{Epoch, Position};
use crate::publication::Publication;
use crate::topic::Topic;

/// On each record of a hub: a [`Stamp`]. On a marker: only its epoch.
const STREAM: &str = "ws-hub-stream";
/// `text` or `binary`. A record of another program that has none is text if it is valid UTF-8.
const KIND: &str = "ws-hub-kind";
/// [`Publication::key`].
const KEY: &str = "ws-hub-key";
/// The link that published it, in 16 hexadecimal digits, a colon, and a number. Each publication has another one.
const ID: &str = "ws-hub-id";

/// The stream of a partition: its epoch, and the offset of the record that began it, which is called its marker.
///
/// The marker is what tells one log from another one at the same offsets. A publisher stamps each record with the stream that it
/// knows. So the last records of a partition tell its stream, long after the marker itself is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) epoch: Epoch,
    pub(super) marker: i64,
}

impl Stamp {
    /// The stream that a record names, or begins.
    pub(super) fn of(record: &RecordAndOffset) -> Option<Self> {
        if let Some(epoch) = marked(record) {
            return Some(Self { epoch, marker: record.offset });
        }
        let (epoch, marker) = record.record.headers.get(STREAM)?.split_at_checked(8)?;
        let (epoch, marker) = (u64::from_be_bytes(epoch.try_into().ok()?), i64::from_be_bytes(marker.try_into().ok()?));
        // A marker lies before all records of its stream.
        (0..record.offset).contains(&marker).then_some(Self { epoch: Epoch(epoch), marker })
    }

    fn to_bytes(self) -> Vec<u8> {
        [self.epoch.0.to_be_bytes(), self.marker.to_be_bytes()].concat()
    }
}

/// The epoch that begins with this record, if it is a marker.
pub(super) fn marked(record: &RecordAndOffset) -> Option<Epoch> {
    let epoch = record.record.headers.get(STREAM)?.as_slice().try_into().ok()?;
    record.record.key.is_none().then(|| Epoch(u64::from_be_bytes(epoch)))
}

/// The record with which an epoch begins.
pub(super) fn marker(epoch: Epoch) -> Record {
    let headers = BTreeMap::from([(STREAM.to_owned(), epoch.0.to_be_bytes().to_vec())]);
    Record { key: None, value: Some(Vec::new()), headers, timestamp: time(SystemTime::now()) }
}

pub(super) fn encode(topic: &Topic, outgoing: &Outgoing, stamp: Stamp, id: String) -> Record {
    let kind: &[u8] = if outgoing.message.is_text() { b"text" } else { b"binary" };
    let mut headers = BTreeMap::from([
        (STREAM.to_owned(), stamp.to_bytes()),
        (KIND.to_owned(), kind.to_vec()),
        (ID.to_owned(), id.into_bytes()),
    ]);
    if let Some(key) = &outgoing.key {
        headers.insert(KEY.to_owned(), key.as_bytes().to_vec());
    }
    Record {
        key: Some(topic.as_str().as_bytes().to_vec()),
        value: Some(outgoing.message.as_bytes().to_vec()),
        headers,
        timestamp: time(SystemTime::now()),
    }
}

/// A time as records have it, in milliseconds.
pub(super) fn time(time: SystemTime) -> DateTime<Utc> {
    let ms = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    DateTime::from_timestamp_millis(i64::try_from(ms).unwrap_or(i64::MAX)).unwrap_or_default()
}

/// The topic of a record, as its key names it.
pub(super) fn topic(record: &RecordAndOffset) -> Option<&str> {
    // A record without a value deletes its key, in a log that is compacted.
    record.record.value.as_ref()?;
    std::str::from_utf8(record.record.key.as_ref()?).ok()
}

/// The publication that a record is, without its place.
pub(super) fn decode(topic: Topic, record: Record) -> Publication {
    let value = bytes::Bytes::from(record.value.unwrap_or_default());
    let is_binary = record.headers.get(KIND).is_some_and(|kind| kind == b"binary");
    let message = match ByteString::try_from(value.clone()) {
        Ok(text) if !is_binary => Message::text(text),
        _ => Message::binary(value),
    };
    let mut publication = Publication::new(topic, message);
    publication.key = record.headers.get(KEY).and_then(|key| std::str::from_utf8(key).ok()).map(ByteString::from);
    publication
}

/// The place after an offset of the partition.
pub(super) fn place(epoch: Epoch, offset: i64) -> Position {
    Position::new(epoch, offset.saturating_add(1).unsigned_abs())
}

/// The publication that a record is, whose topic's previous one ends at `previous`.
pub(super) fn publication(
    topic: Topic,
    record: RecordAndOffset,
    epoch: Epoch,
    previous: Option<u64>,
) -> Arc<Publication> {
    let own = place(epoch, record.offset);
    let publication = decode(topic, record.record);
    Arc::new(match previous {
        Some(previous) => publication.at_shared(own, previous),
        None => publication,
    })
}

/// A record that was read: enough to know it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) offset: i64,
    hash: u64,
}

impl Seen {
    pub(super) fn new(record: &RecordAndOffset) -> Self {
        let mut hasher = DefaultHasher::new();
        let Record { key, value, headers, timestamp } = &record.record;
        (key, value, headers, timestamp.timestamp_millis()).hash(&mut hasher);
        Self { offset: record.offset, hash: hasher.finish() }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn at(offset: i64, record: Record) -> RecordAndOffset {
        RecordAndOffset { record, offset }
    }

    fn outgoing(message: impl Into<Message>) -> Outgoing {
        Outgoing::new(message)
    }

    #[test]
    fn a_publication_is_the_same_after_its_way_through_a_record() {
        let topic = Topic::new("a..b/ü \0").unwrap();
        let stamp = Stamp { epoch: Epoch(7), marker: 3 };
        for message in
            [Message::text("grüße"), Message::binary(&b"text"[..]), Message::text(""), Message::binary(&[0xff][..])]
        {
            let mut out = outgoing(message.clone());
            out.key = Some("k".into());
            let record = at(9, encode(&topic, &out, stamp, "1:1".to_owned()));
            assert_eq!(Stamp::of(&record), Some(stamp));
            assert_eq!(super::topic(&record), Some(topic.as_str()));
            let publication = publication(topic.clone(), record, Epoch(7), Some(4));
            assert_eq!(publication.message, message);
            assert_eq!(publication.key.as_deref(), Some("k"));
            assert_eq!(publication.position, Some(Position::new(Epoch(7), 10)));
            assert_eq!(publication.previous, 4);
        }
    }

    #[test]
    fn records_of_other_programs_are_text_if_they_can_be() {
        for (value, is_text) in [(&b"hello"[..], true), (&[0xff, 0xfe], false)] {
            let record = Record {
                key: Some(b"chat".to_vec()),
                value: Some(value.to_vec()),
                headers: BTreeMap::new(),
                timestamp: time(SystemTime::now()),
            };
            assert_eq!(decode(Topic::new("chat").unwrap(), record).message.is_text(), is_text);
        }
    }

    #[test]
    fn what_lies_about_its_stream_has_no_stamp() {
        let topic = Topic::new("a").unwrap();
        // Its marker would lie after it.
        let late = at(3, encode(&topic, &outgoing("x"), Stamp { epoch: Epoch(1), marker: 3 }, "1:1".to_owned()));
        assert_eq!(Stamp::of(&late), None);
        for bytes in [&[][..], &[1; 7], &[1; 9], &[1; 15], &[1; 17], &[0xff; 16]] {
            let mut record = encode(&topic, &outgoing("x"), Stamp { epoch: Epoch(1), marker: 0 }, "1:1".to_owned());
            record.headers.insert(STREAM.to_owned(), bytes.to_vec());
            assert_eq!(Stamp::of(&at(5, record)), None, "{bytes:?}");
        }
        // A marker is no publication, and a publication no marker.
        let begin = at(4, marker(Epoch(9)));
        assert_eq!((marked(&begin), super::topic(&begin)), (Some(Epoch(9)), None));
        assert_eq!(Stamp::of(&begin), Some(Stamp { epoch: Epoch(9), marker: 4 }));
        let mut record = marker(Epoch(9));
        record.key = Some(b"a".to_vec());
        assert_eq!(marked(&at(4, record)), None);
    }

    #[test]
    fn another_record_at_the_same_offset_is_known() {
        let (topic, stamp) = (Topic::new("a").unwrap(), Stamp { epoch: Epoch(1), marker: 0 });
        let record = encode(&topic, &outgoing("x"), stamp, "1:1".to_owned());
        let seen = Seen::new(&at(5, record.clone()));
        assert_eq!(seen, Seen::new(&at(5, record.clone())));
        let mut later = record.clone();
        later.timestamp = time(SystemTime::now() + std::time::Duration::from_secs(1));
        for other in [at(6, record), at(5, later), at(5, encode(&topic, &outgoing("y"), stamp, "1:1".to_owned()))] {
            assert_ne!(seen, Seen::new(&other));
        }
    }
}
