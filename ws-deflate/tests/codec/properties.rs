//! Properties for any message, settings and input.

use proptest::collection::vec;
use proptest::prelude::*;
use ws_deflate::{Compressor, Corrupt, Inflater, Settings, TAIL};

/// Bytes that can be compressed: runs, repetitions of what was before, and noise.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        vec(any::<u8>(), 0..200),
        (any::<u8>(), 1..2000_usize).prop_map(|(byte, len)| vec![byte; len]),
        (vec(0..4_u8, 1..40), 1..60_usize).prop_map(|(bytes, times)| bytes.repeat(times)),
        "[a-z]{1,12}( [a-z]{1,12}){0,40}".prop_map(String::into_bytes),
    ];
    vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn settings() -> impl Strategy<Value = (Settings, u8)> {
    (8..=15_u8, 1..=9_u8, 1..=9_u8)
        .prop_map(|(bits, level, memory)| (Settings::new().window_bits(bits).level(level).memory_level(memory), bits))
}

/// Inflates data in pieces of `size` with `room` at a time, and ends the message.
fn inflate(inflater: &mut Inflater, data: &[u8], size: usize, room: usize, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    for mut piece in data.chunks(size) {
        while !piece.is_empty() {
            let before = out.len();
            inflater.inflate(&mut piece, out, room)?;
            assert!(out.len() - before <= room.saturating_add(Inflater::OVERSHOOT));
            assert!(piece.is_empty() || out.len() - before >= room);
        }
    }
    let is_complete = inflater.is_complete();
    let before = out.len();
    inflater.finish(out)?;
    assert!(!is_complete || out.len() == before, "what is complete inflates to nothing more");
    Ok(())
}

proptest! {
    #[test]
    fn messages_with_history_come_back(
        messages in vec(message(), 1..6), (settings, bits) in settings(), size in 1..3000_usize, room in 1..9000_usize,
    ) {
        let (mut compressor, mut inflater) = (Compressor::new(settings), Inflater::new(bits));
        let mut window = vec![];
        for message in &messages {
            let mut data = vec![];
            compressor.compress(message, &mut data);
            prop_assert!(data.ends_with(&TAIL));
            data.truncate(data.len() - TAIL.len());
            // The window is all that may be looked back on.
            window.drain(..window.len().saturating_sub(1 << bits));
            let start = window.len();
            prop_assert_eq!(inflate(&mut inflater, &data, size, room, &mut window), Ok(()));
            prop_assert_eq!(&window[start..], message.as_slice());
        }
    }

    #[test]
    fn a_message_alone_comes_back(message in message(), (settings, bits) in settings(), later in 0..100_usize) {
        // Room for a message of another length changes its size alone.
        for len in [message.len(), later] {
            let mut data = vec![];
            Compressor::for_message(len, settings).compress(&message, &mut data);
            let mut out = vec![];
            prop_assert_eq!(inflate(&mut Inflater::new(bits), &data, usize::MAX, usize::MAX, &mut out), Ok(()));
            prop_assert_eq!(&out, &message);
        }
    }

    #[test]
    fn matches_may_refer_to_the_whole_window(seen in message(), message in message(), (settings, bits) in settings()) {
        let mut compressor = Compressor::new(settings);
        compressor.remember(&seen);
        let mut data = vec![];
        compressor.compress(&message, &mut data);
        let mut out = seen.clone();
        prop_assert_eq!(inflate(&mut Inflater::new(bits), &data, usize::MAX, usize::MAX, &mut out), Ok(()));
        prop_assert_eq!(&out[seen.len()..], message.as_slice());
    }

    #[test]
    fn the_output_does_not_depend_on_how_the_input_is_cut(
        data in prop_oneof![vec(any::<u8>(), 0..400), (message(), vec((any::<prop::sample::Index>(), 0..8), 0..4)).prop_map(|(message, flips)| {
            let mut data = vec![];
            Compressor::new(Settings::new()).compress(&message, &mut data);
            for (at, bit) in flips {
                let at = at.index(data.len());
                data[at] ^= 1_u8 << bit;
            }
            data
        })],
        bits in 8..=15_u8, size in 1..300_usize, room in 1..3000_usize,
    ) {
        let (mut whole, mut cut) = (vec![], vec![]);
        let result = inflate(&mut Inflater::new(bits), &data, usize::MAX, usize::MAX, &mut whole);
        prop_assert_eq!(inflate(&mut Inflater::new(bits), &data, size, room, &mut cut), result);
        prop_assert_eq!(whole, cut);
    }
}
