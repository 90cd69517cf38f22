//! Messages that come in.

use std::sync::Arc;

use ws_proto::{Config, Delivery, Role};

use crate::common::*;
use crate::measuring::*;
use crate::*;

checks![
    a_header_costs_the_same_whatever_it_declares,
    a_message_in_one_read_costs_nothing,
    memory_follows_what_arrives_up_to_the_limit,
    without_a_limit_memory_still_follows_what_arrives,
    chunks_are_never_held,
];

/// While a message is coming in, what is known of it is on the heap: so much.
const BEGUN: usize = 88;

fn a_header_costs_the_same_whatever_it_declares() {
    for message in [Some(MIB), Some(1 << 40), None] {
        let config = limited(message);
        for role in ROLES {
            let most = message.map_or((1 << 63) - 1, |limit| limit as u64);
            for len in [1, 125, 126, 65_535, 65_536, most].into_iter().filter(|&len| len <= most) {
                for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
                    let header = header_to(role, first, len);
                    let mut subject = Subject::new(role, &config);
                    for byte in &header {
                        subject.read(&[*byte]);
                        subject.settle();
                        assert!(subject.held() <= BEGUN, "{} bytes for a header", subject.held());
                    }
                    // And one byte of payload costs about one byte.
                    subject.read(b"x");
                    assert!(!subject.ended && subject.held() <= BEGUN + 8, "{} bytes for one", subject.held());
                }
            }
        }
    }
}

fn a_message_in_one_read_costs_nothing() {
    let config = Arc::new(Config::default());
    for role in ROLES {
        for len in [0, 1, 4096, MIB] {
            for first in [TEXT, BINARY] {
                let input = to(role, first, vec![b'x'; len]);
                let mut subject = Subject::new(role, &config);
                subject.read(&input);
                assert_eq!((subject.came, subject.meter.peak()), (1, 0));
            }
        }
    }
}

/// How a stream is cut into reads.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Of(usize),
    /// 1 byte, 2 bytes, 3 bytes...
    Growing,
    /// All but the last byte, then that: the most there is to copy.
    AllButOne,
}

impl Reads {
    /// How long the read is that comes after `n` others, with `left` bytes to go.
    fn size(self, n: usize, left: usize) -> usize {
        match self {
            Self::Of(size) => size,
            Self::Growing => n + 1,
            Self::AllButOne => left - 1,
        }
        .clamp(1, left)
    }
}

/// A message of `len` bytes in frames of `fragment` bytes, an empty one and a ping behind each but the last.
fn message(role: Role, is_text: bool, len: usize, fragment: usize) -> Vec<u8> {
    let letters: Vec<u8> =
        "aé€😀".bytes().cycle().take(len / 10 * 10).chain(std::iter::repeat_n(b'x', len % 10)).collect();
    let opcode = if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
    if fragment >= len {
        return to(role, opcode | LAST, letters);
    }
    let mut out = vec![];
    let count = len.div_ceil(fragment);
    for (i, piece) in letters.chunks(fragment).enumerate() {
        let opcode = if i == 0 { opcode } else { CONTINUES };
        let is_last = i + 1 == count;
        out.extend(to(role, if is_last { opcode | LAST } else { opcode }, piece));
        if !is_last {
            out.extend(to(role, CONTINUES, ""));
            out.extend(to(role, PING, "p"));
        }
    }
    out
}

/// Feeds a message to a connection and checks at each step that what is held is in proportion to what has come; the
/// most that was held, in both counts.
fn follow(role: Role, config: &Arc<Config>, input: &[u8], reads: Reads, limit: usize) -> (usize, usize) {
    let mut subject = Subject::new(role, config);
    let (mut arrived, mut n) = (0, 0);
    while arrived < input.len() {
        let size = reads.size(n, input.len() - arrived);
        subject.read(&input[arrived..arrived + size]);
        (arrived, n) = (arrived + size, n + 1);
        // Twofold growth, or as much as was declared once a part of that has come; and some pongs.
        let growth = if arrived < 64 * KIB { 2 } else { 16 };
        let fair = (growth * arrived).min(limit) + 4 * KIB;
        assert!(subject.held() <= fair, "{role:?} {reads:?}: {} bytes for {arrived}", subject.held());
        subject.take(usize::MAX);
    }
    assert_eq!((subject.came, subject.ended), (1, false));
    subject.assert_within(limit, limit, format_args!("a message"));
    subject.assert_holds_nothing("after the message");
    (subject.meter.peak(), subject.meter.peak_copying())
}

fn memory_follows_what_arrives_up_to_the_limit() {
    let mut most = (0, 0);
    for (limit, reads) in [
        (MIB, &[Reads::Of(4096), Reads::Of(64 * KIB), Reads::Of(MIB), Reads::Growing, Reads::AllButOne][..]),
        (20 * KIB, &[Reads::Of(1), Reads::Of(2), Reads::Of(3), Reads::Of(1000), Reads::Growing, Reads::AllButOne]),
        (1, &[Reads::Of(1)]),
    ] {
        let config = limited(Some(limit));
        for role in ROLES {
            for is_text in [true, false] {
                for fragment in [limit, limit - 1, limit / 2 + 1, 1000, 100] {
                    // The number of fragments has a limit of its own.
                    if fragment == 0 || limit / fragment > 2000 {
                        continue;
                    }
                    let input = message(role, is_text, limit, fragment);
                    for &reads in reads {
                        if input.len() + 64 > READ && matches!(reads, Reads::Of(MIB) | Reads::AllButOne) {
                            continue;
                        }
                        let (peak, copying) = follow(role, &config, &input, reads, limit);
                        most = (most.0.max(peak), most.1.max(copying));
                    }
                }
            }
        }
    }
    println!("  at most {} bytes for a message of 1 MiB; {} while copying", most.0, most.1);
}

fn without_a_limit_memory_still_follows_what_arrives() {
    let config = limited(None);
    for role in ROLES {
        for (is_text, fragment) in [(true, 3 * MIB), (false, 100_000)] {
            let input = message(role, is_text, 3 * MIB, fragment);
            follow(role, &config, &input, Reads::Of(10_000), 6 * MIB);
        }
    }
}

fn chunks_are_never_held() {
    let config = shared(|config| {
        config.delivery = Delivery::Chunks;
        config.limits.message = None;
        config.limits.frame = None;
        config.limits.fragments = None;
    });
    for role in ROLES {
        for is_text in [true, false] {
            for (len, fragment, reads) in [
                (MIB, MIB, Reads::Of(4096)),
                (200_000, 100, Reads::Of(1001)),
                (50_000, 50_000, Reads::Of(1)),
                (50_000, 7, Reads::Of(3)),
            ] {
                let input = message(role, is_text, len, fragment);
                let mut subject = Subject::new(role, &config);
                let (mut arrived, mut n) = (0, 0);
                while arrived < input.len() {
                    let size = reads.size(n, input.len() - arrived);
                    subject.read(&input[arrived..arrived + size]);
                    (arrived, n) = (arrived + size, n + 1);
                    subject.take(usize::MAX);
                    assert!(subject.held() <= BEGUN + 16, "the beginning of a ping, and no more");
                }
                assert!(subject.came > 1 && !subject.ended);
                subject.assert_within(0, 0, format_args!("chunks"));
                subject.assert_holds_nothing("after the message");
            }
        }
    }
}
