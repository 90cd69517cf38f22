//! `ws connect`: sends the lines typed and shows the messages received.

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

/// The largest message accepted: 64 MiB. It is above the library's default because the user has chosen the server.
const MAX_MESSAGE: usize = 64 << 20;

/// Connect to a WebSocket server: send the lines typed, show the messages received.
#[derive(Debug, Args)]
#[command(after_help = "\
In a terminal, each line that you type is sent as a text message. Messages appear above the prompt:
text as `< text`, binary as `< (binary) 00ff`. The line that you are typing stays. You edit it as in
a shell (arrows, Ctrl-A, Ctrl-E, Ctrl-W, Ctrl-K, Ctrl-U, Ctrl-Y; Up and Down for earlier lines).
Pasted text is sent at the next Enter, with its line ends. Ctrl-C, or Ctrl-D on an empty line, closes
the connection with 1000. A second Ctrl-C does not wait for the server's answer.

When standard input or output is not a terminal, there is no prompt and no escape code. Each line of
the input is sent as a text message, without its line end. Each event is one line of the output.
At the end of the input, `ws` waits for replies. It closes with 1000 when no message has arrived for
half a second, or for five seconds while fewer messages than lines have arrived. --wait SECONDS sets
one time for both cases. With --wait forever, the server closes. Messages that arrive before the
server has closed are still shown.

With wss://, the server's certificate must be valid for the URL's host. Its issuer must be trusted by
the platform or given with --ca. --cert and --key are for servers that ask for a client certificate.

Control characters in received text are shown escaped (\\n, \\x1b), so a server cannot control your
terminal.

Exit status:
  0    the connection ended normally: 1000, 1001, or no code; or the server ended it after our Close
  1    connecting, reading the input or writing the output failed
  2    bad usage
  3    the connection was lost, or closed with another code, or part of the input was not sent
  130  interrupted twice

Examples:
  ws connect ws://127.0.0.1:8765/chat
  ws connect -H 'Authorization: Bearer s3cr3t' --subprotocol v2.chat --subprotocol chat ws://example.com/
  printf 'one\\ntwo\\n' | ws connect ws://127.0.0.1:8765/echo
  ws connect --ca ca.pem wss://localhost:8765/chat
  ws connect --wait forever ws://127.0.0.1:8765/time < /dev/null | head -n 5")]
pub(crate) struct ConnectArgs {
    /// The address to connect to: ws://HOST:PORT/PATH, or wss:// for TLS
    #[arg(value_name = "URL")]
    url: String,

    /// A header of the request; may be repeated. It replaces a header of that name that is sent by default or that the
    /// URL implies. `User-Agent:` sends no such header
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Header>,

    /// The Origin header to send, as a browser sends it for a page of that site
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,

    /// A subprotocol to offer, the preferred one first; may be repeated
    #[arg(long = "subprotocol", value_name = "NAME")]
    subprotocols: Vec<String>,

    /// In a pipe, after the end of the input: close when no message has arrived for this time. `forever` waits until the
    /// server closes. Default: 0.5, or 5 while fewer messages than lines have arrived
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    wait: Option<Wait>,

    /// A PEM file of certificates to trust, besides the platform's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    #[command(flatten)]
    identity: IdentityFiles,

    /// Accept any certificate. Anyone between here and the server can then read and change everything
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// The interval between pings to the server, or `off` for a server that mishandles pings. The connection ends when the
    /// server sends nothing for 20 seconds after a ping
    #[arg(long, value_name = "SECONDS|off", default_value = "20", allow_negative_numbers = true)]
    ping_interval: PingInterval,

    /// Do not offer compression (permessage-deflate)
    #[arg(long)]
    no_compression: bool,

    /// Show the server's response, the negotiated subprotocol and extensions, pings and pongs, and the body of a refusal
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

/// When to close the connection after the end of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// When no message has arrived for this time.
    Quiet(Duration),
    /// Never: the server closes.
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

/// The interval between pings to the server. `None` sends none.
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
    Duration::try_from_secs_f64(seconds).map_err(|_| "expected a number of seconds, 0 or more")
}

/// How a session ended.
enum Ending {
    /// The connection is closed.
    Closed { outcome: Outcome, input: Result<(), BadInput>, hint: Option<&'static str> },
    /// The user interrupted the closing handshake.
    Interrupted,
}

/// The reason why part of the input was not sent.
enum BadInput {
    Unreadable(String),
    NotUtf8 {
        line: u64,
    },
    /// The connection closed first.
    Unsent,
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "Cannot read the input: {error}."),
            Self::NotUtf8 { line } => {
                write!(f, "Line {line} of the input is not UTF-8. It and the lines after it are not sent.")
            }
            Self::Unsent => f.write_str("The connection closed before all of the input was sent."),
        }
    }
}

pub(crate) async fn run(args: ConnectArgs) -> ExitCode {
    // No log events are shown unless RUST_LOG asks for them.
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
    let ended = match Stop::listen(true) {
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

/// The client that the arguments describe. The error is a sentence about a file that cannot be used.
fn client(args: &ConnectArgs) -> Result<Client, String> {
    let mut client = Client::new(&args.url).config(config(args));
    for Header { name, value } in &args.headers {
        // As in curl, an empty value removes this header.
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
        warn(format_args!("Warning: --insecure accepts any certificate. The server may be another than you think."));
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
    let Some(response) = error.response() else { return code };
    if !args.verbose {
        if !response.body().is_empty() {
            warn(format_args!("-v shows the server's answer."));
        }
        return code;
    }
    warn(format_args!("{}", head(response).trim_end()));
    if !response.body().is_empty() {
        warn(format_args!("The server said:"));
        for line in String::from_utf8_lossy(response.body()).lines() {
            warn(format_args!("  {}", Escaped(line)));
        }
    }
    code
}

/// The URL for messages: without its password, and with control characters escaped.
fn shown(url: &str) -> String {
    Escaped(without_password(url)).to_string()
}

/// The host and port of a valid URL.
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

/// The negotiated subprotocol and extensions, for `-v`.
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

/// The outcome of a connection after its last message. Once both Close frames have been exchanged, the time at which the
/// server ends TCP does not matter.
async fn outcome(ws: &WebSocket) -> Outcome {
    match ws.close(CloseCode::NORMAL, "").await {
        Ok(outcome) => outcome,
        Err(_) => ws.closed().await,
    }
}

/// Collects the outcome of a connection that has ended, and a hint for it.
async fn ending(ws: &WebSocket, input: Result<(), BadInput>, traffic: &Traffic) -> Ending {
    let outcome = outcome(ws).await;
    let extensions = ws.response().headers().get_all(SEC_WEBSOCKET_EXTENSIONS);
    let compressed = extensions.iter().any(|value| value.as_bytes().starts_with(b"permessage-deflate"));
    let hint = hints::for_loss(&outcome, compressed, traffic);
    Ending::Closed { outcome, input, hint }
}

/// Prints how the connection ended, and returns the exit code.
fn report(outcome: &Outcome, input: &Result<(), BadInput>, hint: Option<&str>) -> u8 {
    // A closed standard output is not an error here.
    let _ = writeln!(io::stdout(), "{}", format::closed(outcome.code(), outcome.reason()));
    let was_let_go = outcome.cause == Cause::Unanswered;
    if was_let_go {
        warn(format_args!("The server ended the connection after our Close, without one of its own."));
    } else if !outcome.is_clean() {
        warn(format_args!("The connection did not close cleanly: {}.", outcome));
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
