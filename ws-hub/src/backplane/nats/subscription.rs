//! [`Subscribed`]: a topic's subscription, over all connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Message as Raw, Subscriber};
use tokio::task::AbortHandle;

use super::chain::{Arrival, Heard};
use super::connection::Ended;
use super::subject::Set;
use super::{next, wire};
use crate::inbound::Inbound;
use crate::position::Position;
use crate::publication::GapCause;
use crate::topic::Topic;

pub(super) struct Subscribed {
    pub(super) topic: Topic,
    pub(super) subject: String,
    /// `None` without history.
    pub(super) set: Option<Set>,
    state: Mutex<State>,
}

struct State {
    is_wanted: bool,
    /// The connection that it stands on.
    on: Option<u64>,
    reader: Option<AbortHandle>,
    heard: Heard,
    tail: Option<Tail>,
}

/// The last publication that there was.
#[derive(Clone, Copy)]
struct Tail {
    /// Its position, or a later one before any other publication of the topic.
    position: Position,
    /// When it was the last one for sure.
    at: Instant,
    /// The connection on which it was seen.
    on: Option<u64>,
}

/// The longest time for which a publication may have been on its way to us.
const DELAY: Duration = Duration::from_secs(15);

impl Subscribed {
    pub(super) fn new(topic: Topic, subject: String, set: Option<Set>) -> Arc<Self> {
        let heard = Heard::new(Instant::now());
        let state = State { is_wanted: true, on: None, reader: None, heard, tail: None };
        Arc::new(Self { topic, subject, set, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is wanted, and does not stand on this connection yet.
    pub(super) fn is_wanted_on(&self, connection: u64) -> bool {
        let state = self.lock();
        state.is_wanted && state.on != Some(connection)
    }

    pub(super) fn attach(
        self: &Arc<Self>,
        connection: u64,
        subscriber: Subscriber,
        ended: &Arc<Ended>,
        inbound: &Inbound,
    ) {
        let mut state = self.lock();
        if let Some(reader) = state.reader.take() {
            reader.abort();
        }
        (state.on, state.heard) = (Some(connection), Heard::new(Instant::now()));
        let (own, ended, inbound) = (Arc::clone(self), Arc::clone(ended), inbound.clone());
        let reader = tokio::spawn(async move { own.read(connection, subscriber, &ended, &inbound).await });
        state.reader = Some(reader.abort_handle());
    }

    pub(super) fn detach(&self) {
        let mut state = self.lock();
        (state.is_wanted, state.on) = (false, None);
        if let Some(reader) = state.reader.take() {
            reader.abort();
        }
    }

    async fn read(&self, connection: u64, mut subscriber: Subscriber, ended: &Ended, inbound: &Inbound) {
        while let Some(raw) = next(&mut subscriber).await {
            // What still waits after the end is not delivered: newer publications may have been dropped.
            if ended.is_over() || !self.arrived(connection, raw, inbound) {
                return;
            }
        }
    }

    /// Hands over a publication. Returns whether the subscription still stands on the connection.
    fn arrived(&self, connection: u64, raw: Raw, inbound: &Inbound) -> bool {
        let mut arrived = wire::read(&self.topic, raw);
        let now = Instant::now();
        let mut state = self.lock();
        if state.on != Some(connection) {
            return false;
        }
        let arrival = arrived.tag.map(|tag| state.heard.take(&tag, now));
        let mut is_missed = false;
        match (self.set, arrived.stored) {
            (Some(set), Some((position, last))) => {
                let previous = state.previous(set, position, last, connection, arrival, now);
                state.see(position, now);
                arrived.publication = arrived.publication.at_shared(position, previous);
            }
            // Not from one of our streams.
            (Some(_), None) => return true,
            // After later ones of its publisher, it would be out of order. That it was missing has been told.
            (None, _) if arrival == Some(Arrival::Late) => return true,
            (None, _) => is_missed = arrival == Some(Arrival::AfterMissing),
        }
        drop(state);
        if is_missed {
            inbound.missed(Some(self.topic.as_str()), GapCause::Missed);
        }
        inbound.publication(&Arc::new(arrived.publication));
        true
    }

    /// Whether this publication should have arrived, and has not.
    pub(super) fn is_behind(&self, last: Position) -> bool {
        let state = self.lock();
        let is_earlier = |tail: Tail| tail.position.epoch == last.epoch && tail.position.offset < last.offset;
        state.is_wanted && state.tail.is_some_and(is_earlier)
    }

    /// At this time, this was the end of the stream.
    pub(super) fn see(&self, position: Position, at: Instant) {
        self.lock().see(position, at);
    }
}

impl State {
    /// The offset before a publication, or a place between the two, given that of the last one that was still stored when it came,
    /// or 0.
    ///
    /// If none was stored any more, because of its age, the server knows of none before it, but we may. If we do not, the place is
    /// the one just before it, so that what may be missing is looked for in the history.
    fn previous(
        &self,
        set: Set,
        position: Position,
        last: u64,
        connection: u64,
        arrival: Option<Arrival>,
        now: Instant,
    ) -> u64 {
        let Some(tail) = self.tail.filter(|tail| tail.position.epoch == position.epoch) else { return last };
        if last > 0 || tail.position.offset >= position.offset {
            return last;
        }
        // Whatever came between would still be stored.
        let is_recent = now.saturating_duration_since(tail.at) + DELAY < Duration::from_millis(set.age);
        // Nothing of any publisher is missing since then.
        let is_whole = arrival == Some(Arrival::Next) && tail.on == Some(connection);
        if is_recent || is_whole { tail.position.offset } else { position.offset.saturating_sub(1) }
    }

    fn see(&mut self, position: Position, at: Instant) {
        let is_later = |tail: Tail| tail.position.epoch != position.epoch || tail.position.offset <= position.offset;
        if self.tail.is_none_or(is_later) {
            self.tail = Some(Tail { position, at, on: self.on });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;

    fn state(tail: u64, at: Instant) -> State {
        let mut state = State { is_wanted: true, on: Some(1), reader: None, heard: Heard::new(at), tail: None };
        state.see(Position::new(Epoch(1), tail), at);
        state
    }

    const SET: Set = Set { size: 10, age: 60_000 };

    #[test]
    fn the_one_before_is_known_although_it_has_expired() {
        let start = Instant::now();
        let state = state(7, start);
        let later = start + Duration::from_secs(100);
        let at = |offset| Position::new(Epoch(1), offset);
        // It is still stored.
        assert_eq!(state.previous(SET, at(12), 7, 1, None, later), 7);
        assert_eq!(state.previous(SET, at(12), 9, 1, None, start), 9, "one was missed");
        // It has expired, and so may have others.
        assert_eq!(state.previous(SET, at(12), 0, 1, None, start), 7, "nothing can have expired since");
        assert_eq!(state.previous(SET, at(12), 0, 1, None, later), 11, "another program published it");
        assert_eq!(
            state.previous(SET, at(12), 0, 1, Some(Arrival::AfterMissing), later),
            11,
            "a publisher's number is missing"
        );
        assert_eq!(state.previous(SET, at(12), 0, 1, Some(Arrival::Next), later), 7);
        assert_eq!(
            state.previous(SET, at(12), 0, 2, Some(Arrival::Next), later),
            11,
            "the connection was lost meanwhile"
        );
        // Another stream.
        assert_eq!(state.previous(SET, Position::new(Epoch(2), 12), 0, 1, Some(Arrival::Next), start), 0);
        assert_eq!(state.previous(SET, at(3), 0, 1, Some(Arrival::Next), start), 0);
    }

    #[test]
    fn the_tail_only_goes_on_within_an_epoch() {
        let now = Instant::now();
        let mut state = state(7, now);
        state.see(Position::new(Epoch(1), 5), now);
        assert_eq!(state.tail.unwrap().position.offset, 7);
        state.see(Position::new(Epoch(2), 1), now);
        assert_eq!(state.tail.unwrap().position, Position::new(Epoch(2), 1));
    }
}
