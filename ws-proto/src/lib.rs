//! The WebSocket protocol (RFC 6455) as a state machine: bytes in, events out, and no I/O, clock or randomness of its
//! own.
//!
//! ```text
//!          read                                          events
//!   ──────────────────►  ┌──────────────────────────┐  ──────────►  Message · Chunk · Ping · Pong · Closed
//!    receive(input, now) │                          │
//!    handle_timeout(now) │        Connection        │  ◄──────────  send · send_fragment · ping · close
//!   ◄──────────────────  │                          │
//!    outgoing()          └──────────────────────────┘
//!    transport_state()     receive │ state │ send
//!    poll_timeout(now)     assemble│timers │ outgoing
//! ```
//!
//! The embedder owns the socket, the read buffer and the clock. This is a complete driver over a plain
//! [`std::net::TcpStream`]: a client sends one message to an echo server.
//!
//! ```
//! use std::io::{self, ErrorKind, Read, Write};
//! use std::net::{Shutdown, TcpStream};
//! use std::time::Instant;
//!
//! use ws_proto::{Buf, CloseCode, CloseFrame, Config, Connection, Event, Outcome, Timestamp, TransportState};
//!
//! /// Moves bytes between the transport and the connection until both are done.
//! fn drive(
//!     mut stream: TcpStream,
//!     mut connection: Connection,
//!     start: Instant,
//!     mut on_event: impl FnMut(&mut Connection, Event<'_>, Timestamp),
//! ) -> io::Result<()> {
//!     let mut buffer = vec![0; 64 << 10];
//!     let mut half_closed = false;
//!     loop {
//!         // Write what is queued: once per batch of input, not once per message.
//!         while connection.outgoing().has_remaining() {
//!             let n = stream.write(connection.outgoing().chunk())?;
//!             connection.outgoing().advance(n);
//!         }
//!
//!         // Do what the protocol asks of the transport.
//!         match connection.transport_state() {
//!             TransportState::Open => {}
//!             TransportState::HalfClosed if half_closed => {}
//!             TransportState::HalfClosed => {
//!                 stream.shutdown(Shutdown::Write)?;
//!                 half_closed = true;
//!             }
//!             TransportState::Closed => return Ok(()),
//!         }
//!
//!         // Read, but no longer than until the next deadline.
//!         let now = Timestamp::new(start.elapsed());
//!         let wait = connection.poll_timeout(now).map(|deadline| (deadline - now).max(std::time::Duration::from_millis(1)));
//!         stream.set_read_timeout(wait)?;
//!         let read = stream.read(&mut buffer);
//!
//!         let now = Timestamp::new(start.elapsed());
//!         match read {
//!             Ok(0) => {
//!                 if let Some(event) = connection.receive_eof(now) {
//!                     on_event(&mut connection, event, now);
//!                 }
//!             }
//!             Ok(n) => {
//!                 let mut input = &mut buffer[..n];
//!                 while let Some(event) = connection.receive(&mut input, now) {
//!                     on_event(&mut connection, event, now);
//!                 }
//!             }
//!             Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
//!                 if let Some(event) = connection.handle_timeout(now) {
//!                     on_event(&mut connection, event, now);
//!                 }
//!             }
//!             Err(_) => {
//!                 if let Some(event) = connection.fail() {
//!                     on_event(&mut connection, event, now);
//!                 }
//!             }
//!         }
//!     }
//! }
//!
//! # fn main() -> io::Result<()> {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! // The server's side of it: an echo. (The opening handshake is in `handshake`; both ends skip it here.)
//! let server = std::thread::spawn(move || {
//!     let (stream, _) = listener.accept()?;
//!     let connection = Connection::server(Config::default(), Timestamp::ZERO);
//!     drive(stream, connection, Instant::now(), |connection, event, _now| {
//!         if let Event::Message(message) = event {
//!             connection.send(message.into()).expect("there is room for an echo");
//!         }
//!     })
//! });
//!
//! let stream = TcpStream::connect(address)?;
//! let keys = || [0x37, 0xFA, 0x21, 0x3D]; // use a cryptographically secure generator
//! let mut connection = Connection::client(Config::default(), keys, Timestamp::ZERO);
//! connection.send_text("Hello").expect("the queue is empty");
//! let (mut echo, mut outcome) = (None, None::<Outcome>);
//! drive(stream, connection, Instant::now(), |connection, event, now| match event {
//!     Event::Message(message) => {
//!         echo = Some(message.into_message());
//!         connection.close(CloseFrame::new(CloseCode::NORMAL, "done"), now).expect("1000 may be sent");
//!     }
//!     Event::Closed(end) => outcome = Some(end),
//!     _ => {}
//! })?;
//! server.join().expect("the server does not panic")?;
//!
//! assert_eq!(echo, Some("Hello".into()));
//! assert!(outcome.is_some_and(|outcome| outcome.is_normal()));
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! | module | content |
//! | --- | --- |
//! | [`Connection`] | the composer: events, messages, deadlines, the closing handshake |
//! | [`Hooks`] | additional calls for a driver that queues messages or owns a transport |
//! | `state` | the closing handshake as a table |
//! | `receive`, `assemble`, `payload` | bytes to frames to messages, with every limit |
//! | [`ReadBuffer`], [`Memory`], `sizes` | memory for reads, memory from the embedder, and the size thresholds |
//! | `send`, `outgoing` | messages to frames to a queue of bytes, a [`Buf`] |
//! | [`Prepared`] | a message encoded once, for many connections |
//! | `keepalive`, `timer` | pings and pongs; the closed set of deadlines |
//! | [`frame::codec`], [`frame::mask`], [`utf8`] | pure transforms, each usable alone |
//! | [`handshake`] | the opening handshake, both roles |
//! | [`permessage_deflate`] | compression of messages (RFC 7692) |
//! | [`Rate`], [`TokenBucket`] | how much in which time, and its state |
//! | [`Escaped`] | a peer's text, made safe to show |
//! | [`Config`], [`Message`], [`Event`], [`CloseFrame`], [`Outcome`], [`Violation`], [`Timestamp`] | the vocabulary |
//!
//! # Features
//!
//! All are on by default. Without any the crate is `no_std` and needs `alloc` only.
//!
//! | feature | what it adds | what it needs |
//! | --- | --- | --- |
//! | `std` | vectored output (`chunks_vectored` of [`Outgoing`]), compressed forms of a [`Prepared`] message that connections share | the standard library |
//! | `handshake` | the [`handshake`] module: the opening handshake | `std` |
//! | `deflate` | the [`permessage_deflate`] module: compression of messages | `alloc`; `handshake` for its negotiation in headers |
//!
//! Messages are compressed only after [`Connection::set_deflate`] has set the negotiated parameters.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

extern crate alloc;

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod frame;
pub mod utf8;

#[cfg(feature = "handshake")]
pub mod handshake;

mod assemble;
mod buffer;
mod close;
mod config;
mod connection;
mod error;
mod escaped;
mod event;
mod extensions;
mod in_flight;
mod keepalive;
mod memory;
mod message;
mod outcome;
mod outgoing;
mod payload;
mod prepared;
mod rate;
mod receive;
mod send;
mod sizes;
mod state;
mod stats;
mod time;
mod timer;

pub use bytes::{Buf, Bytes};
pub use bytestring::ByteString;

pub use self::buffer::ReadBuffer;
pub use self::close::{CloseCode, CloseFrame};
pub use self::config::{Config, Deadlines, Delivery, Limits, OverRate, Role};
pub use self::connection::{Connection, Hooks, TransportState};
pub use self::error::{CloseError, SendError, Violation};
pub use self::escaped::{Escaped, EscapedBytes};
pub use self::event::{Chunk, Event, Pong};
#[cfg(feature = "deflate")]
pub use self::extensions::permessage_deflate;
pub use self::frame::mask::MaskKeys;
pub use self::in_flight::InFlight;
pub use self::keepalive::PingId;
pub use self::memory::Memory;
pub use self::message::{Incoming, Message, MessageKind};
pub use self::outcome::{Cause, ClosedBy, Outcome};
pub use self::outgoing::Outgoing;
pub use self::prepared::Prepared;
pub use self::rate::{Rate, TokenBucket};
pub use self::stats::{ConnectionStats, Traffic};
pub use self::time::Timestamp;
