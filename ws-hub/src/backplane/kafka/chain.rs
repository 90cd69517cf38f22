//! [`Chain`]: what an instance has read of a partition, and the order that it makes of it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use rskafka::record::RecordAndOffset;

use super::record::{self, Seen, Stamp};
use crate::position::{Epoch, Position};
use crate::publication::Publication;
use crate::topic::Topic;

/// Reads a partition from a place on, without leaving out a record. It does no I/O.
///
/// A record does not name the one before it of its topic. A reader of all records since a place knows that one.
#[derive(Default)]
pub(super) struct Chain {
    topics: HashMap<Topic, Place>,
    known: Option<Known>,
    /// Offsets below this one were passed over, because they have no records.
    passed: i64,
    /// Stamps of other streams that were found not to hold.
    void: VecDeque<Stamp>,
}

/// The place of a topic: after its last publication, or where it was subscribed.
#[derive(Clone, Copy)]
struct Place {
    offset: u64,
    has_history: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) stamp: Stamp,
    /// The last record that was read.
    pub(super) seen: Seen,
}

/// What a record is.
#[derive(Debug)]
pub(super) enum Taken {
    /// A publication on a topic that is subscribed.
    Publication(Arc<Publication>),
    /// Nothing for this instance.
    Nothing,
    /// A record that names another stream: it was not taken. [`Chain::void`] or [`Chain::begin`] is called, and it is offered
    /// again.
    Doubt(Stamp),
}

/// Void stamps that are kept: one for each publisher that has not yet read a new marker.
const VOID: usize = 64;

impl Chain {
    pub(super) fn known(&self) -> Option<Known> {
        self.known
    }

    /// Reading begins, or goes on, after this record, in this stream.
    pub(super) fn begin(&mut self, stamp: Stamp, seen: Seen) {
        self.known = Some(Known { stamp, seen });
        self.passed = 0;
        self.void.clear();
        let offset = record::place(stamp.epoch, seen.offset).offset;
        self.topics.values_mut().for_each(|place| place.offset = offset);
    }

    /// The stamp does not hold in this log.
    pub(super) fn void(&mut self, stamp: Stamp) {
        self.void.truncate(VOID - 1);
        self.void.push_front(stamp);
    }

    /// A topic is subscribed.
    pub(super) fn attach(&mut self, topic: Topic, has_history: bool) {
        let offset = self.known.map_or(0, |known| record::place(known.stamp.epoch, known.seen.offset).offset);
        self.topics.entry(topic).or_insert(Place { offset, has_history }).has_history = has_history;
    }

    pub(super) fn detach(&mut self, topic: &str) -> bool {
        self.topics.remove(topic).is_some()
    }

    /// The place after which publications of the topic arrive.
    pub(super) fn place(&self, topic: &str) -> Option<Position> {
        let (known, place) = (self.known?, self.topics.get(topic)?);
        Some(Position::new(known.stamp.epoch, place.offset))
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        self.topics.keys().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// The offset to read next.
    pub(super) fn next(&self) -> i64 {
        self.known.map_or(0, |known| known.seen.offset + 1).max(self.passed)
    }

    /// An offset has no record.
    pub(super) fn pass(&mut self, offset: i64) {
        self.passed = offset + 1;
    }

    /// Takes the next record. A hole before it is for the caller to see: [`next`](Self::next).
    pub(super) fn take(&mut self, record: &mut Option<RecordAndOffset>) -> Taken {
        let (Some(read), Some(known)) = (record.as_ref(), self.known) else { return Taken::Nothing };
        if read.offset <= known.seen.offset {
            return Taken::Nothing;
        }
        let seen = Seen::new(read);
        if let Some(epoch) = record::marked(read) {
            let stamp = Stamp { epoch, marker: read.offset };
            if epoch == known.stamp.epoch {
                self.known = Some(Known { stamp: known.stamp, seen });
            } else {
                self.begin(stamp, seen);
            }
            return Taken::Nothing;
        }
        if let Some(stamp) = Stamp::of(read)
            && stamp.epoch != known.stamp.epoch
            && !self.void.contains(&stamp)
        {
            return Taken::Doubt(stamp);
        }
        self.known = Some(Known { stamp: known.stamp, seen });
        let Some((topic, _)) = record::topic(read).and_then(|topic| self.topics.get_key_value(topic)) else {
            return Taken::Nothing;
        };
        let topic = topic.clone();
        let Some(read) = record.take() else { return Taken::Nothing };
        self.publication(topic, read, known.stamp.epoch)
    }

    fn publication(&mut self, topic: Topic, read: RecordAndOffset, epoch: Epoch) -> Taken {
        let Some(place) = self.topics.get_mut(&topic) else { return Taken::Nothing };
        let previous = std::mem::replace(&mut place.offset, record::place(epoch, read.offset).offset);
        Taken::Publication(record::publication(topic, read, epoch, place.has_history.then_some(previous)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::at;
    use super::*;
    use crate::backplane::Outgoing;

    const STAMP: Stamp = Stamp { epoch: Epoch(1), marker: 2 };

    fn topic(name: &str) -> Topic {
        Topic::new(name.to_owned()).unwrap()
    }

    fn record(offset: i64, name: &str, stamp: Stamp) -> Option<RecordAndOffset> {
        Some(at(offset, record::encode(&topic(name), &Outgoing::new("x"), stamp, format!("1:{offset}"))))
    }

    fn marker(offset: i64, epoch: u64) -> Option<RecordAndOffset> {
        Some(at(offset, record::marker(Epoch(epoch))))
    }

    fn chain() -> Chain {
        let mut chain = Chain::default();
        chain.begin(STAMP, Seen::new(&marker(2, 1).unwrap()));
        chain.attach(topic("a"), true);
        chain.attach(topic("b"), true);
        chain
    }

    fn publication(chain: &mut Chain, mut record: Option<RecordAndOffset>) -> (Option<Position>, u64) {
        match chain.take(&mut record) {
            Taken::Publication(publication) => (publication.position, publication.previous),
            other => panic!("{other:?}"),
        }
    }

    fn position(offset: u64) -> Option<Position> {
        Some(Position::new(Epoch(1), offset))
    }

    #[test]
    fn each_topic_has_its_own_chain_through_the_partition() {
        let mut chain = chain();
        assert_eq!(chain.place("a"), position(3));
        assert_eq!(publication(&mut chain, record(3, "a", STAMP)), (position(4), 3));
        assert_eq!(publication(&mut chain, record(4, "b", STAMP)), (position(5), 3));
        assert!(matches!(chain.take(&mut record(5, "c", STAMP)), Taken::Nothing));
        assert_eq!(publication(&mut chain, record(6, "a", STAMP)), (position(7), 4));
        chain.attach(topic("c"), true);
        assert_eq!(chain.place("c"), position(7));
        assert_eq!(publication(&mut chain, record(7, "c", STAMP)), (position(8), 7));
        assert!(chain.detach("a") && !chain.detach("a"));
        assert!(matches!(chain.take(&mut record(8, "a", STAMP)), Taken::Nothing));
        assert_eq!(chain.next(), 9);
    }

    #[test]
    fn a_record_that_was_read_is_not_taken_again() {
        let mut chain = chain();
        publication(&mut chain, record(3, "a", STAMP));
        assert!(matches!(chain.take(&mut record(3, "a", STAMP)), Taken::Nothing));
        assert_eq!(publication(&mut chain, record(4, "a", STAMP)), (position(5), 4));
    }

    #[test]
    fn without_history_there_is_no_position() {
        let mut chain = chain();
        chain.attach(topic("a"), false);
        assert_eq!(publication(&mut chain, record(3, "a", STAMP)).0, None);
    }

    #[test]
    fn a_marker_begins_another_epoch() {
        let mut chain = chain();
        publication(&mut chain, record(3, "a", STAMP));
        assert!(matches!(chain.take(&mut marker(4, 9)), Taken::Nothing));
        assert_eq!(chain.known().unwrap().stamp, Stamp { epoch: Epoch(9), marker: 4 });
        let later = Stamp { epoch: Epoch(9), marker: 4 };
        assert_eq!(publication(&mut chain, record(5, "a", later)), (Some(Position::new(Epoch(9), 6)), 5));
        // One that was published by somebody who had not read it: in doubt, once.
        let Taken::Doubt(stamp) = chain.take(&mut record(6, "a", STAMP)) else { panic!("no doubt") };
        chain.void(stamp);
        assert_eq!(publication(&mut chain, record(6, "a", STAMP)), (Some(Position::new(Epoch(9), 7)), 6));
        assert_eq!(publication(&mut chain, record(7, "a", STAMP)), (Some(Position::new(Epoch(9), 8)), 7));
    }

    #[test]
    fn void_stamps_are_bounded() {
        let mut chain = chain();
        for epoch in 10..1000 {
            chain.void(Stamp { epoch: Epoch(epoch), marker: 1 });
        }
        assert_eq!(chain.void.len(), VOID);
        assert_eq!(chain.void[0].epoch, Epoch(999));
    }

    #[test]
    fn what_is_foreign_or_broken_is_passed_over() {
        let mut chain = chain();
        for (offset, key, value) in
            [(3, None, Some(vec![1])), (4, Some(vec![0xff]), Some(vec![])), (5, Some(b"a".to_vec()), None)]
        {
            let mut foreign = record(offset, "a", STAMP);
            let inner = &mut foreign.as_mut().unwrap().record;
            (inner.key, inner.value) = (key, value);
            inner.headers.clear();
            assert!(matches!(chain.take(&mut foreign), Taken::Nothing), "{offset}");
        }
        let mut foreign = record(6, "a", STAMP);
        foreign.as_mut().unwrap().record.headers.clear();
        assert_eq!(publication(&mut chain, foreign), (position(7), 3));
    }
}
