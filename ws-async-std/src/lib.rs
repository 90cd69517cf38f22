//! WebSocket servers and clients on async-std, on smol, or on any executor beside [`async_io`].
//!
//! **async-std is discontinued** ([RUSTSEC-2025-0052](https://rustsec.org/advisories/RUSTSEC-2025-0052)): it is no
//! longer maintained. This crate is for programs that already use it. New programs should use smol, or tokio with
//! `ws-tokio`. Of async-std this crate uses only the executor. Sockets, timers and name resolution come from smol's crates,
//! which are maintained. A program that moves to smol replaces one [`Executor`] of [`Reactor`], a function of one line.
//! Without the feature `async-std` this crate does not depend on async-std.
//!
//! An echo server:
//!
#![cfg_attr(feature = "async-std", doc = "```no_run")]
#![cfg_attr(not(feature = "async-std"), doc = "```ignore")]
//! fn main() -> std::io::Result<()> {
//!     async_std::task::block_on(ws_async_std::serve("127.0.0.1:8765", |mut ws| async move {
//!         while let Some(message) = ws.recv().await? {
//!             ws.send(message).await?;
//!         }
//!         Ok(())
//!     }))
//! }
//! ```
//!
//! A client:
//!
#![cfg_attr(feature = "async-std", doc = "```no_run")]
#![cfg_attr(not(feature = "async-std"), doc = "```ignore")]
//! use ws_async_std::CloseCode;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     async_std::task::block_on(async {
//!         let mut ws = ws_async_std::connect("ws://127.0.0.1:8765").await?;
//!         ws.send("Hello").await?;
//!         println!("{:?}", ws.recv().await?);
//!         ws.close(CloseCode::NORMAL, "").await?;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! The same on smol, without async-std:
//!
//! ```
//! use ws_async_std::{Executor, Reactor, session};
//!
//! struct Smol;
//!
//! impl Executor for Smol {
//!     fn spawn(task: impl Future<Output = ()> + Send + 'static) {
//!         smol::spawn(task).detach();
//!     }
//! }
//!
//! type Server = session::Server<Reactor<Smol>>;
//! type Client = session::Client<Reactor<Smol>>;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(async {
//!         let listening = Server::new().bind("127.0.0.1:0").await?;
//!         let url = format!("ws://{}", listening.local_addr()?);
//!         let server = listening.serve(|ws| async move { Ok(ws.send("Hello").await?) });
//!         let _server = smol::spawn(server);
//!
//!         let mut ws = Client::new(&url).connect().await?;
//!         assert_eq!(ws.recv().await?.unwrap().as_text(), Some("Hello"));
//!         Ok(())
//!     })
//! }
//! ```
//!
//! Most types come from the crate [`ws-session`](session), which is independent of the runtime. Start with `WebSocket`,
//! `Sender`, `Server` and `Client`. This crate adds async-io's sockets and timers: [`Reactor`] is a runtime for any [`Executor`], and
//! [`AsyncIo`] turns any stream that implements `futures-io`'s traits into a transport. [`ByteStream`] goes the other way: it
//! carries bytes in binary messages, and implements those traits.
//!
//! # Features
//!
//! Features only add. Each brings further crates into the build; the README of the crate says how many.
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `async-std` | yes | `serve`, `connect`, `Server`, `Client` on async-std's executor |
//! | `auth` | yes | servers that check credentials: Basic, Bearer |
//! | `deflate` | yes | compression of messages (permessage-deflate, RFC 7692) |
//! | `proxies` | yes | clients through HTTP proxies (`https_proxy` and others in the environment); servers behind reverse proxies (`trusted_proxies`) |
//! | `redirects` | yes | clients that follow redirects |
//! | `routes` | yes | servers with a handler for each path, and pages beside them |
//! | `tcp-info` | yes | the system's view of a TCP connection (Linux, Android, Apple): a slow peer is not taken for a dead one |
//! | `tls` | yes | `wss://`, with rustls |
//! | `json` | no | values as JSON: `send_json`, `recv_json`, and `Typed`, a stream and sink of them; with serde |
//! | `messagepack` | no | values as MessagePack: `Typed`, with serde |
//! | `metrics` | no | the counters of a server for the `metrics` facade: `ServerHandle::record_metrics` |
//! | `proxy-protocol` | no | the PROXY protocol of load balancers, on servers: `Server::proxy_protocol` |
//! | `socket-activation` | no | sockets that a service manager passes, such as systemd (Unix): `ListeningSocket::from_environment` |
//! | `socks` | no | clients through SOCKS5 proxies |
//! | `idna` | no | URLs with hosts that are not ASCII. Without it, their ASCII form works (`xn--…`), and other hosts fail with [`UrlError::InternationalHost`]. |

#![cfg_attr(docsrs, feature(doc_cfg))]

/// The programs in README.md compile.
#[cfg(all(doctest, feature = "async-std"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod bytes;
#[cfg(feature = "tls")]
mod carrier;
mod io;
#[cfg(feature = "async-std")]
mod on_async_std;
mod reactor;
mod time;

/// All of `ws-session`, with [`Server`](session::Server) and [`Client`](session::Client) for any runtime.
pub use ws_session as session;
// By name, so that items that `ws-session` adds for adapters do not become a part of this crate. Only with async-std, because
// `Server` and `Client` at the top level are those for async-std, and a feature must not change a name.
#[cfg(all(feature = "async-std", feature = "tls"))]
pub use ws_session::rustls;
#[cfg(feature = "async-std")]
pub use ws_session::{
    AcceptError, Addresses, Attempt, BoxError, BroadcastOutcome, BuildError, ByteChannel, ByteString, Bytes, Cause,
    ClientIp, ClientUpgrade, CloseCode, CloseFrame, Closed, CompletedHandshake, CompressionError, Config, ConnectError,
    Deadlines, DialError, Driver, Error, Escaped, EscapedBytes, Handled, HandlerError, HandlerOutput, HandlerResult,
    HandshakeError, HeadLimits, InFlight, IncomingStream, InvalidSetting, Limits, MaskKeys, MaybeTls, Message,
    MessageKind, MessageSocket, Outcome, OverRate, PemInput, Prepared, Rate, Refused, Rejection, RoundTrip, RunError,
    Runtime, SendError, Sender, ServeError, ServerHandle, SlowConsumer, Stage, StreamItem, StreamParts, StreamReader,
    StreamSource, TimedOut, Timer, Timestamp, TlsConfigError, TlsError, TokenBucket, Transport, TransportListener,
    Unwanted, UrlError, Violation, WebSocket, broadcast, handler, http, tcp, without_password,
};
#[cfg(feature = "async-std")]
pub use ws_session::{
    ClosedBy, ConnectionStats, Ends, FailedHandshakes, HandshakeFailure, OpenConnection, ServerStats, Traffic,
};
#[cfg(feature = "tls")]
pub use ws_session::{ServerTls, TlsInfo};
// Clients: where they connect, and how.
#[cfg(feature = "async-std")]
pub use ws_session::{
    AddressFamily, Destination, FailedAttempt, ProxyCause, ProxyError, Reconnect, RedirectError, RedirectFailure,
    SocksReply,
};
#[cfg(all(feature = "async-std", feature = "deflate"))]
pub use ws_session::{Compress, Deflate, DeflateParams, InvalidAnswer};
// Servers: where they listen, who may connect, and what runs then.
#[cfg(all(feature = "async-std", feature = "proxies"))]
pub use ws_session::ProxyHeader;
#[cfg(all(feature = "async-std", feature = "proxy-protocol"))]
pub use ws_session::ProxyProtocol;
#[cfg(all(feature = "async-std", unix))]
pub use ws_session::UnixSocket;
#[cfg(all(feature = "async-std", feature = "auth"))]
pub use ws_session::{Credentials, Token, Verdict};
#[cfg(feature = "async-std")]
pub use ws_session::{Decision, ListeningSocket, RequestExt};
#[cfg(all(feature = "async-std", any(feature = "json", feature = "messagepack")))]
pub use ws_session::{Format, Typed};
#[cfg(all(feature = "async-std", feature = "json"))]
pub use ws_session::{Json, JsonError};
#[cfg(all(feature = "async-std", feature = "messagepack"))]
pub use ws_session::{MessagePack, MessagePackError};
#[cfg(all(feature = "async-std", feature = "routes"))]
pub use ws_session::{PathParams, Routes};

pub use self::bytes::ByteStream;
pub use self::io::AsyncIo;
#[cfg(feature = "async-std")]
pub use self::on_async_std::{
    AsyncStd, AsyncStdTasks, Client, ClientStream, Listening, Parts, Server, WebSocketStream, Workers, accept,
    accept_stream, client_parts, connect, connect_stream, serve, serve_until, server_parts,
};
pub use self::reactor::{Executor, Reactor};
pub use self::time::AsyncTimer;
