//! What an application may set. The defaults are safe for a server that faces the open network.

use core::time::Duration;

/// Which end of the connection this is (RFC 6455 §1.2): a client masks what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

/// Everything an application may set about a connection. Share one among many with an `Arc`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much is accepted and held.
    pub limits: Limits,
    /// How long is waited.
    pub deadlines: Deadlines,
    /// Whole messages, or pieces as they come.
    pub delivery: Delivery,
    /// Whether pings go out between the fragments of a message of ours, as RFC 6455 §5.4 allows. Default `false`: keepalive
    /// pings and those of [`Connection::ping`](crate::Connection::ping) wait for the last fragment, as long as fragments
    /// are queued.
    ///
    /// Some peers break at such a ping. Tornado, wsproto (and with it uvicorn and hypercorn) and mitmproxy lose or alter a
    /// compressed message, RabbitMQ cuts the connection; ejabberd, pywebsocket3, SWI-Prolog and Eclipse Paho C fail whatever
    /// the message is.
    pub ping_between_fragments: bool,
}

/// How much a connection accepts and holds, in bytes unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message accepted; a longer one is answered with 1009 as soon as a header tells. Of a compressed one it
    /// is what it inflates to that counts, while it inflates. Default 1 MiB; `None` for no limit.
    pub message: Option<usize>,
    /// The longest frame accepted, like [`message`](Self::message). Default 1 MiB; `None` for no limit.
    pub frame: Option<usize>,
    /// The most frames one message may come in, empty ones included; at least 1. Default 16,384; `None` for no limit.
    pub fragments: Option<u32>,
    /// From this much in the outgoing queue on, senders should wait. Default 64 KiB.
    pub high_water: usize,
    /// A message is refused when it would take the outgoing queue past this, unless the queue is still below
    /// [`high_water`](Self::high_water): so a message larger than the cap can be sent, after a wait. Default 1 MiB
    /// over the high-water mark's default.
    pub hard_cap: usize,
    /// The most pongs that wait to be sent; past that the newest replaces the last (RFC 6455 §5.5.3). At least 2.
    /// Default 16.
    pub pending_pongs: usize,
    /// How much input is read and thrown away after an error Close, so that the Close reaches the peer before the
    /// connection is reset. [`Deadlines::discard`] is what ends that; this bounds what can come until then over a very fast
    /// link. Proxies lose the Close when a connection is reset while a client still sends, so keep it far above what an
    /// honest peer sends in that time. Nothing of it is held. Default 1 GiB: 4 Gbit/s for 2 s.
    pub discard: usize,
    /// How much of a message must arrive within [`Deadlines::message_progress`] if the message is not complete by
    /// then. Default 16 KiB.
    pub progress: usize,
    /// The slowest reading, in bytes a second, for which a peer is still taken to be alive: [`Deadlines::pong`] grows by the
    /// time in which a peer that reads so slowly comes to the ping. Default 16 KiB; 0 counts as 1, `usize::MAX` keeps the
    /// deadline as it is.
    pub slowest_reading: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Some(1 << 20),
            frame: Some(1 << 20),
            fragments: Some(16_384),
            high_water: 64 << 10,
            hard_cap: (1 << 20) + (64 << 10),
            pending_pongs: 16,
            discard: 1 << 30,
            progress: 16 << 10,
            slowest_reading: 16 << 10,
        }
    }
}

/// How long a connection waits. Intervals that repeat are at least 1 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// A ping is sent this often. Default 20 s; `None` for no pings, for peers that cannot stand them: the inspector of
    /// Node.js takes one for a bad frame, aria2 answers with an error message, InspIRCd drops who pings more often than each
    /// 10 s, Tsung and x11vnc send no pong. `docs/peers.md` in the repository has the versions.
    ///
    /// Between the fragments of a message of ours a ping waits for the last, as long as a fragment is queued within each
    /// interval, unless [`Config::ping_between_fragments`] is set.
    pub ping_interval: Option<Duration>,
    /// Something must come in within this time after a keepalive ping: a pong, or any other byte; else the connection is
    /// closed with 1011. Half-way, a second ping is sent. The time begins when the transport has taken the ping, and anew
    /// while the peer still takes what was written before it, as far as the transport can tell
    /// ([`Connection::set_in_flight`](crate::Connection::set_in_flight)). Default 20 s; `None` to wait for ever.
    ///
    /// A peer's system may take all of that at once, into its receive buffer, and then nothing shows that its application
    /// reads. So where nothing is known to be on its way before the ping, the time grows once by that of reading it: a second
    /// for each [`Limits::slowest_reading`] bytes between the last ping that was answered and this one, 6 MiB at the
    /// most, for long the default maximum of Linux's receive buffers (`tcp_rmem`). With the defaults that is up to 384 s, and
    /// nothing for less than 16 KiB.
    pub pong: Option<Duration>,
    /// The closing handshake and the transport's end must be over in this time; then the connection is aborted. It counts
    /// from when our Close frame and all before it have been written and, as far as the transport knows, the peer has taken
    /// them; while it takes them, [`write_stall`](Self::write_stall) and [`close_total`](Self::close_total) hold. Default
    /// 10 s.
    pub close: Duration,
    /// The same, from when our Close frame is queued, however slowly the peer takes what was sent before it. Default 5
    /// minutes.
    pub close_total: Duration,
    /// How long a client waits for the answer to its Close frame before it ends the write side of the transport: some
    /// servers answer, or let go, only then. What is left of [`close`](Self::close) it goes on waiting. Default 2 s.
    ///
    /// Some proxies end a connection as a whole when one side of it ends; an answer that takes longer than this is lost
    /// behind those.
    pub half_close: Duration,
    /// How long our answer to a Close frame, or to a fault, is put off for the application to answer the messages
    /// before it; see [`Connection::set_putting_off`](crate::Connection::set_putting_off). Default 1 s.
    pub answer: Duration,
    /// A message that has begun must be complete, or [`Limits::progress`] bytes of it have come, each time this has
    /// passed; else the connection is closed with 1008. Default 60 s; `None` to wait for ever.
    pub message_progress: Option<Duration>,
    /// The transport, or the peer behind it as far as the transport can tell, must take some of what is queued within
    /// this time; else the connection is aborted. Default 30 s; `None` to wait for ever.
    pub write_stall: Option<Duration>,
    /// How long input is read and thrown away after an error Close has been sent. Default 2 s.
    pub discard: Duration,
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
        }
    }
}

/// How messages are handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// Each as a whole: [`Event::Message`](crate::Event::Message).
    #[default]
    Messages,
    /// Piece by piece as the bytes come, whatever the frames: [`Event::Chunk`](crate::Event::Chunk). Nothing is put
    /// together, so a message may be larger than memory; raise [`Limits::message`] and [`Limits::frame`] for that.
    Chunks,
}
