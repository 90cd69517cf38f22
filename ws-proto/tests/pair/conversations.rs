//! Conversations made up at random, over a link that may be cut.

use std::time::Duration;

use ws_proto::{CloseCode, Delivery, Message};

use crate::common::*;

/// What an end has sent, as the other should see it; and the fragmented message it is in.
#[derive(Default)]
struct Said {
    messages: Vec<Seen>,
    unfinished: Option<(bool, String)>,
}

impl Said {
    fn message(&mut self, is_text: bool, letters: &str) {
        self.messages.push(if is_text { text(letters) } else { binary(letters) });
    }
}

fn payload(is_text: bool, letters: &str) -> Message {
    if is_text { letters.into() } else { letters.as_bytes().into() }
}

/// Says something at random; whether the end goes on after it.
fn say(random: &mut Random, end: &mut End, said: &mut Said) {
    let len = random.pick(&[0, 1, 10, 125, 126, 1000, 4095, 4096, 20_000, 66_000]);
    let (is_text, words) = (random.below(2) == 0, alphabet(len));
    match (random.below(6), said.unfinished.take()) {
        (0, unfinished) => {
            end.connection.ping(end.now).unwrap();
            said.unfinished = unfinished;
        }
        (1..=3, None) => {
            end.connection.send(payload(is_text, &words)).unwrap();
            said.message(is_text, &words);
        }
        (_, None) => {
            end.connection.send_fragment(payload(is_text, &words), false).unwrap();
            said.unfinished = Some((is_text, words));
        }
        (_, Some((is_text, so_far))) => {
            let last = random.below(2) == 0;
            end.connection.send_fragment(payload(is_text, &words), last).unwrap();
            let so_far = so_far + &words;
            if last {
                said.message(is_text, &so_far);
            } else {
                said.unfinished = Some((is_text, so_far));
            }
        }
    }
}

#[test]
fn messages_before_a_close_arrive_in_order_and_both_ends_agree() {
    for seed in 1..=150 {
        let mut random = Random(seed);
        let configs = [0, 1].map(|_| {
            config(|config| {
                config.delivery = random.pick(&[Delivery::Messages, Delivery::Chunks]);
                config.deadlines.message_progress = None; // these talkers pause between fragments
                config.ping_between_fragments = true;
            })
        });
        let latency = Duration::from_millis(random.pick(&[0, 1, 30, 400]));
        let piece = random.pick(&[100, 300, 1500, 65_536]);
        let rate = random.pick(&[2_000_000, 100_000_000]);
        let mut pair = Pair::with(&configs[0], &configs[1], latency, rate, piece);
        let mut said = [Said::default(), Said::default()];

        for _ in 0..random.below(40) {
            let i = random.below(2);
            say(&mut random, &mut pair.ends[i], &mut said[i]);
            pair.run(random.pick(&[Duration::ZERO, Duration::from_millis(1), secs(1), secs(9)]));
        }
        // One closes, or both before they know of each other.
        let closer = random.below(2);
        pair.ends[closer].close(4000 + closer as u16, "closer");
        if random.below(3) == 0 {
            pair.ends[1 - closer].close(4002, "other");
        }
        pair.run(secs(10));

        for i in [SERVER, CLIENT] {
            assert!(pair.received(i) == said[1 - i].messages, "seed {seed}: what {i} received");
            let outcome = pair.ends[i].outcome().unwrap();
            assert!(outcome.is_clean(), "seed {seed}: {outcome}");
            assert_eq!(pair.codes(i).0, pair.codes(1 - i).1, "seed {seed}");
        }
        pair.assert_over();
    }
}

#[test]
fn a_link_cut_at_any_moment_leaves_a_beginning_of_what_was_said() {
    for seed in 1..=60 {
        let mut random = Random(seed);
        let config = config(|config| config.ping_between_fragments = true);
        let mut pair = Pair::with(&config, &config, Duration::from_millis(10), 100_000, random.pick(&[7, 100, 1500]));
        let mut said = [Said::default(), Said::default()];
        for i in [SERVER, CLIENT] {
            for _ in 0..random.below(10) {
                say(&mut random, &mut pair.ends[i], &mut said[i]);
            }
        }
        pair.run(Duration::from_millis(random.below(3000) as u64));
        pair.cut();
        pair.run(secs(120));
        for i in [SERVER, CLIENT] {
            let received = pair.received(i);
            assert!(said[1 - i].messages.starts_with(&received), "seed {seed}");
            assert_eq!(pair.ends[i].outcome().map(|outcome| outcome.code()), Some(CloseCode::ABNORMAL));
        }
        pair.assert_over();
    }
}
