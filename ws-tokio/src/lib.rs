//! WebSocket servers and clients on tokio.
//!
//! An echo server:
//!
//! ```no_run
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     ws_tokio::serve("127.0.0.1:8765", |mut ws| async move {
//!         while let Some(message) = ws.recv().await? {
//!             ws.send(message).await?;
//!         }
//!         Ok(())
//!     })
//!     .await
//! }
//! ```
//!
//! A client:
//!
//! ```no_run
//! use ws_tokio::CloseCode;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut ws = ws_tokio::connect("ws://127.0.0.1:8765").await?;
//!     ws.send("Hello").await?;
//!     println!("{:?}", ws.recv().await?);
//!     ws.close(CloseCode::NORMAL, "").await?;
//!     Ok(())
//! }
//! ```
//!
//! Messages are compressed (permessage-deflate, RFC 7692) when both ends support it. This server keeps no compression
//! state between messages, and sends an image uncompressed:
//!
#![cfg_attr(feature = "deflate", doc = "```no_run")]
#![cfg_attr(not(feature = "deflate"), doc = "```ignore")]
//! use ws_tokio::{Compress, Deflate, Server};
//!
//! # #[tokio::main]
//! # async fn main() -> std::io::Result<()> {
//! let mut deflate = Deflate::server();
//! deflate.send_context_takeover = false;
//! deflate.receive_context_takeover = false;
//! let server = Server::new().compression(Some(deflate)); // None: no compression
//! server
//!     .bind("127.0.0.1:8765")
//!     .await?
//!     .serve(|ws| async move {
//!         ws.send("text, ".repeat(100)).await?;
//!         ws.send_with(b"\x89PNG\r\n\x1a\n", Compress::Never).await?;
//!         Ok(())
//!     })
//!     .await
//! # }
//! ```
//!
//! [`connect`] accepts `wss://` URLs and trusts the platform's certificates. A server with TLS (rustls):
//!
#![cfg_attr(feature = "tls", doc = "```no_run")]
#![cfg_attr(not(feature = "tls"), doc = "```ignore")]
//! use ws_tokio::Server;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::new().tls(std::fs::read("cert.pem")?, std::fs::read("key.pem")?);
//!     let echo = |mut ws: ws_tokio::WebSocket| async move {
//!         while let Some(message) = ws.recv().await? {
//!             ws.send(message).await?;
//!         }
//!         Ok(())
//!     };
//!     server.bind("0.0.0.0:443").await?.serve(echo).await?;
//!     Ok(())
//! }
//! ```
//!
//! The documentation of `Client::ca` has a command that makes `cert.pem` and `key.pem` for tests.
//!
//! A client that trusts the certificates in a file, besides the platform's:
//!
#![cfg_attr(feature = "tls", doc = "```no_run")]
#![cfg_attr(not(feature = "tls"), doc = "```ignore")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ws_tokio::Client::new("wss://localhost").ca(std::fs::read("cert.pem")?);
//! let ws = client.connect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Most types come from the crate `ws-session`, which is independent of the runtime. Start with [`WebSocket`], [`Sender`],
//! [`Server`] and [`Client`]. This crate adds tokio: [`Tokio`] supplies sockets, timers and tasks, and [`TokioIo`] turns any stream that
//! implements tokio's `AsyncRead` and `AsyncWrite` into a transport.
//!
//! # Examples
//!
//! The package has complete programs, in its folder `examples`. Run one with `cargo run --example hello_server`.
//!
//! | example | what it shows |
//! | --- | --- |
//! | `hello_server`, `hello_client` | one message each way; with `_tls`, the same over TLS |
//! | `time_push`, `counter` | a server that pushes to a web page; state that all pages share |
//! | `patterns`, `handler_arguments` | the forms of a handler: consumer, producer, both, registration; its arguments |
//! | `chat_json`, `chat_timestamps`, `broadcast`, `chat_client` | chats, and a client that reads the terminal while it receives |
//! | `typed_messages` | JSON, MessagePack and Protobuf; work on a pool of blocking threads |
//! | `keepalive`, `graceful_shutdown` | dead peers are removed; work is finished when the server stops |
//! | `request_hook`, `origin_check` | pages and tokens on the same port; pages of one site only |
//! | `unix_socket`, `workers` | a Unix socket; several threads, each with a runtime of its own |
//! | `behind_nginx`, `many_clients`, `logging` | a reverse proxy, 5,000 connections, the log |
//! | `tls_reload` | a certificate that is renewed while the server runs |
//!
//! The folder `docs` in the repository has pages about browsers, TLS, proxies, deployment, limits, tests, logs, the texts of
//! errors, and more. `docs/README.md` lists them.
//!
//! # Without a task
//!
//! [`connect`] and [`accept`] spawn a task that moves a connection's bytes. [`connect_stream`] and [`accept_stream`] spawn none:
//! they return a [`WebSocketStream`], which owns the transport and is driven by being polled.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut ws = ws_tokio::connect_stream("ws://127.0.0.1:8765").await?;
//! ws.send("Hello").await?;
//! println!("{:?}", ws.recv().await?);
//! ws.close(1000, "").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Streams of bytes
//!
//! [`ByteStream`] carries bytes in binary messages, and has tokio's `AsyncRead` and `AsyncWrite`. Use it for protocols that
//! were made for TCP. The example `tunnel` in this package carries TCP connections over WebSockets.
//!
//! # With axum, hyper and other HTTP servers
//!
//! The module `axum` (feature `axum`) has an extractor for axum, the module `hyper` (feature `hyper`) the same for hyper and
//! everything built on it, and clients over connections of hyper and reqwest.
//!
//! Another HTTP server that parses requests itself passes a request to [`Server::upgrade`](ws_session::Server::upgrade), as the
//! example `own_http` in this package does.
//!
//! [`server_parts`] and [`client_parts`] make a connection after an opening handshake that other code has done.
//!
//! # Features
//!
//! Features only add. Each brings further crates into the build; the README of the crate says how many.
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
//! | `axum` | no | the module `axum`: an extractor for axum 0.8 |
//! | `hyper` | no | the module `hyper`: WebSockets on the connections of hyper 1, and of axum, warp, reqwest, which are built on it |
//! | `files` | no | a folder of files on the port of a server: `Files` |
//! | `http2` | no | WebSocket over HTTP/2 (RFC 8441): `Server::http2`, `Client::http2`; over hyper and axum, with their features |
//! | `json` | no | values as JSON: `send_json`, `recv_json`, and `Typed`, a stream and sink of them; with serde |
//! | `messagepack` | no | values as MessagePack: `Typed`, with serde |
//! | `metrics` | no | the counters of a server for the `metrics` facade: `ServerHandle::record_metrics` |
//! | `proxy-protocol` | no | the PROXY protocol of load balancers, on servers: `Server::proxy_protocol` |
//! | `socket-activation` | no | sockets that a service manager passes, such as systemd (Unix): `ListeningSocket::from_environment` |
//! | `socks` | no | clients through SOCKS5 proxies |
//! | `idna` | no | URLs with hosts that are not ASCII. Without it, their ASCII form works (`xn--…`), and other hosts fail with [`UrlError::InternationalHost`]. |

#![cfg_attr(docsrs, feature(doc_cfg))]

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "axum")]
pub mod axum;
mod bytes;
#[cfg(any(feature = "http2", feature = "tls"))]
mod carrier;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "hyper")]
pub mod hyper;
mod io;
mod listener;
mod time;

use std::future::Future;
use std::io::Result;
use std::net::{SocketAddr, TcpListener as StdListener};
#[cfg(unix)]
use std::os::unix::net::UnixListener as StdUnixListener;
#[cfg(unix)]
use std::path::Path;
#[cfg(any(feature = "http2", feature = "tls"))]
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "tls")]
use tokio::io::ReadBuf;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Builder;

#[cfg(feature = "tls")]
use tokio_rustls::{TlsAcceptor, TlsConnector};
#[cfg(feature = "tls")]
use ws_session::rustls::{ClientConfig, ServerConfig, pki_types::ServerName};
// By name, so that items that `ws-session` adds for adapters do not become a part of this crate.
#[cfg(feature = "tls")]
pub use ws_session::rustls;
pub use ws_session::{
    AcceptError, Addresses, Attempt, BoxError, BroadcastOutcome, BuildError, ByteChannel, ByteString, Bytes, Cause,
    ClientIp, ClientUpgrade, CloseCode, CloseFrame, Closed, CompletedHandshake, CompressionError, Config, ConnectError,
    Deadlines, DialError, Driver, Error, Escaped, EscapedBytes, Handled, HandlerError, HandlerOutput, HandlerResult,
    Handover, HandshakeError, HeadLimits, InFlight, IncomingStream, InvalidSetting, Limits, MaskKeys, MaybeTls,
    Message, MessageKind, MessageSocket, Outcome, OverRate, PemInput, Prepared, Rate, Refused, Rejection, RoundTrip,
    RunError, Runtime, SendError, Sender, ServeError, ServerHandle, SlowConsumer, Stage, StreamItem, StreamParts,
    StreamReader, StreamSource, TimedOut, Timer, Timestamp, TlsConfigError, TlsError, TokenBucket, Transport,
    TransportListener, Unwanted, UpgradeError, UrlError, Violation, WebSocket, broadcast, handler, http, tcp,
    without_password,
};
#[cfg(feature = "tls")]
pub use ws_session::{ServerTls, TlsInfo};
// Clients: where they connect, and how.
pub use ws_session::{
    AddressFamily, Destination, FailedAttempt, ProxyCause, ProxyError, Reconnect, RedirectError, RedirectFailure,
    SocksReply,
};
#[cfg(feature = "deflate")]
pub use ws_session::{Compress, Deflate, DeflateParams, InvalidAnswer};
// Servers: the connections that are open, and counters.
pub use ws_session::{
    ClosedBy, ConnectionStats, Ends, FailedHandshakes, HandshakeFailure, OpenConnection, ServerStats, Traffic,
};
// Servers: where they listen, who may connect, and what runs then.
#[cfg(feature = "proxies")]
pub use ws_session::ProxyHeader;
#[cfg(feature = "proxy-protocol")]
pub use ws_session::ProxyProtocol;
#[cfg(unix)]
pub use ws_session::UnixSocket;
#[cfg(feature = "auth")]
pub use ws_session::{Credentials, Token, Verdict};
pub use ws_session::{Decision, ListeningSocket, RequestExt};
#[cfg(any(feature = "json", feature = "messagepack"))]
pub use ws_session::{Format, Typed};
#[cfg(feature = "json")]
pub use ws_session::{Json, JsonError};
#[cfg(feature = "messagepack")]
pub use ws_session::{MessagePack, MessagePackError};
#[cfg(feature = "routes")]
pub use ws_session::{PathParams, Routes};

#[cfg(feature = "http2")]
pub use ws_session::{
    Http2, Http2Accepted, Http2Connections, Http2Decision, Http2Failure, Http2Opened, Http2Policy, Http2Refused,
    Http2Session, Http2State,
};

pub use self::bytes::ByteStream;
#[cfg(feature = "tls")]
use self::carrier::Carrier;
#[cfg(feature = "files")]
pub use self::files::Files;
#[cfg(feature = "http2")]
pub use self::http2::Http2Stream;
pub use self::io::TokioIo;
pub use self::listener::TokioListener;
#[cfg(unix)]
use self::listener::TokioUnixListener;
pub use self::time::TokioTimer;

ws_session::adapter!(Tokio, TokioIo, AsyncRead + AsyncWrite);

/// The tokio runtime: TCP sockets, timers and tasks.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

impl Runtime for Tokio {
    const USER_AGENT: &'static str = concat!("ws-tokio/", env!("CARGO_PKG_VERSION"));

    type Stream = TokioIo<TcpStream>;
    type Listener = TokioListener;
    type Timer = TokioTimer;

    const DROPS_TASKS: bool = true;

    fn timer() -> TokioTimer {
        TokioTimer::new()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    fn block_on<F: Future>(future: F) -> Result<F::Output> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let output = runtime.block_on(future);
        // A blocking call of a handler that was dropped can last for ever.
        runtime.shutdown_background();
        Ok(output)
    }

    async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(address: SocketAddr) -> Result<(Self::Stream, Addresses)> {
        let stream = TcpStream::connect(address).await?;
        // Each write holds everything that is queued, so it need not wait for more. This fails only on a connection that has
        // ended already, and the first read reports that.
        let _ = stream.set_nodelay(true);
        Ok(connected(stream, Some(address)))
    }

    #[cfg(unix)]
    async fn connect_unix(path: &Path) -> Result<Box<dyn Transport + Send>> {
        Ok(Box::new(TokioIo::new(UnixStream::connect(path).await?)))
    }

    fn listen(listener: StdListener) -> Result<TokioListener> {
        TokioListener::new(listener)
    }

    #[cfg(unix)]
    fn listen_unix(listener: StdUnixListener) -> Result<Box<dyn TransportListener>> {
        Ok(Box::new(TokioUnixListener::new(listener)?))
    }

    fn local_addr(listener: &TokioListener) -> Result<SocketAddr> {
        listener.local_addr()
    }

    fn poll_accept(listener: &TokioListener, cx: &mut Context<'_>) -> Poll<Result<(Self::Stream, Addresses)>> {
        listener.poll_accept(cx).map_ok(|(stream, peer)| connected(stream, Some(peer)))
    }

    #[cfg(feature = "http2")]
    const HTTP2: bool = true;

    #[cfg(feature = "http2")]
    async fn serve_http2(transport: MaybeTls<Self::Stream>, received: Vec<u8>, policy: Box<dyn Http2Policy>) {
        http2::serve(transport, received, policy).await;
    }

    #[cfg(feature = "http2")]
    async fn connect_http2(transport: MaybeTls<Self::Stream>) -> Result<Option<Arc<dyn Http2Session>>> {
        http2::connect(transport).await
    }

    #[cfg(feature = "tls")]
    async fn tls_connect(
        transport: MaybeTls<Self::Stream>,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> Result<Box<dyn Transport + Send>> {
        let connector = TlsConnector::from(config);
        Ok(match transport.into_tcp() {
            Ok(tcp) => Box::new(TokioIo::new(connector.connect(name, tcp.into_inner()).await?)),
            // Boxed, because its future is seldom needed.
            Err(other) => Box::new(TokioIo::new(Box::pin(connector.connect(name, Carrier::new(other))).await?)),
        })
    }

    #[cfg(feature = "tls")]
    fn poll_peek(stream: &mut Self::Stream, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize>> {
        stream.get_ref().poll_peek(cx, &mut ReadBuf::new(buffer))
    }

    #[cfg(feature = "tls")]
    async fn tls_accept(
        transport: MaybeTls<Self::Stream>,
        config: Arc<ServerConfig>,
    ) -> std::result::Result<Box<dyn Transport + Send>, (std::io::Error, MaybeTls<Self::Stream>)> {
        let acceptor = TlsAcceptor::from(config);
        match transport.into_tcp() {
            Ok(tcp) => match acceptor.accept(tcp.into_inner()).into_fallible().await {
                Ok(stream) => Ok(Box::new(TokioIo::new(stream))),
                Err((error, stream)) => Err((error, MaybeTls::from_tcp(TokioIo::new(stream)))),
            },
            // Boxed, because its future is seldom needed.
            Err(other) => match Box::pin(acceptor.accept(Carrier::new(other)).into_fallible()).await {
                Ok(stream) => Ok(Box::new(TokioIo::new(stream))),
                Err((error, carrier)) => Err((error, carrier.into_inner())),
            },
        }
    }
}

fn connected(stream: TcpStream, peer: Option<SocketAddr>) -> (TokioIo<TcpStream>, Addresses) {
    let addresses = Addresses::new(stream.local_addr().ok(), peer);
    (TokioIo::new(stream), addresses)
}
