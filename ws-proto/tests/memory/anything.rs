//! All of it, at random.

use std::time::Duration;

use ws_proto::{CloseCode, Delivery, Role, TransportState};

use crate::common::*;
use crate::endings::REASONS;
use crate::measuring::*;
use crate::*;

checks![any_input_in_any_order];

/// Appends what a peer might send next, most of it legal, to make a connection hold as much as it can.
fn next_frames(random: &mut Random, role: Role, in_message: &mut bool, payload: &[u8], out: &mut Vec<u8>) {
    let len = random.pick(&[0, 1, 3, 100, 125, 126, 1000, 5000, 20_000, 40_000, 50_000]);
    let mut add = |first: u8, payload: &[u8]| out.extend(to(role, first, payload));
    match random.below(12) {
        0 | 1 => add(PING, &payload[..random.pick(&[0, 8, 125])]),
        2 => add(PONG, &payload[..random.pick(&[0, 8, 125])]),
        3 if random.below(20) == 0 => out.extend(header_to(role, if *in_message { LAST } else { BINARY }, 40_000)),
        4 if random.below(20) == 0 => out.extend((0..random.below(20)).map(|_| random.next() as u8)),
        5 if random.below(20) == 0 => add(CLOSE, &close_body(1000, &payload[..random.below(100)])),
        n => {
            let is_last = random.below(3) == 0;
            let kind = if *in_message { CONTINUES } else { 1 + (n as u8 & 1) };
            *in_message = !is_last;
            add(if is_last { kind | LAST } else { kind }, &payload[..len]);
        }
    }
}

fn any_input_in_any_order() {
    const LIMIT: usize = 80_000;
    const CAP: usize = 60_000;
    let payload = vec![b'x'; 50_000];
    let (mut most, mut messages, mut ends) = (0, 0, 0);
    for seed in 1..=300 {
        let mut random = Random(seed);
        let role = random.pick(&ROLES);
        let delivery = random.pick(&[Delivery::Messages, Delivery::Messages, Delivery::Chunks]);
        let config = shared(|config| {
            config.limits.message = Some(LIMIT);
            config.limits.frame = Some(random.pick(&[LIMIT, 45_000]));
            config.limits.high_water = random.pick(&[0, 10_000]);
            config.limits.hard_cap = CAP;
            config.delivery = delivery;
        });
        let echoes = random.below(2) == 0;
        let mut in_message = false;
        let mut stream = vec![];
        while stream.len() < MIB / 2 && random.below(80) > 0 {
            next_frames(&mut random, role, &mut in_message, &payload, &mut stream);
        }

        let mut subject = Subject::new(role, &config);
        subject.echoes = echoes;
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let size = random.pick(&[1, 10, 1000, 10_000, 66_000, 300_000]).min(rest.len());
            let (piece, left) = rest.split_at(size);
            rest = left;
            subject.read(piece);
            if random.below(3) > 0 {
                subject.take(random.pick(&[0, 1, 100, 10_000, 10_000_000]));
            }
            subject.settle();
            if random.below(20) == 0 {
                subject.now = subject.now + Duration::from_secs(random.pick(&[0, 1, 19, 20]));
                subject.ended |= subject.connection.handle_timeout(subject.now).is_some();
            }
            if random.below(50) == 0 {
                let _ = subject.connection.ping(subject.now);
            }
        }
        // One message on its way in; what is queued, and a message on its way into the queue.
        let receiving = if delivery == Delivery::Messages { LIMIT } else { 0 };
        let sending = if echoes { CAP.max(10_000 + LIMIT) } else { 0 };
        subject.assert_within(receiving + sending, receiving, format_args!("seed {seed}"));
        most = most.max(subject.meter.peak().saturating_sub(receiving + sending));
        messages += subject.came;
        ends += usize::from(subject.ended);

        let _ = subject.connection.close(close_frame(u16::from(CloseCode::NORMAL), ""), subject.now);
        drop(subject.connection.receive_eof(subject.now));
        subject.take(usize::MAX);
        assert_eq!(subject.connection.transport_state(), TransportState::Closed);
        assert!(subject.held() <= REASONS, "seed {seed}: {:?}", subject.connection);
    }
    println!("  {messages} messages, {ends} ends; at most {most} bytes over the limits");
    assert!(messages > 1000 && (30..270).contains(&ends), "{messages} messages, {ends} ends");
}
