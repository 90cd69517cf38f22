//! A connection's end, whoever sets it off (RFC 6455 §7).

use alloc::boxed::Box;
use alloc::string::ToString;

use crate::close::{CloseCode, CloseFrame};
use crate::config::Role;
use crate::connection::Connection;
use crate::connection::in_flight::ASK_EVERY;
use crate::error::{CloseError, Violation};
use crate::event::Event;
use crate::outcome::{Cause, Outcome};
use crate::receive::ReceivedClose;
use crate::state::{ConnectionState, Transition};
use crate::time::Timestamp;
use crate::timer::TimerKind;

impl Connection {
    /// The transport's read side has ended (RFC 6455 §7.1.1). A message that was incomplete is never delivered.
    pub fn receive_eof(&mut self, _now: Timestamp) -> Option<Event<'static>> {
        self.eof = true;
        match self.state {
            // A transport that takes nothing has failed, however its other side ends.
            ConnectionState::WriteFailed => self.fail(),
            _ if self.awaits_close() => self.end(Cause::Unanswered),
            state if state.receives() => self.end(Cause::Eof),
            _ => None,
        }
    }

    /// The transport failed, reading or writing.
    pub fn fail(&mut self) -> Option<Event<'static>> {
        self.end(Cause::TransportFailed)
    }

    /// See [`Hooks::is_close_held`](super::Hooks::is_close_held).
    #[inline]
    pub(super) fn is_close_held(&self) -> bool {
        self.state == ConnectionState::CloseHeld
    }

    /// See [`Hooks::release_close`](super::Hooks::release_close).
    pub(super) fn release_close(&mut self, now: Timestamp) -> Option<Event<'static>> {
        let frame = self.answer.take()?;
        let transition =
            if matches!(self.cause, Some(Cause::Violation(_))) { Transition::Fail } else { Transition::PeerClose };
        if !self.apply(transition) {
            return None;
        }
        if self.state != ConnectionState::Ended {
            self.send_close(*frame, now);
        }
        self.closed()
    }

    /// Gives the connection up at once: nothing more is written, not even a Close frame.
    pub fn abort(&mut self) -> Option<Event<'static>> {
        self.end(Cause::Aborted)
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2): queues a Close frame behind what is queued already. Messages
    /// still come in until the peer's Close does. Does nothing when the connection is closing already.
    ///
    /// # Errors
    ///
    /// When the code must not travel (RFC 6455 §7.4); [`CloseFrame::EMPTY`] stands for a Close frame without a body
    /// and is fine.
    pub fn close(&mut self, frame: CloseFrame, now: Timestamp) -> Result<(), CloseError> {
        if !frame.is_empty() && !frame.code.may_be_sent() {
            return Err(CloseError(frame.code));
        }
        if self.apply(Transition::LocalClose) {
            self.cause.get_or_insert(Cause::Local);
            let frame = if frame.is_empty() { CloseFrame::EMPTY } else { CloseFrame::new(frame.code, frame.reason) };
            self.send_close(frame, now);
        }
        Ok(())
    }

    pub(super) fn peer_closed<'i>(&mut self, received: ReceivedClose, now: Timestamp) -> Option<Event<'i>> {
        let fault = received.fault.as_ref().map(|(violation, _)| *violation);
        // An echo of the code, and no reason: what RFC 6455 §5.5.1 asks for.
        let echo = CloseFrame { code: received.frame.code, reason: Default::default() };
        self.received = Some(Box::new(received));
        match fault {
            // After our own Close it ends the closing handshake, whatever is in it.
            Some(violation) if self.cause.is_none() => self.violated(violation, now),
            _ => {
                self.cause.get_or_insert(Cause::Peer);
                self.answer_with(echo, now)
            }
        }
    }

    pub(super) fn violated<'i>(&mut self, violation: Violation, now: Timestamp) -> Option<Event<'i>> {
        self.cause = Some(Cause::Violation(violation));
        self.answer_with(CloseFrame::new(violation.close_code(), violation.to_string()), now)
    }

    /// Answers the peer's Close, or its fault (RFC 6455 §7.1.7): now, or when the application is ready.
    pub(super) fn answer_with<'i>(&mut self, frame: CloseFrame, now: Timestamp) -> Option<Event<'i>> {
        self.answer = Some(Box::new(frame));
        if !self.holding_close || !self.apply(Transition::HoldClose) {
            return self.release_close(now);
        }
        self.decoder.release();
        let stall = self.timers.get(TimerKind::WriteStall);
        self.timers.clear();
        self.timers.set(TimerKind::WriteStall, stall);
        self.timers.set(TimerKind::Answer, Some(now + self.config.deadlines.answer));
        None
    }

    /// Ends the connection with an error Close, because the peer is silent.
    pub(super) fn give_up<'i>(&mut self, cause: Cause, code: CloseCode, now: Timestamp) -> Option<Event<'i>> {
        let frame = CloseFrame::new(code, cause.to_string());
        self.apply(Transition::Fail).then(|| self.send_close(frame, now))?;
        self.cause = Some(cause);
        self.closed()
    }

    /// The transport takes nothing more: a write, or a flush, has failed.
    ///
    /// Nothing is sent any more, not even a Close frame, and no deadline is left. What the peer sent before can still be
    /// read and given to [`receive`](Self::receive): its Close frame may be there. Call [`fail`](Self::fail) when it has
    /// been, or is not waited for any longer.
    pub fn fail_writing(&mut self) -> Option<Event<'static>> {
        let reported = self.state.is_over();
        if !self.apply(Transition::WriteFail) {
            return None;
        }
        self.stop_writing();
        if self.state == ConnectionState::Ended && !reported { self.closed() } else { None }
    }

    /// Ends the connection without another word.
    pub(super) fn end<'i>(&mut self, cause: Cause) -> Option<Event<'i>> {
        let reported = self.state.is_over();
        if !self.apply(Transition::End) {
            return None;
        }
        self.stop_writing();
        if reported {
            return None;
        }
        // A Close that came, or a fault that was found, says more than how the transport ended after it.
        if self.received.is_none() && !matches!(self.cause, Some(Cause::Violation(_))) {
            self.cause = Some(cause);
        }
        self.closed()
    }

    /// Throws away what has not been written, our Close frame perhaps.
    fn stop_writing(&mut self) {
        if !self.encoder.is_idle() {
            let close = self.sent.take().map_or(0, |frame| self.encoder.close_size(&frame));
            self.has_lost |= self.encoder.waiting() > close;
        }
        self.encoder.release();
        self.timers.clear();
        self.is_writing = false;
    }

    /// Queues our Close, unless it was sent before, and gives the rest of the connection a deadline.
    pub(super) fn send_close(&mut self, frame: CloseFrame, now: Timestamp) {
        let close_by = *self.close_by.get_or_insert(now + self.config.deadlines.close_total);
        let stall = self.timers.get(TimerKind::WriteStall);
        self.timers.clear();
        self.timers.set(TimerKind::Close, Some(close_by));
        self.timers.set(TimerKind::WriteStall, stall);
        if self.sent.is_none() {
            self.encoder.close(&frame);
            self.sent = Some(Box::new(frame));
        }
    }

    /// Nothing will be received any more: what was held for it goes, and the outcome is reported.
    pub(super) fn closed<'i>(&mut self) -> Option<Event<'i>> {
        self.decoder.release();
        self.keepalive.release();
        Some(Event::Closed(Outcome {
            sent: self.sent.as_deref().cloned(),
            received: self.received.as_ref().map(|received| received.frame.clone()),
            malformed: self.received.as_ref().and_then(|received| Some(received.fault.as_ref()?.1.clone())),
            cause: self.cause.clone().unwrap_or(Cause::Local),
        }))
    }

    /// Sets the deadlines that follow once all is written: from here on it is only about the peer's answer, and about
    /// letting it read what we said. They count from when it last took something.
    pub(super) fn await_farewell(&mut self, now: Timestamp) {
        let (taking, is_untaken) = (self.taking(), self.awaits_taking());
        let fails_now = self.state == ConnectionState::Failing && !self.discarding;
        let mut since = self.close_since.unwrap_or(now);
        // What was on its way when it was asked for last may have been taken right after that.
        if fails_now || is_untaken || (taking != self.close_mark && !self.is_untaken) {
            since = now;
        }
        (self.close_since, self.close_mark, self.is_untaken) = (Some(since), taking, is_untaken);
        self.discarding |= fails_now;

        let deadlines = &self.config.deadlines;
        if self.state == ConnectionState::CloseSent && self.role == Role::Client && !self.is_late {
            self.timers.set(TimerKind::HalfClose, Some(since + deadlines.half_close));
        }
        let wait = if self.discarding { deadlines.discard.min(deadlines.close) } else { deadlines.close };
        let over = self.close_by.map_or(since + wait, |by| by.min(since + wait));
        // Where it is known what the peer takes, it is looked at again meanwhile.
        let look = self.looks_at().map_or(over, |look| if look > now { look } else { now + ASK_EVERY });
        self.timers.set(TimerKind::Close, Some(over.min(look)));
    }

    /// Whether our Close is written, and the peer's system has not taken all that was. One that is given up for its silence
    /// is not waited for.
    pub(super) fn awaits_taking(&self) -> bool {
        self.state.is_closing()
            && self.encoder.is_idle()
            && self.acknowledged() < self.encoder.outgoing().queued()
            && self.cause != Some(Cause::KeepaliveTimeout)
    }

    /// Whether all is written and nothing may follow.
    ///
    /// With both Close frames there, either end says so at once: a server closes first (RFC 6455 §7.1.1), and there are
    /// some that wait for the client. After an error, whoever found it does.
    pub(super) fn says_half_close(&self) -> bool {
        let says_so = match self.state {
            ConnectionState::Exchanged | ConnectionState::Failing => true,
            ConnectionState::CloseSent => self.is_late,
            ConnectionState::Open
            | ConnectionState::CloseHeld
            | ConnectionState::WriteFailed
            | ConnectionState::Ended => false,
        };
        says_so && self.encoder.is_idle()
    }

    /// Input after the end is thrown away; after an error Close only so much of it.
    pub(super) fn discard(&mut self, n: usize) {
        if self.discarding {
            self.discarded = self.discarded.saturating_add(n);
            if self.discarded > self.config.limits.discard {
                self.end(Cause::Aborted);
            }
        }
    }

    pub(super) fn apply(&mut self, transition: Transition) -> bool {
        match self.state.after(transition) {
            Some(next) => {
                self.state = next;
                true
            }
            None => false,
        }
    }
}
