//! The `ws` program: talk to a WebSocket server from a terminal, or run a demo server for a browser.

mod connect;
mod files;
mod logging;
mod output;
mod serve;
mod signals;

use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

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
    /// Interrupted a second time, so the program did not wait. 128 + SIGINT, as shells report it.
    pub(crate) const INTERRUPTED: i32 = 130;
}

/// A WebSocket client for the terminal, and a demo server for the browser.
#[derive(Debug, Parser)]
#[command(name = "ws", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Try it, with two terminals and a browser:
  ws serve                                  run the demo server; open the page that it prints
  ws connect ws://127.0.0.1:8765/chat       join its chat room from a terminal

`ws COMMAND --help` describes each command.")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Connect(connect::ConnectArgs),
    Serve(serve::ServeArgs),
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
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // A client has one connection. One worker thread drives it, and this thread does the rest. So a terminal or a pipe
    // that blocks our output does not delay the answer to a ping.
    if matches!(args.command, Command::Connect(_)) {
        runtime.worker_threads(1);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(format_args!("Cannot start: {error}.")),
    };
    let code = runtime.block_on(async {
        match args.command {
            Command::Connect(args) => connect::run(args).await,
            Command::Serve(args) => serve::run(args).await,
        }
    });
    // A read of standard input cannot be cancelled. It ends with the process.
    runtime.shutdown_background();
    code
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
