//! `ws serve`: the demo server. One port serves a page and the WebSocket endpoints that it uses.

mod backplane;
mod chat;
mod clock;
mod counter;
mod guest;
mod origins;
mod outage;
mod seldom;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{Request, Response, StatusCode};
use tracing_subscriber::filter::LevelFilter;
use ws_hub::Hub;
use ws_tokio::{HandlerResult, Listening, ProxyProtocol, ServeError, Server, ServerTls, WebSocket};

use self::backplane::BackplaneUrl;
use self::chat::Chat;
use self::counter::Counter;
use self::origins::Origin;
use crate::files::{IdentityFiles, explain_server_tls};
use crate::output::{fail, warn};
use crate::signals::{Stop, at_hangup};
use crate::{exit, logging};

const PAGE: &str = include_str!("page.html");

const DIRECTORY: &str = "\
This server has, over HTTP:
  /         a page that uses all endpoints

and over WebSocket:
  /echo     sends back each message
  /chat     sends each text to all clients, as `[HH:MM:SS] text`, and first the last 50
  /counter  a shared counter: {\"action\":\"plus\"} or {\"action\":\"minus\"}
  /time     sends the time, at random intervals
";

/// The content security policy of the page. The page is self-contained, so everything from elsewhere is blocked.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Run the demo server: a page with a chat room, a shared counter and a clock.
#[derive(Debug, Args)]
#[command(after_help = "\
Open the page that it prints in two browser tabs, or use one tab and a terminal:
  ws serve
  ws connect ws://127.0.0.1:8765/chat

Endpoints:
  /         the page
  /echo     sends back each message
  /chat     sends each text to all clients, as `[HH:MM:SS] text`, and first the last 50
  /counter  JSON: {\"action\":\"plus\"} and {\"action\":\"minus\"} change a counter that all clients see
  /time     sends the time as text, at random intervals of up to three seconds

Of all web pages, only the server's own may use /chat and /counter, opened by IP address or as localhost. Otherwise
the page of another site could act for you, also through a host name that points to this server. --allow-origin
allows other origins: a page behind a proxy with its own host name, or the server's page opened by a host name.

Several instances are one server with --backplane: chat, counter and the list of visitors are the same at all of them.
  memory                           one instance
  redis://HOST                     Redis 7.0 or newer, Valkey; rediss:// with TLS, redis+sentinel://
  nats://HOST                      NATS 2.11 or newer with JetStream; only if built with --features nats
  kafka://HOST:PORT[,HOST:PORT]    Kafka; only if built with --features kafka. Presses of the counter at two instances at
                                   the same moment can count as one there
A page whose instance ends connects to another one, and gets what it missed. While the broker is away, the visitors of an
instance hear each other, and the counter stands still. The server starts without it, too, and the log says so. Give a
URL with a password as the environment variable WS_BACKPLANE: everyone on a machine sees the arguments of a process.

Ctrl-C closes every connection with 1001 and ends the server. A second Ctrl-C does not wait. SIGHUP has the certificate
read again, unless the server runs in a terminal.

Exit status: 0 after Ctrl-C, 1 if the server cannot listen or fails, 2 for bad usage.

Examples:
  ws serve --listen 0.0.0.0:8765    for every machine that can reach this one
  ws serve --listen 127.0.0.1:0     on any free port, which the printed URL shows
  ws serve --listen 0.0.0.0:8765 --allow-origin http://mybox.lan:8765    with the page opened by that host name
  ws serve --trust-proxy 127.0.0.1  behind a reverse proxy on this machine
  ws serve --trust-proxy 127.0.0.1 --proxy-protocol    behind a load balancer that sends the PROXY protocol
  ws serve --listen unix:/tmp/ws.sock --trust-proxy unix:    on a Unix socket, behind a reverse proxy
  ws serve --listen 127.0.0.1:8765 --listen [::1]:8765    on two addresses
  ws serve --backplane redis://127.0.0.1:6379    one of several instances behind a load balancer
  ws serve --cert cert.pem --key key.pem    with TLS: https:// and wss://
  ws serve -v                       with every frame in the log
  RUST_LOG=warn ws serve            with only warnings and errors in the log")]
pub(crate) struct ServeArgs {
    /// An address to listen on, or `unix:PATH` for a Unix socket; may be repeated
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8765")]
    listen: Vec<Address>,

    #[command(flatten)]
    identity: IdentityFiles,

    /// A PEM file of the authorities whose certificates clients must show; needs --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    client_ca: Option<PathBuf>,

    /// Decline compression (permessage-deflate)
    #[arg(long)]
    no_compression: bool,

    /// A proxy whose headers are trusted for its clients' addresses: an IP address or a network; may be repeated. The log
    /// shows those addresses
    #[arg(long, value_name = "NETWORK")]
    trust_proxy: Vec<String>,

    /// The most open connections. Further requests are refused with 503. No limit by default
    #[arg(long, value_name = "NUMBER")]
    max_connections: Option<usize>,

    /// The most open connections of one client: of its IP address, or of its IPv6 network of 64 bits. Further requests are
    /// refused with 429. Behind a proxy, name it with --trust-proxy. No limit by default
    #[arg(long, value_name = "NUMBER")]
    max_connections_per_ip: Option<usize>,

    /// The proxies of --trust-proxy begin each connection with a header of the PROXY protocol, version 1 or 2, and must
    #[arg(long, requires = "trust_proxy")]
    proxy_protocol: bool,

    /// An origin whose pages may use /chat and /counter, such as `https://example.com`, or null; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,

    /// What carries chat and counter between instances: `memory` (there is one instance), or the URL of a broker, such as
    /// `redis://127.0.0.1:6379`. Default: the environment variable WS_BACKPLANE, else `memory`
    #[arg(long, value_name = "URL")]
    backplane: Option<BackplaneUrl>,

    /// Log at DEBUG, with every frame. The default is INFO
    #[arg(short, long)]
    verbose: bool,
}

/// Where to listen.
#[derive(Debug, Clone)]
enum Address {
    /// `HOST:PORT`, before the host is resolved.
    Tcp(String),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        if let Some(path) = argument.strip_prefix("unix:") {
            #[cfg(unix)]
            return if path.is_empty() { Err("expected a path after unix:") } else { Ok(Self::Unix(path.into())) };
            #[cfg(not(unix))]
            return Err(if path.is_empty() {
                "expected a path after unix:"
            } else {
                "this system has no Unix sockets"
            });
        }
        match argument.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(Self::Tcp(argument.to_owned())),
            _ => Err("expected HOST:PORT, as in 127.0.0.1:8765, [::1]:8765 or localhost:8765, or unix:PATH"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(crate) async fn run(args: ServeArgs) -> ExitCode {
    logging::init(if args.verbose { LevelFilter::DEBUG } else { LevelFilter::INFO });
    let allowed = args.allow_origin;
    let mut server =
        Server::new().on_request(move |request| answer(request, &allowed)).trusted_proxies(&args.trust_proxy);
    server = server.max_connections_per_ip(args.max_connections_per_ip);
    if let Some(connections) = args.max_connections {
        server = server.max_connections(connections);
    }
    if args.proxy_protocol {
        server = server.proxy_protocol(ProxyProtocol::Required);
    }
    if args.no_compression {
        server = server.compression(None);
    }
    let hub = match backplane::start(args.backplane) {
        Ok(hub) => hub,
        Err(problem) => {
            warn(format_args!("{problem}"));
            return ExitCode::from(exit::USAGE);
        }
    };
    let tls = args.identity.server_tls().map(|tls| match &args.client_ca {
        Some(file) => tls.client_ca_file(file),
        None => tls,
    });
    if let Some(tls) = &tls {
        if let Err(error) = tls.reload() {
            return fail(format_args!("{}", explain_server_tls(&error)));
        }
        server = server.tls_with(tls.clone());
    }
    let listening = match listen(server, &args.listen).await {
        Ok(listening) => listening,
        Err((address, error)) => return fail(format_args!("{}.", explain(address, &error))),
    };
    match listening.local_addrs() {
        Ok(addresses) => greet(&addresses, &args.listen, tls.is_some()),
        Err(error) => return fail(format_args!("Cannot read the listening address: {error}.")),
    }
    // Closing the terminal sends the signal, too.
    let renewing = tls.filter(|_| !io::stdin().is_terminal());
    let listened = Stop::listen(renewing.is_none()).and_then(|stop| {
        renewing.map_or(Ok(()), |tls| at_hangup(move || renew(&tls)))?;
        Ok(stop)
    });
    let stop = match listened {
        Ok(stop) => stop,
        Err(error) => return fail(format_args!("Cannot listen for signals: {error}.")),
    };
    let server = listening.handle();
    let stopped = async move {
        stop.requested().await;
        tracing::info!(connections = server.connections(), "stopping");
    };
    let demo = Arc::new(Demo::new(&hub).await);
    match listening.serve_until(move |ws| Arc::clone(&demo).handle(ws), stopped).await {
        Ok(()) => {
            backplane::say_goodbye(&hub).await;
            ExitCode::from(exit::OK)
        }
        Err(error) => fail(format_args!("The server failed: {error}.")),
    }
}

/// Listens on all of the addresses, at least one. The error is that of one of them.
async fn listen(server: Server, addresses: &[Address]) -> Result<Listening, (&Address, ServeError)> {
    let mut listening: Option<Listening> = None;
    for address in addresses {
        let bound = match (address, listening) {
            (Address::Tcp(address), None) => server.clone().bind(&**address).await,
            (Address::Tcp(address), Some(listening)) => listening.bind(&**address).await,
            #[cfg(unix)]
            (Address::Unix(path), None) => server.clone().bind_unix(path).await,
            #[cfg(unix)]
            (Address::Unix(path), Some(listening)) => listening.bind_unix(path).await,
        };
        listening = Some(bound.map_err(|error| (address, error))?);
    }
    Ok(listening.expect("there is an address by default"))
}

/// Reads the files of the certificates again.
fn renew(tls: &ServerTls) {
    match tls.reload() {
        Ok(true) => tracing::info!("the TLS certificates were renewed"),
        Ok(false) => tracing::info!("the TLS certificates have not changed"),
        Err(error) => tracing::error!("the TLS certificates were not renewed, and the old ones stay in use: {error}"),
    }
}

/// The reason why the server cannot listen, with advice: a sentence without its full stop.
fn explain(listen: &Address, error: &ServeError) -> String {
    // A name may have several addresses.
    let which = match error {
        ServeError::Bind { address, .. } if address.to_string() != listen.to_string() => format!(" ({address})"),
        _ => String::new(),
    };
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse if matches!(listen, Address::Tcp(_)) => {
            "; is another server running there? --listen sets another port"
        }
        io::ErrorKind::PermissionDenied if !matches!(listen, Address::Tcp(_)) => "",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are often reserved",
        _ => "",
    };
    format!("Cannot listen on {listen}{which}: {why}{advice}")
}

/// Prints the URL to open, the other places where the server listens, and how to stop it.
fn greet(addresses: &[SocketAddr], listen: &[Address], is_secure: bool) {
    let s = if is_secure { "s" } else { "" };
    let mut text = String::new();
    for (n, address) in addresses.iter().copied().map(reachable).enumerate() {
        text += &match n {
            0 => format!("Open http{s}://{address}/ in a browser, or run: ws connect ws{s}://{address}/chat\n"),
            _ => format!("Or: http{s}://{address}/\n"),
        };
    }
    for address in listen.iter().filter(|address| !matches!(address, Address::Tcp(_))) {
        text += &format!("Listening at {address}\n");
    }
    // A closed standard output is not an error here.
    let _ = writeln!(io::stdout(), "{text}Press Ctrl-C to stop.");
}

/// The address at which this machine reaches a server.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

/// The state that the connections of an endpoint share.
struct Demo {
    chat: Chat,
    counter: Arc<Counter>,
}

impl Demo {
    async fn new(hub: &Hub) -> Self {
        let outage = outage::follow(hub.clone());
        Self { chat: Chat::new(hub, outage).await, counter: Counter::new(hub).await }
    }

    async fn handle(self: Arc<Self>, ws: WebSocket) -> HandlerResult {
        let path = ws.request().uri().path().to_owned();
        match path.as_str() {
            "/chat" => self.chat.join(ws).await,
            "/counter" => self.counter.join(ws).await,
            "/time" => clock::run(ws).await,
            _ => echo(ws).await,
        }
    }
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// The response to a request that is not for a WebSocket endpoint, or from a page that may not use one.
fn answer(request: &Request<()>, allowed: &[Origin]) -> Option<Response<Bytes>> {
    match request.uri().path() {
        "/echo" | "/time" => None,
        // Actions there are visible to everyone.
        "/chat" | "/counter" => {
            origins::refusal(request, allowed).map(|why| text(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", why))
        }
        "/" if !request.headers().contains_key(UPGRADE) => {
            Some(text(StatusCode::OK, "text/html; charset=utf-8", PAGE.into()))
        }
        path => {
            let told = format!("There is nothing at {path} for this request.\n\n{DIRECTORY}");
            Some(text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", told.into()))
        }
    }
}

fn text(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    response
}
