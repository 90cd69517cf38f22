//! How long it takes to compress and to inflate short messages, and how large they become: a table in Markdown.
//!
//! A round takes one sample of every crate, one after the other; ratios are to `ws-deflate` with the same window in the
//! same round. Time is the thread's CPU time, so that other processes weigh less on it.

use std::hint::black_box;

use clap::Parser;
use deflate::codecs::{self, Codec, TAIL};
use deflate::messages::Kind;
use nix::time::{ClockId, clock_gettime};

#[derive(Parser)]
struct Arguments {
    /// How many samples of everything are taken.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Sizes of messages, in bytes.
    #[arg(long, default_values_t = [64, 250, 1024, 16 << 10])]
    size: Vec<usize>,
}

/// Nanoseconds for each message, by round.
struct Samples {
    compress: Vec<f64>,
    inflate: Vec<f64>,
    /// Of all messages together.
    compressed: usize,
}

fn main() {
    let arguments = Arguments::parse();
    println!("| messages | history | window | crate | compress | to ours | bytes each | inflate | to ours |");
    println!("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for &size in &arguments.size {
        for kind in [Kind::Json, Kind::Text] {
            let messages = kind.messages(size);
            for history in [false, true] {
                for group in codecs::all() {
                    let samples = measure(&group, &messages, history, arguments.rounds.max(1));
                    for (codec, this) in group.iter().zip(&samples) {
                        let row = [
                            format!("{size} B {}", kind.name()),
                            if history { "yes" } else { "no" }.to_owned(),
                            codec.window_bits().to_string(),
                            codec.name().to_owned(),
                            microseconds(&this.compress),
                            ratio(&this.compress, &samples[0].compress),
                            (this.compressed / messages.len()).to_string(),
                            microseconds(&this.inflate),
                            ratio(&this.inflate, &samples[0].inflate),
                        ];
                        println!("| {} |", row.join(" | "));
                    }
                }
            }
        }
    }
}

fn measure(group: &[Box<dyn Codec>], messages: &[Vec<u8>], history: bool, rounds: usize) -> Vec<Samples> {
    let mut out = Vec::with_capacity(64 << 10);
    // What all of them inflate: another's work, the last but ours.
    let data = compressed(&*group[1], messages, history, &mut out);
    let mut samples: Vec<_> = group
        .iter()
        .map(|codec| {
            check(&**codec, &data, messages, history, &mut out);
            let own = compressed(&**codec, messages, history, &mut out);
            for other in group {
                check(&**other, &own, messages, history, &mut out);
            }
            let compressed = own.iter().map(Vec::len).sum();
            Samples { compress: Vec::new(), inflate: Vec::new(), compressed }
        })
        .collect();
    for _ in 0..rounds {
        for (codec, samples) in group.iter().zip(&mut samples) {
            let mut compressor = codec.compressor(history);
            samples.compress.push(each(messages.iter(), |message| {
                black_box(compressor.message(black_box(message), &mut out));
            }));
            let mut inflater = codec.inflater(history);
            samples.inflate.push(each(data.iter(), |message| {
                black_box(inflater.message(black_box(message), &mut out));
            }));
        }
    }
    samples
}

/// The messages as a crate compresses them, without their tails.
fn compressed(codec: &dyn Codec, messages: &[Vec<u8>], history: bool, out: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut compressor = codec.compressor(history);
    let compress = |message: &Vec<u8>| {
        let len = compressor.message(message, out);
        let data = out[..len].strip_suffix(&TAIL).expect("it ends with an empty stored block");
        data.to_vec()
    };
    messages.iter().map(compress).collect()
}

/// The crate inflates these data to the messages.
fn check(codec: &dyn Codec, data: &[Vec<u8>], messages: &[Vec<u8>], history: bool, out: &mut Vec<u8>) {
    let mut inflater = codec.inflater(history);
    for (data, message) in data.iter().zip(messages) {
        let len = inflater.message(data, out);
        assert!(out[..len] == **message, "{} inflates something else", codec.name());
    }
}

/// Nanoseconds of this thread's CPU time for each.
fn each<'a>(messages: impl ExactSizeIterator<Item = &'a Vec<u8>>, work: impl FnMut(&'a Vec<u8>)) -> f64 {
    let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has it");
    let count = messages.len();
    let start = now();
    messages.for_each(work);
    let spent = now() - start;
    (spent.tv_sec() as f64 * 1e9 + spent.tv_nsec() as f64) / count as f64
}

fn microseconds(samples: &[f64]) -> String {
    format!("{:.2} µs", median(samples.to_vec()) / 1000.0)
}

/// The median of the rounds' ratios, and the least and the most of them.
fn ratio(samples: &[f64], ours: &[f64]) -> String {
    let ratios: Vec<_> = samples.iter().zip(ours).map(|(sample, ours)| sample / ours).collect();
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0_f64), |(least, most), &r| (least.min(r), most.max(r)));
    match least == most {
        true => format!("{least:.2}"),
        false => format!("{:.2} ({least:.2}–{most:.2})", median(ratios)),
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
