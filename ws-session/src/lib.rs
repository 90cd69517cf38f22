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
//! # The files
//!
//! | file | what it does |
//! | --- | --- |
//! | `websocket`, `sender` | the handles: [`WebSocket`] receives and sends, a [`Sender`] sends from anywhere |
//! | `driver` | [`Driver`]: the one loop that reads, writes and keeps deadlines |
//! | `outcome` | what handlers return |
//! | `run` | a handler beside its driver, in one task |
//! | `spawned` | a driver in a task of its own, which handles can reach where tasks die with the process |
//! | `shared`, `waiting`, `pings` | what handles and driver share, under one lock; who waits for what |
//! | `server` | [`Server`]: the handshake, the listener's loop, shutdown |
//! | `client` | [`Client`]: URLs, the handshake |
//! | `settings` | limits and deadlines of servers' and clients' connections |
//! | `transport`, `runtime` | what an adapter supplies |
//! | [`tcp`] | what the system knows of a TCP socket |
//! | `adapter` | the names that every adapter has: [`adapter!`] |
//! | `json` | messages of JSON (feature `json`) |
//! | `outbound` | what can be sent: a message, part of one, one encoded for many |
//! | `tls` | whom to trust and who we are, with rustls; what can go wrong |
//! | `compression` | what the two ends say of it in the opening handshake |
//! | `inbound` | how much may wait to be received |
//! | `head` | the opening handshake, kept as bytes |
//! | `scratch` | memory of each worker thread: what it reads into, and writes from |
//! | `burst` | the memory of short messages, shared by those that come together |
//! | `recycle` | the memory of long messages, used again |
//! | `stream` | TCP, or TLS on it |
//! | `unwanted` | messages to an application that receives none |
//! | `tap` | frames in the log |
//! | `sync` | where locks come from |

mod adapter;
mod burst;
mod client;
mod compression;
mod driver;
mod error;
mod exchange;
mod head;
mod inbound;
mod info;
#[cfg(feature = "json")]
mod json;
mod logging;
mod outbound;
mod outcome;
mod pings;
mod recycle;
mod run;
mod runtime;
mod scratch;
mod sender;
mod server;
mod settings;
mod shared;
mod spawned;
mod stream;
mod sync;
mod tap;
pub mod tcp;
mod tls;
mod transport;
mod unwanted;
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
    ByteString, Bytes, Cause, CloseCode, CloseFrame, Config, Deadlines, Escaped, EscapedBytes, InFlight, Limits,
    Message, MessageKind, Outcome, Prepared, SendError, Timestamp, Violation,
};

pub use self::client::{
    Attempt, Client, ConnectError, DialError, RunError, Stage, TimedOut, UrlError, without_password,
};
pub use self::driver::Driver;
pub use self::error::{Closed, Error};
pub use self::info::Addresses;
#[cfg(feature = "json")]
pub use self::json::JsonError;
pub use self::outcome::{BoxError, Handled, HandlerOutput, HandlerResult, handler};
pub use self::pings::RoundTrip;
pub use self::run::HandlerError;
pub use self::runtime::Runtime;
pub use self::sender::Sender;
pub use self::server::{AcceptError, ClientIp, Listening, ServeError, Server, ServerHandle};
pub use self::tls::{PemInput, TlsConfigError, TlsError};
pub use self::transport::{Timer, Transport};
pub use self::unwanted::Unwanted;
pub use self::websocket::WebSocket;
