//! Prints the public API of a crate, an item on each line.
//!
//! usage: ws-surface RUSTDOC-JSON

use std::env;
use std::error::Error;
use std::io::{BufWriter, Write, stdout};

fn main() -> Result<(), Box<dyn Error>> {
    let json = env::args_os().nth(1).ok_or("usage: ws-surface RUSTDOC-JSON")?;
    // What every type has, such as `Into`, is no news.
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    let mut out = BufWriter::new(stdout().lock());
    for item in api.items() {
        writeln!(out, "{item}")?;
    }
    out.flush()?;
    Ok(())
}
