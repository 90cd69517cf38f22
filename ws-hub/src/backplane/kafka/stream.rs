//! The stream of a partition: finding out whether the log is the one that was read before, and which epoch it has.

use std::time::Duration;

use rskafka::record::RecordAndOffset;

use super::failure::Failure;
use super::log::Log;
use super::record::{self, Seen, Stamp};
use crate::position::Epoch;
use crate::random;

/// Records at the end of a log that are searched for a stamp.
const SEARCH: i64 = 4096;
/// Records that are searched first. Nearly always, all of them have stamps.
const FIRST: i64 = 16;

/// A log beside what was read of it before.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The last record that was read is there.
    Same,
    /// It was deleted, because of its age or the log's size.
    Expired,
    /// It is another one, or the log ends before it: this is not the log that was read.
    Other,
}

/// Looks for a record that was read before.
pub(super) async fn find(log: &impl Log, seen: Seen) -> Result<Found, Failure> {
    match read_one(log, seen.offset).await {
        Ok(Some(record)) if Seen::new(&record) == seen => return Ok(Found::Same),
        Ok(Some(_)) => return Ok(Found::Other),
        Ok(None) | Err(Failure::OutOfRange) => {}
        Err(failure) => return Err(failure),
    }
    let offsets = log.offsets().await?;
    Ok(if seen.offset < offsets.start { Found::Expired } else { Found::Other })
}

/// The record at an offset, if there is one.
async fn read_one(log: &impl Log, offset: i64) -> Result<Option<RecordAndOffset>, Failure> {
    let (records, _) = log.read(offset, Duration::ZERO).await?;
    Ok(records.into_iter().next().filter(|record| record.offset == offset))
}

/// Whether a stream of this name has begun in this log. The marker of an old one may be deleted.
pub(super) async fn holds(log: &impl Log, stamp: Stamp) -> Result<bool, Failure> {
    match read_one(log, stamp.marker).await {
        Ok(record) => Ok(record.as_ref().and_then(record::marked) == Some(stamp.epoch)),
        Err(Failure::OutOfRange) => Ok(stamp.marker < log.offsets().await?.start),
        Err(failure) => Err(failure),
    }
}

/// The stream at the end of a log, and its last record. One without a stream gets one. A stream in which records have changed
/// is not trusted any more.
pub(super) async fn establish(log: &impl Log, distrusted: Option<Epoch>) -> Result<(Stamp, Seen), Failure> {
    let offsets = log.offsets().await?;
    let (mut upper, mut window) = (offsets.end, FIRST);
    let mut last = None;
    while upper > offsets.start && upper > offsets.end - SEARCH {
        let lower = offsets.start.max(upper - window);
        let records = read_all(log, lower..upper).await?;
        last = last.or(records.last().map(Seen::new));
        let mut stamps: Vec<_> = records.iter().filter_map(Stamp::of).collect();
        // The latest stream counts. An instance that has not read its marker yet publishes with the one before it.
        stamps.sort_by_key(|stamp| std::cmp::Reverse(stamp.marker));
        stamps.dedup();
        for stamp in stamps {
            if Some(stamp.epoch) != distrusted
                && holds(log, stamp).await?
                && let Some(last) = last
            {
                return Ok((stamp, last));
            }
        }
        (upper, window) = (lower, window * 8);
    }
    begin(log).await
}

/// Begins a stream. If several instances do at the same time, the last one's counts.
async fn begin(log: &impl Log) -> Result<(Stamp, Seen), Failure> {
    let epoch = Epoch(random::u64());
    let marker = log.append(vec![record::marker(epoch)]).await?;
    // As the broker has it: it may set the time.
    match read_one(log, marker).await? {
        Some(record) if record::marked(&record) == Some(epoch) => Ok((Stamp { epoch, marker }, Seen::new(&record))),
        _ => Err(Failure::Failed("a record that was accepted is not there".to_owned())),
    }
}

/// All records between two offsets. There may be holes.
async fn read_all(log: &impl Log, range: std::ops::Range<i64>) -> Result<Vec<RecordAndOffset>, Failure> {
    let (mut next, mut all) = (range.start, Vec::new());
    while next < range.end {
        let (records, _) = log.read(next, Duration::ZERO).await?;
        match records.last() {
            Some(last) => next = last.offset + 1,
            None => next += 1,
        }
        all.extend(records.into_iter().filter(|record| record.offset < range.end));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::log::fake::Fake;
    use super::super::record::encode;
    use super::*;
    use crate::backplane::Outgoing;
    use crate::topic::Topic;

    pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn id() -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("1:{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn publish(log: &Fake, stamp: Stamp) -> i64 {
        log.push(encode(&Topic::new("a").unwrap(), &Outgoing::new("x"), stamp, id()))
    }

    fn seen(log: &Fake, offset: i64) -> Seen {
        Seen::new(&run(read_one(log, offset)).unwrap().unwrap())
    }

    #[test]
    fn an_empty_log_gets_a_stream_once() {
        let log = Fake::new();
        let (stamp, last) = run(establish(&log, None)).unwrap();
        assert_eq!((stamp.marker, last), (0, seen(&log, 0)));
        assert_eq!(run(establish(&log, None)).unwrap(), (stamp, last));
        assert_eq!(log.records.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_stream_is_known_after_its_marker_was_deleted() {
        let log = Fake::new();
        let (stamp, _) = run(establish(&log, None)).unwrap();
        for _ in 0..100 {
            publish(&log, stamp);
        }
        log.expire(90);
        assert_eq!(run(establish(&log, None)).unwrap().0, stamp);
        // All is deleted: nothing tells the stream any more.
        log.expire(101);
        let (other, last) = run(establish(&log, None)).unwrap();
        assert_ne!(other.epoch, stamp.epoch);
        assert_eq!((other.marker, last.offset), (101, 101));
    }

    #[test]
    fn a_log_that_lost_all_has_another_stream_whatever_is_published_into_it() {
        let log = Fake::new();
        let (old, _) = run(establish(&log, None)).unwrap();
        let last = publish(&log, old);
        let before = seen(&log, last);
        let log = Fake::new();
        // Somebody who does not know it yet.
        publish(&log, Stamp { marker: 0, ..old });
        for _ in 0..3 {
            publish(&log, old);
        }
        assert_eq!(run(find(&log, before)).unwrap(), Found::Other);
        let (new, _) = run(establish(&log, None)).unwrap();
        assert_ne!(new.epoch, old.epoch);
        assert!(!run(holds(&log, old)).unwrap());
    }

    #[test]
    fn a_log_is_known_by_the_last_record_that_was_read() {
        let log = Fake::new();
        let (stamp, _) = run(establish(&log, None)).unwrap();
        publish(&log, stamp);
        let last = seen(&log, 1);
        assert_eq!(run(find(&log, last)).unwrap(), Found::Same);
        publish(&log, stamp);
        log.expire(2);
        assert_eq!(run(find(&log, last)).unwrap(), Found::Expired);
        let shorter = Fake::new();
        assert_eq!(run(find(&shorter, last)).unwrap(), Found::Other);
        shorter.push_hole();
        shorter.push_hole();
        shorter.push_hole();
        assert_eq!(run(find(&shorter, last)).unwrap(), Found::Other);
    }

    #[test]
    fn a_log_that_was_cut_gets_another_stream() {
        let log = Fake::new();
        let (stamp, _) = run(establish(&log, None)).unwrap();
        publish(&log, stamp);
        // The marker is there, and cannot be trusted.
        let (new, _) = run(establish(&log, Some(stamp.epoch))).unwrap();
        assert_ne!(new.epoch, stamp.epoch);
        // Another instance that finds the same takes this one.
        assert_eq!(run(establish(&log, Some(stamp.epoch))).unwrap().0, new);
        assert_eq!(run(establish(&log, None)).unwrap().0, new);
    }

    #[test]
    fn the_latest_stream_counts_and_late_publishers_do_not() {
        let log = Fake::new();
        let (old, _) = run(begin(&log)).unwrap();
        let (new, _) = run(begin(&log)).unwrap();
        publish(&log, new);
        for _ in 0..10 {
            publish(&log, old);
        }
        assert_eq!(run(establish(&log, None)).unwrap().0, new);
    }

    #[test]
    fn a_stream_is_found_behind_records_of_other_programs() {
        let log = Fake::new();
        let (stamp, _) = run(establish(&log, None)).unwrap();
        publish(&log, stamp);
        for _ in 0..2000 {
            let mut record = encode(&Topic::new("a").unwrap(), &Outgoing::new("x"), stamp, id());
            record.headers.clear();
            log.push(record);
        }
        log.push_hole();
        let (found, last) = run(establish(&log, None)).unwrap();
        assert_eq!((found, last.offset), (stamp, 2001));
    }
}
