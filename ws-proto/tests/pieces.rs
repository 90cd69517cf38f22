//! Input, valid or not, gives the same events and the same answer however it is cut, and no panic.

use crate::common::*;
use ws_proto::{Config, Role};

/// Frames that mostly make sense, and some that do not.
fn conversation(random: &mut Random, role: Role) -> Vec<u8> {
    let mut bytes = vec![];
    let mut is_open = false;
    for _ in 0..random.below(12) {
        let len = random.pick(&[0, 0, 1, 2, 5, 17, 124, 125, 126, 300]);
        let text = "naïve κόσμε 😀 日本語 and plain text ".repeat(10);
        let (first, mut payload) = match random.below(8) {
            0 => (PING, vec![b'p'; len.min(125)]),
            1 => (PONG, vec![b'p'; len.min(125)]),
            2 if random.below(4) == 0 => (CLOSE, close_body(random.pick(&[1000, 1001, 1005, 4000, 7000]), "reason")),
            n => {
                let last = random.below(2) == 0;
                let opcode = if is_open { 0 } else { 1 + (n as u8 & 1) };
                is_open = !last;
                let mut end = len;
                while !text.is_char_boundary(end) {
                    end += 1;
                }
                (opcode | if last { 0x80 } else { 0 }, text.as_bytes()[..end].to_vec())
            }
        };
        // One frame in sixteen has something wrong with it.
        let mut first = first;
        match random.below(48) {
            0 => first ^= 1 << random.below(8),
            1 => {
                let at = random.below(payload.len() + 1);
                payload.insert(at, random.next() as u8);
            }
            _ => {}
        }
        let mut frame = to(role, first, &payload);
        if random.below(48) == 0 {
            let at = random.below(frame.len());
            frame[at] ^= 1 << random.below(8);
        }
        bytes.extend(frame);
    }
    // Some end inside a frame.
    if random.below(4) == 0 {
        bytes.truncate(random.below(bytes.len() + 1));
    }
    bytes
}

/// What an end makes of `pieces`, in events and in bytes, until the transport ends; it writes nothing before.
fn run<'a>(role: Role, config: &Config, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Seen>, Vec<u8>) {
    let mut end = End::new(role, config);
    end.writable = false;
    for piece in pieces {
        end.read(piece);
    }
    let open = end.outcome().is_none();
    end.take(usize::MAX);
    end.frames(); // they are well-formed
    end.eof();
    end.assert_over();
    assert_eq!(open && end.payloads(CLOSE).is_empty(), open);
    (end.seen, end.written)
}

fn cut<'a>(random: &mut Random, mut input: &'a [u8]) -> Vec<&'a [u8]> {
    let mut pieces = vec![];
    while !input.is_empty() {
        let (piece, rest) = input.split_at(1 + random.below(input.len().min(40)));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

#[test]
fn f1_to_f24_every_cut_gives_the_same_events_and_the_same_answer() {
    let small = config(|config| {
        config.limits.message = Some(400);
        config.limits.frame = Some(350);
        config.limits.fragments = Some(4);
    });
    let mut ends = std::collections::BTreeMap::<String, u32>::new();
    for seed in 1..=3000 {
        let mut random = Random(seed);
        let role = random.pick(&ROLES);
        let config = if random.below(3) == 0 { small.clone() } else { Config::default() };
        let input = conversation(&mut random, role);

        let whole = run(role, &config, [&input[..]].into_iter());
        let bytewise = run(role, &config, input.chunks(1));
        assert_eq!(bytewise, whole, "seed {seed}, byte by byte: {input:02x?}");
        for _ in 0..3 {
            let pieces = cut(&mut random, &input);
            assert_eq!(run(role, &config, pieces.iter().copied()), whole, "seed {seed}, cut: {pieces:02x?}");
        }

        // In chunks, what is put together is the same, and so is the end.
        let mut streaming = config.clone();
        streaming.delivery = ws_proto::Delivery::Chunks;
        for size in [1, 7, input.len().max(1)] {
            let (seen, written) = run(role, &streaming, input.chunks(size));
            assert_eq!((put_together(&seen), &written), (whole.0.clone(), &whole.1), "seed {seed}, chunks of {size}");
        }

        let Some(Seen::Closed(outcome)) = whole.0.last() else { panic!("seed {seed} has no end") };
        *ends.entry(outcome.cause.to_string()).or_default() += 1;
    }
    assert!(ends.len() >= 15, "the conversations end in many ways: {ends:#?}");
}

#[test]
fn noise_is_refused_the_same_way_however_it_is_cut() {
    for seed in 1..=2000 {
        let mut random = Random(seed);
        let role = random.pick(&ROLES);
        let len = 1 + random.below(60);
        let input: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let whole = run(role, &Config::default(), [&input[..]].into_iter());
        assert_eq!(run(role, &Config::default(), input.chunks(1)), whole, "seed {seed}: {input:02x?}");
        let pieces = cut(&mut random, &input);
        assert_eq!(run(role, &Config::default(), pieces.iter().copied()), whole, "seed {seed}: {pieces:02x?}");
    }
}
