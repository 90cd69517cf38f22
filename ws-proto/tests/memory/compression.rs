//! Compressed messages.

use std::sync::Arc;
use std::time::Duration;

use ws_deflate::{Compressor, Settings};
use ws_proto::permessage_deflate::{Compress, Deflate, DeflateParams};
use ws_proto::{Config, Delivery, Role};

use crate::common::*;
use crate::measuring::*;
use crate::*;

checks![
    without_takeover_nothing_is_held_between_messages,
    with_takeover_what_the_documentation_says,
    after_silence_only_the_window,
    memory_on_a_server_stays_within_the_promise_for_every_offer,
    d3_a_bomb_stays_within_the_limit,
    inflated_chunks_are_never_held,
];

/// What a connection keeps of what was agreed on.
const SETTINGS: usize = 256;

fn agreed(bits: u8, mem_level: u8, takeover: bool) -> DeflateParams {
    let mut agreed = DeflateParams::new(Deflate::client());
    (agreed.send_window_bits, agreed.receive_window_bits) = (bits, bits);
    (agreed.send_context_takeover, agreed.receive_context_takeover) = (takeover, takeover);
    (agreed.level, agreed.mem_level, agreed.threshold) = (6, mem_level, 0);
    agreed
}

impl Subject {
    fn compressing(role: Role, config: &Arc<Config>, agreed: DeflateParams) -> Self {
        let mut subject = Self::new(role, config);
        subject.connection.set_deflate(Some(agreed));
        assert!(subject.held() <= SETTINGS, "{} bytes before the first message", subject.held());
        subject
    }
}

/// A message compressed alone, in a frame. It does not look back further than 256 bytes.
fn frame_of(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut data = vec![];
    Compressor::for_message(payload.len(), Settings::new().window_bits(8).level(6)).compress(payload, &mut data);
    data.truncate(data.len() - 4);
    to(role, first | RSV1, data)
}

/// Text that is compressed to about a third, different each time.
fn texts() -> Vec<String> {
    let mut random = Random(3);
    [10, 1000, 5000, 100_000, 40_000, 1, 100]
        .map(|len| (0..len / 10 + 1).map(|_| format!("{:9} ", random.below(1 << 20))).collect())
        .into()
}

fn without_takeover_nothing_is_held_between_messages() {
    for role in ROLES {
        for bits in [9, 12, 15] {
            for config in [Arc::new(Config::default()), Arc::new(chunks())] {
                let mut subject = Subject::compressing(role, &config, agreed(bits, 8, false));
                let idle = subject.held();
                for text in texts() {
                    let input = frame_of(role, TEXT, text.as_bytes());
                    let read = subject.held() - idle;
                    for size in [1, 1000, input.len()] {
                        input.chunks(size).for_each(|piece| subject.read(piece));
                        assert_eq!(subject.held() - idle, read, "after a message came in");
                    }
                    drop(input);
                    subject.connection.send_text(&text).unwrap();
                    subject.connection.send_with(text.clone().into(), Compress::Always).unwrap();
                    subject.connection.send_fragment(text.clone().into(), false).unwrap();
                    subject.connection.send_fragment("end".into(), true).unwrap();
                    subject.take(usize::MAX);
                    drop(text);
                    subject.settle();
                }
                let held = subject.held();
                // The vector of texts was not there when counting began, and is gone.
                assert_eq!(held, idle, "after messages went out");
            }
        }
    }
    println!("  at most {SETTINGS} bytes");
}

fn with_takeover_what_the_documentation_says() {
    const FOR_BOOKKEEPING: usize = 4 * KIB;
    for (bits, receiving, sending) in
        [(9, 1, 10), (10, 2, 12), (11, 4, 16), (12, 8, 24), (13, 16, 40), (14, 32, 72), (15, 48, 136)]
    {
        let mut most = [0, 0];
        for role in ROLES {
            let config = Arc::new(Config::default());
            let texts = texts();
            let inputs: Vec<_> = texts.iter().map(|text| frame_of(role, TEXT, text.as_bytes())).collect();
            let mut receives = Subject::compressing(role, &config, agreed(bits, 5, true));
            for input in &inputs {
                receives.read(input);
                most[0] = most[0].max(receives.held());
            }
            drop(receives);
            let mut sends = Subject::compressing(role, &config, agreed(bits, 5, true));
            for text in &texts {
                sends.connection.send_text(text).unwrap();
                sends.take(usize::MAX);
                most[1] = most[1].max(sends.held());
            }
        }
        println!("  window {bits}: {} bytes for receiving, {} for sending", most[0], most[1]);
        assert!(most[0] <= receiving * KIB + FOR_BOOKKEEPING && most[1] <= sending * KIB + FOR_BOOKKEEPING);
        // So that what the documentation says is not far from the truth.
        assert!(most[0] * 3 >= receiving * KIB && most[1] * 2 >= sending * KIB);
    }
}

/// After 10 s without compressed messages, what was received last is kept, and nothing that was sent.
fn after_silence_only_the_window() {
    const FOR_BOOKKEEPING: usize = KIB;
    for bits in [9, 12, 15] {
        for role in ROLES {
            let config = Arc::new(Config::default());
            let texts = texts();
            let inputs: Vec<_> = texts.iter().map(|text| frame_of(role, TEXT, text.as_bytes())).collect();
            let mut subject = Subject::compressing(role, &config, agreed(bits, 5, true));
            for (text, input) in texts.iter().zip(&inputs) {
                subject.read(input);
                subject.connection.send_text(text).unwrap();
                subject.take(usize::MAX);
            }
            subject.settle();
            let before = subject.held();
            subject.now = subject.now + Duration::from_secs(10);
            assert!(subject.connection.handle_timeout(subject.now).is_none());
            let after = subject.held();
            println!("  window {bits}, {role:?}: {before} bytes, and {after} after silence");
            assert!(before > 2 * (1 << bits) && after <= (1 << bits) + FOR_BOOKKEEPING);
        }
    }
}

/// Whatever a client offers, long compressed messages both ways leave no more than SECURITY.md promises.
#[cfg(feature = "handshake")]
fn memory_on_a_server_stays_within_the_promise_for_every_offer() {
    use ws_proto::handshake::extensions;
    use ws_proto::permessage_deflate::Deflate;

    /// Between messages.
    const KEPT: usize = 40 * KIB;
    /// What our compressor holds besides, while a message comes in.
    const SENDING: usize = 24 * KIB;

    let texts = texts();
    let longest = texts.iter().map(String::len).max().unwrap_or_default();
    let config = limited(Some(longest));
    let inputs: Vec<_> = texts.iter().map(|text| frame_of(Role::Server, TEXT, text.as_bytes())).collect();
    for params in [
        "",
        "; client_max_window_bits",
        "; client_max_window_bits=15",
        "; client_max_window_bits=8",
        "; client_no_context_takeover",
        "; server_no_context_takeover",
        "; server_max_window_bits=15",
        "; server_max_window_bits=8; client_max_window_bits=13",
        "; server_no_context_takeover; client_no_context_takeover",
    ] {
        let agreed = {
            let mut headers = http::HeaderMap::new();
            headers.insert("sec-websocket-extensions", format!("permessage-deflate{params}").parse().unwrap());
            Deflate::server().accept(&extensions::parse(&headers).unwrap()).unwrap().1
        };
        let mut subject = Subject::compressing(Role::Server, &config, agreed);
        let (mut most, mut peak) = (0, 0);
        for _ in 0..2 {
            for (text, input) in texts.iter().zip(&inputs) {
                // Ours goes out while the other is half in.
                let (front, back) = input.split_at(input.len() * 9 / 10);
                subject.read(front);
                subject.connection.send_text(text).unwrap();
                subject.take(usize::MAX);
                peak = peak.max(subject.held());
                subject.read(back);
                subject.settle();
                most = most.max(subject.held());
            }
        }
        assert!(!subject.ended);
        let besides = peak.saturating_sub(longest);
        println!("  permessage-deflate{params}: {most} bytes between messages, {besides} besides a message");
        assert!(most <= KEPT, "{most} bytes kept");
        assert!(besides <= SLACK + SENDING, "{besides} bytes besides a message");
    }
}

#[cfg(not(feature = "handshake"))]
fn memory_on_a_server_stays_within_the_promise_for_every_offer() {}

fn d3_a_bomb_stays_within_the_limit() {
    let bombs = [vec![b'x'; 40 * MIB], b"0123456789abcdef".repeat(MIB)];
    let mut most = 0;
    for bomb in &bombs {
        for role in ROLES {
            for first in [TEXT, BINARY] {
                let input = frame_of(role, first, bomb);
                for limit in [100, 64 * KIB, MIB] {
                    for bits in [9, 12, 15] {
                        for (delivery, size) in [
                            (Delivery::Messages, input.len()),
                            (Delivery::Messages, 100),
                            (Delivery::Chunks, input.len()),
                            (Delivery::Chunks, 100),
                        ] {
                            let config = shared(|config| {
                                config.delivery = delivery;
                                config.limits.message = Some(limit);
                                // The compressed bytes are not what is being limited here.
                                config.limits.frame = None;
                            });
                            let mut subject = Subject::compressing(role, &config, agreed(bits, 5, true));
                            input.chunks(size.min(READ)).for_each(|piece| subject.read(piece));
                            assert!(subject.ended);
                            let held = if delivery == Delivery::Messages { limit } else { 0 };
                            subject.assert_within(held, held, format_args!("a bomb, {delivery:?}, window {bits}"));
                            most = most.max(subject.meter.peak().saturating_sub(held));
                        }
                    }
                }
            }
        }
    }
    println!("  at most the limit and {most} bytes");
}

fn inflated_chunks_are_never_held() {
    let config = shared(|config| {
        config.delivery = Delivery::Chunks;
        config.limits.message = None;
        config.limits.frame = None;
    });
    for role in ROLES {
        for bits in [9, 15] {
            let input = frame_of(role, BINARY, &vec![7; 20 * MIB]);
            let mut subject = Subject::compressing(role, &config, agreed(bits, 5, true));
            input.chunks(5000).for_each(|piece| subject.read(piece));
            assert!(subject.came > 2000 && !subject.ended);
            subject.assert_within(0, 0, format_args!("chunks of 20 MiB"));
        }
    }
}
