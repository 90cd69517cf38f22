//! DEFLATE (RFC 1951), both directions, against another implementation.

use ws_deflate::{Compressor, Corrupt, Inflater};
use ws_test_support::deflate::{alone, compressed, other, other_compressed, other_inflated, settings};
use ws_test_support::random::Random;
use ws_test_support::samples::{json, samples};
use zlib_rs::{Inflate, Status};

/// Inflates a message in pieces of `size`, with `room` at a time, looking back on `out`.
fn inflate(inflater: &mut Inflater, data: &[u8], out: &mut Vec<u8>, size: usize, room: usize) -> Result<(), Corrupt> {
    for mut piece in data.chunks(size) {
        while !piece.is_empty() {
            let (before, left) = (out.len(), piece.len());
            inflater.inflate(&mut piece, out, room)?;
            assert!(
                out.len() - before <= room.saturating_add(Inflater::OVERSHOOT),
                "{} bytes for {room}",
                out.len() - before
            );
            assert!(out.len() > before || piece.len() < left, "it gets no further");
            assert!(piece.is_empty() || out.len() - before >= room, "it stopped early");
        }
    }
    inflater.finish(out)
}

#[test]
fn others_inflate_our_output() {
    let samples = samples();
    for (level, bits, mem_level) in [
        (1, 15, 8),
        (2, 9, 1),
        (3, 10, 9),
        (4, 12, 5),
        (5, 8, 2),
        (6, 15, 9),
        (6, 12, 5),
        (7, 11, 3),
        (8, 13, 4),
        (9, 14, 8),
    ] {
        let mut compressor = Compressor::new(settings(bits, level, mem_level));
        let mut theirs = Inflate::new(false, 15);
        let mut ours = Inflater::new(bits);
        let mut history = vec![];
        for sample in &samples {
            let what = format!("{} bytes at level {level}, window {bits}, memory level {mem_level}", sample.len());
            let data = compressed(&mut compressor, sample);
            let (inflated, status) = other_inflated(&mut theirs, &data, sample.len()).expect(&what);
            assert!(inflated == *sample && status == Status::Ok, "{what}");
            // Ours refuses what looks back further than the window.
            let start = history.len();
            inflate(&mut ours, &data, &mut history, 1009, 5000).expect(&what);
            assert!(history[start..] == **sample, "{what}");
            let stored = sample.len() + 6 * sample.len().div_ceil((64 << mem_level).min(1 << bits)) + 100;
            assert!(data.len() <= stored, "{what}: {} bytes", data.len());

            let alone =
                compressed(&mut Compressor::for_message(sample.len(), settings(bits, level, mem_level)), sample);
            let (inflated, _) = other_inflated(&mut Inflate::new(false, 15), &alone, sample.len()).expect(&what);
            assert!(inflated == *sample, "{what}, alone");
        }
    }
}

#[test]
fn we_inflate_the_output_of_others() {
    let samples = samples();
    for (level, bits, mem_level) in [(0, 15, 8), (1, 15, 8), (2, 9, 1), (4, 12, 5), (6, 15, 9), (6, 10, 5), (9, 14, 8)]
    {
        let mut theirs = other(level, bits, mem_level);
        let mut ours: Vec<_> = [(usize::MAX, usize::MAX), (1, 1), (7, 100), (1009, 5000)]
            .map(|(size, room)| (size, room, Inflater::new(bits), vec![]))
            .into();
        for sample in &samples {
            let data = other_compressed(&mut theirs, sample);
            for (size, room, inflater, history) in &mut ours {
                let start = history.len();
                let what = format!("{} bytes at level {level}, window {bits}, pieces of {size}", sample.len());
                inflate(inflater, &data, history, *size, *room).expect(&what);
                assert!(history[start..] == **sample, "{what}");
            }
        }
    }
}

#[test]
fn it_compresses_no_worse_than_others() {
    let mut random = Random(64);
    let messages: Vec<_> = (0..64).map(|_| json(&mut random, 1024)).collect();
    for (bits, mem_level) in [(12, 5), (15, 8)] {
        let (mut ours, mut theirs) = (Compressor::new(settings(bits, 4, mem_level)), other(6, bits, mem_level as i32));
        let stream: [usize; 2] = messages
            .iter()
            .map(|message| [compressed(&mut ours, message).len(), other_compressed(&mut theirs, message).len()])
            .fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        let single: [usize; 2] = messages
            .iter()
            .map(|message| {
                let ours =
                    compressed(&mut Compressor::for_message(message.len(), settings(bits, 4, mem_level)), message);
                [ours.len(), other_compressed(&mut other(6, bits, mem_level as i32), message).len()]
            })
            .fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        for [ours, theirs] in [stream, single] {
            assert!(ours * 100 <= theirs * 103, "{ours} bytes, where zlib at its default level makes {theirs}");
        }
    }
}

/// Whatever is wrong, what was inflated up to there is the same, and what the other refuses is refused.
#[test]
fn corrupt_data_is_refused_where_others_refuse_it() {
    let mut random = Random(1951);
    let texts: Vec<_> = [20, 300, 3000].map(|len| json(&mut random, len)).into();
    let mut refused = [0, 0];
    for round in 0..4000 {
        let text = &texts[round % texts.len()];
        let mut data = match round % 4 {
            0 => alone(text),
            1 => other_compressed(&mut other(6, 15, 8), text),
            2 => random.bytes(40),
            _ => other_compressed(&mut other(2, 15, 8), &random.bytes(100)),
        };
        for _ in 0..random.below(4) {
            let at = random.below(data.len());
            data[at] ^= 1 << random.below(8);
        }
        data.truncate(data.len() - random.below(2) * random.below(data.len()));

        let theirs = other_inflated(&mut Inflate::new(false, 15), &data, 300_000);
        let mut out = vec![];
        let ours = inflate(&mut Inflater::new(15), &data, &mut out, 1 + random.below(50), 1 + random.below(5000));
        match (&theirs, ours) {
            (None, Ok(())) => panic!("accepted {data:02x?}"),
            (None, Err(_)) => refused[0] += 1,
            (Some((inflated, Status::StreamEnd)), _) => assert!(out.starts_with(inflated), "{data:02x?}"),
            (Some((inflated, _)), Ok(())) => assert!(*inflated == out, "{data:02x?}"),
            // Cut short: the other waits for more.
            (Some((inflated, _)), Err(_)) => {
                let same = inflated.iter().zip(&out).take_while(|(a, b)| a == b).count();
                assert!(same == out.len().min(inflated.len()), "{data:02x?}");
                refused[1] += 1;
            }
        }
    }
    assert!(refused.iter().all(|&n| n > 300), "{refused:?}");
}

#[test]
fn corrupt_input_stays_corrupt() {
    let mut inflater = Inflater::new(15);
    let mut out = vec![];
    assert!(inflater.inflate(&mut &[0x07][..], &mut out, 100).is_err());
    assert!(inflater.inflate(&mut &alone(b"Hello")[..], &mut out, 100).is_err());
    assert!(inflater.finish(&mut out).is_err());
    assert_eq!(out, b"");
}

/// However much comes of one byte, there is never more than was asked for, but for a little.
#[test]
fn a_bomb_goes_off_slowly() {
    let bomb = alone(&vec![0; 10_000_000]);
    assert!(bomb.len() < 12_000, "{} bytes", bomb.len());
    for (size, room) in [(usize::MAX, 1), (usize::MAX, 8192), (1, 1), (100, 1000)] {
        let (mut inflater, mut total) = (Inflater::new(15), 0);
        let mut out = vec![];
        for mut piece in bomb.chunks(size) {
            while !piece.is_empty() {
                out.drain(..out.len().saturating_sub(40_000));
                let before = out.len();
                inflater.inflate(&mut piece, &mut out, room).unwrap();
                assert!(out.len() - before <= room + Inflater::OVERSHOOT);
                total += out.len() - before;
                if room == 1 && total > 100_000 {
                    return;
                }
            }
        }
        inflater.finish(&mut out).unwrap();
        assert_eq!(total, 10_000_000);
    }
}
