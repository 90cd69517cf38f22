//! `ws serve`: the demo server. One port: a page, and the WebSocket endpoints it uses.

mod audience;
mod chat;
mod clock;
mod counter;
mod origins;
mod seldom;

use std::fmt;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, UPGRADE, X_CONTENT_TYPE_OPTIONS};
use http::{Request, Response, StatusCode};
use tracing_subscriber::filter::LevelFilter;
use ws_tokio::{HandlerResult, InvalidSetting, ServeError, Server, WebSocket};

use self::chat::Chat;
use self::counter::Counter;
use self::origins::Origin;
use crate::files::IdentityFiles;
use crate::output::fail;
use crate::signals::Stop;
use crate::{exit, logging};

const PAGE: &str = include_str!("page.html");

const DIRECTORY: &str = "\
This server has, over HTTP:
  /         a page to try it all

and over WebSocket:
  /echo     sends back what you send
  /chat     a room: every text goes to everyone, as `[HH:MM:SS] text`
  /counter  a counter everyone shares: {\"action\":\"plus\"} or {\"action\":\"minus\"}
  /time     the time, now and then
";

/// The page brings all it needs: whatever else it would load or run did not come from here.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Run the demo server: a page with a chat room, a shared counter and a clock.
#[derive(Debug, Args)]
#[command(after_help = "\
Open the page it names in two browser tabs, or in one and in a terminal:
  ws serve
  ws connect ws://127.0.0.1:8765/chat

What there is:
  /         the page
  /echo     sends back every message
  /chat     every text goes to everyone, as `[HH:MM:SS] text`
  /counter  JSON: {\"action\":\"plus\"} and {\"action\":\"minus\"} change a counter everyone sees
  /time     the time as text, at random intervals of up to three seconds

In a browser only the server's own page may use /chat and /counter, opened by IP address or as localhost: another
site's page must not act for you, nor a name that somebody has made to lead here. --allow-origin lets other pages:
one behind a proxy with a name of its own, or this one when it is opened by a name.

Ctrl-C closes every connection with 1001 and ends the server; a second Ctrl-C does not wait.

Exit status: 0 when stopped, 1 when it could not listen, 2 for bad usage.

Examples:
  ws serve --listen 0.0.0.0:8765    for every machine that can reach this one
  ws serve --listen 127.0.0.1:0     any free port; the URL printed tells which
  ws serve --listen 0.0.0.0:8765 --allow-origin http://mybox.lan:8765    and by that name, too
  ws serve --trust-proxy 127.0.0.1  behind a reverse proxy on this machine
  ws serve --cert cert.pem --key key.pem    with TLS: https:// and wss://
  ws serve -v                       with every frame in the log
  RUST_LOG=warn ws serve            with less of it")]
pub(crate) struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8765")]
    listen: Address,

    #[command(flatten)]
    identity: IdentityFiles,

    /// Decline to compress messages (permessage-deflate)
    #[arg(long)]
    no_compression: bool,

    /// Believe this proxy, an address or a network, when it says who its clients are; the log shows them
    #[arg(long, value_name = "NETWORK")]
    trust_proxy: Vec<String>,

    /// Let pages from here use /chat and /counter, too: an origin such as `https://example.com`, or null; may be repeated
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,

    /// Log at DEBUG, every frame included; otherwise at INFO
    #[arg(short, long)]
    verbose: bool,
}

/// `HOST:PORT`, the host not yet looked up.
#[derive(Debug, Clone)]
struct Address(String);

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        match argument.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(Self(argument.to_owned())),
            _ => Err("expected HOST:PORT, as in 127.0.0.1:8765, [::1]:8765 or localhost:8765"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) async fn run(args: ServeArgs) -> ExitCode {
    logging::init(if args.verbose { LevelFilter::DEBUG } else { LevelFilter::INFO });
    let allowed = args.allow_origin;
    let mut server =
        Server::new().on_request(move |request| answer(request, &allowed)).trusted_proxies(&args.trust_proxy);
    if args.no_compression {
        server = server.compression(None);
    }
    let is_secure = match secured(server, &args.identity) {
        Ok((secured, is_secure)) => {
            server = secured;
            is_secure
        }
        Err(why) => return fail(format_args!("{why}")),
    };
    let listening = match server.bind(&*args.listen.0).await {
        Ok(listening) => listening,
        Err(ServeError::Setting(InvalidSetting::Tls(error))) => {
            return fail(format_args!("{}", args.identity.explain(None, &error)));
        }
        Err(error) => return fail(format_args!("{}.", explain(&args.listen, &error))),
    };
    match listening.local_addr() {
        Ok(address) => greet(address, is_secure),
        Err(error) => return fail(format_args!("Cannot tell the address: {error}.")),
    }
    let stop = match Stop::listen() {
        Ok(stop) => stop,
        Err(error) => return fail(format_args!("Cannot listen for signals: {error}.")),
    };
    let server = listening.handle();
    let stopped = async move {
        stop.requested().await;
        tracing::info!(connections = server.connections(), "stopping");
    };
    let demo = Arc::new(Demo::default());
    match listening.serve_until(move |ws| Arc::clone(&demo).handle(ws), stopped).await {
        Ok(()) => ExitCode::from(exit::OK),
        Err(error) => fail(format_args!("The server failed: {error}.")),
    }
}

/// The server, with TLS if there is a certificate, and whether there is; else which file cannot be read, in a sentence.
fn secured(server: Server, identity: &IdentityFiles) -> Result<(Server, bool), String> {
    match identity.read()? {
        Some(pem) => Ok((server.tls(pem.certificate, pem.key), true)),
        None => Ok((server, false)),
    }
}

/// What is wrong with the address, and what to do, in a sentence without its full stop.
fn explain(listen: &Address, error: &ServeError) -> String {
    // A name may have several addresses.
    let which = match error {
        ServeError::Bind { address, .. } if address.to_string() != listen.0 => format!(" ({address})"),
        _ => String::new(),
    };
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "; is another server running there? --listen takes another port",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are often reserved",
        _ => "",
    };
    format!("Cannot listen on {listen}{which}: {why}{advice}")
}

/// Tells what to open and how to stop.
fn greet(address: SocketAddr, is_secure: bool) {
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    };
    let s = if is_secure { "s" } else { "" };
    // Whoever started us without an output does not want to know.
    let _ = writeln!(
        io::stdout(),
        "Open http{s}://{reachable}/ in a browser, or run: ws connect ws{s}://{reachable}/chat\nPress Ctrl-C to stop."
    );
}

/// What the endpoints share between their connections.
#[derive(Default)]
struct Demo {
    chat: Chat,
    counter: Counter,
}

impl Demo {
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

/// Answers what is not for a WebSocket endpoint, and pages that may not use one.
fn answer(request: &Request<()>, allowed: &[Origin]) -> Option<Response<Bytes>> {
    match request.uri().path() {
        "/echo" | "/time" => None,
        // What one does there everyone sees.
        "/chat" | "/counter" => {
            origins::refusal(request, allowed).map(|why| text(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", why))
        }
        "/" if !request.headers().contains_key(UPGRADE) => {
            Some(text(StatusCode::OK, "text/html; charset=utf-8", PAGE.into()))
        }
        path => {
            let told = format!("There is no {path} for this request.\n\n{DIRECTORY}");
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
