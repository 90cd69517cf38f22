//! WebSocket endpoints without a runtime: the handle an application holds, the driver that moves its bytes, and the
//! policy of servers and clients.
//!
//! ```text
//!   application ──► WebSocket · Sender ──┐                         ┌── Transport (a runtime's sockets)
//!                                        ├── Connection ── Driver ─┤
//!   handler ◄────── inbound queue ◄──────┘  (ws-proto)             └── Timer (a runtime's clock)
//! ```
//!
//! An adapter such as `ws-tokio` implements [`Transport`], [`Timer`] and [`Runtime`], and nothing else: everything an
//! application sees is written here, once.
//!
//! | file | what it does |
//! | --- | --- |
//! | `websocket`, `sender` | the handles: [`WebSocket`] receives and sends, a [`Sender`] sends from anywhere |
//! | `driver` | [`Driver`]: the one loop that reads, writes and keeps deadlines |
//! | `run` | a handler beside its driver, in one task |
//! | `shared`, `waiting`, `pings` | what handles and driver share, under one lock; who waits for what |
//! | `server` | [`Server`]: the handshake, the listener's loop, shutdown |
//! | `client` | [`Client`]: URLs, the handshake |
//! | `transport`, `runtime` | what an adapter supplies |
//! | `adapter` | the names that every adapter has: [`adapter!`] |
//! | `outbound` | what can be sent: a message, part of one, one encoded for many |
//! | `tls` | whom to trust and who we are, with rustls; what can go wrong |
//! | `compression` | what the two ends say of it in the opening handshake |
//! | `head` | the opening handshake, kept as bytes |
//! | `recycle` | the memory of long messages, used again |
//! | `sync` | where locks come from |

mod adapter;
mod client;
mod compression;
mod driver;
mod error;
mod exchange;
mod head;
mod logging;
mod outbound;
mod pings;
mod recycle;
mod run;
mod runtime;
mod sender;
mod server;
mod shared;
mod sync;
mod tls;
mod transport;
mod waiting;
mod websocket;

pub use http;
#[cfg(feature = "tls")]
pub use rustls;
#[cfg(feature = "deflate")]
pub use ws_proto::deflate::{Compress, Deflate, InvalidAnswer};
pub use ws_proto::handshake::client::{BuildError, Error as HandshakeError};
pub use ws_proto::handshake::head::HeadLimits;
pub use ws_proto::handshake::server::Rejection;
pub use ws_proto::{
    ByteString, Bytes, Cause, CloseCode, CloseFrame, Config, Deadlines, Limits, Message, MessageKind, Outcome,
    Prepared, SendError, Timestamp, Violation,
};

pub use self::client::{Client, ConnectError, UrlError};
pub use self::driver::Driver;
pub use self::error::{Closed, Error};
pub use self::run::{BoxError, HandlerError, HandlerResult};
pub use self::runtime::Runtime;
pub use self::sender::Sender;
pub use self::server::{AcceptError, ClientIp, Listening, Server, ServerHandle};
pub use self::shared::Addresses;
pub use self::tls::{PemInput, TlsConfigError, TlsError};
pub use self::transport::{Timer, Transport};
pub use self::websocket::WebSocket;
