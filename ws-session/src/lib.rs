//! WebSocket sessions, independent of the runtime: the handle of an application, the driver that moves its bytes, and the
//! policy of servers and clients.
//!
//! ```text
//!   application ──► WebSocket · Sender ──┐                         ┌── Transport (a runtime's sockets)
//!                                        ├── Connection ── Driver ─┤
//!   handler ◄────── inbound queue ◄──────┘  (ws-proto)             └── Timer (a runtime's clock)
//! ```
//!
//! An adapter such as `ws-tokio` implements only [`Transport`], [`Timer`] and [`Runtime`]. Everything that an application
//! sees is written once, in this crate.
//!
//! # Behind a reverse proxy
//!
//! A proxy must pass on the upgrade of HTTP/1.1. The page `docs/proxies.md` in the repository has the configuration of nginx,
//! haproxy, Apache httpd, Caddy, Envoy and Traefik, and what was measured of them.
//!
//! - **The client's address** is [`WebSocket::client_ip`], if [`Server::trusted_proxies`] names the proxy. No proxy is
//!   trusted by default, because anyone can send these headers.
//! - **Silent connections** stay open, because pings are sent every 20 s by default ([`Deadlines::ping_interval`]). Proxies end
//!   a connection on which nothing moves, nginx after 60 s, and both ends see 1006 then.
//! - **Origins** are compared with the browser's header, which a proxy does not change.
//!
//! Other pages in `docs` are about TLS, origins, keepalive, limits, deployment, tests, logs and errors.
//!
//! # Features
//!
//! Features only add. Each adds crates to the build; the crate's README lists the numbers.
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `auth` | yes | servers that check credentials: Basic, Bearer |
//! | `deflate` | yes | compression of messages (permessage-deflate, RFC 7692) |
//! | `proxies` | yes | clients through HTTP proxies (`https_proxy` and others in the environment); servers behind reverse proxies (`trusted_proxies`) |
//! | `redirects` | yes | clients that follow redirects |
//! | `routes` | yes | servers with a handler for each path, and pages beside them |
//! | `tcp-info` | yes | the system's view of a TCP connection (Linux, Android, Apple): a slow peer is not taken for a dead one |
//! | `tls` | yes | `wss://`, with rustls |
//! | `http2` | no | the policy of HTTP/2 (RFC 8441), for adapters that speak it |
//! | `tokio`, `futures-io` | no | `AsyncRead` of that library for streamed messages, both ways; adapters enable theirs |
//! | `json` | no | values as JSON: `send_json`, `recv_json`, and `Typed`, a stream and sink of them; with serde |
//! | `messagepack` | no | values as MessagePack: `Typed`, with serde |
//! | `proxy-protocol` | no | the PROXY protocol of load balancers, on servers: `Server::proxy_protocol` |
//! | `socket-activation` | no | sockets that a service manager passes, such as systemd (Unix): `ListeningSocket::from_environment` |
//! | `socks` | no | clients through SOCKS5 proxies (`tokio-socks`, without tokio) |
//! | `idna` | no | URLs with hosts that are not ASCII. Without it, their ASCII form works (`xn--…`), and other hosts fail with [`UrlError::InternationalHost`]. |
//!
//! # The files
//!
//! | folder or file | what it does |
//! | --- | --- |
//! | `server` | [`Server`]: the handshake, the listener's loop, shutdown |
//! | `client` | [`Client`]: URLs, the handshake |
//! | `settings` | limits and deadlines of servers' and clients' connections |
//! | `opening` | the parts of the opening handshake that both ends share: its bytes, compression; [`Parts`], which makes every connection |
//! | `stream` | [`WebSocketStream`]: handle and driver in one value, which moves bytes while it is polled |
//! | `bytes` | [`ByteChannel`]: a connection as a stream of bytes |
//! | `typed` | `Typed`: a connection whose messages are values, as JSON or MessagePack |
//! | `socket` | [`MessageSocket`]: both forms of a connection, for the types that stand on either |
//! | `http2` | the words between the policy and an adapter that speaks HTTP/2 |
//! | `handle` | the handles: [`WebSocket`] receives and sends, a [`Sender`] sends from any task; the results of handlers |
//! | `driver` | [`Driver`]: the one loop that reads, writes and keeps deadlines; a handler beside it, in one task |
//! | `metric` | counters under names for monitoring, for all that counts |
//! | `registry` | the connections of a server, and its shutdown |
//! | `shared` | the state of handles and driver under one lock; the waiting tasks |
//! | `info` | facts about a connection that do not change after its opening; the heads, kept as bytes |
//! | `memory` | each worker thread's buffers, the memory of short messages and of long ones |
//! | `error` | errors of open connections, of opening them, and of handlers |
//! | `tls` | certificates, trust and configurations for rustls; its errors |
//! | `transport`, `runtime` | the traits that an adapter implements; [`tcp`], the system's view of a TCP socket |
//! | `logging` | log events; frames in the log |
//! | `adapter` | the names that every adapter has: [`adapter!`] |
//! | `sync` | the source of locks |

#![cfg_attr(docsrs, feature(doc_cfg))]

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod adapter;
mod bytes;
mod client;
mod driver;
mod error;
mod handle;
#[cfg(feature = "http2")]
mod http2;
mod info;
mod logging;
mod memory;
mod metric;
mod opening;
mod random;
mod registry;
mod runtime;
mod server;
mod settings;
mod shared;
mod socket;
mod stream;
mod sync;
mod tls;
mod transport;
#[cfg(any(feature = "json", feature = "messagepack"))]
mod typed;

pub use http;
#[cfg(feature = "tls")]
pub use rustls;
pub use ws_proto::handshake::client::{BuildError, HandshakeError};
pub use ws_proto::handshake::head::HeadLimits;
pub use ws_proto::handshake::server::Rejection;
#[cfg(feature = "deflate")]
pub use ws_proto::permessage_deflate::{Compress, Deflate, DeflateParams, InvalidAnswer};
pub use ws_proto::{
    ByteString, Bytes, Cause, CloseCode, CloseFrame, ClosedBy, Config, ConnectionStats, Deadlines, Escaped,
    EscapedBytes, InFlight, Limits, MaskKeys, Message, MessageKind, Outcome, OverRate, Prepared, Rate, SendError,
    Timestamp, TokenBucket, Traffic, Violation,
};

pub use self::bytes::ByteChannel;
#[cfg(feature = "http2")]
pub use self::client::Http2Connections;
pub use self::client::{AddressFamily, Client, ClientUpgrade, Destination, Reconnect, RunError, without_password};
pub use self::driver::Driver;
pub use self::error::{
    AcceptError, Attempt, BoxError, Closed, CompressionError, ConnectError, DialError, Error, FailedAttempt,
    HandlerError, HandlerResult, InvalidSetting, ProxyCause, ProxyError, RedirectError, RedirectFailure, SocksReply,
    Stage, TimedOut, UpgradeError, UrlError,
};
pub use self::handle::{
    BroadcastOutcome, Handled, HandlerOutput, IncomingStream, OpenConnection, Sender, SlowConsumer, StreamItem,
    StreamReader, StreamSource, WebSocket, broadcast, handler,
};
#[cfg(feature = "http2")]
pub use self::http2::{
    Http2, Http2Accepted, Http2Decision, Http2Failure, Http2Opened, Http2Policy, Http2Refused, Http2Session, Http2State,
};
pub use self::info::{ClientIp, RequestExt};
pub use self::metric::{Metric, MetricKind};
pub use self::opening::{CompletedHandshake, Parts};
pub use self::registry::{Ends, FailedHandshakes, HandshakeFailure, ServerStats};
pub use self::runtime::Runtime;
#[cfg(feature = "proxies")]
pub use self::server::ProxyHeader;
#[cfg(feature = "proxy-protocol")]
pub use self::server::ProxyProtocol;
#[cfg(unix)]
pub use self::server::UnixSocket;
#[cfg(feature = "auth")]
pub use self::server::{Credentials, Token, Verdict};
pub use self::server::{
    Decision, Handover, Listening, ListeningSocket, Refused, ServeError, Server, ServerHandle, Workers,
};
#[cfg(feature = "routes")]
pub use self::server::{PathParams, Routes};
pub use self::shared::{RoundTrip, Unwanted};
pub use self::socket::MessageSocket;
pub use self::stream::{StreamParts, WebSocketStream};
pub use self::tls::{PemInput, TlsConfigError, TlsError};
#[cfg(feature = "tls")]
pub use self::tls::{ServerTls, TlsInfo};
pub use self::transport::{Addresses, MaybeTls, Timer, Transport, TransportListener, tcp};
#[cfg(any(feature = "json", feature = "messagepack"))]
pub use self::typed::{Format, Typed};
#[cfg(feature = "json")]
pub use self::typed::{Json, JsonError};
#[cfg(feature = "messagepack")]
pub use self::typed::{MessagePack, MessagePackError};
