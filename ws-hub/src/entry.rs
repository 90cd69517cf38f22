//! [`Entry`]: a topic that is subscribed at this instance, and its members.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use slab::Slab;

use crate::backplane::{HistoryError, Page};
use crate::catchup::{Bounds, Read, Start};
use crate::member::{Member, Stay};
use crate::options::TopicOptions;
use crate::position::Position;
use crate::publication::{Delivery, GapCause, Publication, Unrecoverable};
use crate::stats::{Counters, Tally};
use crate::stream::Stream;
use crate::subscriber::Subscriber;
use crate::topic::Topic;

pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) options: Arc<TopicOptions>,
    bounds: Bounds,
    /// `None` for a topic of the hub itself.
    counters: Option<Arc<Counters>>,
    state: Mutex<State>,
}

pub(crate) struct State {
    stream: Stream,
    members: Slab<Member>,
    next_id: u64,
    /// Whether members may be catching up: else they are not looked through at each publication.
    may_catch_up: bool,
    attachment: Attachment,
    /// The place from which on publications came, when the topic was subscribed.
    top: Option<Position>,
    /// A read of history is in progress.
    is_reading: bool,
    /// The place of the last read that was answered.
    swept: Option<Position>,
    /// The last read was one of the last publications.
    has_read_latest: bool,
    /// It is no longer in the hub's table.
    is_removed: bool,
    linger: Linger,
}

/// Whether a task waits to unsubscribe the topic, because it has no subscribers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Linger {
    No,
    /// The last subscriber has left since the task looked.
    Anew,
    Waiting,
}

/// The subscription at the backplane.
enum Attachment {
    /// It is being made. These tasks wait for it.
    Making(Vec<Waker>),
    Made,
}

/// A subscriber among those of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    key: usize,
    /// Keys are used again, IDs are not.
    id: u64,
}

/// Why a subscriber cannot be added.
pub(crate) enum NotAdded {
    /// The entry is no longer in use: another one must be made.
    Removed,
    /// The topic has as many subscribers as it may have.
    Full,
}

impl Entry {
    pub(crate) fn new(topic: Topic, options: Arc<TopicOptions>, bounds: Bounds, counters: &Arc<Counters>) -> Self {
        let counters = (!topic.is_own()).then(|| Arc::clone(counters));
        let history = options.history.map(|_| bounds);
        let state = State {
            stream: Stream::new(history),
            members: Slab::new(),
            next_id: 0,
            may_catch_up: false,
            attachment: Attachment::Making(Vec::new()),
            top: None,
            is_reading: false,
            swept: None,
            has_read_latest: false,
            is_removed: false,
            linger: Linger::No,
        };
        Self { topic, options, bounds, counters, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber, whose first deliveries are earlier publications, if it starts there. Returns the last place before its
    /// live publications, too, which is unknown until the topic is subscribed.
    pub(crate) fn add(
        &self,
        subscriber: Arc<dyn Subscriber>,
        start: Start,
    ) -> Result<(Seat, Option<Position>), NotAdded> {
        let mut state = self.lock();
        if state.is_removed {
            return Err(NotAdded::Removed);
        }
        if self.options.max_subscribers.is_some_and(|most| state.members.len() >= most) {
            return Err(NotAdded::Full);
        }
        state.next_id += 1;
        let (id, tail) = (state.next_id, state.stream.tail());
        let member = if start == Start::default() {
            Member::live(id, subscriber)
        } else if self.options.history.is_some() {
            state.may_catch_up = true;
            Member::start(id, subscriber, start, tail, self.bounds)
        } else {
            let mut member = Member::live(id, subscriber);
            let mut tally = Tally::default();
            member.deliver(&Delivery::Unrecoverable(Unrecoverable::NoHistory), self.options.slow, &mut tally);
            self.count(tally);
            member
        };
        Ok((Seat { key: state.members.insert(member), id }, tail))
    }

    /// Removes a subscriber, if it is still there. Returns whether there is none left.
    pub(crate) fn remove(&self, seat: Seat) -> bool {
        let mut state = self.lock();
        let is_there = state.members.get(seat.key).is_some_and(|member| member.id == seat.id);
        let removed = if is_there { state.members.try_remove(seat.key) } else { None };
        let is_empty = state.members.is_empty();
        drop(state);
        // A subscriber's own destructor runs without the lock.
        drop(removed);
        is_empty
    }

    /// The last subscriber has left. Returns whether a task is to be spawned for it.
    pub(crate) fn begin_lingering(&self) -> bool {
        let previous = std::mem::replace(&mut self.lock().linger, Linger::Anew);
        previous == Linger::No
    }

    /// Whether to wait before the topic is unsubscribed.
    pub(crate) fn lingers(&self) -> bool {
        let linger = &mut self.lock().linger;
        let is_new = *linger == Linger::Anew;
        *linger = if is_new { Linger::Waiting } else { Linger::No };
        is_new
    }

    /// Marks the entry as removed, if it has no subscribers.
    pub(crate) fn retire(&self) -> bool {
        let mut state = self.lock();
        state.is_removed |= state.members.is_empty();
        state.is_removed
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.lock().is_removed
    }

    /// The subscription at the backplane may have ended. It is made again, and shows what was missed.
    pub(crate) fn detached(&self) {
        self.change(|stream, _| stream.missed(GapCause::Unsubscribed));
        let attachment = &mut self.lock().attachment;
        if matches!(attachment, Attachment::Made) {
            *attachment = Attachment::Making(Vec::new());
        }
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.lock().members.len()
    }

    /// Whether the topic is subscribed at the backplane. If not, the task is woken when it is.
    pub(crate) fn is_attached(&self, waker: &Waker) -> bool {
        match &mut self.lock().attachment {
            Attachment::Made => true,
            Attachment::Making(waiting) => {
                waiting.retain(|other| !other.will_wake(waker));
                waiting.push(waker.clone());
                false
            }
        }
    }

    /// The task no longer waits for that.
    pub(crate) fn stop_waiting(&self, waker: &Waker) {
        if let Attachment::Making(waiting) = &mut self.lock().attachment {
            waiting.retain(|other| !other.will_wake(waker));
        }
    }

    /// The member may have missed publications before the next one.
    pub(crate) fn owe(&self, seat: Seat, cause: GapCause) {
        if let Some(member) = self.lock().members.get_mut(seat.key).filter(|member| member.id == seat.id) {
            member.owe(cause);
        }
    }

    /// The place from which on publications came, when the topic was subscribed.
    pub(crate) fn top(&self) -> Option<Position> {
        self.lock().top
    }

    /// The topic is subscribed at the backplane.
    pub(crate) fn attached(&self, top: Option<Position>) {
        let mut state = self.lock();
        state.stream.attached(top);
        state.members.iter_mut().for_each(|(_, member)| member.must_reach(top));
        state.top = state.top.or(top);
        let attachment = std::mem::replace(&mut state.attachment, Attachment::Made);
        drop(state);
        if let Attachment::Making(waiting) = attachment {
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// A publication arrived. Returns the number of subscribers.
    ///
    /// Without a place it counts only once the topic is subscribed: before, it can be the last one of an earlier subscription,
    /// and others between it and the next one were not heard.
    pub(crate) fn arrived(&self, publication: &Arc<Publication>) -> usize {
        let is_placed = publication.position.is_some() || publication.is_local;
        if !is_placed && matches!(self.lock().attachment, Attachment::Making(_)) {
            return 0;
        }
        self.note_first(publication);
        self.change(|stream, deliver| stream.arrived(publication, deliver))
    }

    /// A publication can arrive before it is known that the topic is subscribed, if an attempt before has succeeded. Then the
    /// place before it is where subscriptions begin.
    fn note_first(&self, publication: &Publication) {
        let mut state = self.lock();
        if let (None, Attachment::Making(_), Some(own)) = (state.top, &state.attachment, publication.position) {
            state.top = Some(Position::new(own.epoch, publication.previous));
        }
    }

    pub(crate) fn lost(&self, cause: GapCause) {
        self.lock().stream.lost(cause);
    }

    pub(crate) fn restored(&self) {
        self.change(|stream, deliver| stream.restored(deliver));
    }

    pub(crate) fn missed(&self, cause: GapCause) {
        self.change(|stream, deliver| {
            stream.missed(cause);
            stream.pay(deliver);
        });
    }

    fn count(&self, tally: Tally) {
        if let Some(counters) = &self.counters {
            counters.delivered(tally);
        }
    }

    /// Changes the stream, and passes on what it delivers. Returns the number of subscribers.
    fn change(&self, change: impl FnOnce(&mut Stream, &mut dyn FnMut(Delivery))) -> usize {
        let state = &mut *self.lock();
        let (members, policy) = (&mut state.members, self.options.slow);
        let mut tally = Tally::default();
        change(&mut state.stream, &mut |delivery| {
            members.retain(|_, member| member.deliver(&delivery, policy, &mut tally) == Stay::Yes);
        });
        self.count(tally);
        members.len()
    }

    /// What to read of the history now. The caller reads, and then calls [`read`](Self::read).
    pub(crate) fn begin_read(&self) -> Option<Read> {
        let state = &mut *self.lock();
        let is_attached = matches!(state.attachment, Attachment::Made);
        if state.is_reading || state.stream.is_lost() || !is_attached {
            return None;
        }
        let (mut since, mut latest) = (None::<Position>, None);
        // Forward from the last read, and then from the beginning again: a reader that comes later, from an earlier place, does not keep
        // others waiting. The earliest place serves all behind it, as far as they are in the same stream.
        let swept = state.swept;
        let order = |place: Position| {
            let is_behind = swept.is_some_and(|swept| swept.epoch == place.epoch && place.offset <= swept.offset);
            (is_behind, place.epoch, place.offset)
        };
        let mut want = |wanted| match wanted {
            Read::Since(place) => {
                let is_next = since.is_none_or(|other| order(place) < order(other));
                since = if is_next { Some(place) } else { since };
            }
            Read::Latest(count) => latest = latest.max(Some(count)),
        };
        state.stream.wanted().into_iter().for_each(&mut want);
        if state.may_catch_up {
            let members = state.members.iter().filter_map(|(_, member)| member.wanted());
            state.may_catch_up = members.map(&mut want).count() > 0;
        }
        // One after the other, so that no kind waits for ever.
        let read = match (since, latest) {
            (Some(since), Some(_)) if state.has_read_latest => Read::Since(since),
            (_, Some(count)) => Read::Latest(count),
            (since, None) => Read::Since(since?),
        };
        (state.is_reading, state.has_read_latest) = (true, matches!(read, Read::Latest(_)));
        state.stream.begin_read(read);
        state.members.iter_mut().for_each(|(_, member)| member.begin_read(read));
        Some(read)
    }

    /// A read of history has ended.
    pub(crate) fn read(&self, read: Read, result: &Result<Page, HistoryError>) {
        let state = &mut *self.lock();
        state.is_reading = false;
        if let (Read::Since(place), Ok(_)) = (read, result) {
            state.swept = Some(place);
        }
        let (members, policy) = (&mut state.members, self.options.slow);
        let mut tally = Tally::default();
        // Members that still recover get what the stream delivers into their gates.
        state.stream.ended(read, result, &mut |delivery| {
            members.retain(|_, member| member.deliver(&delivery, policy, &mut tally) == Stay::Yes);
        });
        let tail = state.stream.tail();
        members.retain(|_, member| {
            member.must_reach(tail);
            member.ended(read, result, policy, &mut tally) == Stay::Yes
        });
        self.count(tally);
    }
}
