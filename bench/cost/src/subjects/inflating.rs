//! Raw DEFLATE, a window of 15 bits, and nothing else.

use std::hint::black_box;

use flate2::{Decompress, FlushDecompress};
use ws_deflate::Inflater;
use zlib_rs::{Inflate, InflateFlush};

use super::Job;

/// How much comes out at a time.
const STEP: usize = 8 << 10;

/// How far back may be looked.
const WINDOW: usize = 32 << 10;

pub(super) fn ours(input: &[u8]) -> Job {
    let input = input.to_vec();
    let mut out = Vec::with_capacity(2 * WINDOW);
    Box::new(move || {
        let mut rest = black_box(&input[..]);
        let mut inflater = Inflater::new(15);
        while !rest.is_empty() {
            if out.len() + STEP + 2048 > out.capacity() {
                out.drain(..out.len() - WINDOW);
            }
            if inflater.inflate(&mut rest, &mut out, STEP).is_err() {
                break;
            }
        }
        black_box(&out);
    })
}

pub(super) fn zlib(input: &[u8]) -> Job {
    let input = input.to_vec();
    let mut inflater = Decompress::new(false);
    let mut out = vec![0; STEP];
    Box::new(move || {
        let mut rest = black_box(&input[..]);
        loop {
            let (read, written) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(rest, &mut out, FlushDecompress::Sync);
            black_box(&out);
            let read = (inflater.total_in() - read) as usize;
            rest = &rest[read..];
            if status.is_err() || (read == 0 && inflater.total_out() == written) {
                break;
            }
        }
    })
}

pub(super) fn zlib_rs(input: &[u8]) -> Job {
    let input = input.to_vec();
    let mut inflater = Inflate::new(false, 15);
    let mut out = vec![0; STEP];
    Box::new(move || {
        let mut rest = black_box(&input[..]);
        loop {
            let (read, written) = (inflater.total_in(), inflater.total_out());
            let status = inflater.decompress(rest, &mut out, InflateFlush::SyncFlush);
            black_box(&out);
            let read = (inflater.total_in() - read) as usize;
            rest = &rest[read..];
            if status.is_err() || (read == 0 && inflater.total_out() == written) {
                break;
            }
        }
    })
}
