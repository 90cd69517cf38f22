//! [`Memory`]: the backplane of one process.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ws_session::Timestamp;

use super::{
    Backplane, BoxFuture, HistoryError, Link, Order, Outgoing, Page, Promises, PublishError, Recovery, Refusal,
    Unavailable,
};
use crate::clock::Clock;
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::{Epoch, Position};
use crate::publication::{Publication, Unrecoverable};
use crate::topic::Topic;

/// The backplane of one process, the default. Clones share their topics: hubs with clones of it are instances that see each
/// other's publications, which is of use in tests.
///
/// Each topic is one order, with history or without. History is lost with the process. The history of a topic that nobody
/// subscribes and on which nothing is published ends with the age of its last publication.
#[derive(Clone, Default)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    topics: HashMap<Topic, Arc<Mutex<Log>>>,
    /// The clock of the first hub.
    clock: Option<Clock>,
    /// The number of topics at which those without use are removed next.
    sweep_at: usize,
}

/// The publications of one topic.
struct Log {
    epoch: Epoch,
    /// The last offset.
    offset: u64,
    ring: VecDeque<Kept>,
    subscribers: Vec<Inbound>,
    /// The age at which the last publication expires.
    expires: Option<Timestamp>,
}

struct Kept {
    publication: Arc<Publication>,
    idempotency_key: Option<ws_session::ByteString>,
    at: Timestamp,
}

/// Topics are swept for the first time when there are so many.
const SWEEP_AT: usize = 1024;

impl Memory {
    /// A backplane without topics.
    pub fn new() -> Self {
        Self::default()
    }

    fn log(&self, topic: &Topic) -> (Arc<Mutex<Log>>, Timestamp) {
        let mut shared = lock(&self.shared);
        let now = shared.clock.as_ref().map_or(Timestamp::ZERO, Clock::now);
        if let Some(log) = shared.topics.get(topic) {
            return (Arc::clone(log), now);
        }
        if shared.topics.len() >= shared.sweep_at.max(SWEEP_AT) {
            // A log that somebody holds just now is in use, too.
            shared.topics.retain(|_, log| Arc::strong_count(log) > 1 || !lock(log).is_unused(now));
            shared.sweep_at = shared.topics.len() * 2;
        }
        let log = Arc::new(Mutex::new(Log::new()));
        shared.topics.insert(topic.clone(), Arc::clone(&log));
        (log, now)
    }
}

impl Log {
    fn new() -> Self {
        let epoch = Epoch(crate::random::u64());
        Self { epoch, offset: 0, ring: VecDeque::new(), subscribers: Vec::new(), expires: None }
    }

    fn is_unused(&self, now: Timestamp) -> bool {
        self.subscribers.is_empty() && self.expires.is_none_or(|expires| expires <= now)
    }

    fn top(&self) -> Position {
        Position::new(self.epoch, self.offset)
    }

    /// Forgets what is too old.
    fn expire(&mut self, history: &History, now: Timestamp) {
        let is_old = |kept: &Kept| now.saturating_since(kept.at) >= history.age;
        while self.ring.len() > history.size || self.ring.front().is_some_and(is_old) {
            self.ring.pop_front();
        }
    }

    /// Adds a publication and hands it to all instances, in the order of the offsets because the log is locked.
    fn publish(&mut self, topic: &Topic, outgoing: Outgoing, now: Timestamp) -> Result<Option<Position>, PublishError> {
        let mut publication = Publication::new(topic.clone(), outgoing.message);
        publication.key = outgoing.key;
        let Some(history) = outgoing.history else {
            self.hand_out(&Arc::new(publication));
            return Ok(None);
        };
        self.expire(&history, now);
        if let Some(key) = &outgoing.idempotency_key
            && let Some(first) = self.ring.iter().find(|kept| kept.idempotency_key.as_ref() == Some(key))
        {
            return Ok(first.publication.position);
        }
        if outgoing.after.is_some_and(|after| after != self.top()) {
            return Err(PublishError::Refused(Refusal::Conflict));
        }
        let previous = self.offset;
        self.offset += 1;
        let publication = Arc::new(publication.at(self.top(), previous));
        self.ring.push_back(Kept {
            publication: Arc::clone(&publication),
            idempotency_key: outgoing.idempotency_key,
            at: now,
        });
        self.expire(&history, now);
        self.expires = Some(now + history.age);
        self.hand_out(&publication);
        Ok(Some(self.top()))
    }

    fn hand_out(&mut self, publication: &Arc<Publication>) {
        self.subscribers.retain(|inbound| !inbound.is_closed());
        for inbound in &self.subscribers {
            inbound.publication(publication);
        }
    }

    fn page(&self, since: Position, limit: usize) -> Result<Page, HistoryError> {
        let fail = |reason| Err(HistoryError::Unrecoverable { reason, top: Some(self.top()) });
        if since.epoch != self.epoch {
            return fail(Unrecoverable::Epoch { current: Some(self.epoch) });
        }
        if since.offset > self.offset {
            return fail(Unrecoverable::Unknown);
        }
        // All offsets are there from the first one kept on.
        let first = self.offset - self.ring.len() as u64;
        if since.offset < first {
            return fail(Unrecoverable::Expired);
        }
        let skip = usize::try_from(since.offset - first).unwrap_or(usize::MAX);
        let publications: Vec<_> =
            self.ring.iter().skip(skip).take(limit).map(|kept| Arc::clone(&kept.publication)).collect();
        let is_complete = skip + publications.len() == self.ring.len();
        Ok(Page::new(since, publications, is_complete))
    }

    fn latest(&self, limit: usize) -> Page {
        let skip = self.ring.len().saturating_sub(limit);
        let publications: Vec<_> = self.ring.iter().skip(skip).map(|kept| Arc::clone(&kept.publication)).collect();
        let since = Position::new(self.epoch, self.offset - publications.len() as u64);
        Page::new(since, publications, true)
    }
}

impl Backplane for Memory {
    fn promises(&self) -> Promises {
        Promises {
            order: Order::PerTopic,
            recovery: Some(Recovery::Connections),
            conditional: true,
            idempotent: true,
            ..Promises::new("memory")
        }
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        let mut shared = lock(&self.shared);
        shared.clock.get_or_insert_with(|| inbound.clock());
        Box::new(MemoryLink { memory: self.clone(), inbound })
    }
}

struct MemoryLink {
    memory: Memory,
    inbound: Inbound,
}

impl Link for MemoryLink {
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        let (log, now) = self.memory.log(topic);
        let result = lock(&log).publish(topic, outgoing, now);
        Box::pin(ready(result))
    }

    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        let (log, _) = self.memory.log(topic);
        let mut log = lock(&log);
        if !log.subscribers.contains(&self.inbound) {
            log.subscribers.push(self.inbound.clone());
        }
        Box::pin(ready(Ok(history.map(|_| log.top()))))
    }

    fn unsubscribe(&self, topic: &Topic) {
        let (log, _) = self.memory.log(topic);
        lock(&log).subscribers.retain(|inbound| *inbound != self.inbound);
    }

    fn history(
        &self,
        topic: &Topic,
        history: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (log, now) = self.memory.log(topic);
        let mut log = lock(&log);
        log.expire(history, now);
        Box::pin(ready(log.page(since, limit)))
    }

    fn latest(&self, topic: &Topic, history: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (log, now) = self.memory.log(topic);
        let mut log = lock(&log);
        log.expire(history, now);
        Box::pin(ready(Ok(log.latest(limit))))
    }
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        let logs: Vec<_> = lock(&self.memory.shared).topics.values().map(Arc::clone).collect();
        for log in logs {
            // A hub can be dropped by a delivery to it, which holds the lock. Then the next publication removes it.
            if let Ok(mut log) = log.try_lock() {
                log.subscribers.retain(|inbound| *inbound != self.inbound);
            }
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("topics", &lock(&self.shared).topics.len()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
