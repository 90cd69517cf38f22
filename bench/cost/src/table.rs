//! The table, and what holds for it.

use anyhow::{Result, ensure};

use crate::callgrind::Counter;
use crate::cases::{self, Case};
use crate::subjects::Subject;

/// So many instructions count as a nanosecond: fewer than processors of these years do on such code.
const PER_NANOSECOND: u64 = 6;

/// Inflating costs no more than so many times what zlib takes for the same bytes.
const TIMES_ZLIB: u64 = 4;

/// All else costs no more than so many nanoseconds a byte.
const NANOSECONDS: u64 = 100;

/// A byte that comes in a read of its own may cost more: the system call costs as much again.
const NANOSECONDS_A_READ: u64 = 200;

pub(crate) fn check() -> Result<()> {
    let mut counter = Counter::start()?;
    let mut over = vec![];
    println!("| subject | input | bytes | instructions a byte | zlib's | zlib-rs's | times zlib | of the bound |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for Case { name, subject, input, deflate } in cases::all() {
        let count = counter.count(subject, &input)?;
        let [zlib, zlib_rs] = match subject {
            Subject::Compressor => [counter.count(Subject::ZlibCompressor, &input)?, 0],
            _ if deflate.is_empty() => [0, 0],
            _ => [counter.count(Subject::Zlib, &deflate)?, counter.count(Subject::ZlibRs, &deflate)?],
        };
        let bytes = input.len() as u64;
        let else_bound = match subject {
            Subject::Inflater | Subject::Compressor => 0,
            _ if subject.is_bytewise() => bytes * NANOSECONDS_A_READ * PER_NANOSECOND,
            _ => bytes * NANOSECONDS * PER_NANOSECOND,
        };
        let share = count as f64 / (TIMES_ZLIB * zlib + else_bound) as f64;
        let by_the_byte = |count: u64, bytes: usize| match count {
            0 => String::new(),
            _ => format!("{:.1}", count as f64 / bytes as f64),
        };
        println!(
            "| {} | {name} | {bytes} | {} | {} | {} | {} | {:.0} % |",
            subject.name(),
            by_the_byte(count, input.len()),
            by_the_byte(zlib, deflate.len().max(if subject == Subject::Compressor { input.len() } else { 0 })),
            by_the_byte(zlib_rs, deflate.len()),
            if zlib == 0 { String::new() } else { format!("{:.2}", count as f64 / zlib as f64) },
            100.0 * share,
        );
        if share > 1.0 {
            over.push(format!("{}: {name}", subject.name()));
        }
    }
    ensure!(over.is_empty(), "over the bound: {over:?}");
    println!("\nno input costs more than {TIMES_ZLIB} times what zlib takes and {NANOSECONDS} ns a byte for all else");
    Ok(())
}
