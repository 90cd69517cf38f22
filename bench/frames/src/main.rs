//! Instructions for each 16-byte masked frame, as callgrind counts them: `cargo run --release -p frames`.
//!
//! It runs itself under valgrind twice, with few frames and with many; the difference is the frames' alone. To see
//! which functions take them: `valgrind --tool=callgrind target/release/frames 1000` and `callgrind_annotate`.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use frames::{BATCH, Input};

fn main() -> Result<()> {
    if let Some(batches) = std::env::args().nth(1) {
        return receive(batches.parse().context("how many batches?")?);
    }
    let (few, many) = (1_000, 11_000);
    let instructions = instructions(many)? - instructions(few)?;
    println!("{:.1} instructions for each 16-byte masked frame", instructions as f64 / ((many - few) * BATCH) as f64);
    Ok(())
}

fn receive(batches: usize) -> Result<()> {
    let mut input = Input::new(16);
    let events: usize = (0..batches).map(|_| input.receive()).sum();
    ensure!(events == batches * BATCH, "{events} events");
    Ok(())
}

fn instructions(batches: usize) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(std::env::current_exe()?).arg(batches.to_string());
    let output = valgrind.output().context("valgrind is not installed")?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected :")).context(text.to_string())?;
    Ok(count.1.trim().parse()?)
}
