//! Payloads for tests of compression.

use crate::random::Random;

/// JSON of exactly this length, in which names repeat and values differ.
pub fn json(random: &mut Random, len: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < len {
        let (id, n) = (random.below(100_000), random.below(1000));
        let name = random.pick(&["alice", "bob", "Zoë", "日本語", "mallory"]);
        text += &format!("{{\"id\":{id},\"name\":\"{name}\",\"active\":{},\"score\":{n}.5}},", n % 2 == 0);
    }
    let end = (0..=len).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.truncate(end);
    let mut bytes = text.into_bytes();
    bytes.resize(len, b' ');
    bytes
}

/// Payloads of all sorts: empty, one byte, repetitions near and far, noise, text, and combinations of them. They are the same
/// in every run.
pub fn samples() -> Vec<Vec<u8>> {
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
        samples.push(random.bytes(len));
        // Repetitions at a distance of about a window.
        let part = random.bytes(len.min(32_770));
        samples.push([&part[..], &part, &json(&mut random, 300), &part].concat());
        // Few symbols, unevenly distributed.
        samples.push((0..len).map(|_| (random.next().leading_zeros() as u8).min(9)).collect());
    }
    samples.push(json(&mut random, 33_000));
    samples.push(random.bytes(33_000));
    samples
}
