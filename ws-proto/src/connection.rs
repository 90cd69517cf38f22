//! The connection: what composes receiving, sending, the closing handshake and the deadlines.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;

use crate::close::{Cause, CloseCode, CloseFrame, Outcome};
use crate::config::{Config, Role};
use crate::error::{CloseError, SendError, Violation};
use crate::event::{Event, Pong};
use crate::frame::mask::MaskKeys;
use crate::keepalive::{Keepalive, PingId};
use crate::message::{Message, MessageKind};
use crate::outgoing::Outgoing;
use crate::receive::{Item, Progress, Receiver};
use crate::send::Sender;
use crate::state::{State, Step};
use crate::time::Timestamp;
use crate::timer::{Timer, Timers};

/// One end of a WebSocket connection, from the end of the opening handshake on (RFC 6455 §5–§7).
///
/// It does no I/O. Whoever drives it
///
/// - gives it what was read: [`receive`](Self::receive) until it returns `None`, [`receive_eof`](Self::receive_eof) at
///   the end, [`fail`](Self::fail) when the transport failed;
/// - writes what [`outgoing`](Self::outgoing) holds, once per batch of input rather than once per message;
/// - does to the transport what [`transport`](Self::transport) says;
/// - waits no longer than [`poll_timeout`](Self::poll_timeout) says, and then calls
///   [`handle_timeout`](Self::handle_timeout). Read what is there before: bytes that have come count as life.
///
/// Input methods return events; the last is [`Event::Closed`], exactly once. Nothing the peer does is an error of a
/// method, panics, or makes the connection hold more than its [`Limits`](crate::Limits) allow.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Arc<Config>,
    state: State,
    receiver: Receiver,
    sender: Sender,
    keepalive: Keepalive,
    timers: Timers,
    /// When part of a message last came in.
    last_piece: Timestamp,
    /// Whether the caller has stopped reading for a while.
    paused: bool,
    /// How far receiving had come when the message-progress deadline was set.
    progress_mark: Progress,
    /// How far writing had come when the write-stall deadline was set.
    written_mark: u64,
    sent: Option<CloseFrame>,
    received: Option<CloseFrame>,
    /// What set off the end; first come, first kept.
    cause: Option<Cause>,
    /// Whether our answer to the peer's Close, or to its fault, waits for [`Connection::conclude`].
    putting_off: bool,
    /// The Close frame that waits.
    answer: Option<CloseFrame>,
    /// Whether the transport's read side has ended.
    eof: bool,
    /// Whether our error Close has been written, and input is read only to be thrown away.
    discarding: bool,
    /// How much has been thrown away since.
    discarded: usize,
}

/// What to do with the transport, besides writing what is [`outgoing`](Connection::outgoing).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Keep it open: read, and write.
    Open,
    /// Everything has been written and nothing will follow: shut down the write side, once, and keep reading.
    HalfClose,
    /// It is over: let go of it.
    Close,
}

impl Connection {
    /// The server's end, from `now` on.
    pub fn server(config: impl Into<Arc<Config>>, now: Timestamp) -> Self {
        Self::new(Role::Server, config.into(), None, now)
    }

    /// The client's end, from `now` on. `keys` gives each frame its masking key.
    pub fn client(config: impl Into<Arc<Config>>, keys: impl MaskKeys + Send + 'static, now: Timestamp) -> Self {
        Self::new(Role::Client, config.into(), Some(Box::new(keys)), now)
    }

    fn new(role: Role, config: Arc<Config>, keys: Option<Box<dyn MaskKeys + Send>>, now: Timestamp) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Ping, config.deadlines.ping_interval.map(|interval| now + interval));
        Self {
            role,
            config,
            state: State::Open,
            receiver: Receiver::new(role),
            sender: Sender::new(keys),
            keepalive: Keepalive::default(),
            timers,
            last_piece: now,
            paused: false,
            progress_mark: Progress::default(),
            written_mark: 0,
            sent: None,
            received: None,
            cause: None,
            putting_off: false,
            answer: None,
            eof: false,
            discarding: false,
            discarded: 0,
        }
    }

    // ---- bytes in ----

    /// Takes bytes from the front of `input`, unmasking them in place, and returns the next event. Call it until it
    /// returns `None`; `input` is empty then, and what was incomplete is kept inside. Between two calls anything else
    /// may be called, [`send`](Self::send) for one.
    ///
    /// What an event borrows is the input, not the connection.
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        if input.is_empty() {
            return None;
        }
        if !self.state.receives() {
            self.discard(mem::take(input).len());
            return None;
        }
        let ending = match self.receiver.next(&self.config, input) {
            Ok(None) => {
                if self.receiver.is_midway(self.config.delivery) {
                    self.last_piece = now;
                }
                return None;
            }
            Ok(Some(Item::Message(message))) => {
                if message.is_owned() {
                    self.last_piece = now;
                }
                return Some(Event::Message(message));
            }
            Ok(Some(Item::Chunk(chunk))) => {
                self.last_piece = now;
                return Some(Event::Chunk(chunk));
            }
            Ok(Some(Item::Ping(payload))) => {
                if self.state.sends() {
                    self.sender.pong(&payload, &self.config.limits);
                }
                return Some(Event::Ping(payload));
            }
            Ok(Some(Item::Pong(payload))) => {
                let answers = self.keepalive.pong(&payload, now);
                if !self.keepalive.is_waiting() {
                    self.timers.set(Timer::Pong, None);
                }
                return Some(Event::Pong(Pong { payload, answers }));
            }
            Ok(Some(Item::Close(frame))) => self.peer_closed(frame, now),
            Err(violation) => self.violated(violation, now),
        };
        if ending.is_none() {
            self.discard(mem::take(input).len());
        }
        ending
    }

    /// The transport's read side has ended (RFC 6455 §7.1.1). A message that was incomplete is never delivered.
    pub fn receive_eof(&mut self, _now: Timestamp) -> Option<Event<'static>> {
        self.eof = true;
        if self.state.receives() { self.end(Cause::Eof) } else { None }
    }

    /// The transport failed, reading or writing.
    pub fn fail(&mut self) -> Option<Event<'static>> {
        self.end(Cause::TransportFailed)
    }

    /// Whether our answer to the peer's Close frame, or to its fault, is put off until [`conclude`](Self::conclude).
    ///
    /// Who handles each event before the next needs none of this: an answer given to a message is queued before the
    /// Close that follows it is even looked at. Who keeps messages in a queue of its own sets this, so that what came
    /// just before a Close can still be answered. [`receive`](Self::receive) then throws away what follows, and
    /// [`is_ending`](Self::is_ending) tells. Nothing is put off longer than [`Deadlines::answer`](crate::Deadlines).
    pub fn set_putting_off(&mut self, putting_off: bool) {
        self.putting_off = putting_off;
    }

    /// Whether the peer has closed or is at fault, and our answer waits for [`conclude`](Self::conclude).
    pub fn is_ending(&self) -> bool {
        self.state == State::Ending
    }

    /// Gives the answer that was put off, and reports the end; does nothing when none was.
    pub fn conclude(&mut self, now: Timestamp) -> Option<Event<'static>> {
        let frame = self.answer.take()?;
        let step = if self.received.is_some() { Step::PeerClose } else { Step::Fail };
        self.step(step).then(|| self.send_close(frame, now))?;
        self.closed()
    }

    /// Gives the connection up at once: nothing more is written, not even a Close frame.
    pub fn abort(&mut self) -> Option<Event<'static>> {
        self.end(Cause::Aborted)
    }

    // ---- messages out ----

    /// Queues a message. A server keeps a large payload by reference; a client copies it once, masking it.
    ///
    /// # Errors
    ///
    /// Nothing is queued and the message is handed back when the connection is closing, when the queue is at its cap,
    /// or between the fragments of another message.
    #[inline]
    pub fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.sender.message(message, &self.config.limits),
            false => Err(SendError::Closed(message)),
        }
    }

    /// Queues a text message, copying it. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError<()>> {
        self.send_slice(MessageKind::Text, text.as_bytes())
    }

    /// Queues a binary message, copying it. Otherwise as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError<()>> {
        self.send_slice(MessageKind::Binary, bytes)
    }

    #[inline]
    fn send_slice(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError<()>> {
        match self.state.sends() {
            true => self.sender.slice(kind, payload, &self.config.limits),
            false => Err(SendError::Closed(())),
        }
    }

    /// Queues the first or next fragment of a message (RFC 6455 §5.4); `last` ends it. All fragments of a message are
    /// of one kind. Control frames may go in between, other messages may not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::Unfinished`] for a fragment of the other kind.
    pub fn send_fragment(&mut self, fragment: Message, last: bool) -> Result<(), SendError<Message>> {
        match self.state.sends() {
            true => self.sender.fragment(fragment, last, &self.config.limits),
            false => Err(SendError::Closed(fragment)),
        }
    }

    /// Queues a ping. The [`Event::Pong`] that answers it carries the id and the round-trip time.
    ///
    /// # Errors
    ///
    /// When the connection is closing or the queue is at its cap.
    pub fn ping(&mut self, now: Timestamp) -> Result<PingId, SendError<()>> {
        match self.state.sends() {
            true => self.queue_ping(now, false).ok_or(SendError::Full(())),
            false => Err(SendError::Closed(())),
        }
    }

    /// Starts the closing handshake (RFC 6455 §7.1.2): queues a Close frame behind what is queued already. Messages
    /// still come in until the peer's Close does. Does nothing when the connection is closing already.
    ///
    /// # Errors
    ///
    /// When the code must not travel (RFC 6455 §7.4); [`CloseCode::NO_STATUS`] stands for a Close frame without a body
    /// and is fine.
    pub fn close(&mut self, frame: CloseFrame, now: Timestamp) -> Result<(), CloseError> {
        if !frame.is_empty() && !frame.code.may_be_sent() {
            return Err(CloseError(frame.code));
        }
        if self.step(Step::LocalClose) {
            self.cause.get_or_insert(Cause::Local);
            let frame = if frame.is_empty() { CloseFrame::EMPTY } else { CloseFrame::new(frame.code, frame.reason) };
            self.send_close(frame, now);
        }
        Ok(())
    }

    /// What is to be written; take out what the transport took with [`Buf::advance`](bytes::Buf::advance).
    pub fn outgoing(&mut self) -> &mut Outgoing {
        if self.state.sends() {
            self.sender.queue_pongs(&self.config.limits);
        }
        self.sender.outgoing_mut()
    }

    // ---- time ----

    /// Sets the deadlines that follow from what has been read and written, and returns the earliest. Call it after
    /// each round of I/O, with the time of that round.
    pub fn poll_timeout(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.state == State::Ended {
            return None;
        }
        let deadlines = &self.config.deadlines;

        let written = self.sender.outgoing().written();
        if self.sender.is_idle() {
            self.timers.set(Timer::WriteStall, None);
        } else if self.timers.get(Timer::WriteStall).is_none() || written != self.written_mark {
            self.written_mark = written;
            self.timers.set(Timer::WriteStall, deadlines.write_stall.map(|stall| now + stall));
        }

        if self.state.receives() {
            let progress = self.receiver.progress();
            if !self.receiver.is_midway(self.config.delivery) {
                self.timers.set(Timer::MessageProgress, None);
            } else if self.timers.get(Timer::MessageProgress).is_none() {
                self.progress_mark = progress;
                self.timers.set(Timer::MessageProgress, deadlines.message_progress.map(|time| now + time));
            }
            if self.timers.get(Timer::Pong).is_none() && self.keepalive.is_waiting_for_peer(written) {
                self.timers.set(Timer::Pong, deadlines.pong.map(|time| now + time));
            }
        } else if self.state == State::Failing && self.sender.is_idle() && !self.discarding {
            // All is written: from here on it is only about letting the peer read it.
            self.discarding = true;
            let close = self.timers.get(Timer::Close).unwrap_or(now);
            self.timers.set(Timer::Close, Some(close.min(now + deadlines.discard)));
        }
        self.timers.next()
    }

    /// Tells that reading stops for a while, because the application cannot take more, or goes on. The deadlines that
    /// wait for bytes of the peer stand still meanwhile, and start afresh when reading goes on.
    pub fn set_paused(&mut self, paused: bool, now: Timestamp) {
        if self.paused && !paused {
            let deadlines = &self.config.deadlines;
            for (timer, time) in [(Timer::Pong, deadlines.pong), (Timer::MessageProgress, deadlines.message_progress)] {
                if self.timers.get(timer).is_some() {
                    self.timers.set(timer, time.map(|time| now + time));
                }
            }
        }
        self.paused = paused;
    }

    /// Acts on the deadlines that have passed: sends a keepalive ping, or ends the connection.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Event<'static>> {
        // What came in or went out by now counts, even if nobody has asked for the deadlines since.
        self.poll_timeout(now);
        while let Some(timer) = self.timers.take_due(now) {
            let event = match timer {
                Timer::Ping => self.ping_is_due(now),
                Timer::Pong => self.pong_is_due(now),
                Timer::MessageProgress => self.progress_is_due(now),
                Timer::WriteStall => self.end(Cause::WriteStall),
                Timer::Answer => self.conclude(now),
                Timer::Close => self.end(Cause::CloseTimeout),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    // ---- the transport, and what can be asked ----

    /// What to do with the transport now. Ask after each round of I/O.
    pub fn transport(&mut self) -> Transport {
        let flushed = self.sender.is_idle();
        let over = match self.state {
            State::Ended => true,
            State::Exchanged | State::Failing => flushed && self.eof,
            State::Open | State::CloseSent | State::Ending => false,
        };
        if over {
            self.step(Step::End);
            self.timers.clear();
            return Transport::Close;
        }
        match self.says_half_close() {
            true => Transport::HalfClose,
            false => Transport::Open,
        }
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What was configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether messages can be sent: our Close frame has not been, and the transport is there.
    pub fn is_open(&self) -> bool {
        self.state.sends()
    }

    /// How many bytes wait to be written.
    pub fn queued(&self) -> usize {
        self.sender.outgoing().len()
    }

    /// Whether [`Limits::high_water`](crate::Limits::high_water) is reached, and senders should wait.
    pub fn is_above_high_water(&self) -> bool {
        self.queued() >= self.config.limits.high_water
    }

    /// The round-trip time of the last ping that was answered.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.latency()
    }

    // ---- closing ----

    fn peer_closed<'i>(&mut self, frame: CloseFrame, now: Timestamp) -> Option<Event<'i>> {
        // An echo of the code, and no reason: what RFC 6455 §5.5.1 asks for.
        let echo = CloseFrame { code: frame.code, reason: Default::default() };
        self.received = Some(frame);
        self.cause.get_or_insert(Cause::Peer);
        self.answer_with(echo, now)
    }

    fn violated<'i>(&mut self, violation: Violation, now: Timestamp) -> Option<Event<'i>> {
        self.cause = Some(Cause::Violation(violation));
        self.answer_with(CloseFrame::new(violation.close_code(), violation.to_string()), now)
    }

    /// Answers the peer's Close, or its fault (RFC 6455 §7.1.7): now, or when the application is ready.
    fn answer_with<'i>(&mut self, frame: CloseFrame, now: Timestamp) -> Option<Event<'i>> {
        self.answer = Some(frame);
        if !self.putting_off || !self.step(Step::PutOff) {
            return self.conclude(now);
        }
        self.receiver.release();
        let stall = self.timers.get(Timer::WriteStall);
        self.timers.clear();
        self.timers.set(Timer::WriteStall, stall);
        self.timers.set(Timer::Answer, Some(now + self.config.deadlines.answer));
        None
    }

    /// Ends the connection with an error Close, because the peer is silent.
    fn give_up<'i>(&mut self, cause: Cause, code: CloseCode, now: Timestamp) -> Option<Event<'i>> {
        let frame = CloseFrame::new(code, cause.to_string());
        self.step(Step::Fail).then(|| self.send_close(frame, now))?;
        self.cause = Some(cause);
        self.closed()
    }

    /// Ends the connection without another word.
    fn end<'i>(&mut self, cause: Cause) -> Option<Event<'i>> {
        let reported = self.state.is_over();
        if !self.step(Step::End) {
            return None;
        }
        self.sender.release();
        self.timers.clear();
        if reported {
            return None;
        }
        // A Close that came, or a fault that was found, says more than how the transport ended after it.
        if self.received.is_none() && !matches!(self.cause, Some(Cause::Violation(_))) {
            self.cause = Some(cause);
        }
        self.closed()
    }

    /// Queues our Close, unless it was sent before, and gives the rest of the connection a deadline.
    fn send_close(&mut self, frame: CloseFrame, now: Timestamp) {
        let close = self.timers.get(Timer::Close).unwrap_or(now + self.config.deadlines.close);
        let stall = self.timers.get(Timer::WriteStall);
        self.timers.clear();
        self.timers.set(Timer::Close, Some(close));
        self.timers.set(Timer::WriteStall, stall);
        if self.sent.is_none() {
            self.sender.close(&frame);
            self.sent = Some(frame);
        }
    }

    /// Nothing will be received any more: what was held for it goes, and the outcome is reported.
    fn closed<'i>(&mut self) -> Option<Event<'i>> {
        self.receiver.release();
        self.keepalive.release();
        Some(Event::Closed(Outcome {
            sent: self.sent.clone(),
            received: self.received.clone(),
            cause: self.cause.clone().unwrap_or(Cause::Local),
        }))
    }

    /// Whether all is written and nothing may follow. The server closes first (RFC 6455 §7.1.1); after an error
    /// whoever found it does.
    fn says_half_close(&self) -> bool {
        let closes_first = match self.state {
            State::Exchanged => self.role == Role::Server,
            State::Failing => true,
            State::Open | State::CloseSent | State::Ending | State::Ended => false,
        };
        closes_first && self.sender.is_idle()
    }

    /// Input after the end is thrown away; after an error Close only so much of it.
    fn discard(&mut self, n: usize) {
        if self.discarding {
            self.discarded = self.discarded.saturating_add(n);
            if self.discarded > self.config.limits.discard {
                self.end(Cause::Aborted);
            }
        }
    }

    // ---- deadlines ----

    fn ping_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        self.timers.set(Timer::Ping, self.config.deadlines.ping_interval.map(|interval| now + interval));
        let is_free = match self.config.deadlines.pong {
            Some(_) => !self.keepalive.is_waiting(),
            None => !self.keepalive.is_queued(self.sender.outgoing().written()),
        };
        if self.state == State::Open && is_free {
            self.queue_ping(now, true);
        }
        None
    }

    fn queue_ping(&mut self, now: Timestamp, keepalive: bool) -> Option<PingId> {
        let id = self.keepalive.next_id();
        let end = self.sender.ping(&id.payload(), &self.config.limits)?;
        self.keepalive.sent(id, now, end, keepalive);
        Some(id)
    }

    fn pong_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        if let Some(time) = self.config.deadlines.pong {
            // While a message is coming in, its bytes are life enough; and while nobody reads, nothing can be told.
            let alive = if self.paused { now } else { self.last_piece } + time;
            if alive > now {
                self.timers.set(Timer::Pong, Some(alive));
                return None;
            }
        }
        self.give_up(Cause::KeepaliveTimeout, CloseCode::INTERNAL_ERROR, now)
    }

    fn progress_is_due<'i>(&mut self, now: Timestamp) -> Option<Event<'i>> {
        let progress = self.receiver.progress();
        let moved = self.paused
            || progress.messages != self.progress_mark.messages
            || progress.bytes - self.progress_mark.bytes >= self.config.limits.progress as u64;
        if moved {
            self.progress_mark = progress;
            self.timers.set(Timer::MessageProgress, self.config.deadlines.message_progress.map(|time| now + time));
            return None;
        }
        self.give_up(Cause::MessageTimeout, CloseCode::POLICY_VIOLATION, now)
    }

    fn step(&mut self, step: Step) -> bool {
        match self.state.after(step) {
            Some(next) => {
                self.state = next;
                true
            }
            None => false,
        }
    }
}
