//! [`Log`]: the stream that holds the topics with one set of options.
//!
//! A position is the stream's epoch, which is in its name, and a sequence number, which all topics of the stream share. The server
//! tells nobody that what follows a position is no longer all there: it begins silently with what is left. Two things are removed.
//! By age, everything up to some sequence number of the stream. By size, the oldest of a topic that has as many as it may have. So
//! what follows is whole if the publication at the position is there; or if the next one is the very next of the stream; or if
//! the stream still begins before it, and the topic has fewer after it than it may have.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use async_nats::Message as Raw;
use tokio::sync::Mutex;
use tracing::{error, info, warn};

use super::TARGET;
use super::api::{self, Batch, Info, Problem};
use super::connection::Connection;
use super::settings::Settings;
use super::subject::{Set, Subjects};
use super::wire::{self, Time};
use crate::backplane::{HistoryError, Page};
use crate::position::Position;
use crate::publication::{Publication, Unrecoverable};
use crate::topic::Topic;

pub(super) struct Log {
    settings: Arc<Settings>,
    subjects: Subjects,
    set: Set,
    known: Mutex<Known>,
}

/// Bytes of the last publications, about, unless it is one. The hub recovers no more.
const LATEST: usize = 16 << 20;

#[derive(Default)]
struct Known {
    /// And when it was asked for.
    info: Option<(Info, Instant)>,
    /// The last problem, which is logged once.
    problem: Option<Problem>,
}

impl Log {
    pub(super) fn new(settings: &Arc<Settings>, set: Set) -> Self {
        let subjects = Subjects { prefix: settings.prefix.clone() };
        Self { settings: Arc::clone(settings), subjects, set, known: Mutex::default() }
    }

    pub(super) fn set(&self) -> Set {
        self.set
    }

    /// The stream as it is now, which is made if there is none. All who ask meanwhile share an answer.
    pub(super) async fn now(&self, connection: &Connection) -> Result<Info, Problem> {
        let called = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((info, asked)) = &known.info
            && *asked >= called
        {
            return Ok(info.clone());
        }
        let asked = Instant::now();
        let found = match &known.info {
            Some((info, _)) => match api::info(connection, &self.settings, self.set, &info.name).await {
                Err(Problem::NoStream) => api::find(connection, &self.settings, self.set).await,
                found => found,
            },
            None => api::find(connection, &self.settings, self.set).await,
        };
        match &found {
            Ok(info) => {
                if known.info.as_ref().is_none_or(|(before, _)| before.name != info.name) {
                    info!(target: TARGET, "history is in the stream {}", info.name);
                    if !info.differences.is_empty() {
                        let fields = info.differences.join(", ");
                        warn!(target: TARGET, "the stream {} is not as the settings say: {fields}", info.name);
                    }
                }
                (known.info, known.problem) = (Some((info.clone(), asked)), None);
            }
            Err(problem) => {
                if let Problem::Refused(reason) = problem
                    && known.problem.as_ref() != Some(problem)
                {
                    error!(target: TARGET, "topics with history cannot be had: {reason}");
                }
                known.problem = Some(problem.clone());
            }
        }
        found
    }

    /// The stream as it was, if it is known.
    pub(super) async fn any(&self, connection: &Connection) -> Result<Info, Problem> {
        let known = self.known.lock().await.info.as_ref().map(|(info, _)| info.clone());
        match known {
            Some(info) => Ok(info),
            None => self.now(connection).await,
        }
    }

    fn subject(&self, topic: &Topic) -> String {
        self.subjects.log(self.set, topic)
    }

    /// The end of a topic's stream: its last publication, or a place after which all of its publications come.
    /// And when it was stored, if it was.
    pub(super) async fn top(
        &self,
        connection: &Connection,
        topic: &Topic,
    ) -> Result<(Position, Option<Time>), Problem> {
        // Before the question for the last one: what is published between the two is above it.
        let info = self.now(connection).await?;
        self.top_of(connection, topic, &info).await
    }

    async fn top_of(
        &self,
        connection: &Connection,
        topic: &Topic,
        info: &Info,
    ) -> Result<(Position, Option<Time>), Problem> {
        let last = api::last(connection, &info.name, &self.subject(topic)).await?;
        let (sequence, time) = last.unwrap_or((info.last, None));
        Ok((Position::new(info.epoch, sequence), time))
    }

    /// The last publication of a topic that is still stored.
    pub(super) async fn last(&self, connection: &Connection, topic: &Topic) -> Result<Option<Position>, Problem> {
        let info = self.any(connection).await?;
        let last = api::last(connection, &info.name, &self.subject(topic)).await?;
        Ok(last.map(|(last, _)| Position::new(info.epoch, last)))
    }

    /// Reads what follows a position. `known` is the time at which the publication there was stored, if that is known. Returns the
    /// time of the last one, too.
    pub(super) async fn history(
        &self,
        connection: &Connection,
        topic: &Topic,
        since: Position,
        limit: usize,
        known: Option<Time>,
    ) -> Result<(Page, Option<Time>), HistoryError> {
        let info = self.now(connection).await?;
        let reason = if since.epoch != info.epoch {
            Unrecoverable::Epoch { current: Some(info.epoch) }
        } else if since.offset > info.last {
            Unrecoverable::Unknown
        } else {
            let batch =
                api::get(connection, &info.name, &self.subject(topic), since.offset, limit.saturating_add(1)).await?;
            if is_another(&batch, since, known) {
                // The server has lost the end of the stream, and given its numbers to others.
                Unrecoverable::Epoch { current: Some(info.epoch) }
            } else if self.is_whole(connection, since, &batch, known.is_some()).await? {
                return Ok(page(topic, since, batch, limit));
            } else {
                Unrecoverable::Expired
            }
        };
        let (top, _) = self.top_of(connection, topic, &info).await?;
        Err(HistoryError::Unrecoverable { reason, top: Some(top) })
    }

    /// Whether the messages from a position on are all that there ever were. `is_stored`: there was a publication at the position.
    async fn is_whole(
        &self,
        connection: &Connection,
        since: Position,
        batch: &Batch,
        is_stored: bool,
    ) -> Result<bool, Problem> {
        let first = batch.messages.first().map(|(sequence, _)| *sequence);
        if first.is_some_and(|first| first <= since.offset.saturating_add(1)) {
            return Ok(true);
        }
        if (batch.messages.len() as u64).saturating_add(batch.pending) >= self.set.size {
            return Ok(false);
        }
        // Asked after the messages were read: what it still holds now, it held then.
        let now = self.now(connection).await?;
        let next = since.offset.saturating_add(1);
        // If it still holds the place of a publication that is not there any more, the end of the stream was lost.
        let holds = if is_stored { now.first == next } else { now.first <= next };
        Ok(now.epoch == since.epoch && holds)
    }

    pub(super) async fn latest(
        &self,
        connection: &Connection,
        topic: &Topic,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let info = self.now(connection).await?;
        let subject = self.subject(topic);
        let Some(start) = self.start_of_last(connection, &info, &subject, limit).await? else {
            let end = Position::new(info.epoch, info.last);
            return Ok(Page::new(end, Vec::new(), true).until(end));
        };
        let (mut from, mut messages) = (start, VecDeque::new());
        loop {
            let batch = api::get(connection, &info.name, &subject, from, limit.max(1)).await?;
            let is_last = batch.pending == 0;
            messages.extend(batch.messages);
            // Those that came meanwhile push others out.
            keep_newest(&mut messages, limit, LATEST);
            match messages.back() {
                Some((sequence, _)) if !is_last => from = sequence.saturating_add(1),
                _ => break,
            }
        }
        // Nothing of the topic is between this place and the first of them, whatever was before.
        let before = messages.front().map_or(info.last, |(sequence, _)| sequence.saturating_sub(1));
        let batch = Batch { messages: messages.into(), pending: 0 };
        Ok(page(topic, Position::new(info.epoch, before), batch, limit).0)
    }

    /// The sequence number at which the last `limit` messages of a subject begin. `None` if there are none.
    async fn start_of_last(
        &self,
        connection: &Connection,
        info: &Info,
        subject: &str,
        limit: usize,
    ) -> Result<Option<u64>, Problem> {
        let probe = async |from| {
            let batch = api::get(connection, &info.name, subject, from, 1).await?;
            Ok(batch.messages.first().map(|(sequence, _)| (*sequence, batch.pending.saturating_add(1))))
        };
        let limit = limit as u64;
        let Some((mut start, count)) = probe(info.first).await? else { return Ok(None) };
        if count <= limit {
            return Ok(Some(start));
        }
        // Halves the part of the stream in which they begin. From `start` on, there are enough.
        let (mut low, mut high) = (start.saturating_add(1), info.last);
        while low <= high {
            let middle = low + (high - low) / 2;
            match probe(middle).await? {
                Some((sequence, count)) if count >= limit => {
                    (start, low) = (sequence, sequence.saturating_add(1));
                    if count == limit {
                        break;
                    }
                }
                _ => high = middle.saturating_sub(1),
            }
        }
        Ok(Some(start))
    }
}

/// Whether the publication at a position is another one than the one that was stored at this time.
fn is_another(batch: &Batch, since: Position, known: Option<Time>) -> bool {
    let there = batch.messages.first().filter(|(sequence, _)| *sequence == since.offset);
    let time = there.and_then(|(_, raw)| wire::time(raw));
    time.zip(known).is_some_and(|(time, known)| time != known)
}

/// Leaves the newest messages: so many at most, and of so many bytes, unless it is one.
fn keep_newest(messages: &mut VecDeque<(u64, Raw)>, limit: usize, bytes: usize) {
    let mut sum: usize = messages.iter().map(|(_, raw)| raw.length).sum();
    while messages.len() > limit || (sum > bytes && messages.len() > 1) {
        let Some((_, first)) = messages.pop_front() else { return };
        sum -= first.length;
    }
}

/// And the time at which the last of its publications was stored.
fn page(topic: &Topic, since: Position, batch: Batch, limit: usize) -> (Page, Option<Time>) {
    let mut time = None;
    let mut previous = since.offset;
    let mut publications = Vec::with_capacity(batch.messages.len().min(limit));
    let after = batch.messages.into_iter().filter(|(sequence, _)| *sequence > since.offset);
    let mut is_complete = batch.pending == 0;
    for (sequence, raw) in after {
        if publications.len() == limit {
            is_complete = false;
            break;
        }
        time = wire::time(&raw);
        let publication: Publication = wire::read(topic, raw).publication;
        publications.push(Arc::new(publication.at_shared(Position::new(since.epoch, sequence), previous)));
        previous = sequence;
    }
    let page = Page::new(since, publications, is_complete);
    // Not the end of the stream: a replica that is behind may have read it.
    let end = page.end();
    (page.until(end), time)
}

impl From<Problem> for HistoryError {
    fn from(_: Problem) -> Self {
        Self::Unavailable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;

    fn message(sequence: u64, length: usize, time: &str) -> (u64, Raw) {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Time-Stamp", time);
        let (payload, headers) = (bytes::Bytes::new(), Some(headers));
        let raw = Raw { subject: "s".into(), reply: None, payload, headers, status: None, description: None, length };
        (sequence, raw)
    }

    #[test]
    fn a_sequence_number_that_was_given_again_is_noticed() {
        let since = Position::new(Epoch(1), 7);
        let known = wire::time(&message(7, 0, "a").1);
        let batch = |sequence, time| Batch { messages: vec![message(sequence, 0, time)], pending: 0 };
        assert!(!is_another(&batch(7, "a"), since, known));
        assert!(is_another(&batch(7, "b"), since, known));
        assert!(!is_another(&batch(7, "b"), since, None), "nothing is known of it");
        assert!(!is_another(&batch(8, "b"), since, known), "it is not there");
        assert!(!is_another(&Batch { messages: Vec::new(), pending: 0 }, since, known));
    }

    #[test]
    fn the_last_messages_are_bounded_in_number_and_bytes() {
        let kept = |limit, bytes| {
            let mut messages = (1..=5).map(|sequence| message(sequence, 10, "a")).collect();
            keep_newest(&mut messages, limit, bytes);
            messages.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>()
        };
        assert_eq!(kept(10, 100), [1, 2, 3, 4, 5]);
        assert_eq!(kept(2, 100), [4, 5]);
        assert_eq!(kept(10, 39), [3, 4, 5]);
        assert_eq!(kept(10, 5), [5]);
        assert_eq!(kept(0, 100), [0; 0]);
    }

    #[test]
    fn the_time_of_a_page_is_that_of_its_last_publication() {
        let topic = Topic::new("a").unwrap();
        let batch = Batch { messages: vec![message(7, 0, "a"), message(8, 0, "b"), message(9, 0, "c")], pending: 0 };
        let (page, time) = page(&topic, Position::new(Epoch(1), 7), batch, 1);
        assert_eq!((page.end().offset, time), (8, wire::time(&message(8, 0, "b").1)));
    }
}
