//! `ws bench`: loads a server with echoes, and tells how fast it is.

mod chart;
mod connection;
mod messages;
mod progress;
mod report;
mod tally;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tracing_subscriber::filter::LevelFilter;

use self::messages::{Messages, Sizes};
use self::progress::Progress;
use self::report::Report;
use self::worker::{Load, Workers};
use crate::dial::Target;
use crate::output::{fail, warn};
use crate::seconds::{self, Limit};
use crate::signals::Stop;
use crate::{exit, logging};

/// The most connections that a benchmark opens: more than one machine has ports for.
const MOST_CONNECTIONS: u64 = 1_000_000;

/// Load a server that sends messages back, and measure throughput and latency.
#[derive(Debug, Args)]
#[command(after_help = "\
The server must send back every message as it is, such as `ws serve` does at /echo. Another answer is
counted as an error. With --no-echo the server only has to answer pings: a ping follows each batch of
messages, and its pong ends the batch.

Without --rate each connection keeps --in-flight messages on their way: a slow answer delays the next
message, so what would have waited behind it is not counted (coordinated omission). With --rate,
messages are due at fixed times, and latency counts from the time at which a message was due, whether
or not it could be sent then. Use --rate to compare latencies.

Exit status:
  0    all connections opened, and all answers were right
  1    no connection opened, or a file cannot be read or written
  2    bad usage
  3    some connections failed or ended early, answers were wrong or missing, or the rate was not reached:
       more than one of a hundred messages that were due could not be sent
  130  interrupted; the result until then is printed

Examples:
  ws bench ws://127.0.0.1:8765/echo
  ws bench ws://127.0.0.1:8765/echo --connections 1000 --rate 5000 --duration 30 --svg latency.svg
  ws bench wss://example.com/echo --size 16-4096 --in-flight 8 --json")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    target: Target,

    /// The number of connections
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=MOST_CONNECTIONS))]
    connections: u64,

    /// The messages on their way on each connection
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: u32,

    /// Messages a second, over all connections together, in place of --in-flight
    #[arg(short, long, value_name = "PER_SECOND", conflicts_with = "in_flight")]
    rate: Option<Rate>,

    /// The size of a message in bytes, or a range such as 16-1024
    #[arg(short, long, value_name = "BYTES|MIN-MAX", default_value = "16")]
    size: Sizes,

    /// Send binary messages, not text
    #[arg(short, long)]
    binary: bool,

    /// Send the content of this file as the message; - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["size", "lines"])]
    file: Option<PathBuf>,

    /// Send the lines of this file in turn, as text; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "binary"])]
    lines: Option<PathBuf>,

    /// The server sends nothing back: measure how fast it takes messages
    #[arg(long)]
    no_echo: bool,

    /// The time to measure, from when the connections are open or the ramp is over
    #[arg(short, long, value_name = "SECONDS", default_value = "10")]
    duration: Limit,

    /// The number of messages after which it ends, over all connections together
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,

    /// Open the connections spread over this time; each sends as soon as it is open
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds::parse)]
    ramp: Duration,

    /// The threads to use. Default: one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// Draw the latency over its percentiles into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

/// Messages a second, of which one may take 1,000 seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(f64);

impl std::str::FromStr for Rate {
    type Err = &'static str;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        let rate: f64 = argument.parse().map_err(|_| "expected messages a second")?;
        match (0.001..=1e9).contains(&rate) {
            true => Ok(Self(rate)),
            false => Err("expected messages a second, from 0.001 to 1000000000"),
        }
    }
}

pub(crate) async fn run(args: BenchArgs) -> ExitCode {
    logging::init(LevelFilter::OFF);
    let (client, messages) = match args.target.client().and_then(|client| Ok((client, Messages::new(&args)?))) {
        Ok(prepared) => prepared,
        Err(why) => return fail(format_args!("{why}")),
    };
    let cores = || std::thread::available_parallelism().map_or(1, |cores| u64::try_from(cores.get()).unwrap_or(1));
    let threads = args.threads.map_or_else(cores, u64::from).min(args.connections);
    allow_open_files(args.connections);
    let stop = match Stop::listen(true) {
        Ok(stop) => stop,
        Err(error) => return fail(format_args!("{error}.")),
    };
    let load = Load {
        client,
        messages,
        connections: args.connections,
        in_flight: args.in_flight,
        interval: args.rate.map(|Rate(rate)| Duration::from_secs_f64(args.connections as f64 / rate)),
        most: args.messages,
        duration: args.duration.time(),
        ramp: args.ramp,
        echo: !args.no_echo,
    };
    let workers = match Workers::start(load, threads) {
        Ok(workers) => workers,
        Err(error) => return fail(format_args!("Cannot start a thread: {error}.")),
    };
    let mut progress = Progress::new(!args.quiet && !args.json, args.connections);
    let mut interrupted = false;
    loop {
        tokio::select! {
            () = workers.ended() => break,
            () = stop.requested(), if !interrupted => {
                interrupted = true;
                workers.stop();
            }
            () = tokio::time::sleep(progress::PERIOD), if progress.is_shown() => progress.show(&workers.tally()),
        }
    }
    progress.clear();
    let report = Report::new(&args, workers.tally());
    if args.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    if let Some(file) = &args.svg
        && let Err(error) = std::fs::write(file, report.chart())
    {
        return fail(format_args!("Cannot write {}: {error}.", file.display()));
    }
    ExitCode::from(match interrupted {
        true => exit::INTERRUPTED,
        false => report.exit_code(),
    })
}

/// Raises the limit of open files as far as this process may, and says so if it is still too low.
fn allow_open_files(connections: u64) {
    /// What is open beside the connections.
    const SPARE: u64 = 50;
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        if let Some(most) = getrlimit(Resource::Nofile).current
            && most < connections + SPARE
        {
            warn(format_args!(
                "Warning: {most} files may be open here, too few for {connections} connections. `ulimit -n {}` raises that.",
                connections + SPARE
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = (connections, SPARE);
}
