//! `ws connect`: send what is typed, show what arrives.

mod editor;
mod format;
mod hints;
mod history;
mod insecure;
mod pings;
mod piped;
mod screen;
mod terminal;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::Response;
use http::header::{SEC_WEBSOCKET_EXTENSIONS, USER_AGENT};
use tracing_subscriber::filter::LevelFilter;
use ws_tokio::{
    Cause, Client, CloseCode, Config, ConnectError, Escaped, EscapedBytes, Outcome, WebSocket, without_password,
};

use self::hints::{Asked, Traffic};
use self::pings::Pings;

use crate::files::{self, IdentityFiles};
use crate::output::{fail, warn};
use crate::signals::Stop;
use crate::{exit, logging};

/// The largest message taken from a server the user chose: a person looks at it, or a pipe takes it.
const MAX_MESSAGE: usize = 64 << 20;

/// Talk to a WebSocket server: lines typed are sent, messages received are shown.
#[derive(Debug, Args)]
#[command(after_help = "\
In a terminal, every line typed is sent as a text message. Messages appear above the prompt, text as
`< text`, binary as `< (binary) 00ff`, and what you are typing stays. The line is edited as in a shell
(arrows, Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-K, Ctrl-U, Ctrl-Y; Up and Down for the lines sent before). Text
that is pasted waits for Enter, line ends included. Ctrl-D on an empty line or Ctrl-C closes the
connection with 1000; a second Ctrl-C does not wait for the server's answer.

When standard input or output is not a terminal there is no prompt and no escape code: every line of
the input, without its line end, is sent as a text message, and every event is one line of the output.
At the end of the input, `ws` waits for replies until nothing has arrived for half a second, or for
five while there have been fewer messages than lines; --wait sets another time, --wait forever leaves
the end to the server. Then `ws` closes with 1000, and shows what still arrives until the server has
closed too.

With wss:// the server's certificate has to be for the URL's host, and issued by whom the platform or
--ca trusts. --cert and --key show the server a certificate of ours, if it asks.

In what is received, control characters are shown escaped (\\n, \\x1b): no server steers your terminal.

Exit status:
  0    the connection ended normally: 1000, 1001, or no code; or the server ended it after our Close
  1    could not connect, or could not read the input or write the output
  2    bad usage
  3    the connection was lost, or closed with another code, or not all of the input was sent
  130  interrupted twice

Examples:
  ws connect ws://127.0.0.1:8765/chat
  ws connect -H 'Authorization: Bearer s3cr3t' --subprotocol v2.chat --subprotocol chat ws://example.com/
  printf 'one\\ntwo\\n' | ws connect ws://127.0.0.1:8765/echo
  ws connect --ca ca.pem wss://localhost:8765/chat
  ws connect --wait forever ws://127.0.0.1:8765/time < /dev/null | head -n 5")]
pub(crate) struct ConnectArgs {
    /// Where to connect: ws://HOST:PORT/PATH, or wss:// for TLS
    #[arg(value_name = "URL")]
    url: String,

    /// A header to send with the request, in place of one of that name that is sent by default or that the URL implies;
    /// may be repeated. `User-Agent:` sends none
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Header>,

    /// The Origin to send, as a browser on that site would
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,

    /// A subprotocol to offer, the preferred one first; may be repeated
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,

    /// When piped: how long a silence ends the wait for replies, or `forever`; see below
    #[arg(long, value_name = "SECONDS")]
    wait: Option<Wait>,

    /// Certificates to trust besides the platform's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    #[command(flatten)]
    identity: IdentityFiles,

    /// Take any certificate: anyone between here and the server can read and change everything
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// How often to ping the server, or `off` for a server that cannot stand pings. A server that then says nothing for
    /// 20 seconds is given up
    #[arg(long, value_name = "SECONDS|off", default_value = "20")]
    ping_interval: PingInterval,

    /// Do not offer to compress messages (permessage-deflate)
    #[arg(long)]
    no_compression: bool,

    /// Show the server's answer, what was agreed on, pings and pongs, and what a refusing server said
    #[arg(short, long)]
    verbose: bool,
}

impl ConnectArgs {
    fn asked(&self) -> Asked {
        let in_headers = || self.headers.iter().any(|header| header.name.eq_ignore_ascii_case("origin"));
        Asked { origin: self.origin.is_some() || in_headers(), compression: !self.no_compression }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: String,
    value: String,
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        let (name, value) = argument.split_once(':').ok_or("expected `Name: value`")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// How long silence lasts before the end of the input becomes the end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Quiet(Duration),
    Forever,
}

impl FromStr for Wait {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        if argument == "forever" {
            return Ok(Self::Forever);
        }
        let seconds = argument.parse().map_err(|_| "expected a number of seconds, or `forever`")?;
        Ok(Self::Quiet(duration(seconds)?))
    }
}

/// How often the server is pinged, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PingInterval(Option<Duration>);

impl FromStr for PingInterval {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        if argument == "off" {
            return Ok(Self(None));
        }
        let seconds = argument.parse().map_err(|_| "expected a number of seconds, or `off`")?;
        match duration(seconds)? {
            Duration::ZERO => Err("expected more than 0 seconds, or `off`"),
            interval => Ok(Self(Some(interval))),
        }
    }
}

fn duration(seconds: f64) -> Result<Duration, &'static str> {
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a sensible number of seconds")
}

/// How a session ended.
enum Ending {
    /// The connection is closed.
    Closed { outcome: Outcome, input: Result<(), BadInput>, hint: Option<&'static str> },
    /// The user would not wait for the closing handshake.
    Interrupted,
}

/// Why not all of the input was sent.
enum BadInput {
    Unreadable(String),
    NotUtf8 {
        line: u64,
    },
    /// The connection closed before.
    Unsent,
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "Cannot read the input: {error}."),
            Self::NotUtf8 { line } => {
                write!(f, "Line {line} of the input is not UTF-8: neither it nor what follows is sent.")
            }
            Self::Unsent => f.write_str("The connection closed before all of the input was sent."),
        }
    }
}

pub(crate) async fn run(args: ConnectArgs) -> ExitCode {
    // Nothing but what happens on the connection, unless RUST_LOG asks for more.
    let pings = if args.verbose {
        let (layer, pings) = Pings::watch();
        logging::init_with(LevelFilter::OFF, Some(layer));
        pings
    } else {
        logging::init(LevelFilter::OFF);
        Pings::unwatched()
    };
    let client = match client(&args) {
        Ok(client) => client,
        Err(why) => return fail(format_args!("{why}")),
    };
    let ws = match client.connect().await {
        Ok(ws) => ws,
        Err(error) => return refused(&args, &error),
    };
    let ended = match Stop::listen() {
        Ok(stop) => converse(&args, ws, &stop, pings).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Ending::Closed { outcome, input, hint }) => ExitCode::from(report(&outcome, &input, hint)),
        Ok(Ending::Interrupted) => std::process::exit(exit::INTERRUPTED),
        Err(error) => fail(format_args!("{error}.")),
    }
}

fn config(args: &ConnectArgs) -> Config {
    let mut config = Config::default();
    config.limits.message = Some(MAX_MESSAGE);
    config.limits.frame = Some(MAX_MESSAGE);
    config.deadlines.ping_interval = args.ping_interval.0;
    config
}

/// What the arguments ask for; else what is wrong with a file, in a sentence.
fn client(args: &ConnectArgs) -> Result<Client, String> {
    let mut client = Client::new(&args.url).config(config(args));
    for Header { name, value } in &args.headers {
        // As curl has it.
        client = match value.is_empty() && name.eq_ignore_ascii_case("user-agent") {
            true => client.remove_header(USER_AGENT),
            false => client.header(name, value),
        };
    }
    if let Some(origin) = &args.origin {
        client = client.origin(origin);
    }
    if !args.subprotocols.is_empty() {
        client = client.subprotocols(&args.subprotocols);
    }
    if args.no_compression {
        client = client.compression(None);
    }
    let identity = args.identity.read()?;
    if args.insecure {
        warn(format_args!("Warning: --insecure, so nothing shows that the server is the one you mean."));
        let config = insecure::config(identity).map_err(|error| format!("Cannot use --cert and --key: {error}."))?;
        return Ok(client.tls_config(Arc::new(config)));
    }
    if let Some(ca) = &args.ca {
        client = client.ca(files::read(ca)?);
    }
    if let Some(identity) = identity {
        client = client.client_certificate(identity.certificate, identity.key);
    }
    Ok(client)
}

fn refused(args: &ConnectArgs, error: &ConnectError) -> ExitCode {
    if let ConnectError::TlsConfig(error) = error {
        return fail(format_args!("{}", args.identity.explain(args.ca.as_deref(), error)));
    }
    let code = fail(format_args!("Failed to connect to {}: {}.", shown(&args.url), Escaped(error)));
    if let Some(hint) = hints::for_failure(error, args.asked(), host(&args.url)) {
        warn(format_args!("{hint}"));
    }
    let Some(response) = error.response().filter(|_| args.verbose) else { return code };
    warn(format_args!("{}", head(response).trim_end()));
    if !response.body().is_empty() {
        warn(format_args!("The server said:"));
        for line in String::from_utf8_lossy(response.body()).lines() {
            warn(format_args!("  {}", Escaped(line)));
        }
    }
    code
}

/// The URL as it may be printed: without a password, and with nothing a terminal would obey.
fn shown(url: &str) -> String {
    Escaped(without_password(url)).to_string()
}

/// The host and the port of a URL that could be used.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// A response's status and headers, for `-v`.
fn head<B>(response: &Response<B>) -> String {
    let mut lines = format!("The server answered HTTP {}:\n", response.status());
    for (name, value) in response.headers() {
        lines.push_str(&format!("  {name}: {}\n", EscapedBytes(value.as_bytes())));
    }
    lines
}

async fn converse(args: &ConnectArgs, ws: WebSocket, stop: &Stop, pings: Pings) -> io::Result<Ending> {
    let mut greeting = format!("Connected to {}.\n", shown(&args.url));
    if args.verbose {
        greeting.push_str(&head(ws.response()));
        greeting.push_str(&negotiated(&ws));
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        io::stdout().write_all(greeting.as_bytes())?;
        terminal::run(ws, stop, pings).await
    } else {
        piped::run(ws, stop, pings, args.wait, greeting).await
    }
}

/// What the opening handshake agreed on, for `-v`.
fn negotiated(ws: &WebSocket) -> String {
    let extensions: Vec<_> = ws
        .response()
        .headers()
        .get_all("sec-websocket-extensions")
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let extensions = if extensions.is_empty() { "none".into() } else { extensions.join(", ") };
    format!("Subprotocol: {}.\nExtensions: {}.\n", Escaped(ws.subprotocol().unwrap_or("none")), Escaped(&extensions),)
}

/// How a connection ended that nothing more is received on. Once both Close frames are through, it does not matter when
/// the server lets go of it.
async fn outcome(ws: &WebSocket) -> Outcome {
    match ws.close(CloseCode::NORMAL, "").await {
        Ok(outcome) => outcome,
        Err(_) => ws.closed().await,
    }
}

/// The end of a session whose connection has ended.
async fn ending(ws: &WebSocket, input: Result<(), BadInput>, traffic: &Traffic) -> Ending {
    let outcome = outcome(ws).await;
    let extensions = ws.response().headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
    let compressed = extensions.iter().any(|value| value.as_bytes().starts_with(b"permessage-deflate"));
    let hint = hints::for_loss(&outcome, compressed, traffic);
    Ending::Closed { outcome, input, hint }
}

/// Says how the connection ended, and turns it into the exit code.
fn report(outcome: &Outcome, input: &Result<(), BadInput>, hint: Option<&str>) -> u8 {
    // Whoever stopped reading our output does not want to know.
    let _ = writeln!(io::stdout(), "{}", format::closed(outcome.code(), outcome.reason()));
    let was_let_go = outcome.cause == Cause::Unanswered;
    if was_let_go {
        warn(format_args!("The server ended the connection after our Close, without one of its own."));
    } else if !outcome.is_clean() {
        warn(format_args!("That was not a clean end: {}.", outcome));
    }
    if let Some(hint) = hint {
        warn(format_args!("{hint}"));
    }
    match input {
        Err(BadInput::Unreadable(_) | BadInput::NotUtf8 { .. }) => exit::FAILED,
        Ok(()) if outcome.is_normal() || was_let_go => exit::OK,
        _ => exit::NOT_CLEAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_split_at_the_first_colon() {
        let header = |argument: &str| argument.parse::<Header>().map(|h| (h.name, h.value));
        assert_eq!(header("A: b:c "), Ok(("A".into(), "b:c".into())));
        assert_eq!(header("A:"), Ok(("A".into(), String::new())));
        assert!(header("no colon").is_err());
    }

    #[test]
    fn ping_intervals() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(flatten)]
            args: ConnectArgs,
        }
        let interval = |arguments: &[&str]| {
            let arguments = [&["ws", "ws://a/"], arguments].concat();
            <Program as clap::Parser>::try_parse_from(arguments)
                .map(|program| config(&program.args).deadlines.ping_interval)
        };
        assert_eq!(interval(&[]).unwrap(), Some(Duration::from_secs(20)));
        assert_eq!(interval(&["--ping-interval", "0.05"]).unwrap(), Some(Duration::from_millis(50)));
        assert_eq!(interval(&["--ping-interval", "off"]).unwrap(), None);
        for bad in ["", "0", "no", "-1", "inf", "nan", "1e99"] {
            assert!(interval(&[&format!("--ping-interval={bad}")]).is_err(), "{bad}");
        }
    }

    #[test]
    fn waits() {
        assert_eq!("forever".parse(), Ok(Wait::Forever));
        assert_eq!("0".parse(), Ok(Wait::Quiet(Duration::ZERO)));
        assert_eq!("2.5".parse(), Ok(Wait::Quiet(Duration::from_millis(2500))));
        for bad in ["", "soon", "-1", "inf", "nan", "1e99"] {
            assert!(bad.parse::<Wait>().is_err(), "{bad}");
        }
    }
}
