//! [`Log`]: a partition, as the rest of the module reads and writes it.

use std::ops::Range;
use std::time::Duration;

use rskafka::client::partition::{Compression, OffsetAt, PartitionClient};
use rskafka::record::{Record, RecordAndOffset};
use tokio::time::timeout;

use super::failure::Failure;

/// Bytes of one read, about: a single record may be larger.
pub(super) const CHUNK: i32 = 1 << 20;
/// The client library has no time limits of its own.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The wait for records that are there. Tansu answers nothing at all without one.
const AT_ONCE: Duration = Duration::from_millis(50);

/// The log of a partition.
pub(super) trait Log: Sync {
    /// Records from an offset on, and the end of the log. Waits so long for the first one, if there is none.
    fn read(
        &self,
        from: i64,
        wait: Duration,
    ) -> impl Future<Output = Result<(Vec<RecordAndOffset>, i64), Failure>> + Send;

    /// The offsets of the first record and after the last one.
    fn offsets(&self) -> impl Future<Output = Result<Range<i64>, Failure>> + Send;

    /// Appends records, together. Returns the offset of the first.
    fn append(&self, records: Vec<Record>) -> impl Future<Output = Result<i64, Failure>> + Send;
}

impl Log for PartitionClient {
    async fn read(&self, from: i64, wait: Duration) -> Result<(Vec<RecordAndOffset>, i64), Failure> {
        let wait = wait.max(AT_ONCE);
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let (records, end) = within(LIMIT + wait, self.fetch_records(from, 1..CHUNK, wait_ms)).await?;
        records.iter().try_for_each(|record| possible(record.offset).map(drop))?;
        // What is no end of a log is taken for none, and asked for when it matters.
        Ok((records, possible(end).unwrap_or(0)))
    }

    async fn offsets(&self) -> Result<Range<i64>, Failure> {
        let first = within(LIMIT, self.get_offset(OffsetAt::Earliest)).await?;
        let end = within(LIMIT, self.get_offset(OffsetAt::Latest)).await?;
        Ok(possible(first)?..possible(end)?)
    }

    async fn append(&self, records: Vec<Record>) -> Result<i64, Failure> {
        let produced = timeout(LIMIT, self.produce(records, Compression::NoCompression)).await;
        let offsets = produced.map_err(|_| Failure::TimedOut)?.map_err(|error| Failure::of_append(&error))?;
        possible(offsets.first().copied().unwrap_or(-1))
    }
}

/// An offset that a log can have: so far from the largest number that one can go on from it.
fn possible(offset: i64) -> Result<i64, Failure> {
    let is_possible = (0..i64::MAX / 2).contains(&offset);
    is_possible.then_some(offset).ok_or_else(|| Failure::Failed(format!("no log has the offset {offset}")))
}

/// An answer within a time.
pub(super) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, rskafka::client::error::Error>> + Send,
) -> Result<T, Failure> {
    match timeout(limit, request).await {
        Ok(result) => result.map_err(|error| Failure::from(&error)),
        Err(_) => Err(Failure::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_offset_is_taken_from_a_broker_that_no_log_has() {
        assert_eq!((possible(0), possible(i64::MAX / 2 - 1)), (Ok(0), Ok(i64::MAX / 2 - 1)));
        for offset in [-1, i64::MIN, i64::MAX / 2, i64::MAX] {
            assert!(matches!(possible(offset), Err(Failure::Failed(_))), "{offset}");
        }
    }
}

/// A log in memory.
#[cfg(test)]
pub(super) mod fake {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    pub(in super::super) struct Fake {
        pub(in super::super) records: Mutex<Vec<Option<Record>>>,
        pub(in super::super) first: Mutex<i64>,
        /// Records of one read.
        pub(in super::super) chunk: usize,
        pub(in super::super) reads: Mutex<usize>,
    }

    impl Fake {
        pub(in super::super) fn new() -> Self {
            Self { chunk: 7, ..Self::default() }
        }

        pub(in super::super) fn push(&self, record: Record) -> i64 {
            let mut records = self.records.lock().unwrap();
            records.push(Some(record));
            records.len() as i64 - 1
        }

        /// An offset without a record, as the end of a transaction leaves it.
        pub(in super::super) fn push_hole(&self) {
            self.records.lock().unwrap().push(None);
        }

        pub(in super::super) fn expire(&self, first: i64) {
            *self.first.lock().unwrap() = first;
        }
    }

    impl Log for Fake {
        async fn read(&self, from: i64, _: Duration) -> Result<(Vec<RecordAndOffset>, i64), Failure> {
            *self.reads.lock().unwrap() += 1;
            let records = self.records.lock().unwrap();
            let end = records.len() as i64;
            if from < *self.first.lock().unwrap() || from > end {
                return Err(Failure::OutOfRange);
            }
            let all = records.iter().enumerate().skip(from as usize).take(self.chunk);
            let found = all.filter_map(|(offset, record)| {
                Some(RecordAndOffset { record: record.clone()?, offset: offset as i64 })
            });
            Ok((found.collect(), end))
        }

        async fn offsets(&self) -> Result<Range<i64>, Failure> {
            Ok(*self.first.lock().unwrap()..self.records.lock().unwrap().len() as i64)
        }

        async fn append(&self, records: Vec<Record>) -> Result<i64, Failure> {
            let offset = self.records.lock().unwrap().len() as i64;
            for record in records {
                self.push(record);
            }
            Ok(offset)
        }
    }
}
