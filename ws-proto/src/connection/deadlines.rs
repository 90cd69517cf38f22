//! A connection's deadlines: set lazily, once per round of I/O and never per message.

use core::time::Duration;

use crate::close::CloseCode;
use crate::connection::Connection;
use crate::event::Event;
use crate::keepalive::PingId;
use crate::outcome::Cause;
use crate::state::ConnectionState;
use crate::time::Timestamp;
use crate::timer::TimerKind;

/// The deadlines for actions of the peer.
const VERDICTS: [TimerKind; 5] =
    [TimerKind::Pong, TimerKind::MessageProgress, TimerKind::WriteStall, TimerKind::HalfClose, TimerKind::Close];

/// The time that a ping of the application's waits for an unfinished message that does not grow, without keepalive pings.
const STANDSTILL_WITHOUT_PINGS: Duration = Duration::from_secs(1);

/// The maximum of that time with keepalive pings, for any interval between them.
const MOST_STANDSTILL: Duration = Duration::from_secs(20);

/// The size of a ping of ours in bytes, with a client's masking key.
const PING_SIZE: usize = 2 + 4 + 8;

/// The number of bytes that a peer's system may hold for its application: the former default maximum of Linux's receive
/// buffers.
const RECEIVE_BUFFER: u64 = 6 << 20;

impl Connection {
    /// Updates the deadlines after reading and writing, and returns the earliest. Call it after each round of I/O, with the time
    /// of that round.
    pub fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        if matches!(self.state, ConnectionState::WriteFailed | ConnectionState::Ended) {
            return None;
        }
        if self.ping_waits && !self.must_not_interrupt() && self.state == ConnectionState::Open {
            self.ping_waits = false;
            self.timers.set(TimerKind::Ping, Some(now));
        }
        let was_writing = self.is_writing;
        self.is_writing = !self.encoder.is_idle() || self.awaits_taking();
        if self.is_writing {
            self.await_taking(was_writing, now);
        } else {
            self.timers.set(TimerKind::WriteStall, None);
        }

        if self.state.receives() {
            let progress = self.decoder.progress();
            if !self.decoder.is_midway(self.config.delivery) {
                self.timers.set(TimerKind::MessageProgress, None);
            } else if self.timers.get(TimerKind::MessageProgress).is_none() && !self.paused {
                self.progress_mark = progress;
                self.timers.set(
                    TimerKind::MessageProgress,
                    self.config.deadlines.message_progress.map(|time| later(now, time)),
                );
            }
            self.await_life(progress.messages, now);
        }
        if self.state.is_closing() && self.encoder.is_idle() {
            self.await_farewell(now);
        }
        let mut next = self.timers.next();
        if self.meter.is_some() {
            next = next.into_iter().chain(self.resume_at(now)).min();
        }
        if let Some(idle) = self.idle_at(now) {
            next = Some(next.map_or(idle, |next| next.min(idle)));
        }
        next
    }

    /// The time at which memory that compression keeps for the next message is released.
    #[cfg(feature = "deflate")]
    #[inline]
    fn idle_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let (sending, receiving) = (self.encoder.idle_at(now), self.decoder.idle_at(now));
        sending.into_iter().chain(receiving).min()
    }

    #[cfg(not(feature = "deflate"))]
    fn idle_at(&mut self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Sets the write-stall deadline while bytes wait to be written or acknowledged.
    fn await_taking(&mut self, was_writing: bool, now: Timestamp) {
        let taking = self.taking();
        if was_writing && taking == self.taking_mark {
            return;
        }
        let stall = self.config.deadlines.write_stall.map(|stall| now + stall);
        let full = self.timers.get(TimerKind::WriteStall);
        if was_writing && (stall.is_none() || full < stall) && self.encoder.waiting() > PING_SIZE {
            // It was full before, took some, and not all: behind it the peer did. Part of a ping alone shows nothing.
            self.moved_at = now;
        }
        self.taking_mark = taking;
        self.timers.set(TimerKind::WriteStall, stall);
    }

    /// Sets the pong deadline after a keepalive ping has been written. Any received byte meets it. While reading is paused, none
    /// can be seen, and there is no deadline.
    #[inline]
    fn await_life(&mut self, messages: u64, now: Timestamp) {
        // Nearly all rounds of I/O pass while no ping is unanswered.
        if self.keepalive.is_waiting() || self.timers.get(TimerKind::Pong).is_some() {
            self.await_pong(messages, now);
        }
    }

    #[inline(never)]
    fn await_pong(&mut self, messages: u64, now: Timestamp) {
        let Some(pong) = self.config.deadlines.pong else { return };
        if self.timers.get(TimerKind::Pong).is_some() {
            if self.heard || messages != self.heard_mark || !self.keepalive.is_waiting() {
                self.keepalive.heard();
                self.timers.set(TimerKind::Pong, None);
                self.timers.set(TimerKind::PingAgain, None);
            }
        } else if !self.paused && self.keepalive.is_waiting_for_peer(self.encoder.outgoing().written()) {
            self.heard = false;
            self.heard_mark = messages;
            self.set_pong_deadline(now, pong);
        }
    }

    /// Sets the pong deadline, and the timer for a second ping half-way: some peers hold a pong back until they have something else to send.
    fn set_pong_deadline(&mut self, since: Timestamp, pong: Duration) {
        self.timers.set(TimerKind::Pong, Some(later(since, pong)));
        self.timers.set(TimerKind::PingAgain, Some(since + pong / 2));
        self.reading_counts = false;
    }

    /// The time that a peer may need to read the bytes before the unanswered ping, as far as receive buffers can hold them. In
    /// whole seconds, so that pings and small messages change nothing.
    fn reading_time(&self) -> Duration {
        let rate = (self.config.limits.slowest_reading as u64).max(1);
        Duration::from_secs(self.keepalive.unread().min(RECEIVE_BUFFER) / rate)
    }

    /// See [`Hooks::set_paused`](super::Hooks::set_paused).
    pub(super) fn set_paused(&mut self, paused: bool, now: Timestamp) {
        if paused && !self.paused {
            // What was received until now counts.
            self.await_life(self.decoder.progress().messages, now);
            self.timers.set(TimerKind::Pong, None);
            self.timers.set(TimerKind::PingAgain, None);
        } else if self.paused && !paused && self.timers.get(TimerKind::MessageProgress).is_some() {
            let progress = self.config.deadlines.message_progress;
            self.timers.set(TimerKind::MessageProgress, progress.map(|time| now + time));
        }
        self.paused = paused;
    }

    /// See [`Hooks::is_overdue`](super::Hooks::is_overdue).
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        VERDICTS.into_iter().any(|timer| self.timers.get(timer).is_some_and(|deadline| deadline < now))
    }

    /// Acts on the deadlines that have passed: sends a keepalive ping, or ends the connection.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Event<'static>> {
        // What came in or went out by now counts, even if nobody has asked for the deadlines since.
        self.poll_timeout(now);
        #[cfg(feature = "deflate")]
        {
            self.encoder.release_idle(now);
            self.decoder.release_idle(now);
        }
        while let Some(timer) = self.timers.take_due(now) {
            let event = match timer {
                TimerKind::Ping => self.ping_is_due(now),
                // The next ping of the application's goes out.
                TimerKind::Standstill => None,
                TimerKind::PingAgain => self.another_ping_is_due(now),
                TimerKind::Pong => self.pong_is_due(now),
                TimerKind::MessageProgress => self.progress_is_due(now),
                TimerKind::WriteStall => self.end(Cause::WriteStall),
                TimerKind::Answer => self.release_close(now),
                TimerKind::HalfClose => {
                    self.is_late = true;
                    None
                }
                TimerKind::Close => self.end(Cause::CloseTimeout),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    pub(super) fn ping_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        self.timers.set(TimerKind::Ping, self.config.deadlines.ping_interval.map(|interval| later(now, interval)));
        let is_free = match self.config.deadlines.pong {
            Some(_) if !self.paused => !self.keepalive.is_waiting(),
            // Nobody listens for a pong, but a ping that cannot be written tells too.
            _ => !self.keepalive.is_queued(self.encoder.outgoing().written()),
        };
        if self.state == ConnectionState::Open && is_free && !self.waits_for_fragments() {
            self.queue_ping(now, true);
        }
        None
    }

    /// Whether a keepalive ping waits for the last fragment of a message of ours, because some peers lose a message that a ping
    /// interrupts. It waits as long as a fragment is queued within each interval.
    fn waits_for_fragments(&mut self) -> bool {
        let fragments = self.encoder.fragments();
        self.ping_waits = self.must_not_interrupt() && self.fragments_mark != fragments;
        self.fragments_mark = fragments;
        self.ping_waits
    }

    /// Whether a ping of the application's must wait, for the last fragment of a message or until the message has not grown for
    /// long enough. The latter is so when the deadline that was set at the last fragment has passed.
    pub(super) fn is_held_by_fragments(&mut self, now: Timestamp) -> bool {
        if !self.must_not_interrupt() {
            self.timers.set(TimerKind::Standstill, None);
            return false;
        }
        let fragments = self.encoder.fragments();
        if self.standstill_mark == fragments {
            return self.timers.get(TimerKind::Standstill).is_some_and(|deadline| deadline > now);
        }
        self.standstill_mark = fragments;
        let interval = self.config.deadlines.ping_interval;
        let standstill = interval.map_or(STANDSTILL_WITHOUT_PINGS, |interval| interval.min(MOST_STANDSTILL));
        self.timers.set(TimerKind::Standstill, Some(later(now, standstill)));
        true
    }

    /// Whether a ping would interrupt a message of ours, which the configuration forbids.
    fn must_not_interrupt(&self) -> bool {
        self.encoder.is_unfinished() && !self.config.ping_between_fragments
    }

    pub(super) fn queue_ping(&mut self, now: Timestamp, keepalive: bool) -> Option<PingId> {
        let id = self.keepalive.next_id();
        let end = self.encoder.ping(&id.payload(), &self.config.limits)?;
        self.keepalive.sent(id, now, end, keepalive);
        Some(id)
    }

    /// Sends a second ping, after half of the time for an answer to the first. It helps only with a peer that has received the
    /// first.
    fn another_ping_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        if self.state == ConnectionState::Open && self.has_taken_ping() && !self.must_not_interrupt() {
            self.queue_ping(now, true);
        }
        None
    }

    /// Whether the peer's system has acknowledged the unanswered ping, as far as is known.
    fn has_taken_ping(&self) -> bool {
        self.keepalive.first_end().is_some_and(|end| end <= self.acknowledged())
    }

    fn pong_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        if let Some(pong) = self.config.deadlines.pong {
            // A peer that still takes bytes before the ping cannot have answered it.
            if later(self.moved_at, pong) > now {
                self.set_pong_deadline(self.moved_at, pong);
                return None;
            }
            // Once the peer's system has taken the ping, nothing shows whether its application reads on the way there.
            let reading = self.reading_time();
            if !self.reading_counts && !reading.is_zero() && self.has_taken_ping() {
                self.reading_counts = true;
                self.timers.set(TimerKind::Pong, Some(now + reading));
                return None;
            }
        }
        self.give_up(Cause::KeepaliveTimeout, CloseCode::INTERNAL_ERROR, now)
    }

    pub(super) fn progress_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        let progress = self.decoder.progress();
        let moved = (self.paused && !self.is_rated())
            || progress.messages != self.progress_mark.messages
            // Between messages control frames are progress too; inside one they would keep it alive for nothing.
            || (!self.decoder.is_in_message() && progress.controls != self.progress_mark.controls)
            || progress.bytes - self.progress_mark.bytes >= self.config.limits.progress as u64;
        if moved {
            self.progress_mark = progress;
            self.timers
                .set(TimerKind::MessageProgress, self.config.deadlines.message_progress.map(|time| later(now, time)));
            return None;
        }
        self.give_up(Cause::MessageTimeout, CloseCode::POLICY_VIOLATION, now)
    }
}

/// The next time of a repeated deadline: at least 1 ms later, or handling it would never end.
pub(super) fn later(now: Timestamp, interval: Duration) -> Timestamp {
    now + interval.max(Duration::from_millis(1))
}
