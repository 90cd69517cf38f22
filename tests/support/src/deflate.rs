//! `ws-deflate` and zlib-rs, to compare one with the other. The data of messages is without [`TAIL`], as on the wire.

use ws_deflate::{Compressor, Settings, TAIL};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

/// Settings for `ws-deflate`.
pub fn settings(window_bits: u8, level: u8, memory_level: u8) -> Settings {
    Settings::new().window_bits(window_bits).level(level).memory_level(memory_level)
}

/// Compresses a message with `ws-deflate`. It may refer to the compressor's messages before it.
pub fn compressed(compressor: &mut Compressor, payload: &[u8]) -> Vec<u8> {
    let mut data = vec![];
    compressor.compress(payload, &mut data);
    without_tail(data)
}

/// Compresses a message with `ws-deflate`, on its own.
pub fn alone(payload: &[u8]) -> Vec<u8> {
    compressed(&mut Compressor::for_message(payload.len(), settings(15, 6, 8)), payload)
}

/// A compressor of zlib-rs.
pub fn other(level: i32, window_bits: u8, mem_level: i32) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level,
        window_bits: -i32::from(window_bits),
        mem_level,
        ..DeflateConfig::default()
    })
}

/// Compresses a message with zlib-rs. It may refer to the compressor's messages before it.
pub fn other_compressed(deflate: &mut Deflate, payload: &[u8]) -> Vec<u8> {
    let mut data = vec![0; payload.len() + payload.len() / 8 + 1000];
    let before = deflate.total_out();
    deflate.compress(payload, &mut data, DeflateFlush::SyncFlush).expect("valid arguments");
    data.truncate((deflate.total_out() - before) as usize);
    without_tail(data)
}

/// Inflates a message with zlib-rs, up to `most` bytes and one. `None` if zlib-rs finds it corrupt or incomplete.
pub fn other_inflated(inflate: &mut Inflate, data: &[u8], most: usize) -> Option<(Vec<u8>, Status)> {
    let mut payload = vec![0; most + 1];
    let before = inflate.total_out();
    let data = [data, &TAIL].concat();
    let status = inflate.decompress(&data, &mut payload, InflateFlush::SyncFlush).ok()?;
    payload.truncate((inflate.total_out() - before) as usize);
    Some((payload, status))
}

fn without_tail(mut data: Vec<u8>) -> Vec<u8> {
    assert!(data.ends_with(&TAIL), "no sync flush");
    data.truncate(data.len() - TAIL.len());
    data
}
