//! Compressing the messages of an echo, which the peer chooses, each on its own.

use std::hint::black_box;

use flate2::{Compress, Compression, FlushCompress};
use ws_deflate::{Compressor, Settings};

use super::Job;

/// A server's defaults.
const SETTINGS: Settings = Settings::new().window_bits(12).level(4).memory_level(5);

pub(super) fn ours(input: &[u8]) -> Job {
    let input = input.to_vec();
    Box::new(move || {
        let input = black_box(&input[..]);
        let mut out = Vec::with_capacity(input.len() / 2 + 64);
        Compressor::for_message(input.len(), SETTINGS).compress(input, &mut out);
        black_box(out);
    })
}

/// With the level, the window and the memory that zlib has when nobody says otherwise; it is set up once.
pub(super) fn zlib(input: &[u8]) -> Job {
    let input = input.to_vec();
    let mut compressor = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(2 * input.len() + 1024);
    Box::new(move || {
        out.clear();
        compressor.reset();
        let _ = compressor.compress_vec(black_box(&input), &mut out, FlushCompress::Sync);
        black_box(&out);
    })
}
