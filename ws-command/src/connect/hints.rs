//! Hints for connections that were lost.

use std::sync::atomic::{AtomicBool, Ordering};

use ws_tokio::{Cause, Outcome};

/// Whether messages were sent and answered. A hint depends on it.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Traffic {
    pub(super) fn sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub(super) fn received(&self) {
        if self.sent.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a message was sent, and none has come since.
    fn is_unanswered(&self) -> bool {
        self.sent.load(Ordering::Relaxed) && !self.answered.load(Ordering::Relaxed)
    }
}

/// A hint for a connection that was lost.
pub(super) fn for_loss(outcome: &Outcome, compressed: bool, traffic: &Traffic) -> Option<&'static str> {
    let without_a_close = outcome.received.is_none() && outcome.cause != Cause::Unanswered;
    (without_a_close && compressed && traffic.is_unanswered())
        .then_some("The connection ended at our first message, which may have been compressed. Try --no-compression.")
}
