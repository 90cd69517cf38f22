//! One direction of a link between two ends, on a virtual clock.

use std::collections::VecDeque;
use std::time::Duration;

use ws_proto::Timestamp;

/// One direction of a link. Bytes stay in order, and are lost only with everything behind them.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) latency: Duration,
    /// In bytes a second.
    pub(crate) rate: u64,
    /// The most bytes that travel as one piece.
    pub(crate) piece: usize,
    /// The most bytes that are on their way.
    pub(crate) window: usize,
    /// After how many bytes it dies, and how.
    pub(crate) dies: Option<(u64, Death)>,
}

/// How a direction dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Without a sign: what is written after it never arrives, nor does an end.
    Silent,
    /// The reader finds an end of the stream there; the writer finds that it cannot write.
    End,
    /// Both are told that the connection is broken.
    Reset,
}

/// What travels.
#[derive(Debug)]
pub(crate) enum Parcel {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// A direction and what is on it.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) link: Link,
    /// The time from which on the next piece can be put on it.
    free_at: Timestamp,
    /// The parcels, with the times at which they arrive.
    parcels: VecDeque<(Timestamp, Parcel)>,
    carried: u64,
    /// The number of bytes on their way. Lost ones count: nobody reports their arrival.
    on_their_way: usize,
    dead: Option<Death>,
}

impl Wire {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, free_at: Timestamp::ZERO, parcels: VecDeque::new(), carried: 0, on_their_way: 0, dead: None }
    }

    /// The number of bytes that its writer can put on it now.
    pub(crate) fn room(&self, now: Timestamp) -> usize {
        match self.free_at > now {
            true => 0,
            false => self.link.window.saturating_sub(self.on_their_way).min(self.link.piece),
        }
    }

    /// The number of bytes that it carries before it dies.
    pub(crate) fn left(&self) -> usize {
        match (self.dead, self.link.dies) {
            (None, Some((after, _))) => usize::try_from(after.saturating_sub(self.carried)).unwrap_or(usize::MAX),
            _ => usize::MAX,
        }
    }

    /// The time at which it takes another piece. `None` while it waits for bytes to arrive.
    pub(crate) fn takes_at(&self) -> Option<Timestamp> {
        (self.on_their_way < self.link.window).then_some(self.free_at)
    }

    /// Whether a write fails.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(self.dead, Some(Death::End | Death::Reset))
    }

    /// Takes bytes that were written.
    pub(crate) fn carry(&mut self, now: Timestamp, bytes: Vec<u8>) {
        self.free_at = now + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / self.link.rate);
        self.on_their_way += bytes.len();
        if self.dead.is_none() {
            self.carried += bytes.len() as u64;
            self.put(now, Parcel::Bytes(bytes));
        }
    }

    /// Puts something on it, behind the rest.
    pub(crate) fn put(&mut self, now: Timestamp, parcel: Parcel) {
        if self.dead.is_none() {
            self.parcels.push_back((self.free_at.max(now) + self.link.latency, parcel));
        }
    }

    /// Adds bytes that arrive at once, although nobody wrote them.
    pub(crate) fn inject(&mut self, now: Timestamp, bytes: Vec<u8>) {
        self.on_their_way += bytes.len();
        self.parcels.push_back((now, Parcel::Bytes(bytes)));
    }

    /// How it dies now, if it has carried what it should.
    pub(crate) fn death_due(&self) -> Option<Death> {
        self.link.dies.filter(|(after, _)| self.dead.is_none() && *after <= self.carried).map(|(_, death)| death)
    }

    pub(crate) fn die(&mut self, death: Death) {
        self.dead = Some(death);
    }

    /// Loses everything, now and later, without a sign.
    pub(crate) fn cut(&mut self) {
        self.parcels.clear();
        self.die(Death::Silent);
    }

    /// The time at which the next parcel arrives.
    pub(crate) fn arrives_at(&self) -> Option<Timestamp> {
        self.parcels.front().map(|(arrives, _)| *arrives)
    }

    /// Takes a parcel that has arrived.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Parcel> {
        self.arrives_at().filter(|&arrives| arrives <= now)?;
        let (_, parcel) = self.parcels.pop_front()?;
        if let Parcel::Bytes(bytes) = &parcel {
            self.on_their_way -= bytes.len();
        }
        Some(parcel)
    }
}
