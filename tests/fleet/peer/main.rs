//! Our side of the fleet (`tests/fleet`): programs on ws-tokio that talk to other people's programs.
//!
//! usage:
//!   `fleet-peer connect EXCHANGE URL [SETTING…]` connects to a server that echoes, and makes the exchange
//!   `fleet-peer accept EXCHANGE [SETTING…]` prints `ready URL`, and makes the exchange with the first client, which echoes
//!   `fleet-peer echo PORT [SETTING…]` is such a server itself, for what stands between; SIGTERM closes with 1001
//!   `fleet-peer talk URL [SETTING…]` sends what it reads and prints what it receives, a line each
//!
//! `connect` and `accept` end with one line: `ok<TAB>what was seen`, or `fail<TAB>why`. `tests/fleet/README.md` lists the
//! exchanges and the settings.

mod echo;
mod exchange;
mod meet;
mod settings;
mod talk;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use self::settings::Settings;

/// No exchange takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let verdict = match &words[..] {
        ["connect", exchange, url, settings @ ..] => {
            timeout(PATIENCE, meet::connect(exchange, url, Settings::parse(settings))).await
        }
        ["accept", exchange, settings @ ..] => {
            timeout(PATIENCE, meet::accept(exchange, Settings::parse(settings))).await
        }
        ["echo", port, settings @ ..] => Ok(echo::serve(port, Settings::parse(settings)).await),
        ["talk", url, settings @ ..] => Ok(talk::talk(url, Settings::parse(settings)).await),
        _ => {
            eprintln!(
                "usage: fleet-peer connect EXCHANGE URL | accept EXCHANGE | echo PORT | talk URL, then NAME=VALUE…"
            );
            return ExitCode::from(2);
        }
    };
    match verdict.unwrap_or_else(|_| Err(format!("no end within {} s", PATIENCE.as_secs()).into())) {
        Ok(seen) => {
            println!("ok\t{seen}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("fail\t{}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, in one line.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why += &format!(": {cause}");
        source = cause.source();
    }
    why.split_whitespace().collect::<Vec<_>>().join(" ")
}
