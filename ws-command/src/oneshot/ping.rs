//! `ws ping`: tells how long a server takes to answer a ping.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{Failure, Limit, Session, end, exit_codes};
use crate::dial::Target;

/// Send pings (RFC 6455 §5.5.2), and show how long the answers take.
#[derive(Debug, Args)]
#[command(after_help = concat!("\
It connects, which takes the server's whole handshake, and so tells more than an open port.

", exit_codes!("each ping has its answer"), "
Examples:
  ws ping wss://example.com/
  ws ping ws://127.0.0.1:8765/chat -c 1 --timeout 2     for a health check"))]
pub(crate) struct PingArgs {
    #[command(flatten)]
    target: Target,

    /// How many pings to send
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,

    /// The time between pings
    #[arg(short, long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true)]
    interval: Limit,

    /// The time limit for connecting, and for each answer
    #[arg(long, value_name = "SECONDS", default_value = "5", allow_negative_numbers = true)]
    timeout: Limit,
}

pub(crate) async fn run(args: PingArgs) -> ExitCode {
    match Session::open(&args.target, Some(args.timeout)).await {
        Ok(mut session) => {
            let result = ping(&args, &mut session).await;
            session.end(result).await
        }
        Err(failure) => end(Err(failure)),
    }
}

async fn ping(args: &PingArgs, session: &mut Session) -> Result<(), Failure> {
    let mut times = Vec::new();
    let mut result = Ok(());
    for number in 1..=args.count {
        session.until = Some(tokio::time::Instant::now() + args.timeout.time());
        match one(session, number).await {
            Ok(time) => times.push(time),
            // As many were sent as the user wanted.
            Err(Failure::Interrupted) if !times.is_empty() => break,
            Err(failure) => {
                result = Err(failure);
                break;
            }
        }
        say(format_args!("pong {number} from {}: {}", args.target.shown(), shown(times[times.len() - 1])))?;
        if number < args.count {
            session.until = None;
            if session.wait(String::new, tokio::time::sleep(args.interval.time())).await.is_err() {
                break;
            }
        }
    }
    if let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) {
        let mean = times.iter().sum::<Duration>() / times.len() as u32;
        say(format_args!(
            "{} answered; least {}, mean {}, most {}",
            times.len(),
            shown(*least),
            shown(mean),
            shown(*most)
        ))?;
    }
    result
}

/// Sends a ping. Messages that come meanwhile are dropped.
async fn one(session: &mut Session, number: u32) -> Result<Duration, Failure> {
    let sender = session.ws.sender();
    let mut pong = std::pin::pin!(sender.ping());
    loop {
        let answered = {
            let Session { ws, stop, until } = &mut *session;
            tokio::select! {
                biased;
                answer = &mut pong => Some(answer),
                message = ws.recv() => match message {
                    Ok(Some(_)) => None,
                    _ => return Err(Failure::Ended(ws.closed().await)),
                },
                () = super::elapsed(*until) => return Err(Failure::TimedOut(format!("no answer to ping {number}"))),
                () = stop.requested() => return Err(Failure::Interrupted),
            }
        };
        match answered {
            Some(Ok(trip)) => return Ok(trip.time),
            Some(Err(_)) => return Err(Failure::Ended(session.ws.closed().await)),
            None => {}
        }
    }
}

/// A time in milliseconds.
fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn say(line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::Output)
}
