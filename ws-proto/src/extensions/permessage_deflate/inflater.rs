//! The receiving side of permessage-deflate (RFC 7692 §7.2.2).

use alloc::vec::Vec;

use ws_deflate::{Corrupt, Inflater};

use super::DeflateParams;

/// How much is inflated at a time.
const STEP: usize = 8 << 10;

/// What a compressed byte counts for, where a byte that it inflates to counts for one: that is how much longer it may take.
const COMPRESSED_BYTE: usize = 8;

/// What a message counts for besides, however short it is.
const MESSAGE: usize = 1 << 10;

/// Inflates messages. Between two of them it holds nothing but, with context takeover, the bytes that can be looked back
/// on.
#[derive(Debug)]
pub(crate) struct MessageInflater {
    agreed: DeflateParams,
    inflater: Inflater,
    /// Whether there is anything to [`finish`](Self::finish).
    has_begun: bool,
    /// What can be looked back on, and behind it what was inflated last.
    window: Vec<u8>,
    /// How much work may still be done before the caller looks at something else; `None` for any amount.
    budget: Option<usize>,
}

impl MessageInflater {
    pub(crate) fn new(agreed: DeflateParams) -> Self {
        let inflater = Inflater::new(agreed.receive_window_bits);
        Self { agreed, inflater, has_begun: false, window: Vec::new(), budget: None }
    }

    pub(crate) fn set_budget(&mut self, budget: Option<usize>) {
        self.budget = budget;
    }

    pub(crate) fn is_budget_spent(&self) -> bool {
        self.budget == Some(0)
    }

    fn spend(&mut self, work: usize) {
        self.budget = self.budget.map(|budget| budget.saturating_sub(work));
    }

    /// Inflates from the front of `input`: what comes of it, some KiB at most. When it is not all there is, some of `input`
    /// is left. And whether nothing more comes of it if the message ends there.
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
        self.spend((compressed - input.len()) * COMPRESSED_BYTE + self.window.len() - before);
        Ok((self.window.get(before..).unwrap_or_default(), self.inflater.is_complete()))
    }

    /// What comes of the bytes that the sender of a message left out at its end: next to always nothing, for they are an
    /// empty block's (RFC 7692 §7.2.2).
    pub(crate) fn tail(&mut self) -> Result<&[u8], Corrupt> {
        let before = self.window.len();
        self.inflater.finish(&mut self.window)?;
        Ok(self.window.get(before..).unwrap_or_default())
    }

    /// Ends a message whose [`tail`](Self::tail) has been seen.
    pub(crate) fn finish(&mut self) {
        self.spend(MESSAGE);
        if !core::mem::take(&mut self.has_begun) {
            return;
        }
        self.inflater = Inflater::new(self.agreed.receive_window_bits);
        if self.agreed.receive_context_takeover {
            self.make_room(0);
            self.window.shrink_to(self.most());
        } else {
            self.window = Vec::new();
        }
    }

    fn size(&self) -> usize {
        1 << self.agreed.receive_window_bits.clamp(8, 15)
    }

    /// How long the window becomes before what is too far back goes; longer only when one step does not fit.
    fn most(&self) -> usize {
        self.size() + self.size().min(2 * STEP)
    }

    /// Room for so much more; where it begins.
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
