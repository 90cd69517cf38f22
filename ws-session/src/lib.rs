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
//! # Behind a reverse proxy
//!
//! A proxy has to pass the upgrade on; nginx does so when it is told to (`tests/interop/nginx` in the repository is a
//! configuration that is tested, with TLS in front):
//!
//! ```nginx
//! # Within http { }
//! map $http_upgrade $connection_upgrade {
//!     default upgrade;
//!     ''      close;
//! }
//!
//! # Within server { }
//! location / {
//!     proxy_pass http://127.0.0.1:8765;
//!     proxy_http_version 1.1;
//!     proxy_set_header Upgrade $http_upgrade;
//!     proxy_set_header Connection $connection_upgrade;
//!     proxy_set_header Host $http_host;
//!     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
//!     proxy_set_header X-Real-IP $remote_addr;
//!     proxy_read_timeout 60s;
//! }
//! ```
//!
//! - **Who the client is** tells [`WebSocket::client_ip`], once [`Server::trusted_proxies`] names the proxy. Nobody is
//!   trusted by default, for anyone can send these headers.
//! - **`proxy_read_timeout`** (60 s unless set) ends a connection on which the server has sent nothing for so long; both ends
//!   see 1006 then. The server's pings count: every 20 s by default ([`Deadlines::ping_interval`]), so that idle
//!   connections stay open. Without them, or with a longer interval, make the timeout longer than any silence.
//! - **A reload** leaves the connections of the old configuration alone, until `worker_shutdown_timeout` if that is set;
//!   then, as when nginx stops, both ends see 1006. The server's own shutdown reaches clients as 1001.
//! - **Origins** are compared with what the browser sent, which a proxy does not change.
//!
//! # Features
//!
//! Features only add. Each brings further crates into the build; the README of the crate says how many.
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `deflate` | yes | compression of messages (permessage-deflate, RFC 7692) |
//! | `tls` | yes | `wss://`, with rustls |
//! | `json` | no | `send_json` and `recv_json`, with serde |
//! | `idna` | no | URLs with hosts that are not ASCII. Without it, their ASCII form works (`xn--…`), and other hosts fail with [`UrlError::InternationalHost`]. |
//!
//! # The files
//!
//! | folder or file | what it does |
//! | --- | --- |
//! | `server` | [`Server`]: the handshake, the listener's loop, shutdown |
//! | `client` | [`Client`]: URLs, the handshake |
//! | `settings` | limits and deadlines of servers' and clients' connections |
//! | `opening` | the opening handshake, as far as both ends do the same: its bytes, compression; [`Parts`], from which every connection is made |
//! | `stream` | [`WebSocketStream`]: handle and driver in one value, driven by being polled |
//! | `handle` | the handles: [`WebSocket`] receives and sends, a [`Sender`] sends from anywhere; what handlers return |
//! | `driver` | [`Driver`]: the one loop that reads, writes and keeps deadlines; a handler beside it, in one task |
//! | `shared` | what handles and driver share, under one lock; which tasks wait, and for what |
//! | `info` | what is known about a connection from its opening on; the heads, kept as bytes |
//! | `memory` | each worker thread's buffers, the memory of short messages and of long ones |
//! | `error` | why a connection ended or did not open; how handlers fail |
//! | `tls` | whom to trust and who we are, with rustls; what can go wrong |
//! | `transport`, `runtime` | what an adapter supplies; [`tcp`], what the system knows of a TCP socket |
//! | `logging` | what is logged; frames in the log |
//! | `adapter` | the names that every adapter has: [`adapter!`] |
//! | `sync` | where locks come from |

#![cfg_attr(docsrs, feature(doc_cfg))]

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod adapter;
mod client;
mod driver;
mod error;
mod handle;
mod info;
mod logging;
mod memory;
mod opening;
mod runtime;
mod server;
mod settings;
mod shared;
mod stream;
mod sync;
mod tls;
mod transport;

pub use http;
#[cfg(feature = "tls")]
pub use rustls;
pub use ws_proto::handshake::client::{BuildError, HandshakeError};
pub use ws_proto::handshake::head::HeadLimits;
pub use ws_proto::handshake::server::Rejection;
#[cfg(feature = "deflate")]
pub use ws_proto::permessage_deflate::{Compress, Deflate, DeflateParams, InvalidAnswer};
pub use ws_proto::{
    ByteString, Bytes, Cause, CloseCode, CloseFrame, Config, Deadlines, Escaped, EscapedBytes, InFlight, Limits,
    MaskKeys, Message, MessageKind, Outcome, Prepared, SendError, Timestamp, Violation,
};

pub use self::client::{Client, ClientUpgrade, RunError, without_password};
pub use self::driver::Driver;
pub use self::error::{
    AcceptError, Attempt, BoxError, Closed, CompressionError, ConnectError, DialError, Error, HandlerError,
    HandlerResult, InvalidSetting, Stage, TimedOut, UrlError,
};
#[cfg(feature = "json")]
pub use self::handle::JsonError;
pub use self::handle::{Handled, HandlerOutput, Sender, WebSocket, handler};
pub use self::opening::{CompletedHandshake, Parts};
pub use self::runtime::Runtime;
pub use self::server::{ClientIp, Listening, Refused, ServeError, Server, ServerHandle};
pub use self::shared::{RoundTrip, Unwanted};
pub use self::stream::{StreamParts, WebSocketStream};
pub use self::tls::{PemInput, TlsConfigError, TlsError};
pub use self::transport::{Addresses, MaybeTls, Timer, Transport, tcp};
