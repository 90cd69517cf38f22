//! `ws listen`: shows what comes.

use std::process::ExitCode;

use clap::Args;

use super::{Failure, Limit, Session, end, exit_codes, print};
use crate::dial::Target;

/// Show the messages that come, and send none.
#[derive(Debug, Args)]
#[command(after_help = concat!("\
Each message is one line of the output: text with control characters escaped, binary in hexadecimal.
It ends when the server closes, after --count messages, after --timeout, or with Ctrl-C.

", exit_codes!("as many messages as asked for have come; without --count, whatever ended it normally"), "
Examples:
  ws listen ws://127.0.0.1:8765/time -n 3
  ws listen wss://example.com/events --timeout 60 | jq .kind"))]
pub(crate) struct ListenArgs {
    #[command(flatten)]
    target: Target,

    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<usize>,

    /// The time limit for all of it
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<Limit>,
}

pub(crate) async fn run(args: ListenArgs) -> ExitCode {
    match Session::open(&args.target, args.timeout).await {
        Ok(mut session) => {
            let result = match listen(args.count, &mut session).await {
                // It was to listen for so long, or until it was interrupted.
                Err(Failure::TimedOut(_) | Failure::Interrupted) if args.count.is_none() => Ok(()),
                result => result,
            };
            session.end(result).await
        }
        Err(failure) => end(Err(failure)),
    }
}

async fn listen(count: Option<usize>, session: &mut Session) -> Result<(), Failure> {
    let mut came = 0;
    while count.is_none_or(|count| came < count) {
        let what = || format!("{came} of {} messages came", count.unwrap_or(0));
        let Some(message) = session.next(what).await? else {
            let outcome = session.ws.closed().await;
            let is_expected = count.is_none() && outcome.is_normal();
            return if is_expected { Ok(()) } else { Err(Failure::Ended(outcome)) };
        };
        print(&message)?;
        came += 1;
    }
    Ok(())
}
