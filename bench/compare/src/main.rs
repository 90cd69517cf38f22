//! Runs every program under the same load, interleaved, and prints one table.
//!
//! The program measured is alone on one core and this process, the load generator, on another. Each sample is a
//! program started afresh; a round takes one sample of every program, so that what changes on the machine meanwhile
//! changes it for all of them, and ratios are taken within a round.

mod against;
mod case;
mod curves;
mod peer;
mod plot;
mod sample;
mod table;

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::against::Earlier;
use crate::case::{Case, GROUPS, Kind};
use crate::peer::Peer;
use crate::sample::Method;
use crate::table::{Outcome, Table};

/// Side-by-side benchmarks of WebSocket libraries: throughput, CPU time and memory, against raw TCP.
#[derive(Parser)]
struct Args {
    /// Groups of cases: table, client, deflate, flat.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Only cases whose name contains TEXT, of the groups named or of all.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// A case that may not be listed, such as "2KiB-utf8 64x4" (echo: size, connections x in flight) or "idle 500".
    #[arg(long, value_name = "CASE")]
    case: Vec<Case>,
    /// Only programs whose name contains TEXT. Raw TCP always runs where it can: it is the unit.
    #[arg(long, value_name = "TEXT")]
    server: Vec<String>,
    /// A program that is installed: prints its port, echoes, ends with its standard input.
    #[arg(long, value_name = "NAME=COMMAND")]
    also: Vec<String>,
    /// This project's programs as they were at a revision, too, and each one's ratio to the earlier one.
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    /// Samples of each program in each case. By default as many as fit into --minutes, from 3 to 9.
    #[arg(long)]
    rounds: Option<usize>,
    /// What the number of rounds is chosen for.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How long a sample measures.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// How long the program is loaded before that.
    #[arg(long, default_value_t = 0.2)]
    warm_up: f64,
    /// The cores of the program that is measured, such as 0,1.
    #[arg(long, value_name = "CORE", value_delimiter = ',', default_values_t = [0])]
    program_core: Vec<usize>,
    /// The load generator's core.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Write the tables here, too, with date, machine and command.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Draw the ratios of CPU time here.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw CPU time over what grows here, of the cases of group flat.
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,
    /// Measure nothing: draw a table that was written by --markdown.
    #[arg(long, value_name = "FILE")]
    redraw: Option<PathBuf>,
    /// Run what was built before.
    #[arg(long)]
    no_build: bool,
    /// List groups, cases and programs, and run nothing.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.list {
        let everyone = peer::everyone(&args.also, None)?;
        for (group, about, cases) in GROUPS {
            println!("{group}: {about}");
            cases.iter().for_each(|case| println!("    {case}"));
        }
        println!("programs:");
        everyone.iter().for_each(|peer| println!("    {}", peer.name));
        peer::missing().iter().for_each(|name| println!("    {name}: not installed, see peers/install"));
        return Ok(());
    }
    if let Some(table) = &args.redraw {
        let table = fs::read_to_string(table).with_context(|| table.display().to_string())?;
        let file = args.svg.as_ref().context("--redraw needs --svg, too")?;
        let drawn = plot::svg(&table, table.lines().next().unwrap_or_default());
        return fs::write(file, drawn).with_context(|| file.display().to_string());
    }
    ensure!(!cfg!(debug_assertions), "figures of a debug build mean nothing: run with --release");
    let everyone = peer::everyone(&args.also, None)?;
    let mut cases = args.cases()?;
    cases.retain(|case| args.peers(&everyone).iter().any(|peer| peer.takes_part_in(case)));
    ensure!(!cases.is_empty(), "none of these programs does any of that; see --list");
    raise_file_limit(&cases)?;
    if !args.no_build {
        eprintln!("building what is compared, which takes minutes the first time");
        peer::build()?;
    }
    let earlier = args.against.as_ref().map(|revision| {
        eprintln!("building {revision}, which takes minutes the first time");
        Earlier::new(revision, peer::OUR_PACKAGES, &peer::target_dir()?, !args.no_build)
    });
    let everyone = peer::everyone(&args.also, earlier.transpose()?.as_ref())?;
    let peers = args.peers(&everyone);

    let plan = Plan::new(&args, &cases, &peers);
    let caption = caption(&args, &plan);
    println!("{caption}\n");
    if !peer::missing().is_empty() {
        eprintln!("not installed, and left out: {} (peers/install)", peer::missing().join(", "));
    }
    let mut progress = Progress::new(plan.samples());
    let (mut table, mut outcomes) = (Table::new(args.against.as_deref()), Vec::new());
    for case in &cases {
        let outcome = plan.run(case, &peers, &mut progress)?;
        progress.clear();
        table.add(&outcome);
        outcomes.push(outcome);
    }
    table.finish();
    if let Some(file) = &args.markdown {
        fs::write(file, format!("{caption}\n\n{}", table.text())).with_context(|| file.display().to_string())?;
    }
    if let Some(file) = &args.svg {
        fs::write(file, plot::svg(table.text(), &caption)).with_context(|| file.display().to_string())?;
    }
    if let Some(file) = &args.curves {
        fs::write(file, curves::svg(&outcomes, &caption)).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

impl Args {
    fn cases(&self) -> Result<Vec<Case>> {
        let mut groups = self.groups.clone();
        if groups.is_empty() {
            let all = GROUPS.iter().map(|(name, ..)| name.to_string());
            match (self.filter.is_empty(), self.case.is_empty()) {
                (false, _) => groups.extend(all),
                (true, true) => groups.extend(all.take(1)),
                (true, false) => {}
            }
        }
        let mut cases = Vec::new();
        for group in &groups {
            cases.extend(Case::group(group)?);
        }
        let wanted =
            |case: &Case| self.filter.is_empty() || self.filter.iter().any(|text| case.to_string().contains(text));
        cases.retain(wanted);
        cases.extend(&self.case);
        ensure!(!cases.is_empty(), "no case contains {:?}; see --list", self.filter);
        Ok(cases)
    }

    fn peers<'p>(&self, everyone: &'p [Peer]) -> Vec<&'p Peer> {
        // Whether cost stays flat is asked of ours.
        let ours = ["ws-tokio".to_owned(), "core".to_owned()];
        let wanted = if self.server.is_empty() && self.groups == ["flat"] { &ours[..] } else { &self.server };
        let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|text| name.contains(text));
        let (raw, others) = everyone.split_at(1);
        raw.iter().chain(others.iter().filter(|peer| peer.is_command() || chosen(&peer.name))).collect()
    }
}

/// How much is measured, and how.
struct Plan {
    method: Method,
    rounds: usize,
    /// Samples of one round of every case, and of those that take only one round.
    per_round: usize,
    once: usize,
}

impl Plan {
    fn new(args: &Args, cases: &[Case], peers: &[&Peer]) -> Self {
        let samples = |once: bool| {
            let cases = cases.iter().filter(move |case| (case.kind == Kind::Idle) == once);
            cases.map(|case| peers.iter().filter(|peer| peer.takes_part_in(case)).count()).sum::<usize>()
        };
        let (per_round, once) = (samples(false), samples(true));
        // Starting, connecting and checking take a while, thousands of connections a longer one.
        let round = per_round as f64 * (args.seconds + args.warm_up + 0.15);
        let fitting = (args.minutes * 60.0 - once as f64 * 3.0) / round.max(1e-9);
        Self {
            method: Method {
                seconds: Duration::from_secs_f64(args.seconds),
                warm_up: Duration::from_secs_f64(args.warm_up),
                program_cores: args.program_core.clone(),
                load_core: args.load_core,
            },
            rounds: args.rounds.unwrap_or((fitting as usize).clamp(3, 9)).max(1),
            per_round,
            once,
        }
    }

    fn samples(&self) -> usize {
        self.per_round * self.rounds + self.once
    }

    fn run(&self, case: &Case, peers: &[&Peer], progress: &mut Progress) -> Result<Outcome> {
        let peers: Vec<_> = peers.iter().filter(|peer| peer.takes_part_in(case)).collect();
        let mut programs: Vec<_> = peers.iter().map(|peer| (peer.name.clone(), Vec::new())).collect();
        // Memory does not scatter.
        let rounds = if case.kind == Kind::Idle { 1 } else { self.rounds };
        for round in 1..=rounds {
            for (peer, (name, samples)) in peers.iter().zip(&mut programs) {
                progress.step(&format!("{case}, round {round} of {rounds}, {name}"));
                let sample = sample::undisturbed(peer, case, &self.method);
                samples.push(sample.with_context(|| format!("{case}, round {round}, {name}"))?);
            }
        }
        Ok(Outcome { case: *case, programs })
    }
}

/// A line that says where the run is; nothing where nobody watches.
struct Progress {
    samples: usize,
    done: usize,
    start: Instant,
}

impl Progress {
    fn new(samples: usize) -> Self {
        Self { samples, done: 0, start: Instant::now() }
    }

    fn step(&mut self, what: &str) {
        if std::io::stderr().is_terminal() {
            let left = self.start.elapsed().as_secs_f64() / self.done.max(1) as f64 * (self.samples - self.done) as f64;
            let left = if self.done == 0 { String::new() } else { format!(", {:.0} min left", (left / 60.0).ceil()) };
            eprint!("\r\x1b[K{}/{}{left}: {what}", self.done + 1, self.samples);
            let _ = std::io::stderr().flush();
        }
        self.done += 1;
    }

    fn clear(&self) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

/// What the figures depend on besides the programs: when, where, how.
fn caption(args: &Args, plan: &Plan) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = read("/proc/sys/kernel/osrelease");
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control");
    let date = Command::new("date").args(["-u", "+%F"]).output().map(|output| output.stdout).unwrap_or_default();
    format!(
        "{}, {model}, Linux {}, TCP {}; {} rounds of {} s: compare {}",
        String::from_utf8_lossy(&date).trim(),
        kernel.trim(),
        congestion.trim(),
        plan.rounds,
        args.seconds,
        command(std::env::args().skip(1)).join(" ")
    )
}

/// What was asked for, without where the answer goes.
fn command(mut args: impl Iterator<Item = String>) -> Vec<String> {
    let mut command = Vec::new();
    while let Some(arg) = args.next() {
        match arg.split('=').next() {
            Some("--markdown" | "--svg" | "--curves") if arg.contains('=') => {}
            Some("--markdown" | "--svg" | "--curves") => drop(args.next()),
            _ if arg.contains(' ') => command.push(format!("\"{arg}\"")),
            _ => command.push(arg),
        }
    }
    command
}

/// For cases of many connections; the programs inherit it.
fn raise_file_limit(cases: &[Case]) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let needed = cases.iter().map(Case::sockets).max().unwrap_or(0) as u64 + 100;
    ensure!(
        hard >= needed,
        "{needed} open files are needed and {hard} allowed: `ulimit -Hn {needed}` as root, or --filter"
    );
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_kept_without_paths() {
        let args = ["flat", "--svg", "/a/b.svg", "--case", "16B 1x1", "--markdown=/c.md", "--rounds", "3"];
        let kept = command(args.map(str::to_owned).into_iter());
        assert_eq!(kept.join(" "), "flat --case \"16B 1x1\" --rounds 3");
    }
}
