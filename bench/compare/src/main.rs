//! Runs every echo server under the same load, interleaved, and prints one table.
//!
//! The server is alone on one core and this process, the load generator, on another. Each sample is a server
//! started afresh; a round takes one sample of every server, so that what changes on the machine meanwhile
//! changes it for all of them, and ratios are taken within a round.

mod server;
mod table;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use load::{Load, Row};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::server::{PEERS, Peer, Waiting};
use crate::table::{Sample, Table};

/// What is run when nothing is asked for.
const DEFAULT_ROWS: &[&str] = &["16B 64x16", "64KiB 16x4"];

/// Everything `--filter` chooses from.
const ROWS: &[&str] = &[
    "16B 1x1",
    "16B 64x1",
    "16B 1000x1",
    "16B 64x16",
    "125B 64x16",
    "1KiB 64x1",
    "16KiB 64x1",
    "64KiB 16x4",
    "1MiB 4x2",
    "16KiB-ascii 64x1",
    "16KiB-utf8 64x1",
];

/// Side-by-side echo benchmarks: messages per second and the server's CPU time per message, against raw TCP.
#[derive(Parser)]
struct Args {
    /// Run the listed rows whose name contains TEXT; "" for all of them.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run this row, listed or not: SIZE[-ascii|-utf8] CONNECTIONSxIN_FLIGHT, as in "2KiB 64x4".
    #[arg(long, value_name = "ROW")]
    row: Vec<Row>,
    /// Run only servers whose name contains TEXT. Raw TCP always runs: it is the unit.
    #[arg(long, value_name = "TEXT")]
    server: Vec<String>,
    /// Samples of each server in each row.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a sample measures.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// How long the server is loaded before that.
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
    /// The server's core.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The load generator's core.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// List rows and servers, and run nothing.
    #[arg(long)]
    list: bool,
}

impl Args {
    fn rows(&self) -> Result<Vec<Row>> {
        if self.row.is_empty() && self.filter.is_empty() {
            return DEFAULT_ROWS.iter().map(|row| row.parse()).collect();
        }
        let mut rows = self.row.clone();
        for row in ROWS.iter().filter(|row| self.filter.iter().any(|text| row.contains(text))) {
            rows.push(row.parse()?);
        }
        ensure!(!rows.is_empty(), "no row contains {:?}; see --list", self.filter);
        Ok(rows)
    }

    fn peers(&self) -> Vec<&'static Peer> {
        let chosen = |name: &str| self.server.is_empty() || self.server.iter().any(|text| name.contains(text));
        let (raw, others) = PEERS.split_at(1);
        raw.iter().chain(others.iter().filter(|peer| chosen(peer.name))).collect()
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.list {
        ROWS.iter().for_each(|row| println!("row     {row}"));
        PEERS.iter().for_each(|peer| println!("server  {}", peer.name));
        return Ok(());
    }
    let (rows, peers) = (args.rows()?, args.peers());
    ensure!(args.rounds > 0, "no rounds, no table");
    ensure!(!cfg!(debug_assertions), "figures of a debug build mean nothing: run with --release");
    server::build(&peers)?;
    raise_file_limit()?;

    let samples = rows.len() * peers.len() * args.rounds;
    eprintln!("{samples} samples, about {:.0} s", samples as f64 * (args.seconds + args.warm_up + 0.1));
    println!("{}\n", machine());
    let table = Table::new(&peers);
    for row in rows {
        let mut samples = vec![Vec::new(); peers.len()];
        for round in 1..=args.rounds {
            for (peer, samples) in peers.iter().zip(&mut samples) {
                let sample = undisturbed_sample(peer, &row, &args);
                samples.push(sample.with_context(|| format!("{row}, round {round}, {}", peer.name))?);
            }
        }
        table.print(&row, &samples);
    }
    Ok(())
}

/// Takes a sample again, once, if other processes took a noticeable share of the two cores meanwhile.
fn undisturbed_sample(peer: &Peer, row: &Row, args: &Args) -> Result<Sample> {
    let first = sample(peer, row, args)?;
    if first.lost < 0.02 {
        return Ok(first);
    }
    let second = sample(peer, row, args)?;
    Ok(if second.lost < first.lost { second } else { first })
}

fn sample(peer: &Peer, row: &Row, args: &Args) -> Result<Sample> {
    let server = server::on_core(args.server_core, || peer.start(row))?;
    server::on_core(args.load_core, || {
        let mut load = Load::start(server.address, row, peer.wire)?;
        load.run(Duration::try_from_secs_f64(args.warm_up)?)?;
        let waiting = (Waiting::of_server(&server)?, Waiting::of_this_thread()?);
        let before = server.cpu_time()?;
        let echoed = load.run(Duration::try_from_secs_f64(args.seconds)?)?;
        let cpu = (server.cpu_time()? - before).as_secs_f64();
        let lost =
            Waiting::of_server(&server)?.lost_since(&waiting.0) + Waiting::of_this_thread()?.lost_since(&waiting.1);
        load.finish()?;
        let elapsed = echoed.elapsed.as_secs_f64();
        Ok(Sample {
            per_second: echoed.messages / elapsed,
            cpu: cpu / echoed.messages,
            busy: cpu / elapsed,
            lost: lost.as_secs_f64() / elapsed,
        })
    })
}

/// What the figures depend on besides the programs.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = read("/proc/sys/kernel/osrelease");
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control");
    format!("{model}, Linux {}, TCP {}", kernel.trim(), congestion.trim())
}

/// For rows of more than a thousand connections; the servers inherit it.
fn raise_file_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
