//! Instructions for each message, in user space, as callgrind counts them: `bench/instructions/run REVISION`.
//!
//! Each program runs under valgrind twice, with few messages and with many. The difference is the messages' alone. A number of
//! messages is exact here, where `load` measures for a time.

mod counting;
mod loads;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Error, Result};
use clap::Parser;
use load::Row;

use crate::counting::instructions;
use crate::loads::Direction;

/// Counts the instructions of programs for each message.
#[derive(Parser)]
struct Args {
    /// Programs that take the arguments of `echo-ws-tokio`. The first is the base of the ratios.
    #[arg(required = true, value_name = "NAME=PROGRAM")]
    programs: Vec<Program>,
    /// Only cases whose name contains TEXT.
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// The form in which the programs run: loop, forward or tuned.
    #[arg(long, value_name = "FORM", default_value = "loop")]
    form: String,
    /// The number of times that each count is taken. The table has the median.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Keeps callgrind's last output for each program and case in this folder.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

#[derive(Clone)]
struct Program {
    name: String,
    path: PathBuf,
}

impl FromStr for Program {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, path) = text.split_once('=').context("NAME=PROGRAM")?;
        Ok(Self { name: name.to_owned(), path: path.into() })
    }
}

/// A load, and the number of its rounds in the shorter run.
struct Case {
    direction: Direction,
    row: &'static str,
    rounds: usize,
}

/// The longer run has this many times as many rounds.
const LONGER: usize = 6;

const fn case(direction: Direction, row: &'static str, rounds: usize) -> Case {
    Case { direction, row, rounds }
}

const CASES: [Case; 11] = [
    case(Direction::Echo, "16B 64x16", 50),
    case(Direction::Echo, "16B 64x1", 200),
    case(Direction::Echo, "16KiB 16x4", 50),
    case(Direction::Echo, "16KiB 16x1", 150),
    case(Direction::Echo, "64KiB 16x4", 20),
    case(Direction::Echo, "64KiB 16x1", 60),
    case(Direction::Echo, "1MiB 4x2", 20),
    case(Direction::Receive, "16B 1x1", 100_000),
    case(Direction::Receive, "16KiB 1x1", 2_000),
    case(Direction::Receive, "64KiB 1x1", 500),
    case(Direction::Receive, "1MiB 1x1", 100),
];

impl Case {
    fn name(&self) -> String {
        match self.direction {
            Direction::Echo => self.row.to_owned(),
            Direction::Receive => format!("receive {}", self.row.trim_end_matches(" 1x1")),
        }
    }

    /// Instructions for each message: the median of some runs, and the largest deviation from it.
    fn count(&self, args: &Args, program: &Program) -> Result<(f64, f64)> {
        let row: Row = self.row.parse()?;
        let kept =
            args.keep.as_ref().map(|folder| folder.join(format!("{} {}", program.name, self.name()).replace(' ', "-")));
        let mut counts = Vec::with_capacity(args.runs);
        for _ in 0..args.runs.max(1) {
            let few = instructions(&program.path, &args.form, self.direction, &row, self.rounds, None)?;
            let rounds = LONGER * self.rounds;
            let many = instructions(&program.path, &args.form, self.direction, &row, rounds, kept.as_deref())?;
            let messages = (LONGER - 1) * self.rounds * row.connections * row.in_flight;
            counts.push((many - few) / messages as f64);
        }
        counts.sort_by(f64::total_cmp);
        let median = counts[counts.len() / 2];
        let deviation = counts.iter().map(|count| (count / median - 1.0).abs()).fold(0.0, f64::max);
        Ok((median, deviation))
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(folder) = &args.keep {
        std::fs::create_dir_all(folder)?;
    }
    println!("| case | program | instructions for each message | change |\n|:--|:--|--:|--:|");
    for case in CASES {
        let name = case.name();
        if !args.filter.is_empty() && !args.filter.iter().any(|text| name.contains(text)) {
            continue;
        }
        let mut base = None;
        for program in &args.programs {
            let (count, deviation) = case.count(&args, program).with_context(|| format!("{name}, {}", program.name))?;
            let change = 100.0 * (count / *base.get_or_insert(count) - 1.0);
            println!("| {name} | {} | {count:.1} ±{:.2} % | {change:+.2} % |", program.name, 100.0 * deviation);
        }
    }
    Ok(())
}
