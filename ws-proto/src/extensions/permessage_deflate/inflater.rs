//! The receiving side of permessage-deflate (RFC 7692 §7.2.2).

use alloc::vec::Vec;

use ws_deflate::{Corrupt, Inflater};

use super::DeflateParams;
use super::idle::Idle;
use crate::time::Timestamp;

/// The number of bytes that are inflated at a time.
const STEP: usize = 8 << 10;

/// The cost of a compressed byte, relative to an inflated byte: it may take that much longer.
const COMPRESSED_BYTE: usize = 8;

/// The cost of a message besides its bytes.
const MESSAGE: usize = 1 << 10;

/// Inflates messages. Between two messages it keeps only the window, and only with context takeover.
#[derive(Debug)]
pub(crate) struct MessageInflater {
    agreed: DeflateParams,
    inflater: Inflater,
    /// Whether there is a message to [`finish`](Self::finish).
    has_begun: bool,
    /// Whether a message was inflated.
    has_finished: bool,
    /// The window, and after it the newest output.
    window: Vec<u8>,
    idle: Idle,
    /// The remaining budget. `None` for no limit.
    budget: Option<usize>,
    /// The bytes that were inflated, and their inflated size.
    compressed: u64,
    inflated: u64,
}

impl MessageInflater {
    /// The most output of one call of [`inflate`](Self::inflate), in bytes.
    pub(crate) const MOST: usize = STEP + 2 * Inflater::OVERSHOOT;

    pub(crate) fn new(agreed: DeflateParams) -> Self {
        let inflater = Inflater::new(agreed.receive_window_bits);
        Self {
            agreed,
            inflater,
            has_begun: false,
            has_finished: false,
            window: Vec::new(),
            idle: Idle::default(),
            budget: None,
            compressed: 0,
            inflated: 0,
        }
    }

    /// The compressed bytes that were taken, and their inflated size.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.compressed, self.inflated)
    }

    /// Releases all memory: nothing more is inflated.
    pub(crate) fn release(&mut self) {
        self.inflater = Inflater::new(self.agreed.receive_window_bits);
        self.window = Vec::new();
    }

    /// The time at which memory is released, after a round of I/O.
    pub(crate) fn idle_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.idle.poll(now)
    }

    /// Releases all memory but the window, if it was not used for long.
    pub(crate) fn release_idle(&mut self, now: Timestamp) {
        if self.idle.is_due(now) && !self.has_begun {
            let gone = self.window.len().saturating_sub(self.size());
            self.window.drain(..gone);
            self.window.shrink_to_fit();
        }
    }

    pub(crate) fn set_budget(&mut self, budget: Option<usize>) {
        self.budget = budget;
    }

    pub(crate) fn is_budget_spent(&self) -> bool {
        self.budget == Some(0)
    }

    pub(crate) fn has_finished(&self) -> bool {
        self.has_finished
    }

    fn spend(&mut self, work: usize) {
        self.budget = self.budget.map(|budget| budget.saturating_sub(work));
    }

    /// Inflates bytes from the front of `input`. Returns some KiB of output at most; if there is more, bytes are left in `input`.
    /// Also returns whether the output is complete if the message ends here.
    pub(crate) fn inflate(&mut self, input: &mut &[u8]) -> Result<(&[u8], bool), Corrupt> {
        if input.is_empty() {
            return Ok((&[], self.inflater.is_complete()));
        }
        self.has_begun = true;
        // Text becomes three or four times as long as it was, and rarely longer.
        let room = input.len().saturating_mul(6).clamp(STEP / 8, STEP);
        let before = self.make_room(room + Inflater::OVERSHOOT);
        let compressed = input.len();
        self.inflater.inflate(input, &mut self.window, room)?;
        let (taken, inflated) = (compressed - input.len(), self.window.len() - before);
        self.compressed += taken as u64;
        self.inflated += inflated as u64;
        self.spend(taken * COMPRESSED_BYTE + inflated);
        Ok((self.window.get(before..).unwrap_or_default(), self.inflater.is_complete()))
    }

    /// Inflates the bytes that the sender omitted at the end of a message. They belong to an empty block, so the output is nearly
    /// always empty (RFC 7692 §7.2.2).
    pub(crate) fn tail(&mut self) -> Result<&[u8], Corrupt> {
        let before = self.window.len();
        self.inflater.finish(&mut self.window)?;
        self.inflated += (self.window.len() - before) as u64;
        Ok(self.window.get(before..).unwrap_or_default())
    }

    /// Ends a message after its [`tail`](Self::tail).
    pub(crate) fn finish(&mut self) {
        self.has_finished = true;
        self.spend(MESSAGE);
        if !core::mem::take(&mut self.has_begun) {
            return;
        }
        self.inflater = Inflater::new(self.agreed.receive_window_bits);
        if self.agreed.receive_context_takeover {
            self.make_room(0);
            self.window.shrink_to(self.most());
            self.idle.touch();
        } else {
            self.window = Vec::new();
        }
    }

    fn size(&self) -> usize {
        1 << self.agreed.receive_window_bits.clamp(8, 15)
    }

    /// The size at which bytes before the window are dropped. It is exceeded only if one step does not fit.
    fn most(&self) -> usize {
        self.size() + self.size().min(2 * STEP)
    }

    /// Makes room for more output. Returns the position where it begins.
    fn make_room(&mut self, more: usize) -> usize {
        let (size, most) = (self.size(), self.most());
        if self.window.len() + more > most && self.window.len() > size {
            let gone = self.window.len() - size;
            self.window.drain(..gone);
        }
        let len = self.window.len();
        if self.window.capacity() - len < more {
            // Twofold growth while it is small; then all there may be, so that little is copied beside it.
            let grown = if 2 * len > size / 4 { most } else { 2 * len };
            self.window.reserve_exact(more.max(grown.saturating_sub(len)));
        }
        len
    }
}
