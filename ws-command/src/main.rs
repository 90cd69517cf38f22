//! The `ws` program: talk to a WebSocket server from a terminal or a script, or run a demo server for a browser.

mod bench;
mod connect;
mod dial;
mod files;
mod logging;
mod oneshot;
mod output;
mod seconds;
mod serve;
mod shell;
mod shown;
mod signals;
mod tunnel;

use std::process::ExitCode;
use std::sync::LazyLock;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser, Subcommand};

/// Exit codes of `ws`. clap exits with 2 for bad usage.
mod exit {
    /// Success. For `ws connect`, the connection ended normally.
    pub(crate) const OK: u8 = 0;
    /// Connecting, listening, reading the input or writing the output failed.
    pub(crate) const FAILED: u8 = 1;
    /// Bad usage that clap does not see.
    pub(crate) const USAGE: u8 = 2;
    /// The connection was lost, or ended with a close code that is not a normal end.
    pub(crate) const NOT_CLEAN: u8 = 3;
    /// The time was up.
    pub(crate) const TIMED_OUT: u8 = 4;
    /// The server answered with another HTTP status than 101.
    pub(crate) const REFUSED: u8 = 5;
    /// The TLS handshake failed: a certificate was not accepted, or the server does not speak TLS there.
    pub(crate) const TLS: u8 = 6;
    /// Interrupted: a second time, so the program did not wait, or before what it was to do was done. 128 + SIGINT, as shells
    /// report it.
    pub(crate) const INTERRUPTED: u8 = 130;
}

/// The version, and what this build can do.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let optional = [
        ("names that are not ASCII (idna)", cfg!(feature = "idna")),
        ("redis", cfg!(feature = "redis")),
        ("nats", cfg!(feature = "nats")),
        ("kafka", cfg!(feature = "kafka")),
    ];
    let (with, without): (Vec<_>, Vec<_>) = optional.into_iter().partition(|(_, is_built)| *is_built);
    let names = |list: Vec<(&'static str, bool)>| list.into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let mut text = format!("{}\nTLS (rustls with ring), HTTP/2, permessage-deflate", env!("CARGO_PKG_VERSION"));
    for (word, list) in [("with", with), ("without", without)] {
        if !list.is_empty() {
            text += &format!("\n{word} {}", names(list));
        }
    }
    text
});

/// A WebSocket client for the terminal, and a demo server for the browser.
#[derive(Debug, Parser)]
#[command(name = "ws", version, long_version = LONG_VERSION.as_str(), max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Try it, with two terminals and a browser:
  ws serve                                  run the demo server; open the page that it prints
  ws connect ws://127.0.0.1:8765/chat       join its chat room from a terminal
  ws send ws://127.0.0.1:8765/echo hello --expect 1

`ws COMMAND --help` describes each command.")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Connect(connect::ConnectArgs),
    Send(oneshot::SendArgs),
    Listen(oneshot::ListenArgs),
    Ping(oneshot::PingArgs),
    Bench(bench::BenchArgs),
    Serve(serve::ServeArgs),
    Tunnel(tunnel::TunnelArgs),
    Completions(shell::CompletionsArgs),
    Man(shell::ManArgs),
}

/// Adds a tip to the error if a URL stands where a command belongs.
fn suggest_connect(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
        && given.contains("://")
    {
        let tip = StyledStr::from(format!("to connect, use `ws connect {given}`"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

fn main() -> ExitCode {
    let args = Args::try_parse().unwrap_or_else(|error| suggest_connect(error).exit());
    // A client has one connection. One worker thread drives it, and this thread does the rest. So a terminal or a pipe
    // that blocks our output does not delay the answer to a ping.
    let client = Some(1);
    match args.command {
        Command::Connect(args) => block_on(client, connect::run(args)),
        Command::Send(args) => block_on(client, oneshot::send(args)),
        Command::Listen(args) => block_on(client, oneshot::listen(args)),
        Command::Ping(args) => block_on(client, oneshot::ping(args)),
        Command::Bench(args) => block_on(client, bench::run(args)),
        Command::Serve(args) => block_on(None, serve::run(args)),
        Command::Tunnel(args) => block_on(None, tunnel::run(args)),
        Command::Completions(args) => shell::completions(&args, Args::command()),
        Command::Man(args) => shell::man(&args, Args::command()),
    }
}

/// Runs a command on so many worker threads, one for each core if it is not said.
fn block_on(workers: Option<usize>, command: impl Future<Output = ExitCode>) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        runtime.worker_threads(workers);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(format_args!("Cannot start: {error}.")),
    };
    let code = runtime.block_on(command);
    // A read of standard input cannot be cancelled. It ends with the process.
    runtime.shutdown_background();
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
