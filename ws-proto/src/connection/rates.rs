//! The rates at which messages and bytes are received.

use alloc::boxed::Box;
use core::mem;
use core::time::Duration;

use crate::config::{Limits, OverRate};
use crate::connection::Connection;
use crate::connection::deadlines::later;
use crate::error::Violation;
use crate::rate::TokenBucket;
use crate::receive::{Item, ReceivedCounts};
use crate::time::Timestamp;
use crate::timer::TimerKind;

/// The most bytes of a control frame's payload (RFC 6455 §5.5).
const MAX_CONTROL_PAYLOAD: u64 = 125;

/// The received messages and bytes, counted. A connection without a rate has none.
#[derive(Debug, Default)]
pub(super) struct Meter {
    messages: TokenBucket,
    bytes: TokenBucket,
    /// The number of messages and control frames that have been counted.
    counted: u64,
    /// The bytes that were read into a message and have not been counted.
    uncounted: u64,
    /// Reading is to stop.
    pause: Option<Pause>,
    /// What had been received when the last pause ended.
    resumed: ReceivedCounts,
}

/// A time without reading.
#[derive(Debug)]
struct Pause {
    since: Timestamp,
    /// The deadline for an incomplete message, as it was then.
    deadline: Option<Timestamp>,
    /// Whether that deadline stands still. It does not if the peer used its rate up with control frames inside the message:
    /// otherwise it could keep one incomplete for ever.
    stands_still: bool,
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
        match (meter.pause.take(), pauses) {
            (None, false) => {}
            (Some(pause), true) => meter.pause = Some(pause),
            (None, true) => self.begin_pause(now),
            (Some(pause), false) => self.end_pause(&pause, now),
        }
        pauses
    }

    fn begin_pause(&mut self, now: Timestamp) {
        let progress = self.decoder.progress();
        let mut deadline = self.timers.get(TimerKind::MessageProgress);
        if deadline.is_none() && self.decoder.is_midway(self.config.delivery) {
            self.progress_mark = progress;
            deadline = self.config.deadlines.message_progress.map(|time| later(now, time));
        }
        self.set_paused(true, now);
        let Some(meter) = &mut self.meter else { return };
        let controls = progress.controls - meter.resumed.controls;
        let stands_still = progress.bytes - meter.resumed.bytes >= controls * MAX_CONTROL_PAYLOAD;
        // A deadline that has passed already is judged at once, any other one after the pause.
        let (overdue, deadline) = if deadline <= Some(now) { (deadline, None) } else { (None, deadline) };
        meter.pause = Some(Pause { since: now, deadline, stands_still });
        self.timers.set(TimerKind::MessageProgress, overdue);
    }

    fn end_pause(&mut self, pause: &Pause, now: Timestamp) {
        let overdue = self.timers.get(TimerKind::MessageProgress);
        self.set_paused(false, now);
        let progress = self.decoder.progress();
        if let Some(meter) = &mut self.meter {
            meter.resumed = progress;
        }
        let moved = if pause.stands_still { now.saturating_since(pause.since) } else { Duration::ZERO };
        self.timers.set(TimerKind::MessageProgress, pause.deadline.map(|deadline| deadline + moved).or(overdue));
    }

    /// Whether reading has stopped for a rate.
    pub(super) fn is_rated(&self) -> bool {
        self.meter.as_ref().is_some_and(|meter| meter.pause.is_some())
    }

    /// The end of that time, if reading has stopped.
    #[cold]
    pub(super) fn resume_at(&self, now: Timestamp) -> Option<Timestamp> {
        let meter = self.meter.as_ref().filter(|meter| meter.pause.is_some())?;
        Some(meter.free_at(&self.config.limits, now)).filter(|&at| at > now)
    }
}
