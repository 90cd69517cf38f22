//! The connection, which composes receiving, sending, the closing handshake and the deadlines.

mod closing;
mod deadlines;
mod hooks;
mod in_flight;
mod rates;
mod receiving;
mod sending;

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;

use self::closing::Farewell;
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
use crate::stats::ConnectionStats;
use crate::time::Timestamp;
use crate::timer::{TimerKind, Timers};

pub use self::hooks::Hooks;
use self::rates::Meter;

/// One end of a WebSocket connection, from the end of the opening handshake on (RFC 6455 §5–§7).
///
/// It does no I/O. A driver
///
/// - passes the bytes it reads to [`receive`](Self::receive) until that returns `None`, and calls
///   [`receive_eof`](Self::receive_eof) at the end of the input;
/// - calls [`fail`](Self::fail) when the transport failed, or [`fail_writing`](Self::fail_writing) when only writing failed;
/// - writes the bytes in [`outgoing`](Self::outgoing), once per batch of input rather than once per message;
/// - brings the transport to its [`transport_state`](Self::transport_state);
/// - waits until the deadline of [`poll_timeout`](Self::poll_timeout) at most, reads the bytes that have arrived, and calls
///   [`handle_timeout`](Self::handle_timeout). Received bytes count as a sign of life, so read first.
///
/// A driver that queues messages, or stops reading at times, also needs [`hooks`](Self::hooks).
///
/// The methods for input return events. The last event is [`Event::Closed`](crate::Event::Closed), exactly once. No input
/// makes a method fail or panic, or makes the connection hold more than its [`Limits`](crate::Limits) allow.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Arc<Config>,
    state: ConnectionState,
    decoder: Decoder,
    encoder: Encoder,
    keepalive: Keepalive,
    timers: Timers,
    /// Whether anything but short messages was received since the pong deadline was set.
    heard: bool,
    /// The number of messages that had been received then.
    heard_mark: u64,
    /// Whether a keepalive ping waits for the end of a message of ours.
    ping_waits: bool,
    /// The number of fragments that had been queued when that wait began.
    fragments_mark: u32,
    /// The number of fragments that had been queued when a ping of the application's last had to wait.
    standstill_mark: u32,
    /// The last time at which the peer was known to take bytes before an unanswered ping.
    moved_at: Timestamp,
    /// Whether the pong deadline includes the time to read the bytes that were sent before the ping.
    reading_counts: bool,
    /// Whether bytes waited to be written, or to be acknowledged after our Close, when the deadlines were set last.
    is_writing: bool,
    /// Whether the caller has stopped reading for a while.
    paused: bool,
    /// The progress of receiving when the message-progress deadline was set.
    progress_mark: ReceivedCounts,
    /// The progress of the transport and the peer when the write-stall deadline was set.
    taking_mark: u64,
    /// The bytes that the peer has acknowledged, once the transport has reported them.
    acknowledged: Option<Box<Acknowledged>>,
    sent: Option<Box<CloseFrame>>,
    received: Option<Box<ReceivedClose>>,
    /// The cause of the end: the first one stays.
    cause: Option<Cause>,
    /// Whether our answer to the peer's Close, or to a violation, waits for [`Hooks::release_close`].
    holding_close: bool,
    /// The Close frame that is held.
    answer: Option<Box<CloseFrame>>,
    /// Whether the transport's read side has ended.
    eof: bool,
    /// The progress of the end, once our Close is queued. Boxed, because most connections are open.
    farewell: Option<Box<Farewell>>,
    /// Whether the time has passed in which a client's write side stays open for the answer to its Close.
    is_late: bool,
    /// Whether our error Close has been written, and input is only discarded.
    discarding: bool,
    /// Whether anything but a Close frame was discarded before it was written.
    has_lost: bool,
    /// Whether the transport is one stream of many.
    multiplexed: bool,
    /// The received messages and bytes, if there is a rate of them.
    meter: Option<Box<Meter>>,
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
    /// A server's connection that opens at `now`.
    pub fn server(config: impl Into<Arc<Config>>, now: Timestamp) -> Self {
        Self::new(Role::Server, config.into(), None, now)
    }

    /// A client's connection that opens at `now`. `keys` supplies a masking key for each frame.
    pub fn client(config: impl Into<Arc<Config>>, keys: impl MaskKeys + Send + Sync + 'static, now: Timestamp) -> Self {
        Self::new(Role::Client, config.into(), Some(Box::new(keys)), now)
    }

    fn new(role: Role, config: Arc<Config>, keys: Option<Box<dyn MaskKeys + Send + Sync>>, now: Timestamp) -> Self {
        let mut timers = Timers::default();
        timers.set(TimerKind::Ping, config.deadlines.ping_interval.map(|interval| now + interval));
        let decoder = Decoder::new(role, &config);
        let meter = Meter::new(&config.limits);
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
            farewell: None,
            is_late: false,
            discarding: false,
            has_lost: false,
            multiplexed: false,
            meter,
        }
    }

    /// Sets whether the transport is one stream of a connection that carries many, as in HTTP/2 (RFC 8441). `false` at first.
    ///
    /// Such a stream ends in two independent halves, and some peers never end theirs: Firefox does not. So after both Close
    /// frames the end of the peer's half is awaited for [`Deadlines::stream_end`](crate::Deadlines::stream_end) only. Then the
    /// caller resets the stream, with `NO_ERROR` (RFC 9113 §8.1).
    ///
    /// [`TransportState::HalfClosed`] is `END_STREAM`. Send it in a frame behind our Close frame, never in the same: to
    /// Firefox, such a Close is not clean.
    pub fn set_multiplexed(&mut self, multiplexed: bool) {
        self.multiplexed = multiplexed;
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

    /// The role of this end.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether messages can be sent: no Close frame of ours has been queued, and the transport takes bytes.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.state.sends()
    }

    /// Whether our Close frame has been written and the peer's is awaited.
    pub fn awaits_close(&self) -> bool {
        self.state == ConnectionState::CloseSent && self.encoder.is_idle()
    }

    /// Whether the connection is over and the transport can be closed.
    pub fn is_over(&self) -> bool {
        self.state == ConnectionState::Ended
    }

    /// Whether queued bytes other than a Close frame were discarded, because the connection ended before the transport had
    /// taken them.
    pub fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// The number of bytes that wait to be written.
    #[inline]
    pub fn queued(&self) -> usize {
        self.encoder.waiting()
    }

    /// Whether the queue has reached [`Limits::high_water`](crate::Limits::high_water), so that senders should wait.
    #[inline]
    pub fn is_above_high_water(&self) -> bool {
        self.queued() >= self.config.limits.high_water
    }

    /// The counters of this connection. Reading them is cheap.
    pub fn stats(&self) -> ConnectionStats {
        ConnectionStats { received: self.decoder.stats(), sent: self.encoder.stats() }
    }

    /// The round-trip time of the last answered ping.
    pub fn latency(&self) -> Option<Duration> {
        self.keepalive.latency()
    }
}
