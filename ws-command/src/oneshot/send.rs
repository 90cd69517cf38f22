//! `ws send`: sends messages, and waits for what is to come back.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use regex_lite::Regex;
use ws_tokio::Message;

use super::{Failure, Limit, Session, end, exit_codes, print};
use crate::dial::Target;
use crate::exit;
use crate::output::{fail, warn};

/// Send messages, and wait for replies.
#[derive(Debug, Args)]
#[command(after_help = concat!("\
Each MESSAGE is sent as a text message. `-` stands for the standard input, whole, and --file for a file,
whose bytes are sent as a binary message. Each reply is one line of the output: text with control
characters escaped, binary in hexadecimal. Without --expect and --until, the command ends when the
server has answered the Close that follows the messages, and replies that come before it are shown.

", exit_codes!("all was sent, and what was waited for has come"), "
Examples:
  ws send wss://example.com/echo hello --expect 1
  ws send ws://127.0.0.1:8765/echo '{\"op\":\"status\"}' --until '\"state\": *\"ready\"' --timeout 30
  ws send ws://127.0.0.1:8765/upload --file picture.png"))]
pub(crate) struct SendArgs {
    #[command(flatten)]
    target: Target,

    /// A text message; may be repeated. `-` is the standard input
    #[arg(value_name = "MESSAGE", required_unless_present = "files")]
    messages: Vec<String>,

    /// A file that is sent as a binary message, after the text messages; may be repeated
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Wait for so many messages
    #[arg(long, value_name = "N")]
    expect: Option<usize>,

    /// Wait for a text message in which this regular expression matches
    #[arg(long, value_name = "REGEX", conflicts_with = "expect")]
    until: Option<Regex>,

    /// The time limit for all of it, from connecting on
    #[arg(long, value_name = "SECONDS", default_value = "10", allow_negative_numbers = true)]
    timeout: Limit,
}

pub(crate) async fn run(args: SendArgs) -> ExitCode {
    if args.messages.iter().filter(|message| *message == "-").count() > 1 {
        warn(format_args!("`-` stands for the whole standard input, and can be sent once."));
        return ExitCode::from(exit::USAGE);
    }
    // Before connecting: a file that is missing is no reason to bother the server.
    let messages = match messages(&args) {
        Ok(messages) => messages,
        Err(why) => return fail(format_args!("{why}")),
    };
    match Session::open(&args.target, Some(args.timeout)).await {
        Ok(mut session) => {
            let result = exchange(&args, messages, &mut session).await;
            session.end(result).await
        }
        Err(failure) => end(Err(failure)),
    }
}

fn messages(args: &SendArgs) -> Result<Vec<Message>, String> {
    let mut messages = Vec::new();
    for message in &args.messages {
        messages.push(match message.as_str() {
            "-" => {
                let mut text = String::new();
                let read = std::io::stdin().read_to_string(&mut text);
                read.map_err(|error| format!("Cannot read the input as text: {error}."))?;
                text.into()
            }
            text => text.into(),
        });
    }
    for file in &args.files {
        messages.push(crate::files::read(file)?.into());
    }
    Ok(messages)
}

async fn exchange(args: &SendArgs, messages: Vec<Message>, session: &mut Session) -> Result<(), Failure> {
    for message in messages {
        let sending = session.ws.send(message);
        if session.wait(|| "sending".to_owned(), sending).await?.is_err() {
            return Err(Failure::Ended(session.ws.closed().await));
        }
    }
    let mut came = 0;
    let has_come = |came: usize, last: Option<&Message>| match (&args.until, args.expect) {
        (Some(until), _) => last.and_then(Message::as_text).is_some_and(|text| until.is_match(text)),
        (None, Some(count)) => came >= count,
        (None, None) => false,
    };
    if args.expect == Some(0) {
        return Ok(());
    }
    if args.until.is_none() && args.expect.is_none() {
        return drain(session).await;
    }
    let what = |came| match (&args.until, args.expect) {
        (Some(until), _) => format!("no message with {until} ({came} others came)"),
        (None, expected) => format!("{came} of {} messages came", expected.unwrap_or(0)),
    };
    loop {
        let Some(message) = session.next(|| what(came)).await? else {
            return Err(Failure::Ended(session.ws.closed().await));
        };
        print(&message)?;
        came += 1;
        if has_come(came, Some(&message)) {
            return Ok(());
        }
    }
}

/// Closes, and shows what comes before the server's answer.
async fn drain(session: &mut Session) -> Result<(), Failure> {
    // The closing handshake begins with the call.
    drop(session.ws.close(ws_tokio::CloseCode::NORMAL, ""));
    while let Some(message) = session.next(|| "the server does not answer the Close".to_owned()).await? {
        print(&message)?;
    }
    let outcome = session.ws.closed().await;
    if outcome.is_normal() || outcome.cause == ws_tokio::Cause::Unanswered {
        Ok(())
    } else {
        Err(Failure::Ended(outcome))
    }
}
