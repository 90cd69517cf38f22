//! [`Subscribed`]: a topic's subscription, over all connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Message as Raw, Subscriber};
use tokio::task::AbortHandle;

use super::chain::{Arrival, Heard};
use super::connection::Ended;
use super::next;
use super::subject::Set;
use super::wire::{self, Stored, Time};
use crate::inbound::Inbound;
use crate::position::Position;
use crate::publication::GapCause;
use crate::topic::Topic;

pub(super) struct Subscribed {
    pub(super) topic: Topic,
    pub(super) subject: String,
    /// `None` without history.
    pub(super) set: Option<Set>,
    /// Publications are removed not only because of their age and number, but also because of the stream's size.
    is_cut: bool,
    state: Mutex<State>,
}

struct State {
    is_wanted: bool,
    /// The connection that it stands on.
    on: Option<u64>,
    /// That connection's server belongs to a cluster.
    is_clustered: bool,
    reader: Option<AbortHandle>,
    heard: Heard,
    tail: Option<Tail>,
    /// The last publication that was read, and when the stream has stored it.
    mark: Option<(Position, Time)>,
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
    pub(super) fn new(topic: Topic, subject: String, set: Option<Set>, is_cut: bool) -> Arc<Self> {
        let heard = Heard::new(Instant::now());
        let state =
            State { is_wanted: true, on: None, is_clustered: false, reader: None, heard, tail: None, mark: None };
        Arc::new(Self { topic, subject, set, is_cut, state: Mutex::new(state) })
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
        is_clustered: bool,
        subscriber: Subscriber,
        ended: &Arc<Ended>,
        inbound: &Inbound,
    ) {
        let mut state = self.lock();
        if let Some(reader) = state.reader.take() {
            reader.abort();
        }
        (state.on, state.is_clustered, state.heard) = (Some(connection), is_clustered, Heard::new(Instant::now()));
        let (own, ended, inbound) = (Arc::clone(self), Arc::clone(ended), inbound.clone());
        let reader = tokio::spawn(async move {
            // A reader that waits for a message would keep the connection's tasks alive.
            tokio::select! {
                biased;
                () = ended.over() => {}
                () = own.read(connection, subscriber, &ended, &inbound) => {}
            }
        });
        state.reader = Some(reader.abort_handle());
    }

    pub(super) fn detach(&self) {
        let mut state = self.lock();
        (state.is_wanted, state.on) = (false, None);
        if let Some(reader) = state.reader.take() {
            reader.abort();
        }
    }

    /// The server does not let this connection subscribe to it. Another connection tries again.
    pub(super) fn refuse(&self) {
        let mut state = self.lock();
        state.on = None;
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
            (Some(set), Some(Stored { position, last, time })) => {
                let kept = (!self.is_cut).then(|| Duration::from_millis(set.age));
                let previous = state.previous(kept, position, last, connection, arrival, now);
                state.see(position, now);
                state.mark(position, time);
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

    /// The publication at this position was stored at this time.
    pub(super) fn mark(&self, position: Position, time: Option<Time>) {
        self.lock().mark(position, time);
    }

    /// When the publication at this position was stored, as far as it is known.
    pub(super) fn time_of(&self, position: Position) -> Option<Time> {
        self.lock().mark.filter(|(own, _)| *own == position).map(|(_, time)| time)
    }

    /// The stream has lost publications that were there, and ends here.
    pub(super) fn cut(&self, end: Position, at: Instant) {
        let mut state = self.lock();
        (state.tail, state.mark) = (None, None);
        state.see(end, at);
    }
}

impl State {
    /// The offset before a publication, or a place between the two, given that of the last one that was still stored when it came,
    /// or 0.
    ///
    /// `kept` is the time for which a publication is stored, if later ones of the same topic do not push it out.
    ///
    /// If none was stored any more, because of its age, the server knows of none before it, but we may. If we do not, the place is
    /// the one just before it, so that what may be missing is looked for in the history.
    fn previous(
        &self,
        kept: Option<Duration>,
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
        let is_recent = kept.is_some_and(|kept| now.saturating_duration_since(tail.at) + DELAY < kept);
        // Nothing of any publisher is missing since then. Between servers, one of another publisher may have been lost.
        let is_whole = !self.is_clustered && arrival == Some(Arrival::Next) && tail.on == Some(connection);
        if is_recent || is_whole { tail.position.offset } else { position.offset.saturating_sub(1) }
    }

    fn mark(&mut self, position: Position, time: Option<Time>) {
        let is_later = |own: Position| own.epoch != position.epoch || own.offset <= position.offset;
        if let Some(time) = time
            && self.mark.is_none_or(|(own, _)| is_later(own))
        {
            self.mark = Some((position, time));
        }
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
        let mut state = State {
            is_wanted: true,
            on: Some(1),
            is_clustered: false,
            reader: None,
            heard: Heard::new(at),
            tail: None,
            mark: None,
        };
        state.see(Position::new(Epoch(1), tail), at);
        state
    }

    const KEPT: Option<Duration> = Some(Duration::from_secs(60));

    #[test]
    fn the_one_before_is_known_although_it_has_expired() {
        let start = Instant::now();
        let mut state = state(7, start);
        let later = start + Duration::from_secs(100);
        let at = |offset| Position::new(Epoch(1), offset);
        // It is still stored.
        assert_eq!(state.previous(KEPT, at(12), 7, 1, None, later), 7);
        assert_eq!(state.previous(KEPT, at(12), 9, 1, None, start), 9, "one was missed");
        // It has expired, and so may have others.
        assert_eq!(state.previous(KEPT, at(12), 0, 1, None, start), 7, "nothing can have expired since");
        assert_eq!(state.previous(KEPT, at(12), 0, 1, None, later), 11, "another program published it");
        assert_eq!(
            state.previous(KEPT, at(12), 0, 1, Some(Arrival::AfterMissing), later),
            11,
            "a publisher's number is missing"
        );
        assert_eq!(state.previous(KEPT, at(12), 0, 1, Some(Arrival::Next), later), 7);
        assert_eq!(
            state.previous(KEPT, at(12), 0, 2, Some(Arrival::Next), later),
            11,
            "the connection was lost meanwhile"
        );
        // Whatever came between may have been removed because of the stream's size.
        assert_eq!(state.previous(None, at(12), 0, 1, None, start), 11);
        // Another stream.
        assert_eq!(state.previous(KEPT, Position::new(Epoch(2), 12), 0, 1, Some(Arrival::Next), start), 0);
        assert_eq!(state.previous(KEPT, at(3), 0, 1, Some(Arrival::Next), start), 0);
        state.is_clustered = true;
        let previous = state.previous(KEPT, at(12), 0, 1, Some(Arrival::Next), later);
        assert_eq!(previous, 11, "another publisher's may have been lost between servers");
    }

    #[test]
    fn the_time_of_the_last_publication_tells_it_from_another_one() {
        let time = |text| {
            let mut headers = async_nats::HeaderMap::new();
            headers.insert("Nats-Time-Stamp", text);
            wire::time(&Raw {
                subject: "s".into(),
                reply: None,
                payload: bytes::Bytes::new(),
                headers: Some(headers),
                status: None,
                description: None,
                length: 0,
            })
        };
        let subscribed =
            Subscribed::new(Topic::new("a").unwrap(), "s".to_owned(), Some(Set { size: 1, age: 1 }), false);
        let at = |offset| Position::new(Epoch(1), offset);
        subscribed.mark(at(7), time("1"));
        subscribed.mark(at(5), time("2"));
        assert_eq!(subscribed.time_of(at(7)), time("1"));
        assert_eq!(subscribed.time_of(at(5)), None);
        assert_eq!(subscribed.time_of(Position::new(Epoch(2), 7)), None);
        subscribed.cut(at(3), Instant::now());
        assert_eq!(subscribed.time_of(at(7)), None);
        subscribed.mark(at(5), time("2"));
        assert_eq!(subscribed.time_of(at(5)), time("2"));
        assert!(subscribed.is_behind(at(4)), "it goes on from the end");
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
