//! Connections whose memory is counted.

use std::sync::Arc;

use peak_alloc::PeakAlloc;
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use ws_proto::{Buf, Config, Connection, Event, Role, Timestamp};

use crate::common::*;
use crate::*;

/// The outer counter takes growing for growing; the inner one knows nothing but allocating, copying and freeing.
#[global_allocator]
pub(crate) static ALLOCATOR: PeakMemAlloc<PeakAlloc> = PeakMemAlloc::new(PeakAlloc);

/// What may be held beyond the limits.
pub(crate) const SLACK: usize = 64 * KIB;

/// Counts from where it was started.
pub(crate) struct Meter {
    pub(crate) before: usize,
}

impl Meter {
    pub(crate) fn start() -> Self {
        ALLOCATOR.reset_peak_memory();
        PeakAlloc.reset_peak_usage();
        Self { before: PeakAlloc.current_usage() }
    }

    pub(crate) fn held(&self) -> usize {
        PeakAlloc.current_usage().checked_sub(self.before).expect("the check frees what is not the connection's")
    }

    /// The most there has been at a time.
    pub(crate) fn peak(&self) -> usize {
        ALLOCATOR.get_peak_memory()
    }

    /// The most there has been at a time, were every growing buffer copied.
    pub(crate) fn peak_copying(&self) -> usize {
        PeakAlloc.peak_usage().saturating_sub(self.before)
    }
}

/// A connection whose every byte on the heap is counted. The check must not keep what it allocates meanwhile.
pub(crate) struct Subject {
    pub(crate) connection: Connection,
    pub(crate) now: Timestamp,
    pub(crate) meter: Meter,
    /// What was read last; its memory was there before the connection.
    pub(crate) buffer: Vec<u8>,
    /// Whether messages are sent back.
    pub(crate) echoes: bool,
    /// How many messages and chunks came.
    pub(crate) came: usize,
    pub(crate) ended: bool,
}

/// The most that [`Subject::read`] takes at a time.
pub(crate) const READ: usize = MIB + 64;

impl Subject {
    pub(crate) fn new(role: Role, config: &Arc<Config>) -> Self {
        let buffer = Vec::with_capacity(READ);
        let now = Timestamp::ZERO;
        let meter = Meter::start();
        let connection = match role {
            Role::Server => Connection::server(config.clone(), now),
            Role::Client => Connection::client(config.clone(), || KEY, now),
        };
        Self { connection, now, meter, buffer, echoes: false, came: 0, ended: false }
    }

    /// One read. Events live no longer than their turn, but they count while they do.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= READ, "the buffer would grow");
        self.buffer.clear();
        self.buffer.extend_from_slice(bytes);
        let mut input = self.buffer.as_mut_slice();
        while let Some(event) = self.connection.receive(&mut input, self.now) {
            match event {
                Event::Message(message) => {
                    self.came += 1;
                    if self.echoes {
                        // Refused at the cap and after the end; the message goes either way.
                        let _ = self.connection.send(message.into_message());
                    }
                }
                Event::Chunk(_) => self.came += 1,
                Event::Closed(_) => self.ended = true,
                _ => {}
            }
        }
    }

    /// The transport takes up to `n` bytes.
    pub(crate) fn take(&mut self, mut n: usize) {
        while n > 0 && self.connection.outgoing().has_remaining() {
            let outgoing = self.connection.outgoing();
            let taken = outgoing.chunk().len().min(n);
            outgoing.advance(taken);
            n -= taken;
        }
    }

    /// What a driver does after each round.
    pub(crate) fn settle(&mut self) {
        self.connection.transport_state();
        self.connection.poll_timeout(self.now);
    }

    pub(crate) fn held(&self) -> usize {
        self.meter.held()
    }

    #[track_caller]
    pub(crate) fn assert_holds_nothing(&mut self, when: &str) {
        self.settle();
        assert_eq!(self.held(), 0, "{:?} {when}", self.connection);
    }

    /// At every moment so far: `limits` and 64 KiB; `grown` of them in buffers that grow.
    #[track_caller]
    pub(crate) fn assert_within(&self, limits: usize, grown: usize, what: std::fmt::Arguments<'_>) {
        let (peak, copying) = (self.meter.peak(), self.meter.peak_copying());
        assert!(self.held() <= peak.min(copying), "the counters disagree");
        assert!(peak <= limits.saturating_add(SLACK), "{what}: {peak} bytes held, {limits} is the limit");
        let most = limits.saturating_add(grown).saturating_add(SLACK);
        assert!(copying <= most, "{what}: {copying} bytes held while copying, {limits} is the limit");
    }
}

pub(crate) fn shared(change: impl FnOnce(&mut Config)) -> Arc<Config> {
    Arc::new(config(change))
}

pub(crate) fn limited(message: Option<usize>) -> Arc<Config> {
    shared(|config| {
        config.limits.message = message;
        config.limits.frame = message;
    })
}
