//! The cost of the most expensive inputs that a peer can choose, in instructions counted by callgrind. `cost check` prints the
//! table, and fails if an input is over its bound. `cost search TARGET` looks for more expensive inputs. `cost count SUBJECT
//! HEX` counts one.
//!
//! The number of instructions does not depend on the machine's other work.

mod callgrind;
mod cases;
mod deflate;
mod search;
mod subjects;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};

use self::callgrind::Counter;
use self::search::Target;
use self::subjects::Subject;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Counts all inputs of the table; fails when one is over its bound.
    Check,
    /// Looks for dearer inputs.
    Search {
        target: Target,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Another seed, another way.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Counts the instructions of one input.
    Count {
        /// inflater, zlib, zlib-rs, server, server-bytewise, server-chunks, client, endpoint, request, response …
        subject: Subject,
        /// The input, in hexadecimal digits.
        input: String,
        /// How often it comes, one after the other.
        #[arg(long, default_value_t = 1)]
        times: usize,
    },
    /// The side that is counted; it is run under callgrind.
    #[command(hide = true)]
    Worker,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Check => table::check(),
        Command::Search { target, seconds, seed } => search::search(target, seconds, seed),
        Command::Count { subject, input, times } => {
            let input = callgrind::unhex(&input)?.repeat(times);
            let count = Counter::start()?.count(subject, &input)?;
            println!("{count} instructions, {:.1} a byte", count as f64 / input.len().max(1) as f64);
            Ok(())
        }
        Command::Worker => callgrind::work(),
    }
}
