//! Reading the history of a topic: a partition, filtered.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rskafka::record::RecordAndOffset;

use super::failure::Failure;
use super::log::{CHUNK, Log};
use super::record::{self, Stamp, place};
use crate::backplane::{HistoryError, Page};
use crate::options::History;
use crate::position::Position;
use crate::publication::{Publication, Unrecoverable};
use crate::topic::Topic;

/// Bytes of a partition that are read for one page, about. What is left is read for the next one.
const SCAN: usize = 8 * CHUNK as usize;
/// Bytes of the last publications, about, unless it is one. The hub recovers no more.
const LATEST: usize = 16 << 20;
/// Records of a partition that are searched for the last publications of a topic.
const SEARCH: i64 = 50_000;

/// Reads publications of a topic after a position.
pub(super) async fn since(
    log: &impl Log,
    stamp: Stamp,
    topic: &Topic,
    since: Position,
    limit: usize,
) -> Result<Page, HistoryError> {
    let offsets = log.offsets().await.map_err(unavailable)?;
    let top = Position::new(stamp.epoch, offsets.end.unsigned_abs());
    let fail = |reason| HistoryError::Unrecoverable { reason, top: Some(top) };
    let first = match since.offset.checked_sub(1).map(i64::try_from) {
        _ if since.epoch != stamp.epoch => return Err(fail(Unrecoverable::Epoch { current: Some(stamp.epoch) })),
        None => return Err(fail(Unrecoverable::Expired)),
        Some(Ok(first)) if first < offsets.end => first,
        Some(_) => return Err(fail(Unrecoverable::Unknown)),
    };
    if first < stamp.marker {
        return Err(fail(Unrecoverable::Epoch { current: Some(stamp.epoch) }));
    }
    if first < offsets.start {
        return Err(fail(Unrecoverable::Expired));
    }
    // The record at the position comes first.
    let mut scan = Scan { stamp, topic, next: first, previous: since.offset, publications: Vec::new() };
    let mut scanned = 0;
    while scan.next < offsets.end && scan.publications.len() < limit && scanned < SCAN {
        let (records, _) = match log.read(scan.next, Duration::ZERO).await {
            Ok(read) => read,
            // Deleted meanwhile.
            Err(Failure::OutOfRange) => return Err(fail(Unrecoverable::Expired)),
            Err(failure) => return Err(unavailable(failure)),
        };
        // An offset without a record: what was there cannot be known.
        if records.first().is_none_or(|record| record.offset != scan.next) {
            return Err(fail(Unrecoverable::Expired));
        }
        for record in records {
            scanned += record.record.approximate_size();
            // The first one was seen.
            let is_seen = record.offset == first;
            if scan.publications.len() < limit {
                scan.take(record, is_seen).map_err(fail)?;
            }
        }
    }
    let until = Position::new(stamp.epoch, scan.next.unsigned_abs());
    Ok(Page::new(since, scan.publications, scan.next >= offsets.end).until(until))
}

struct Scan<'a> {
    stamp: Stamp,
    topic: &'a Topic,
    next: i64,
    previous: u64,
    publications: Vec<Arc<Publication>>,
}

impl Scan<'_> {
    fn take(&mut self, record: RecordAndOffset, is_seen: bool) -> Result<(), Unrecoverable> {
        if record.offset != self.next {
            return Err(Unrecoverable::Expired);
        }
        self.next = record.offset + 1;
        if let Some(epoch) = record::marked(&record)
            && epoch != self.stamp.epoch
        {
            return Err(Unrecoverable::Epoch { current: Some(epoch) });
        }
        if !is_seen && record::topic(&record) == Some(self.topic.as_str()) {
            let own = place(self.stamp.epoch, record.offset).offset;
            let publication = record::publication(self.topic.clone(), record, self.stamp.epoch, Some(self.previous));
            self.previous = own;
            self.publications.push(publication);
        }
        Ok(())
    }
}

/// Reads the last publications of a topic, backwards in steps that grow.
pub(super) async fn latest(
    log: &impl Log,
    stamp: Stamp,
    topic: &Topic,
    history: &History,
    limit: usize,
) -> Result<Page, HistoryError> {
    let offsets = log.offsets().await.map_err(unavailable)?;
    let limit = limit.min(history.size);
    let end = Position::new(stamp.epoch, offsets.end.unsigned_abs());
    // Older publications are of another stream.
    let start = offsets.start.max(stamp.marker).max(offsets.end - SEARCH);
    let (mut upper, mut window) = (offsets.end, 64.max(i64::try_from(limit).unwrap_or(SEARCH).min(SEARCH) * 2));
    let mut found: Vec<RecordAndOffset> = Vec::new();
    let mut room = Room { records: limit, bytes: LATEST };
    while upper > start && room.records > 0 {
        let lower = start.max(upper.saturating_sub(window));
        let mut earlier = of_topic(log, lower..upper, topic, &mut room).await.map_err(unavailable)?;
        earlier.append(&mut found);
        (found, upper, window) = (earlier, lower, window.saturating_mul(4));
    }
    // From the first one that is not too old. Clocks of publishers differ, so an older one may come after it.
    let oldest = SystemTime::now().checked_sub(history.age).map_or(record::time(UNIX_EPOCH), record::time);
    let old = found.iter().position(|record| record.record.timestamp >= oldest).unwrap_or(found.len());
    found.drain(..old);
    let since = found.first().map_or(end, |first| Position::new(stamp.epoch, first.offset.unsigned_abs()));
    let mut previous = since.offset;
    let publications = found.into_iter().map(|record| {
        let own = place(stamp.epoch, record.offset).offset;
        record::publication(topic.clone(), record, stamp.epoch, Some(std::mem::replace(&mut previous, own)))
    });
    Ok(Page::new(since, publications.collect(), true).until(end))
}

/// What may still be taken.
struct Room {
    records: usize,
    bytes: usize,
}

/// The last records of a topic between two offsets, as many as there is room for. If some are left out, there is none any more.
async fn of_topic(
    log: &impl Log,
    range: Range<i64>,
    topic: &Topic,
    room: &mut Room,
) -> Result<Vec<RecordAndOffset>, Failure> {
    let (mut next, mut all, mut bytes) = (range.start, VecDeque::new(), 0);
    let mut is_full = false;
    while next < range.end {
        let (records, _) = log.read(next, Duration::ZERO).await?;
        next = records.last().map_or(next, |last| last.offset.max(next)).saturating_add(1);
        let is_own =
            |record: &RecordAndOffset| record.offset < range.end && record::topic(record) == Some(topic.as_str());
        for record in records.into_iter().filter(is_own) {
            bytes += record.record.approximate_size();
            all.push_back(record);
            while all.len() > room.records || bytes > room.bytes && (all.len() > 1 || room.bytes < LATEST) {
                let Some(first) = all.pop_front() else { break };
                bytes -= first.record.approximate_size();
                is_full = true;
            }
        }
    }
    room.records = if is_full { 0 } else { room.records - all.len() };
    room.bytes = room.bytes.saturating_sub(bytes);
    Ok(all.into())
}

fn unavailable(failure: Failure) -> HistoryError {
    tracing::debug!(target: super::TARGET, "history cannot be read: {failure}");
    HistoryError::Unavailable
}

#[cfg(test)]
mod tests {
    use super::super::log::fake::Fake;
    use super::super::record::{encode, marker};
    use super::*;
    use crate::backplane::Outgoing;
    use crate::position::Epoch;

    const STAMP: Stamp = Stamp { epoch: Epoch(1), marker: 0 };

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name.to_owned()).unwrap()
    }

    fn publish(log: &Fake, name: &str, text: impl ToString) {
        let id = format!("1:{}", log.records.lock().unwrap().len());
        log.push(encode(&topic(name), &Outgoing::new(text.to_string()), STAMP, id));
    }

    /// A marker, and then records of two topics in turn: `a` at the odd offsets.
    fn log(records: usize) -> Fake {
        let log = Fake::new();
        log.push(marker(STAMP.epoch));
        for index in 1..=records {
            publish(&log, if index % 2 == 1 { "a" } else { "b" }, index);
        }
        log
    }

    fn read(log: &Fake, offset: u64, limit: usize) -> Result<Page, HistoryError> {
        run(since(log, STAMP, &topic("a"), Position::new(STAMP.epoch, offset), limit))
    }

    fn reason(result: Result<Page, HistoryError>) -> Unrecoverable {
        match result {
            Err(HistoryError::Unrecoverable { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Offset and previous of each.
    fn chain(page: &Page) -> Vec<(u64, u64)> {
        let places = page.publications.iter();
        places.map(|publication| (publication.position.unwrap().offset, publication.previous)).collect()
    }

    const HISTORY: History = History { size: 100, age: Duration::from_secs(60) };

    #[test]
    fn everything_after_any_place_is_read() {
        let log = log(30);
        for offset in 1..=31 {
            let page = read(&log, offset, 1000).unwrap();
            // The record at offset n ends at place n + 1.
            let expected: Vec<_> = (offset..=30).filter(|record| record % 2 == 1).map(|record| record + 1).collect();
            assert_eq!(chain(&page).iter().map(|(own, _)| *own).collect::<Vec<_>>(), expected, "{offset}");
            let mut last = offset;
            for (own, previous) in chain(&page) {
                assert_eq!(previous, last);
                last = own;
            }
            assert!(page.is_complete);
            assert_eq!(page.until, Some(Position::new(STAMP.epoch, 31)));
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let log = log(100);
        let (mut offset, mut all) = (1, Vec::new());
        loop {
            let page = read(&log, offset, 3).unwrap();
            all.extend(chain(&page));
            offset = page.until.unwrap().offset;
            if page.is_complete {
                break;
            }
            assert_eq!(page.publications.len(), 3);
        }
        assert_eq!(all.len(), 50);
        assert_eq!(offset, 101);
    }

    #[test]
    fn what_cannot_be_had_is_told() {
        let log = log(30);
        assert_eq!(reason(read(&log, 32, 10)), Unrecoverable::Unknown);
        assert_eq!(reason(read(&log, u64::MAX, 10)), Unrecoverable::Unknown);
        assert_eq!(reason(read(&log, 0, 10)), Unrecoverable::Expired);
        let other = Position::new(Epoch(2), 5);
        let result = run(since(&log, STAMP, &topic("a"), other, 10));
        assert_eq!(reason(result), Unrecoverable::Epoch { current: Some(STAMP.epoch) });
        log.expire(10);
        assert_eq!(reason(read(&log, 10, 10)), Unrecoverable::Expired);
        assert!(read(&log, 11, 10).is_ok());
        // Before the stream has begun.
        let later = Stamp { marker: 20, ..STAMP };
        let early = Position::new(STAMP.epoch, 20);
        let result = run(since(&log, later, &topic("a"), early, 10));
        assert_eq!(reason(result), Unrecoverable::Epoch { current: Some(STAMP.epoch) });
    }

    #[test]
    fn an_offset_without_a_record_is_not_passed_over() {
        let log = log(10);
        log.push_hole();
        publish(&log, "a", 12);
        assert_eq!(reason(read(&log, 5, 100)), Unrecoverable::Expired);
        assert_eq!(reason(read(&log, 12, 100)), Unrecoverable::Expired);
        assert!(read(&log, 13, 100).is_ok());
    }

    #[test]
    fn another_epoch_on_the_way_is_told() {
        let log = log(10);
        log.push(marker(Epoch(9)));
        publish(&log, "a", 12);
        assert_eq!(reason(read(&log, 5, 100)), Unrecoverable::Epoch { current: Some(Epoch(9)) });
    }

    #[test]
    fn the_last_publications_are_found_far_back() {
        let log = log(10);
        for index in 0..1000 {
            publish(&log, "b", index);
        }
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 3)).unwrap();
        assert_eq!(chain(&page), [(6, 5), (8, 6), (10, 8)]);
        assert_eq!(page.since.offset, 5);
        // From there, history is the same.
        let again = run(since(&log, STAMP, &topic("a"), page.since, 100)).unwrap();
        assert_eq!(chain(&again), chain(&page));
        let page = run(latest(&log, STAMP, &topic("a"), &History { size: 2, ..HISTORY }, 3)).unwrap();
        assert_eq!(chain(&page).len(), 2);
        let page = run(latest(&log, STAMP, &topic("none"), &HISTORY, 3)).unwrap();
        assert_eq!((page.publications.len(), page.since.offset), (0, 1011));
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 0)).unwrap();
        assert_eq!((page.publications.len(), page.since.offset), (0, 1011));
    }

    #[test]
    fn the_last_publications_are_not_older_than_the_history() {
        let log = log(4);
        for record in log.records.lock().unwrap().iter_mut().flatten().take(2) {
            record.timestamp = record::time(SystemTime::now() - Duration::from_secs(100));
        }
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 3)).unwrap();
        assert_eq!(chain(&page), [(4, 3)]);
    }

    #[test]
    fn a_publisher_whose_clock_is_wrong_makes_no_hole_in_the_last_publications() {
        let log = log(6);
        // The one at offset 3 is between two others of the topic.
        for (offset, record) in log.records.lock().unwrap().iter_mut().flatten().enumerate() {
            if [1, 3].contains(&offset) {
                record.timestamp = record::time(SystemTime::now() - Duration::from_secs(100));
            }
        }
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 3)).unwrap();
        assert_eq!(chain(&page), [(6, 5)]);
        log.records.lock().unwrap()[1].as_mut().unwrap().timestamp = record::time(SystemTime::now());
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 3)).unwrap();
        assert_eq!(chain(&page), [(2, 1), (4, 2), (6, 4)]);
    }

    #[test]
    fn the_last_publications_are_bounded_in_bytes() {
        let log = Fake::new();
        log.push(marker(STAMP.epoch));
        let large = "x".repeat(5 << 20);
        for _ in 0..7 {
            publish(&log, "a", &large);
        }
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 100)).unwrap();
        assert_eq!(chain(&page), [(6, 5), (7, 6), (8, 7)]);
        let larger = "x".repeat(LATEST + 1);
        publish(&log, "a", &larger);
        let page = run(latest(&log, STAMP, &topic("a"), &HISTORY, 100)).unwrap();
        assert_eq!(chain(&page), [(9, 8)]);
    }

    #[test]
    fn a_limit_that_is_no_number_of_a_broker_is_none() {
        let log = log(4);
        let all = History { size: usize::MAX, ..HISTORY };
        let page = run(latest(&log, STAMP, &topic("a"), &all, usize::MAX)).unwrap();
        assert_eq!(chain(&page).len(), 2);
    }

    #[test]
    fn a_large_partition_is_read_in_pieces() {
        let log = Fake::new();
        log.push(marker(STAMP.epoch));
        let large = "x".repeat(1 << 20);
        for _ in 0..20 {
            publish(&log, "b", &large);
        }
        publish(&log, "a", "last");
        let page = read(&log, 1, 10).unwrap();
        assert!(!page.is_complete && page.publications.is_empty());
        let (mut page, mut reads) = (page, 1);
        while !page.is_complete {
            page = read(&log, page.until.unwrap().offset, 10).unwrap();
            reads += 1;
        }
        assert_eq!((page.publications.len(), reads), (1, 2));
    }
}
