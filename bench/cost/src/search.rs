//! Looks for inputs that are dearer than those in the table: hill climbing, steered by instructions counted.
//!
//! An input is a list of genes, each of which gives some bytes. The best few are kept, changed at random, and counted.

mod blocks;
mod frames;
mod lines;

use std::time::{Duration, Instant};

use anyhow::Result;
use ws_test_support::random::Random;

use crate::callgrind::{Counter, hex};
use crate::subjects::Subject;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    /// DEFLATE that costs us more than zlib, by the byte.
    Inflater,
    /// DEFLATE that costs us the most.
    InflaterAlone,
    /// Frames, for a handle and its driver.
    Frames,
    /// The opening handshake's request.
    Request,
}

/// A part of an input, by numbers that the target makes bytes of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gene {
    pub(crate) kind: u8,
    pub(crate) seed: u64,
    pub(crate) a: u16,
    pub(crate) b: u16,
}

/// How many inputs are kept, and how many genes they have.
const KEPT: usize = 6;
const GENES: usize = 8;

/// About how long an input is made by repetition, so that what happens once does not count.
const LEN: usize = 2048;

struct Found {
    genes: Vec<Gene>,
    bytes: Vec<u8>,
    score: f64,
}

pub(crate) fn search(target: Target, seconds: u64, seed: u64) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed);
    let mut counter = Counter::start()?;
    let mut kept: Vec<Found> = vec![];
    let mut tried = 0;
    while Instant::now() < end {
        let genes = match kept.len() {
            0..KEPT => (0..1 + random.below(GENES)).map(|_| Gene::random(&mut random)).collect(),
            // Now and then from the beginning, for hills have tops.
            _ if random.below(20) == 0 => (0..1 + random.below(GENES)).map(|_| Gene::random(&mut random)).collect(),
            n => changed(&kept[random.below(n)].genes, &mut random),
        };
        let bytes = bytes_of(target, &genes);
        if bytes.is_empty() || kept.iter().any(|found| found.bytes == bytes) {
            continue;
        }
        let score = score(target, &bytes, &mut counter)?;
        tried += 1;
        if kept.first().is_none_or(|best| score > best.score) {
            println!("{score:8.2} after {tried}: {genes:?}");
        }
        kept.push(Found { genes, bytes, score });
        kept.sort_by(|a, b| b.score.total_cmp(&a.score));
        kept.truncate(KEPT);
    }
    println!("\n{tried} inputs tried; the dearest:");
    for Found { bytes, score, .. } in &kept {
        println!("{score:8.2} {}", hex(bytes));
    }
    Ok(())
}

fn bytes_of(target: Target, genes: &[Gene]) -> Vec<u8> {
    match target {
        Target::Inflater | Target::InflaterAlone => blocks::bytes_of(genes),
        Target::Frames => frames::bytes_of(genes),
        Target::Request => lines::bytes_of(genes),
    }
}

fn score(target: Target, bytes: &[u8], counter: &mut Counter) -> Result<f64> {
    let many = bytes.repeat(LEN.div_ceil(bytes.len()));
    let mut count = |subject, input: &[u8]| Ok::<_, anyhow::Error>(counter.count(subject, input)? as f64);
    Ok(match target {
        Target::Inflater => count(Subject::Inflater, &many)? / count(Subject::Zlib, &many)?,
        Target::InflaterAlone => count(Subject::Inflater, &many)? / many.len() as f64,
        Target::Frames => count(Subject::Endpoint, &many)? / many.len() as f64,
        Target::Request => count(Subject::Request, bytes)? / bytes.len() as f64,
    })
}

fn changed(genes: &[Gene], random: &mut Random) -> Vec<Gene> {
    let mut genes = genes.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(genes.len());
        match random.below(10) {
            0 if genes.len() < GENES => genes.push(Gene::random(random)),
            1 if genes.len() < GENES => genes.insert(at, genes[at]),
            2 if genes.len() > 1 => drop(genes.remove(at)),
            3 => genes[at] = Gene::random(random),
            4 => genes[at].seed = random.next(),
            5 => genes[at].kind = random.next() as u8,
            6 => genes[at].a = random.next() as u16,
            7 => genes[at].b = random.next() as u16,
            8 => genes[at].a = genes[at].a.wrapping_add(random.below(9) as u16).wrapping_sub(4),
            _ => genes[at].b = genes[at].b.wrapping_add(random.below(9) as u16).wrapping_sub(4),
        }
    }
    genes
}

impl Gene {
    fn random(random: &mut Random) -> Self {
        Self { kind: random.next() as u8, seed: random.next(), a: random.next() as u16, b: random.next() as u16 }
    }
}
