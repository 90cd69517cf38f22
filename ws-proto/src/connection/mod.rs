//! The connection: what composes receiving, sending, the closing handshake and the deadlines.

mod closing;
mod deadlines;
mod hooks;
mod in_flight;
mod receiving;
mod sending;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use crate::close::CloseFrame;
use crate::config::{Config, Role};
#[cfg(feature = "deflate")]
use crate::extensions::permessage_deflate::{DeflateParams, MessageCompressor, MessageInflater};
use crate::frame::mask::MaskKeys;
use crate::in_flight::Acknowledged;
use crate::keepalive::Keepalive;
use crate::outcome::Cause;
use crate::receive::ReceivedClose;
use crate::receive::{Decoder, ReceivedCounts};
use crate::send::Encoder;
use crate::state::{ConnectionState, Transition};
use crate::time::Timestamp;
use crate::timer::{TimerKind, Timers};

pub use self::hooks::Hooks;

/// One end of a WebSocket connection, from the end of the opening handshake on (RFC 6455 §5–§7).
///
/// It does no I/O. Whoever drives it
///
/// - gives it what was read: [`receive`](Self::receive) until it returns `None`, [`receive_eof`](Self::receive_eof) at
///   the end, [`fail`](Self::fail) when the transport failed, [`fail_writing`](Self::fail_writing) while there may be
///   something left to read;
/// - writes what [`outgoing`](Self::outgoing) holds, once per batch of input rather than once per message;
/// - brings the transport to its [`transport_state`](Self::transport_state);
/// - waits no longer than [`poll_timeout`](Self::poll_timeout) says, and then calls
///   [`handle_timeout`](Self::handle_timeout). Read what is there before: bytes that have come count as life.
///
/// A driver that queues messages, or stops reading, finds in [`hooks`](Self::hooks) what it needs besides.
///
/// Input methods return events; the last is [`Event::Closed`](crate::Event::Closed), exactly once. Nothing the peer
/// does is an error of a method, panics, or makes the connection hold more than its [`Limits`](crate::Limits) allow.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Arc<Config>,
    state: ConnectionState,
    decoder: Decoder,
    encoder: Encoder,
    keepalive: Keepalive,
    timers: Timers,
    /// Whether anything came in since the pong deadline was set, besides short messages,
    heard: bool,
    /// and how many messages had come in then.
    heard_mark: u64,
    /// Whether a keepalive ping waits for the end of a message of ours,
    ping_waits: bool,
    /// and how many fragments had been queued when it began to.
    fragments_mark: u64,
    /// How many had been queued when a ping of the application's last had to wait.
    standstill_mark: u64,
    /// When the peer was last seen to take what it has to take before it can answer a ping.
    moved_at: Timestamp,
    /// Whether the pong deadline counts the time of reading what was sent before the ping.
    reading_counts: bool,
    /// Whether something waited to be written, or to be taken behind our Close, when the deadlines were set last.
    is_writing: bool,
    /// Whether the caller has stopped reading for a while.
    paused: bool,
    /// How far receiving had come when the message-progress deadline was set.
    progress_mark: ReceivedCounts,
    /// How far the transport and the peer had come when the write-stall deadline was set.
    taking_mark: u64,
    /// What the peer has taken, once the transport has told.
    acknowledged: Option<Box<Acknowledged>>,
    sent: Option<Box<CloseFrame>>,
    received: Option<Box<ReceivedClose>>,
    /// What set off the end; first come, first kept.
    cause: Option<Cause>,
    /// Whether our answer to the peer's Close, or to its fault, waits for [`Hooks::release_close`].
    holding_close: bool,
    /// The Close frame that waits.
    answer: Option<Box<CloseFrame>>,
    /// Whether the transport's read side has ended.
    eof: bool,
    /// When the connection is aborted whatever the peer does, once our Close is queued.
    close_by: Option<Timestamp>,
    /// Once our Close is written: when the peer was last known to take something of what was sent.
    close_since: Option<Timestamp>,
    /// How far the peer had come then.
    close_mark: u64,
    /// Whether something of it was still on its way then.
    is_untaken: bool,
    /// Whether the peer has had its time to answer our Close while our write side was open.
    is_late: bool,
    /// Whether our error Close has been written, and input is read only to be thrown away.
    discarding: bool,
    /// How much has been thrown away since.
    discarded: usize,
    /// Whether something other than a Close frame was thrown away before it was written.
    has_lost: bool,
}

/// The state that the caller should bring the transport to, besides writing the [`outgoing`](Connection::outgoing) bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportState {
    /// Both directions are open: read and write.
    Open,
    /// Everything has been written and nothing will follow. Shut down the write side, once, and keep reading.
    ///
    /// This is the state after both Close frames, and after an error Close. A client also gets here when its Close has had no
    /// answer for [`Deadlines::half_close`](crate::Deadlines::half_close).
    HalfClosed,
    /// The connection is over: close the transport.
    Closed,
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
        timers.set(TimerKind::Ping, config.deadlines.ping_interval.map(|interval| now + interval));
        let decoder = Decoder::new(role, &config);
        Self {
            role,
            config,
            state: ConnectionState::Open,
            decoder,
            encoder: Encoder::new(keys),
            keepalive: Keepalive::default(),
            timers,
            heard: false,
            heard_mark: 0,
            ping_waits: false,
            fragments_mark: 0,
            standstill_mark: 0,
            moved_at: now,
            reading_counts: false,
            is_writing: false,
            paused: false,
            progress_mark: ReceivedCounts::default(),
            taking_mark: 0,
            acknowledged: None,
            sent: None,
            received: None,
            cause: None,
            holding_close: false,
            answer: None,
            eof: false,
            close_by: None,
            close_since: None,
            close_mark: 0,
            is_untaken: false,
            is_late: false,
            discarding: false,
            discarded: 0,
            has_lost: false,
        }
    }

    /// Compresses messages as was agreed on in the opening handshake, both ways (RFC 7692); with `None`, as at first, not.
    /// To be called right after the handshake, before anything is received or sent.
    #[cfg(feature = "deflate")]
    pub fn set_deflate(&mut self, agreed: Option<DeflateParams>) {
        self.decoder.set_inflater(agreed.map(|agreed| Box::new(MessageInflater::new(agreed))));
        self.encoder.set_compressor(agreed.map(|agreed| Box::new(MessageCompressor::new(agreed))));
    }

    /// The state that the transport should be in now. Ask after each round of I/O.
    pub fn transport_state(&mut self) -> TransportState {
        let flushed = self.encoder.is_idle();
        let over = match self.state {
            ConnectionState::Ended => true,
            ConnectionState::Exchanged | ConnectionState::Failing => flushed && self.eof,
            ConnectionState::Open
            | ConnectionState::CloseSent
            | ConnectionState::CloseHeld
            | ConnectionState::WriteFailed => false,
        };
        if over {
            self.apply(Transition::End);
            self.timers.clear();
            return TransportState::Closed;
        }
        match self.says_half_close() {
            true => TransportState::HalfClosed,
            false => TransportState::Open,
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
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state.sends()
    }

    /// Whether our Close frame has been written and the peer's is awaited.
    pub fn awaits_close(&self) -> bool {
        self.state == ConnectionState::CloseSent && self.encoder.is_idle()
    }

    /// Whether nothing is left to do but to let go of the transport.
    pub fn is_over(&self) -> bool {
        self.state == ConnectionState::Ended
    }

    /// Whether something that was queued, other than a Close frame, was thrown away: the connection ended before the
    /// transport had taken it.
    pub fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// How many bytes wait to be written.
    #[inline]
    pub fn queued(&self) -> usize {
        self.encoder.waiting()
    }

    /// Whether [`Limits::high_water`](crate::Limits::high_water) is reached, and senders should wait.
    #[inline]
    pub fn is_above_high_water(&self) -> bool {
        self.queued() >= self.config.limits.high_water
    }

    /// The round-trip time of the last ping that was answered.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.latency()
    }
}
