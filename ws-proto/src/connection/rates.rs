//! The rates at which messages and bytes are received.

use alloc::boxed::Box;
use core::mem;

use crate::config::{Limits, OverRate};
use crate::connection::Connection;
use crate::error::Violation;
use crate::rate::TokenBucket;
use crate::receive::Item;
use crate::time::Timestamp;

/// The received messages and bytes, counted. A connection without a rate has none.
#[derive(Debug, Default)]
pub(super) struct Meter {
    messages: TokenBucket,
    bytes: TokenBucket,
    /// The number of messages and control frames that have been counted.
    counted: u64,
    /// The bytes that were read into a message and have not been counted.
    uncounted: u64,
    /// Whether reading is to stop.
    is_pausing: bool,
}

impl Meter {
    /// A meter, if there is a rate.
    pub(super) fn new(limits: &Limits) -> Option<Box<Self>> {
        limits.has_rates().then(Box::default)
    }

    /// The time from which on there is room for a message and for bytes.
    fn free_at(&self, limits: &Limits, now: Timestamp) -> Timestamp {
        let wait = |rate: &Option<_>, bucket: &TokenBucket| rate.as_ref().map(|rate| bucket.wait(rate, now));
        let waits = [wait(&limits.message_rate, &self.messages), wait(&limits.byte_rate, &self.bytes)];
        waits.into_iter().flatten().fold(now, |at, wait| at.max(now + wait))
    }
}

impl Connection {
    /// Counts bytes that were read into a message. They are judged with the next event.
    pub(super) fn count_later(&mut self, bytes: usize) {
        if let Some(meter) = &mut self.meter {
            meter.uncounted += bytes as u64;
        }
    }

    /// Counts a decoded item and the bytes that were taken for it. It becomes a violation if it is over a rate that ends the
    /// connection. A Close frame never does.
    #[cold]
    #[inline(never)]
    pub(super) fn count_item<'i>(
        &mut self,
        item: Result<Option<Item<'i>>, Violation>,
        bytes: usize,
        now: Timestamp,
    ) -> Result<Option<Item<'i>>, Violation> {
        let item = item?;
        let is_close = matches!(item, Some(Item::Close(_)));
        let counted = self.count(bytes, now);
        if !is_close {
            counted?;
        }
        Ok(item)
    }

    /// Counts received bytes, and the messages and control frames that are complete.
    #[cold]
    pub(super) fn count(&mut self, bytes: usize, now: Timestamp) -> Result<(), Violation> {
        let Some(meter) = &mut self.meter else { return Ok(()) };
        let limits = &self.config.limits;
        let progress = self.decoder.progress();
        let complete = progress.messages + progress.controls;
        let messages = complete - mem::replace(&mut meter.counted, complete);
        let bytes = mem::take(&mut meter.uncounted) + bytes as u64;
        let mut over = None;
        if let Some(rate) = limits.byte_rate {
            meter.bytes.take(&rate, bytes, now);
            over = meter.bytes.is_overdrawn(&rate, now).then_some(Violation::TooManyBytes { rate });
        }
        if let Some(rate) = limits.message_rate {
            meter.messages.take(&rate, messages, now);
            over = over.or(meter.messages.is_overdrawn(&rate, now).then_some(Violation::TooManyMessages { rate }));
        }
        match limits.over_rate {
            OverRate::Close => over.map_or(Ok(()), Err),
            OverRate::Pause => Ok(()),
        }
    }

    /// Whether reading stops until more may be received, and with it the deadlines that wait for the peer. A connection that
    /// is closing receives everything.
    #[cold]
    pub(super) fn must_pause(&mut self, now: Timestamp) -> bool {
        let may_pause = self.state.sends() && self.config.limits.over_rate == OverRate::Pause;
        let Some(meter) = &mut self.meter else { return false };
        // The rest of a long message that is still incomplete.
        let uncounted = mem::take(&mut meter.uncounted);
        if let Some(rate) = self.config.limits.byte_rate {
            meter.bytes.take(&rate, uncounted, now);
        }
        let pauses = may_pause && meter.free_at(&self.config.limits, now) > now;
        if mem::replace(&mut meter.is_pausing, pauses) || pauses {
            self.set_paused(pauses, now);
        }
        pauses
    }

    /// The end of that time, if reading has stopped.
    #[cold]
    pub(super) fn resume_at(&self, now: Timestamp) -> Option<Timestamp> {
        let meter = self.meter.as_ref().filter(|meter| meter.is_pausing)?;
        Some(meter.free_at(&self.config.limits, now)).filter(|&at| at > now)
    }
}
