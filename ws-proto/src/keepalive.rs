//! Our pings and the pongs that answer them (RFC 6455 §5.5.2, §5.5.3).

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::Timestamp;

/// The most pings that may be unanswered.
const MOST: usize = 1024;

/// The most unanswered keepalive pings that are remembered, for connections without a pong deadline.
const REMEMBERED: usize = 16;

/// The ID of a ping, unique within its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(u64);

/// The unanswered pings, and the last round-trip time.
#[derive(Debug, Default)]
pub(crate) struct Keepalive {
    next_id: u64,
    in_flight: VecDeque<Ping>,
    /// The position where the last answered ping ends. The peer has read up to there.
    read: u64,
    /// The last round-trip time, as a time since the origin, which takes half the memory of a `Duration`.
    latency: Option<Timestamp>,
}

#[derive(Debug)]
struct Ping {
    id: PingId,
    /// The time when it was queued.
    at: Timestamp,
    /// The position of its end among all bytes that were ever queued.
    end: u64,
    /// Whether it is a keepalive ping.
    keepalive: bool,
    /// Whether its pong, or another sign of life, has a deadline.
    awaited: bool,
}

impl PingId {
    /// The ping's payload, which its pong should repeat. No two pings of a connection have the same one.
    pub fn payload(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl Keepalive {
    pub(crate) fn next_id(&mut self) -> PingId {
        self.next_id += 1;
        PingId(self.next_id)
    }

    /// Remembers a ping that was queued and ends at the position `end`. Only the last 16 unanswered keepalive pings are kept.
    pub(crate) fn sent(&mut self, id: PingId, at: Timestamp, end: u64, keepalive: bool) {
        if keepalive && self.in_flight.iter().filter(|ping| ping.keepalive).count() >= REMEMBERED {
            let oldest = self.in_flight.iter().position(|ping| ping.keepalive);
            oldest.map(|index| self.in_flight.remove(index));
        }
        self.in_flight.push_back(Ping { id, at, end, keepalive, awaited: keepalive });
    }

    /// Takes in a pong that was received after `written` bytes had been written. Returns the answered ping and the round-trip
    /// time. Pings before that one count as answered, too. A pong with another payload than any of our pings answers the
    /// oldest; it does not change [`latency`](Self::latency).
    pub(crate) fn pong(&mut self, payload: &[u8], written: u64, now: Timestamp) -> Option<(PingId, Duration)> {
        let exact = self.in_flight.iter().position(|ping| ping.id.payload() == *payload);
        let index = match exact {
            Some(index) => index,
            // A late pong answers none of the pings after it.
            None if self.was_sent(payload) => return None,
            None => self.in_flight.front().filter(|ping| ping.end <= written).map(|_| 0)?,
        };
        let ping = self.in_flight.drain(..=index).next_back()?;
        if self.in_flight.is_empty() {
            self.in_flight = VecDeque::new();
        }
        self.read = ping.end;
        let took = now - ping.at;
        if exact.is_some() {
            self.latency = Some(Timestamp::new(took));
        }
        Some((ping.id, took))
    }

    /// Whether a ping with this payload was ever sent.
    fn was_sent(&self, payload: &[u8]) -> bool {
        payload.try_into().is_ok_and(|number| (1..=self.next_id).contains(&u64::from_be_bytes(number)))
    }

    /// The last round-trip time.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.latency.map(Timestamp::since_origin)
    }

    /// Whether the most unanswered pings are reached.
    pub(crate) fn is_full(&self) -> bool {
        self.in_flight.len() >= MOST
    }

    /// Ends the wait for a sign of life, because one was received. Later pongs still give a round-trip time.
    pub(crate) fn heard(&mut self) {
        self.in_flight.iter_mut().for_each(|ping| ping.awaited = false);
    }

    /// Whether a sign of life is awaited after a keepalive ping.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.first_end().is_some()
    }

    /// The position where the first keepalive ping ends after which a sign of life is awaited.
    #[inline]
    pub(crate) fn first_end(&self) -> Option<u64> {
        if self.in_flight.is_empty() {
            return None;
        }
        self.in_flight.iter().find(|ping| ping.awaited).map(|ping| ping.end)
    }

    /// The number of bytes that the peer may still have to read, up to the end of that ping.
    pub(crate) fn unread(&self) -> u64 {
        self.first_end().map_or(0, |end| end.saturating_sub(self.read))
    }

    /// Whether a keepalive ping has not been written yet.
    pub(crate) fn is_queued(&self, written: u64) -> bool {
        self.in_flight.iter().any(|ping| ping.keepalive && ping.end > written)
    }

    /// Whether the ping of [`first_end`](Self::first_end) is among the first `written` bytes.
    pub(crate) fn is_waiting_for_peer(&self, written: u64) -> bool {
        self.first_end().is_some_and(|end| end <= written)
    }

    pub(crate) fn release(&mut self) {
        self.in_flight = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_answers_its_ping_and_those_before() {
        let at = |ms| Timestamp::new(Duration::from_millis(ms));
        let mut keepalive = Keepalive::default();
        let ids = [1, 2, 3].map(|n| {
            let id = keepalive.next_id();
            keepalive.sent(id, at(n), n * 10, n == 1);
            id
        });
        assert!(!keepalive.is_waiting_for_peer(9));
        assert!(keepalive.is_waiting_for_peer(10));
        assert_eq!(keepalive.pong(b"unsolicited", 9, at(5)), None, "none has been written");
        assert_eq!(keepalive.pong(&ids[1].payload(), 30, at(9)), Some((ids[1], Duration::from_millis(7))));
        assert!(!keepalive.is_waiting());
        assert_eq!(keepalive.pong(&ids[0].payload(), 29, at(9)), None, "answered by the one after it");
        assert_eq!(keepalive.pong(&ids[2].payload(), 30, at(9)), Some((ids[2], Duration::from_millis(6))));
        assert_eq!(keepalive.pong(&ids[2].payload(), 30, at(9)), None, "no ping is left");
        assert_eq!(keepalive.latency(), Some(Duration::from_millis(6)));
    }

    #[test]
    fn a_pong_with_another_payload_answers_the_oldest_ping_and_tells_no_latency() {
        let at = |ms| Timestamp::new(Duration::from_millis(ms));
        let mut keepalive = Keepalive::default();
        let ids = [1, 2].map(|n| {
            let id = keepalive.next_id();
            keepalive.sent(id, at(n), n * 10, true);
            id
        });
        assert_eq!(keepalive.pong(b"", 20, at(5)), Some((ids[0], Duration::from_millis(4))));
        assert_eq!(keepalive.pong(b"another", 19, at(6)), None, "the second has not been written");
        assert_eq!(keepalive.pong(b"another", 20, at(6)), Some((ids[1], Duration::from_millis(4))));
        assert_eq!(keepalive.latency(), None);
    }
}
