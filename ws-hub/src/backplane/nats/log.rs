//! [`Log`]: the stream that holds the topics with one set of options.
//!
//! A position is the stream's epoch, which is in its name, and a sequence number, which all topics of the stream share. The server
//! tells nobody that what follows a position is no longer all there: it begins silently with what is left. Two things are removed.
//! By age, everything up to some sequence number of the stream. By size, the oldest of a topic that has as many as it may have. So
//! what follows is whole if the publication at the position is there; or if the next one is the very next of the stream; or if
//! the stream still begins before it, and the topic has fewer after it than it may have.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tracing::{error, info};

use super::TARGET;
use super::api::{self, Batch, Info, Problem};
use super::connection::Connection;
use super::settings::Settings;
use super::subject::{Set, Subjects};
use super::wire;
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
            Some((info, _)) => match api::info(connection, &info.name).await {
                Err(Problem::NoStream) => api::find(connection, &self.settings, self.set).await,
                found => found,
            },
            None => api::find(connection, &self.settings, self.set).await,
        };
        match &found {
            Ok(info) => {
                if known.info.as_ref().is_none_or(|(before, _)| before.name != info.name) {
                    info!(target: TARGET, "history is in the stream {}", info.name);
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
    pub(super) async fn top(&self, connection: &Connection, topic: &Topic) -> Result<Position, Problem> {
        // Before the question for the last one: what is published between the two is above it.
        let info = self.now(connection).await?;
        self.top_of(connection, topic, &info).await
    }

    async fn top_of(&self, connection: &Connection, topic: &Topic, info: &Info) -> Result<Position, Problem> {
        let last = api::last(connection, &info.name, &self.subject(topic)).await?;
        Ok(Position::new(info.epoch, last.unwrap_or(info.last)))
    }

    /// The last publication of a topic that is still stored.
    pub(super) async fn last(&self, connection: &Connection, topic: &Topic) -> Result<Option<Position>, Problem> {
        let info = self.any(connection).await?;
        let last = api::last(connection, &info.name, &self.subject(topic)).await?;
        Ok(last.map(|last| Position::new(info.epoch, last)))
    }

    pub(super) async fn history(
        &self,
        connection: &Connection,
        topic: &Topic,
        since: Position,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let info = self.now(connection).await?;
        let reason = if since.epoch != info.epoch {
            Unrecoverable::Epoch { current: Some(info.epoch) }
        } else if since.offset > info.last {
            Unrecoverable::Unknown
        } else {
            let batch =
                api::get(connection, &info.name, &self.subject(topic), since.offset, limit.saturating_add(1)).await?;
            if self.is_whole(connection, since, &batch).await? {
                return Ok(page(topic, since, batch, limit));
            }
            Unrecoverable::Expired
        };
        let top = self.top_of(connection, topic, &info).await?;
        Err(HistoryError::Unrecoverable { reason, top: Some(top) })
    }

    /// Whether the messages from a position on are all that there ever were.
    async fn is_whole(&self, connection: &Connection, since: Position, batch: &Batch) -> Result<bool, Problem> {
        let first = batch.messages.first().map(|(sequence, _)| *sequence);
        if first.is_some_and(|first| first <= since.offset.saturating_add(1)) {
            return Ok(true);
        }
        if batch.messages.len() as u64 + batch.pending >= self.set.size {
            return Ok(false);
        }
        // Asked after the messages were read: what it still holds now, it held then.
        let now = self.now(connection).await?;
        Ok(now.epoch == since.epoch && now.first <= since.offset.saturating_add(1))
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
        let (mut from, mut messages) = (start, Vec::new());
        loop {
            let batch = api::get(connection, &info.name, &subject, from, limit.max(1)).await?;
            let is_last = batch.pending == 0;
            messages.extend(batch.messages);
            // Those that came meanwhile push others out.
            messages.drain(..messages.len().saturating_sub(limit));
            match messages.last() {
                Some((sequence, _)) if !is_last => from = sequence + 1,
                _ => break,
            }
        }
        // Nothing of the topic is between this place and the first of them, whatever was before.
        let before = messages.first().map_or(info.last, |(sequence, _)| sequence - 1);
        let batch = Batch { messages, pending: 0 };
        Ok(page(topic, Position::new(info.epoch, before), batch, limit))
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
            Ok(batch.messages.first().map(|(sequence, _)| (*sequence, batch.pending + 1)))
        };
        let limit = limit as u64;
        let Some((mut start, count)) = probe(info.first).await? else { return Ok(None) };
        if count <= limit {
            return Ok(Some(start));
        }
        // Halves the part of the stream in which they begin. From `start` on, there are enough.
        let (mut low, mut high) = (start + 1, info.last);
        while low <= high {
            let middle = low + (high - low) / 2;
            match probe(middle).await? {
                Some((sequence, count)) if count >= limit => {
                    (start, low) = (sequence, sequence + 1);
                    if count == limit {
                        break;
                    }
                }
                _ => high = middle - 1,
            }
        }
        Ok(Some(start))
    }
}

fn page(topic: &Topic, since: Position, batch: Batch, limit: usize) -> Page {
    let mut previous = since.offset;
    let mut publications = Vec::with_capacity(batch.messages.len().min(limit));
    let after = batch.messages.into_iter().filter(|(sequence, _)| *sequence > since.offset);
    let mut is_complete = batch.pending == 0;
    for (sequence, raw) in after {
        if publications.len() == limit {
            is_complete = false;
            break;
        }
        let publication: Publication = wire::read(topic, raw).publication;
        publications.push(Arc::new(publication.at_shared(Position::new(since.epoch, sequence), previous)));
        previous = sequence;
    }
    let page = Page::new(since, publications, is_complete);
    // Not the end of the stream: a replica that is behind may have read it.
    let end = page.end();
    page.until(end)
}

impl From<Problem> for HistoryError {
    fn from(_: Problem) -> Self {
        Self::Unavailable
    }
}
