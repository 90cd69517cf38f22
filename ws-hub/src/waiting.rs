//! [`Waiting`]: the deliveries that wait for a subscriber, within a bound.

use std::collections::VecDeque;
use std::mem;

use ws_session::ByteString;

use crate::options::SlowPolicy;
use crate::publication::{Delivery, Gap, GapCause};

/// How much may wait for a subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) deliveries: usize,
    pub(crate) bytes: usize,
}

impl Default for Bound {
    fn default() -> Self {
        Self { deliveries: 1000, bytes: 1 << 20 }
    }
}

pub(crate) struct Waiting {
    bound: Bound,
    policy: SlowPolicy,
    queue: VecDeque<Delivery>,
    bytes: usize,
    /// The first of them do not count: they were recovered, which has a bound of its own.
    exempt: usize,
    exempt_bytes: usize,
}

impl Waiting {
    pub(crate) fn new(bound: Bound, policy: SlowPolicy) -> Self {
        Self { bound, policy, queue: VecDeque::new(), bytes: 0, exempt: 0, exempt_bytes: 0 }
    }

    pub(crate) fn take(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.bytes -= weight(&delivery);
        if self.exempt > 0 {
            self.exempt -= 1;
            self.exempt_bytes -= weight(&delivery);
        }
        if self.queue.is_empty() {
            // Nothing waits, so nothing is held.
            self.queue = VecDeque::new();
        }
        Some(delivery)
    }

    /// Adds deliveries that were recovered. What waits already counts no more either.
    pub(crate) fn add_recovered(&mut self, deliveries: &[Delivery]) {
        self.bytes += deliveries.iter().map(weight).sum::<usize>();
        self.queue.extend(deliveries.iter().cloned());
        (self.exempt, self.exempt_bytes) = (self.queue.len(), self.bytes);
    }

    /// The bytes that wait.
    #[cfg(feature = "protocol")]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a delivery. `false` if there is no room, except with [`SlowPolicy::Newest`], which makes room.
    pub(crate) fn offer(&mut self, delivery: &Delivery) -> bool {
        let more = weight(delivery);
        if self.is_full(more) {
            if self.policy != SlowPolicy::Newest {
                return false;
            }
            if let Delivery::Publication(publication) = delivery {
                self.supersede(publication.key.as_ref());
            }
            while self.is_full(more) && self.drop_oldest() {}
        }
        self.bytes += more;
        self.queue.push_back(delivery.clone());
        true
    }

    fn is_full(&self, more: usize) -> bool {
        // A single delivery is never too large.
        let (deliveries, bytes) = (self.queue.len() - self.exempt, self.bytes - self.exempt_bytes);
        let is_above = deliveries >= self.bound.deliveries || bytes + more > self.bound.bytes;
        is_above && deliveries > 0
    }

    /// Removes the older value of a key.
    fn supersede(&mut self, key: Option<&ByteString>) {
        let is_older =
            |delivery: &Delivery| matches!(delivery, Delivery::Publication(older) if older.key.as_ref() == key);
        let older = self.queue.iter().skip(self.exempt).position(is_older).map(|index| index + self.exempt);
        if let Some(older) = older.and_then(|index| self.queue.remove(index)) {
            self.bytes -= weight(&older);
        }
    }

    /// Drops the oldest publication, and puts a gap at the beginning. Returns whether there was one to drop.
    fn drop_oldest(&mut self) -> bool {
        let is_publication = |delivery: &Delivery| matches!(delivery, Delivery::Publication(_));
        let first = self.queue.iter().skip(self.exempt).position(is_publication);
        let Some(index) = first.map(|index| index + self.exempt) else { return false };
        let gap = Delivery::Gap(GapCause::SlowSubscriber.into());
        let is_gap = |delivery: &Delivery| matches!(delivery, Delivery::Gap(Gap { cause: GapCause::SlowSubscriber }));
        self.bytes -= weight(&self.queue[index]);
        if index > self.exempt && is_gap(&self.queue[index - 1]) {
            self.queue.remove(index);
        } else {
            self.bytes += weight(&gap);
            drop(mem::replace(&mut self.queue[index], gap));
        }
        true
    }
}

/// The memory that a delivery takes while it waits, in bytes, about.
pub(crate) fn weight(delivery: &Delivery) -> usize {
    match delivery {
        Delivery::Publication(publication) => publication.weight(),
        _ => size_of::<Delivery>(),
    }
}
