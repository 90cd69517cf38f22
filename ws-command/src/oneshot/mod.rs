//! `ws send`, `ws listen` and `ws ping`: one thing each, and an exit code that tells how it went. For scripts and health checks.

mod listen;
mod ping;
mod send;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing_subscriber::filter::LevelFilter;
use ws_tokio::{CloseCode, ConnectError, Escaped, Message, Outcome, WebSocket};

pub(crate) use self::listen::{ListenArgs, run as listen};
pub(crate) use self::ping::{PingArgs, run as ping};
pub(crate) use self::send::{SendArgs, run as send};
use crate::dial::{Target, opened};
use crate::output::{fail, warn};
use crate::seconds::Limit;
use crate::signals::Stop;
use crate::{exit, logging, shown};

/// The exit codes, for `--help`. The text of each command says what success is.
macro_rules! exit_codes {
    ($success:literal) => {
        concat!(
            "Exit status:\n  0    ",
            $success,
            "\n",
            "  1    connecting, reading a file or writing the output failed\n",
            "  2    bad usage\n",
            "  3    the connection was lost, or the server closed it too early or with an error\n",
            "  4    the time was up\n",
            "  5    the server refused: it answered with another HTTP status than 101\n",
            "  6    TLS failed: the server's certificate is not trusted, or ours is not\n",
            "  130  interrupted before that\n"
        )
    };
}
pub(crate) use exit_codes;

/// The time in which the server may answer our Close, beyond a command's own limit.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a command ended, other than by success.
enum Failure {
    /// It was said already.
    Said(ExitCode),
    /// Nothing more came in time. What was awaited.
    TimedOut(String),
    /// The connection ended before that.
    Ended(Outcome),
    /// The user has interrupted it.
    Interrupted,
    Output(io::Error),
}

/// A connection, what may end it, and until when it may last.
struct Session {
    ws: WebSocket,
    stop: Stop,
    until: Option<Instant>,
}

impl Session {
    /// Connects within the time limit, which counts from now for all that follows.
    async fn open(target: &Target, limit: Option<Limit>) -> Result<Self, Failure> {
        logging::init(LevelFilter::OFF);
        let until = limit.map(|limit| Instant::now() + limit.time());
        let client = target.client().map_err(|why| Failure::Said(fail(format_args!("{why}"))))?;
        let stop = Stop::listen(true).map_err(Failure::Output)?;
        let connecting = within(until, client.connect());
        let connected = tokio::select! {
            connected = connecting => connected,
            () = stop.requested() => return Err(Failure::Interrupted),
        };
        match connected {
            Some(Ok(ws)) => {
                if target.verbose > 0 {
                    warn(format_args!("{}", opened(&ws).trim_end()));
                }
                Ok(Self { ws, stop, until })
            }
            Some(Err(error)) => {
                let code = target.refused(&error);
                Err(Failure::Said(match error {
                    ConnectError::Rejected(_) => ExitCode::from(exit::REFUSED),
                    ConnectError::Tls(_) => ExitCode::from(exit::TLS),
                    _ => code,
                }))
            }
            None => Err(Failure::TimedOut(format!("connecting to {}", target.shown()))),
        }
    }

    /// Waits for something within the time limit, or until the user interrupts.
    async fn wait<T>(&self, what: impl FnOnce() -> String, future: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            output = within(self.until, future) => output.ok_or_else(|| Failure::TimedOut(what())),
            () = self.stop.requested() => Err(Failure::Interrupted),
        }
    }

    /// The next message. `None` when the connection has ended.
    async fn next(&mut self, what: impl FnOnce() -> String) -> Result<Option<Message>, Failure> {
        let Self { ws, stop, until } = self;
        tokio::select! {
            message = within(*until, ws.recv()) => message.ok_or_else(|| Failure::TimedOut(what())).map(|end| end.unwrap_or(None)),
            () = stop.requested() => Err(Failure::Interrupted),
        }
    }

    /// Closes the connection, and returns the exit code.
    async fn end(self, result: Result<(), Failure>) -> ExitCode {
        // The answer to our Close is awaited for a little, as everything else was done.
        let closing = tokio::time::timeout(FAREWELL, self.ws.close(CloseCode::NORMAL, ""));
        let _ = closing.await;
        end(result)
    }
}

/// Polls a future until a time. `None` if it was not ready by then.
async fn within<T>(until: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match until {
        Some(until) => timeout_at(until, future).await.ok(),
        None => Some(future.await),
    }
}

/// Waits until a time, for ever if there is none.
async fn elapsed(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Says what went wrong. Returns the exit code.
fn end(result: Result<(), Failure>) -> ExitCode {
    let code = match result {
        Ok(()) => exit::OK,
        Err(Failure::Said(code)) => return code,
        Err(Failure::TimedOut(what)) => {
            warn(format_args!("Timed out: {what}."));
            exit::TIMED_OUT
        }
        Err(Failure::Ended(outcome)) => {
            warn(format_args!("{}", shown::closed(outcome.code(), outcome.reason())));
            if !outcome.is_clean() {
                warn(format_args!("The connection did not close cleanly: {outcome}."));
            }
            exit::NOT_CLEAN
        }
        // What is not read any more is not missed.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
        Err(Failure::Output(error)) => return fail(format_args!("Cannot write the output: {error}.")),
        Err(Failure::Interrupted) => exit::INTERRUPTED,
    };
    ExitCode::from(code)
}

/// Prints a message as one line: text as it is, with control characters escaped; binary in hexadecimal.
fn print(message: &Message) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let line: &dyn fmt::Display = match message.as_text() {
        Some(text) => &Escaped(text),
        None => &shown::hex(message.as_bytes()),
    };
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::Output)
}
