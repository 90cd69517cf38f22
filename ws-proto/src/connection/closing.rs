//! The end of a connection, from either end or from the transport (RFC 6455 §7).

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

/// The progress of a connection's end, from our Close on.
#[derive(Debug)]
pub(super) struct Farewell {
    /// The time at which the connection is aborted in any case.
    by: Timestamp,
    /// The last time at which the peer was known to take sent bytes, once our Close is written.
    pub(super) since: Option<Timestamp>,
    /// The progress of the peer at that time.
    mark: u64,
    /// Whether sent bytes were not acknowledged at that time.
    is_untaken: bool,
    /// The number of bytes that were discarded since our error Close was written.
    discarded: usize,
}

impl Connection {
    /// Reports that the transport's read side has ended (RFC 6455 §7.1.1). An incomplete message is discarded.
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

    /// Reports that the transport has failed.
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
        if self.multiplexed {
            // The time for the end of the stream begins with both Close frames.
            self.farewell.iter_mut().for_each(|farewell| farewell.since = None);
        }
        if self.state != ConnectionState::Ended {
            self.send_close(*frame, now);
        }
        self.closed()
    }

    /// Aborts the connection: nothing more is written, not even a Close frame.
    pub fn abort(&mut self) -> Option<Event<'static>> {
        self.end(Cause::Aborted)
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2): queues a Close frame behind the bytes already queued. Messages are
    /// still received until the peer's Close frame. Does nothing when the connection is already closing.
    ///
    /// # Errors
    ///
    /// When the code must not be sent (RFC 6455 §7.4). [`CloseFrame::EMPTY`], a Close frame without a body, is allowed.
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

    /// Answers the peer's Close, or a violation (RFC 6455 §7.1.7): now, or when the held Close is released.
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

    /// Reports that a write or a flush has failed, although there may be bytes left to read.
    ///
    /// Nothing is sent any more, not even a Close frame, and no deadline is left. Pass the bytes that the peer sent before to
    /// [`receive`](Self::receive): they may hold its Close frame. Call [`fail`](Self::fail) after them, or to stop waiting for
    /// them.
    pub fn fail_writing(&mut self) -> Option<Event<'static>> {
        let reported = self.state.is_over();
        if !self.apply(Transition::WriteFail) {
            return None;
        }
        self.stop_writing();
        if self.state == ConnectionState::Ended && !reported { self.closed() } else { None }
    }

    /// Ends the connection without a Close frame.
    pub(super) fn end<'i>(&mut self, cause: Cause) -> Option<Event<'i>> {
        let reported = self.state.is_over();
        if !self.apply(Transition::End) {
            return None;
        }
        self.stop_writing();
        if reported {
            return None;
        }
        // A received Close, or a violation, says more than the end of the transport after it.
        if self.received.is_none() && !matches!(self.cause, Some(Cause::Violation(_))) {
            self.cause = Some(cause);
        }
        self.closed()
    }

    /// Discards the bytes that have not been written. Our Close frame may be among them.
    fn stop_writing(&mut self) {
        if !self.encoder.is_idle() {
            let close = self.sent.take().map_or(0, |frame| self.encoder.close_size(&frame));
            self.has_lost |= self.encoder.waiting() > close;
        }
        self.encoder.release();
        self.timers.clear();
        self.is_writing = false;
    }

    /// Queues our Close, unless one was sent before, and sets the deadline for the end of the connection.
    pub(super) fn send_close(&mut self, frame: CloseFrame, now: Timestamp) {
        let close_by = self.farewell(now).by;
        let stall = self.timers.get(TimerKind::WriteStall);
        self.timers.clear();
        self.timers.set(TimerKind::Close, Some(close_by));
        self.timers.set(TimerKind::WriteStall, stall);
        if self.sent.is_none() {
            self.encoder.close(&frame);
            self.sent = Some(Box::new(frame));
        }
    }

    /// Releases the memory for receiving, and returns the event of the end.
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

    /// Sets the deadlines after our Close has been written, for the peer's answer and for the time to read our bytes. They
    /// count from the time when the peer last took bytes.
    pub(super) fn await_farewell(&mut self, now: Timestamp) {
        let (taking, is_untaken) = (self.taking(), self.awaits_taking());
        let fails_now = self.state == ConnectionState::Failing && !self.discarding;
        let farewell = self.farewell(now);
        let mut since = farewell.since.unwrap_or(now);
        // Bytes in flight at the last report may have been acknowledged right after it.
        if fails_now || is_untaken || (taking != farewell.mark && !farewell.is_untaken) {
            since = now;
        }
        (farewell.since, farewell.mark, farewell.is_untaken) = (Some(since), taking, is_untaken);
        let by = farewell.by;
        self.discarding |= fails_now;

        let deadlines = &self.config.deadlines;
        if self.state == ConnectionState::CloseSent && self.role == Role::Client && !self.is_late {
            self.timers.set(TimerKind::HalfClose, Some(since + deadlines.half_close));
        }
        let wait = match self.state {
            _ if self.discarding => deadlines.discard.min(deadlines.close),
            ConnectionState::Exchanged if self.multiplexed => deadlines.stream_end.min(deadlines.close),
            _ => deadlines.close,
        };
        let over = by.min(since + wait);
        // A transport that reports the bytes in flight is asked again meanwhile.
        let look = self.looks_at().map_or(over, |look| if look > now { look } else { now + ASK_EVERY });
        self.timers.set(TimerKind::Close, Some(over.min(look)));
    }

    /// Whether our Close is written, and the peer's system has not acknowledged all bytes. A silent peer, whose keepalive has
    /// timed out, is not waited for.
    pub(super) fn awaits_taking(&self) -> bool {
        self.state.is_closing()
            && self.encoder.is_idle()
            && self.acknowledged() < self.encoder.outgoing().queued()
            && self.cause != Some(Cause::KeepaliveTimeout)
    }

    /// Whether everything is written and nothing may follow, so that the write side ends.
    ///
    /// After both Close frames, either end does so at once: a server should be first (RFC 6455 §7.1.1), and some servers wait
    /// for the client. After an error, the end that found it does.
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

    /// Discards input after the end. After an error Close, [`Limits::discard`](crate::Limits::discard) bounds it.
    pub(super) fn discard(&mut self, n: usize) {
        self.decoder.count_input(n);
        if self.discarding
            && let Some(farewell) = &mut self.farewell
        {
            farewell.discarded = farewell.discarded.saturating_add(n);
            if farewell.discarded > self.config.limits.discard {
                self.end(Cause::Aborted);
            }
        }
    }

    fn farewell(&mut self, now: Timestamp) -> &mut Farewell {
        let by = now + self.config.deadlines.close_total;
        self.farewell
            .get_or_insert_with(|| Box::new(Farewell { by, since: None, mark: 0, is_untaken: false, discarded: 0 }))
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
