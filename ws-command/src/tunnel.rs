//! `ws tunnel`: TCP over WebSocket, either end.

use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing_subscriber::filter::LevelFilter;
use ws_tokio::{ByteStream, Client, CloseCode, Escaped, Server, WebSocket};

use crate::dial::{Secret, Target};
use crate::files::{IdentityFiles, explain_server_tls};
use crate::output::{fail, warn};
use crate::signals::Stop;
use crate::{exit, logging};

/// The subprotocol of two ends that end each direction on its own, as TCP does.
const HALF_CLOSE: &str = "tcp-half-close";

/// The subprotocol that websockify and noVNC use. A Close frame ends both directions.
const BINARY: &str = "binary";

/// The time in which connections may end after an interrupt.
const FAREWELL: Duration = Duration::from_secs(1);

/// Carry TCP connections over WebSocket, each in a connection of its own.
#[derive(Debug, Args)]
#[command(after_help = "\
A TCP service becomes reachable through a WebSocket server, a proxy or a firewall:
  ws tunnel serve 127.0.0.1:8765 127.0.0.1:22 --bearer env:TOKEN     where the service is
  ws tunnel open 127.0.0.1:2222 wss://example.com/ --bearer env:TOKEN   where its clients are
  ssh -p 2222 localhost

Both ends of this program pass on that one direction has ended, as TCP does. The far end also serves noVNC, and
the near end reaches websockify: there a Close ends both directions.")]
pub(crate) struct TunnelArgs {
    #[command(subcommand)]
    end: End,
}

#[derive(Debug, Subcommand)]
enum End {
    Open(Box<OpenArgs>),
    Serve(ServeArgs),
}

/// Accept TCP connections here, and open a WebSocket for each.
#[derive(Debug, Args)]
struct OpenArgs {
    /// The address for TCP clients
    #[arg(value_name = "HOST:PORT")]
    listen: String,

    #[command(flatten)]
    target: Target,
}

/// Accept WebSockets here, and connect each to a TCP service.
#[derive(Debug, Args)]
struct ServeArgs {
    /// The address for WebSocket clients
    #[arg(value_name = "HOST:PORT")]
    listen: String,

    /// The TCP service
    #[arg(value_name = "SERVICE:PORT")]
    service: String,

    /// Accept only clients that send this token
    #[arg(long, value_name = "file:PATH|env:NAME")]
    bearer: Option<Secret>,

    /// Accept connections from web pages of this origin, such as `https://example.com`; may be repeated. Without it, no
    /// page may connect
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    origins: Vec<String>,

    #[command(flatten)]
    identity: IdentityFiles,
}

pub(crate) async fn run(args: TunnelArgs) -> ExitCode {
    logging::init(LevelFilter::OFF);
    let stop = match Stop::listen(true) {
        Ok(stop) => stop,
        Err(error) => return fail(format_args!("{error}.")),
    };
    match args.end {
        End::Open(args) => open(&args, stop).await,
        End::Serve(args) => serve(args, stop).await,
    }
}

// ---- the near end ----

async fn open(args: &OpenArgs, stop: Stop) -> ExitCode {
    // Tunnelled data is often encrypted or compressed. websockify 0.13 refuses an offer that does not begin with `binary`.
    let client = match args.target.client() {
        Ok(client) => client.compression(None).subprotocols([BINARY, HALF_CLOSE]),
        Err(why) => return fail(format_args!("{why}")),
    };
    let listener = match TcpListener::bind(&args.listen).await {
        Ok(listener) => listener,
        Err(error) => return fail(format_args!("Cannot listen on {}: {error}.", args.listen)),
    };
    greet(listener.local_addr(), &args.target.shown());
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => drop(tunnels.spawn(told(peer, enter(client.clone(), tcp)))),
                // Without descriptors, for example: others may end and free some.
                Err(error) => {
                    warn(format_args!("Cannot accept a connection: {error}."));
                    tokio::time::sleep(FAREWELL).await;
                }
            },
            // Those that have ended are forgotten.
            Some(_) = tunnels.join_next() => {}
            () = stop.requested() => break,
        }
    }
    tunnels.abort_all();
    let _ = tokio::time::timeout(FAREWELL, async { while tunnels.join_next().await.is_some() {} }).await;
    ExitCode::from(exit::OK)
}

async fn enter(client: Client, tcp: TcpStream) -> io::Result<()> {
    let ws = client.connect().await.map_err(io::Error::other)?;
    relay(ws, tcp).await
}

// ---- the far end ----

async fn serve(args: ServeArgs, stop: Stop) -> ExitCode {
    // The first that the client offers is chosen.
    let mut server = Server::new().compression(None).subprotocols([HALF_CLOSE, BINARY]).origins_or_none(&args.origins);
    if let Some(secret) = &args.bearer {
        let secret = match secret.read() {
            Ok(secret) => secret,
            Err(why) => return fail(format_args!("{why}")),
        };
        server = server.bearer_auth("tunnel", move |token| {
            let is_valid = token.is(&secret).then_some("client");
            async move { is_valid }
        });
    }
    if let Some(tls) = args.identity.server_tls() {
        if let Err(error) = tls.reload() {
            return fail(format_args!("{}", explain_server_tls(&error)));
        }
        server = server.tls_with(tls);
    }
    let listening = match server.bind(&*args.listen).await {
        Ok(listening) => listening,
        Err(error) => return fail(format_args!("Cannot listen on {}: {error}.", args.listen)),
    };
    greet(listening.local_addr(), &args.service);
    let service = args.service;
    let handler = move |ws: WebSocket| {
        let service = service.clone();
        async move {
            let peer = ws.client_ip().map_or_else(String::new, |ip| ip.to_string());
            told(peer, leave(ws, service)).await;
            Ok(())
        }
    };
    match listening.serve_until(handler, stop.requested()).await {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => fail(format_args!("{error}.")),
    }
}

async fn leave(ws: WebSocket, service: String) -> io::Result<()> {
    match TcpStream::connect(&service).await {
        Ok(tcp) => relay(ws, tcp).await,
        Err(error) => {
            let _ = ws.close(CloseCode::TRY_AGAIN_LATER, "the service cannot be reached").await;
            Err(io::Error::new(error.kind(), format!("cannot connect to {service}: {error}")))
        }
    }
}

// ---- both ----

/// Copies in both directions until both have ended.
async fn relay(ws: WebSocket, mut tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let half_close = ws.subprotocol() == Some(HALF_CLOSE);
    let mut bytes = ByteStream::from(ws.into_bytes().half_close(half_close));
    let copied = copy_bidirectional(&mut tcp, &mut bytes).await;
    let (ws, _) = bytes.into_inner().into_inner();
    match copied {
        Ok(_) => drop(ws.closed().await),
        // The other end must not take a failure for the end of the data.
        Err(_) => drop(ws.close(CloseCode::INTERNAL_ERROR, "the tunnel has failed").await),
    }
    copied.map(drop)
}

/// Runs a tunnel, and says why it failed.
async fn told(peer: impl std::fmt::Display, tunnel: impl Future<Output = io::Result<()>>) {
    if let Err(error) = tunnel.await {
        warn(format_args!("{peer}: {}.", Escaped(error)));
    }
}

fn greet(address: io::Result<std::net::SocketAddr>, to: &str) {
    let address = address.map_or_else(|error| error.to_string(), |address| address.to_string());
    // A closed standard output is not an error here.
    let _ = writeln!(io::stdout(), "From {address} to {to}. Press Ctrl-C to stop.");
}
