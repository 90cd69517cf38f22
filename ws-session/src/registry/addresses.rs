//! The connections of each address, and the rate of new ones. An address without a limit is not counted.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use ws_proto::{Rate, Timestamp, TokenBucket};

use crate::transport::Timer;

/// The most addresses of one generation of [`Rates`]: about 1.5 MiB.
const GENERATION: usize = 32_768;

/// The number of connections of each address: open, or accepted and about to open.
#[derive(Debug, Default)]
pub(super) struct Counts {
    counts: HashMap<IpAddr, usize>,
    /// The addresses of accepted handshakes, by their IDs.
    pending: BTreeMap<u64, IpAddr>,
    /// The addresses of open connections, by their IDs.
    open: BTreeMap<u64, IpAddr>,
}

impl Counts {
    pub(super) fn of(&self, source: IpAddr) -> usize {
        self.counts.get(&source).copied().unwrap_or_default()
    }

    /// Counts an accepted handshake.
    pub(super) fn admit(&mut self, handshake: u64, source: IpAddr) {
        *self.counts.entry(source).or_default() += 1;
        self.pending.insert(handshake, source);
    }

    /// Counts the connection that a handshake has become.
    pub(super) fn enter(&mut self, handshake: u64, connection: u64) {
        if let Some(source) = self.pending.remove(&handshake) {
            self.open.insert(connection, source);
        }
    }

    /// Stops counting a handshake that has not become a connection.
    pub(super) fn end(&mut self, handshake: u64) {
        let source = self.pending.remove(&handshake);
        self.release(source);
    }

    /// Stops counting a connection.
    pub(super) fn leave(&mut self, connection: u64) {
        let source = self.open.remove(&connection);
        self.release(source);
    }

    fn release(&mut self, source: Option<IpAddr>) {
        let Some(source) = source else { return };
        if let Some(count) = self.counts.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&source);
            }
        }
        if self.counts.is_empty() {
            self.counts = HashMap::new();
        }
    }
}

/// The rate of new connections of each address.
///
/// The table is bounded. Addresses move from a young generation to an old one, which is dropped with the next change. Usually
/// that takes as long as a bucket needs to be full, so only full buckets are dropped, which have nothing to remember. With
/// more than 32,768 addresses in that time, it takes less long.
#[derive(Default)]
pub(super) struct Rates {
    /// The clock of all of them, once it is needed.
    clock: Option<Box<dyn Timer + Send>>,
    young: HashMap<IpAddr, TokenBucket>,
    old: HashMap<IpAddr, TokenBucket>,
    /// The time of the last change of generations.
    since: Timestamp,
}

impl Rates {
    /// Counts a new connection. The error is the time until the next is allowed.
    pub(super) fn take(&mut self, source: IpAddr, limit: &ConnectionRate) -> Result<(), Duration> {
        let now = self.clock.get_or_insert_with(limit.clock).now();
        self.take_at(source, &limit.rate, now)
    }

    fn take_at(&mut self, source: IpAddr, rate: &Rate, now: Timestamp) -> Result<(), Duration> {
        let age = now - self.since;
        let is_crowded = self.young.len() >= GENERATION && !self.young.contains_key(&source);
        if age >= rate.refill_time() || is_crowded {
            self.old = mem::take(&mut self.young);
            self.since = now;
        }
        let known = self.young.get(&source).or_else(|| self.old.get(&source));
        let mut bucket = known.copied().unwrap_or_default();
        let taken = bucket.try_take(rate, 1, now);
        self.young.insert(source, bucket);
        taken
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").field("addresses", &(self.young.len() + self.old.len())).finish_non_exhaustive()
    }
}

/// The limit of new connections from each address, and the clock that it is kept by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionRate {
    pub(crate) rate: Rate,
    pub(crate) clock: fn() -> Box<dyn Timer + Send>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(Duration::from_millis(millis))
    }

    fn source(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_count_follows_a_connection_from_its_handshake_to_its_end() {
        let mut counts = Counts::default();
        (1..=3).for_each(|handshake| counts.admit(handshake, source(7)));
        counts.enter(1, 11);
        counts.end(2);
        assert_eq!((counts.of(source(7)), counts.of(source(8))), (2, 0));
        counts.enter(3, 13);
        // Neither is known any more.
        counts.end(3);
        counts.leave(2);
        assert_eq!(counts.of(source(7)), 2);
        counts.leave(11);
        counts.leave(13);
        assert_eq!(counts.of(source(7)), 0);
        assert!(counts.counts.capacity() == 0 && counts.pending.is_empty() && counts.open.is_empty());
    }

    #[test]
    fn each_address_has_a_rate_of_its_own_which_no_change_of_generations_raises() {
        let (mut rates, rate) = (Rates::default(), Rate::per_second(2).with_burst(4));
        let (mut first, mut second) = (0, 0);
        for millis in 0..60_000 {
            first += u64::from(rates.take_at(source(1), &rate, at(millis)).is_ok());
            // One that comes seldom stays remembered for as long as it has to.
            second += u64::from(millis % 3000 < 10 && rates.take_at(source(2), &rate, at(millis)).is_ok());
        }
        assert_eq!((first, second), (4 + 2 * 60 - 1, 4 * 20));
    }

    #[test]
    fn old_addresses_are_forgotten_and_the_table_is_bounded() {
        let (mut rates, rate) = (Rates::default(), Rate::per_second(1));
        for n in 0..200_000 {
            assert!(rates.take_at(source(n), &rate, at(0)).is_ok());
            assert!(rates.young.len() <= GENERATION && rates.old.len() <= GENERATION);
        }
        // One that was there just now is remembered all the same.
        assert!(rates.take_at(source(199_999), &rate, at(0)).is_err());
        // The last that came leave when they have nothing to remember.
        for millis in [1000, 2000] {
            assert!(rates.take_at(source(0), &rate, at(millis)).is_ok());
        }
        assert!(rates.young.len() + rates.old.len() <= 2);
        assert!(rates.young.capacity() + rates.old.capacity() < 100);
    }
}
