//! What tests compress, and the other implementation. The tests of permessage-deflate in `ws-proto` use it, too.

use ws_deflate::{Compressor, Settings};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::Random;

pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Text such as a server pushes.
pub(crate) fn json(random: &mut Random, len: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < len {
        let (id, n) = (random.below(100_000), random.below(1000));
        let name = random.pick(&["alice", "bob", "Zoë", "日本語", "mallory"]);
        text += &format!("{{\"id\":{id},\"name\":\"{name}\",\"active\":{},\"score\":{n}.5}},", n % 2 == 0);
    }
    let mut end = len;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(end);
    bytes.resize(len, b' ');
    bytes
}

pub(crate) fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    (0..len).map(|_| random.next() as u8).collect()
}

/// Bytes of all sorts: nothing, one, repetitions, far repetitions, noise, text, and one after the other.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    let mut random = Random(7692);
    let mut samples = vec![
        vec![],
        b"a".to_vec(),
        b"ab".to_vec(),
        b"Hello".to_vec(),
        vec![0; 257],
        vec![b'x'; 258],
        vec![b'x'; 259],
        vec![0; 40_000],
        b"abc".repeat(5000),
        (0..=255).collect(),
        (0..=255).cycle().take(20_000).collect(),
    ];
    for len in [10, 63, 64, 65, 1000, 4097, 9000] {
        samples.push(json(&mut random, len));
        samples.push(noise(&mut random, len));
        // What repeats at a distance that is about a window.
        let part = noise(&mut random, len.min(32_770));
        samples.push([&part[..], &part, &json(&mut random, 300), &part].concat());
        // Few symbols, unevenly.
        samples.push((0..len).map(|_| (random.next().leading_zeros() as u8).min(9)).collect());
    }
    samples.push(json(&mut random, 33_000));
    samples.push(noise(&mut random, 33_000));
    samples
}

/// Messages as our compressor makes them, one after the other with what came before in view; the tails are gone.
pub(crate) fn compressed(compressor: &mut Compressor, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    compressor.compress(payload, &mut out);
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - 4);
    out
}

pub(crate) fn settings(window_bits: u8, level: u8, memory_level: u8) -> Settings {
    Settings::new().window_bits(window_bits).level(level).memory_level(memory_level)
}

/// One message, compressed on its own.
pub(crate) fn alone(payload: &[u8]) -> Vec<u8> {
    compressed(&mut Compressor::for_message(payload.len(), settings(15, 6, 8)), payload)
}

/// The other implementation's compressor.
pub(crate) fn other(level: i32, window_bits: u8, mem_level: i32) -> Deflate {
    Deflate::new_with_config(DeflateConfig {
        level,
        window_bits: -i32::from(window_bits),
        mem_level,
        ..DeflateConfig::default()
    })
}

pub(crate) fn other_compressed(deflate: &mut Deflate, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; payload.len() + payload.len() / 8 + 1000];
    let before = deflate.total_out();
    deflate.compress(payload, &mut out, DeflateFlush::SyncFlush).unwrap();
    out.truncate((deflate.total_out() - before) as usize);
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - 4);
    out
}

/// What the other implementation makes of a message without its tail; `None` when it finds it corrupt or cut short.
pub(crate) fn other_inflated(inflate: &mut Inflate, data: &[u8], most: usize) -> Option<(Vec<u8>, Status)> {
    let mut out = vec![0; most + 1];
    let before = inflate.total_out();
    let data = [data, &TAIL].concat();
    let status = inflate.decompress(&data, &mut out, InflateFlush::SyncFlush).ok()?;
    out.truncate((inflate.total_out() - before) as usize);
    Some((out, status))
}
