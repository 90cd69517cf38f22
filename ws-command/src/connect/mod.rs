//! `ws connect`: sends the lines typed and shows the messages received.

mod editor;
mod format;
mod hints;
mod history;
mod outgoing;
mod pings;
mod piped;
mod screen;
mod slash;
mod terminal;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use tracing_subscriber::filter::LevelFilter;
use ws_tokio::{Cause, CloseCode, Escaped, Outcome, WebSocket};

use self::format::Format;
use self::hints::Traffic;
use self::outgoing::Encoding;
use self::pings::Pings;

use crate::dial::{self, Target};
use crate::output::{fail, warn};
use crate::seconds::duration;
use crate::signals::Stop;
use crate::{exit, logging};

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

At the prompt, /ping measures how long the server takes to answer, /close CODE TEXT closes with a code
and a reason, /file PATH sends a file, and /help shows these.

With --json each event is an object on a line of its own, and so is each line of the input:
  output  {\"type\":\"open\",…}  {\"type\":\"message\",\"text\":\"…\"}  {\"type\":\"message\",\"binary\":\"BASE64\"}
          {\"type\":\"pong\",\"latency\":SECONDS}  {\"type\":\"error\",\"message\":\"…\"}
          {\"type\":\"close\",\"code\":1000,\"reason\":\"\",\"clean\":true}; with -v also \"ping\" and \"pong\" frames
  input   {\"text\":\"…\"}  {\"binary\":\"BASE64\"}  {\"ping\":true}  {\"close\":4000,\"reason\":\"…\"}
A line that cannot be read is an error event, and the others are sent. The exit status is 1 then.

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
    #[command(flatten)]
    target: Target,

    /// In a pipe, after the end of the input: close when no message has arrived for this time. `forever` waits until the
    /// server closes. Default: 0.5, or 5 while fewer messages than lines have arrived
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    wait: Option<Wait>,

    #[command(flatten)]
    encoding: Encoding,

    /// Show the time of each event
    #[arg(short, long)]
    timestamps: bool,
}

impl ConnectArgs {
    fn format(&self) -> Format {
        Format { json: self.encoding.is_json(), base64: self.encoding.is_base64(), timestamps: self.timestamps }
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
    /// Some lines were not what they should be, which was said of each.
    Unfit,
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
            Self::Unfit => f.write_str("Some lines of the input were not sent."),
            Self::Unsent => f.write_str("The connection closed before all of the input was sent."),
        }
    }
}

pub(crate) async fn run(args: ConnectArgs) -> ExitCode {
    // No log events are shown unless RUST_LOG asks for them.
    let pings = if args.target.verbose > 0 {
        let (layer, pings) = Pings::watch(args.target.verbose > 1);
        logging::init_with(LevelFilter::OFF, Some(layer));
        pings
    } else {
        logging::init(LevelFilter::OFF);
        Pings::unwatched()
    };
    let client = match args.target.client() {
        Ok(client) => client,
        Err(why) => return fail(format_args!("{why}")),
    };
    let ws = match client.connect().await {
        Ok(ws) => ws,
        Err(error) => return args.target.refused(&error),
    };
    let ended = match Stop::listen(true) {
        Ok(stop) => converse(&args, ws, &stop, pings).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Ending::Closed { outcome, input, hint }) => ExitCode::from(report(args.format(), &outcome, &input, hint)),
        Ok(Ending::Interrupted) => std::process::exit(exit::INTERRUPTED.into()),
        Err(error) => fail(format_args!("{error}.")),
    }
}

async fn converse(args: &ConnectArgs, ws: WebSocket, stop: &Stop, pings: Pings) -> io::Result<Ending> {
    if args.encoding.is_json() {
        let opened = args.format().opened(&args.target.shown(), &ws);
        return piped::run(ws, stop, pings, args, opened + "\n").await;
    }
    let mut greeting = format!("Connected to {}.\n", args.target.shown());
    if args.target.verbose > 0 {
        greeting.push_str(&dial::opened(&ws));
        greeting.push_str(&negotiated(&ws));
    }
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        io::stdout().write_all(greeting.as_bytes())?;
        terminal::run(ws, stop, pings, args).await
    } else {
        piped::run(ws, stop, pings, args, greeting).await
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
fn report(format: Format, outcome: &Outcome, input: &Result<(), BadInput>, hint: Option<&str>) -> u8 {
    // A closed standard output is not an error here.
    let _ = writeln!(io::stdout(), "{}", format.closed(outcome));
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
        Err(BadInput::Unreadable(_) | BadInput::NotUtf8 { .. } | BadInput::Unfit) => exit::FAILED,
        Ok(()) if outcome.is_normal() || was_let_go => exit::OK,
        _ => exit::NOT_CLEAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
