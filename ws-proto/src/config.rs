//! Settings of a connection. The defaults are safe for a server on the open network.

use core::time::Duration;

use crate::rate::Rate;

/// The role of one end of a connection (RFC 6455 §1.2). A client masks its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

/// Settings of a connection. Many connections can share one value in an `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Sizes and counts that are accepted and held.
    pub limits: Limits,
    /// Times to wait.
    pub deadlines: Deadlines,
    /// Whether messages are delivered whole or in chunks as they arrive.
    pub delivery: Delivery,
    /// Whether pings are sent between the fragments of a message, as RFC 6455 §5.4 allows. Default `false`: keepalive pings
    /// and those of [`Connection::ping`](crate::Connection::ping) wait for the last fragment, as long as fragments are queued.
    ///
    /// Some peers mishandle such a ping. Tornado, wsproto (used by uvicorn and hypercorn) and mitmproxy lose or alter a
    /// compressed message. RabbitMQ cuts the connection. ejabberd, pywebsocket3, SWI-Prolog and Eclipse Paho C fail with any
    /// message.
    pub ping_between_fragments: bool,
}

/// Limits of a connection, in bytes unless stated otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message accepted. A longer one is refused with 1009 as soon as a frame header shows it. The inflated size
    /// of a compressed message counts, and is checked while it inflates. Default 1 MiB; `None` for no limit.
    #[doc(alias = "max_size", alias = "max_message_size")]
    pub message: Option<usize>,
    /// The longest frame accepted, as its header announces it. A longer one is refused with 1009. Default 1 MiB; `None` for no limit.
    #[doc(alias = "max_frame_size")]
    pub frame: Option<usize>,
    /// The longest message accepted in chunks, if that is longer than [`message`](Self::message): one that
    /// [`Hooks::stream_message`](crate::Hooks::stream_message) has chosen. It replaces [`frame`](Self::frame), too. A longer
    /// one is refused with 1009. Default `Some(0)`: the limits of other messages apply. `None` for no limit.
    ///
    /// If this is longer than `message`, a message longer than `message` is not refused at once. It is held until the choice
    /// between chunks and a whole is made ([`Event::Held`](crate::Event::Held)).
    pub streamed: Option<usize>,
    /// The most frames of one message, empty ones included. At least 1. Default 16,384; `None` for no limit. A message that
    /// [`Hooks::stream_message`](crate::Hooks::stream_message) has chosen may have one more for each KiB of its payload.
    pub fragments: Option<u32>,
    /// The longest fragment in which a driver sends a message that an application supplies piece by piece. At least 1.
    /// Default 64 KiB. [`Connection::send_fragment`](crate::Connection::send_fragment) sends fragments as they are.
    pub sent_fragment: usize,
    /// Senders should wait while the outgoing queue holds this much or more. Default 64 KiB.
    pub high_water: usize,
    /// The most the outgoing queue holds. A message that would exceed it is refused, unless the queue is below
    /// [`high_water`](Self::high_water): a message larger than the cap can be sent after a wait. Default 1 MiB more than
    /// the default of `high_water`.
    pub hard_cap: usize,
    /// The most pongs that wait to be sent. Beyond that, a new pong replaces the last one (RFC 6455 §5.5.3). At least 2.
    /// Default 16.
    pub pending_pongs: usize,
    /// The most input that is discarded after an error Close, so that the Close reaches the peer before the connection is
    /// reset. Discarding normally ends at [`Deadlines::discard`]; this bounds it on a very fast link. Some proxies lose the
    /// Close when a connection is reset while a client still sends, so keep this far above the amount that an honest peer
    /// sends in that time. No memory is held for it. Default 1 GiB: 4 Gbit/s for 2 s.
    pub discard: usize,
    /// The least that must arrive of an incomplete message within each [`Deadlines::message_progress`]. Default 16 KiB.
    pub progress: usize,
    /// The slowest reading, in bytes a second, at which a peer still counts as alive. [`Deadlines::pong`] grows by the time
    /// that such a peer needs to reach the ping. Default 16 KiB. 0 counts as 1; `usize::MAX` never extends the deadline.
    pub slowest_reading: usize,
    /// The rate at which messages are received. Pings and pongs count, too. Default `None`: no limit.
    pub message_rate: Option<Rate>,
    /// The rate at which bytes are received, as they are on the wire (within TLS), frame headers included. Default `None`: no
    /// limit. With [`OverRate::Close`], the burst should be that of several of the longest messages.
    pub byte_rate: Option<Rate>,
    /// What happens to a peer that exceeds one of these rates. Default [`OverRate::Pause`].
    pub over_rate: OverRate,
}

/// The answer to a peer that exceeds [`Limits::message_rate`] or [`Limits::byte_rate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverRate {
    /// Reading pauses until the rate allows more, so that the peer waits in TCP. A peer that is only fast is slowed down to the
    /// rate, and loses nothing. Its pings are not answered meanwhile.
    #[default]
    Pause,
    /// The connection is closed with 1008. The reason names the limit and its value.
    Close,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Some(1 << 20),
            frame: Some(1 << 20),
            streamed: Some(0),
            fragments: Some(16_384),
            sent_fragment: 64 << 10,
            high_water: 64 << 10,
            hard_cap: (1 << 20) + (64 << 10),
            pending_pongs: 16,
            discard: 1 << 30,
            progress: 16 << 10,
            slowest_reading: 16 << 10,
            message_rate: None,
            byte_rate: None,
            over_rate: OverRate::Pause,
        }
    }
}

impl Limits {
    /// The limit of a message in chunks.
    pub(crate) fn most_streamed(&self) -> Option<usize> {
        self.message.and_then(|message| self.streamed.map(|streamed| streamed.max(message)))
    }

    /// Whether there is a rate of receiving.
    pub(crate) fn has_rates(&self) -> bool {
        self.message_rate.is_some() || self.byte_rate.is_some()
    }

    /// Whether a message in chunks may be longer than a whole one.
    pub(crate) fn streams(&self) -> bool {
        self.streamed.unwrap_or(usize::MAX) > self.message.unwrap_or(usize::MAX)
    }
}

/// Deadlines of a connection. Repeated intervals are at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// The interval between keepalive pings. Default 20 s; `None` sends none, for peers that mishandle pings. The inspector
    /// of Node.js takes one for a bad frame, aria2 answers with an error message, InspIRCd drops a peer that pings more often
    /// than every 10 s, and Tsung and x11vnc send no pong. `docs/peers.md` in the repository has the versions.
    ///
    /// Between the fragments of a message a ping waits for the last one, as long as a fragment is queued within each
    /// interval, unless [`Config::ping_between_fragments`] is set.
    pub ping_interval: Option<Duration>,
    /// The time for an answer to a keepalive ping: a pong, or any other byte. After it, the connection is closed with 1011.
    /// A second ping is sent half-way. The time starts when the transport has taken the ping, and starts again while the peer
    /// still takes bytes written before it, as far as the transport can tell. Default 20 s; `None` waits for ever.
    ///
    /// A peer's system may take all those bytes at once into its receive buffer. Then nothing shows whether its application
    /// reads them. In that case the time is extended once, by one second for each [`Limits::slowest_reading`] bytes between
    /// the last answered ping and this one. 6 MiB of them count at most, the former default maximum of Linux's receive
    /// buffers (`tcp_rmem`). With the defaults the extension is 0 for less than 16 KiB, and 384 s at most.
    pub pong: Option<Duration>,
    /// The time for the closing handshake and the end of the transport. After it, the connection is aborted. It starts when
    /// our Close frame and everything before it have been written and, as far as the transport can tell, taken by the peer.
    /// Until then, [`write_stall`](Self::write_stall) and [`close_total`](Self::close_total) apply. Default 10 s.
    pub close: Duration,
    /// The time from the queueing of our Close frame to the end of the transport, however slowly the peer takes the bytes
    /// before it. After it, the connection is aborted. Default 5 minutes.
    pub close_total: Duration,
    /// The time that a client waits for the answer to its Close frame before it ends the write side of the transport. Some
    /// servers answer, or end the connection, only then. The client waits on for the rest of [`close`](Self::close).
    /// Default 2 s.
    ///
    /// Some proxies end both directions when one side ends. Behind them an answer that takes longer than this is lost.
    pub half_close: Duration,
    /// The most time that our answer to a Close frame, or to a violation, is delayed so that the application can answer the
    /// messages before it. It applies to drivers that queue messages. Default 1 s.
    pub answer: Duration,
    /// The time in which an incomplete message must be completed, or must grow by [`Limits::progress`] bytes. Otherwise the
    /// connection is closed with 1008. Default 60 s; `None` waits for ever.
    pub message_progress: Option<Duration>,
    /// The time in which the transport, and the peer as far as the transport can tell, must take at least one queued byte.
    /// Otherwise the connection is aborted. Default 30 s; `None` waits for ever.
    pub write_stall: Option<Duration>,
    /// The time for which input is discarded after an error Close has been sent. Default 2 s.
    pub discard: Duration,
    /// The time that the peer has to end its half of the stream after both Close frames, if the transport is one stream of
    /// many ([`Connection::set_multiplexed`](crate::Connection::set_multiplexed)). Then the stream is reset. Default 1 s, and
    /// at most [`close`](Self::close).
    pub stream_end: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            ping_interval: Some(Duration::from_secs(20)),
            pong: Some(Duration::from_secs(20)),
            close: Duration::from_secs(10),
            close_total: Duration::from_secs(300),
            half_close: Duration::from_secs(2),
            answer: Duration::from_secs(1),
            message_progress: Some(Duration::from_secs(60)),
            write_stall: Some(Duration::from_secs(30)),
            discard: Duration::from_secs(2),
            stream_end: Duration::from_secs(1),
        }
    }
}

/// How messages are delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// Whole messages: [`Event::Message`](crate::Event::Message).
    #[default]
    Messages,
    /// Chunks as the bytes arrive, independent of frames: [`Event::Chunk`](crate::Event::Chunk). A message may be larger
    /// than memory: raise [`Limits::message`] and [`Limits::frame`] for that.
    Chunks,
}
