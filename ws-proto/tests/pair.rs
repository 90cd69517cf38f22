//! Two connections back to back, over a link that has a latency, a rate and pieces of some size, on one virtual clock.

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use common::*;
use ws_proto::{Buf, Cause, CloseCode, Config, Delivery, Message, Role, Timestamp, Transport};

const SERVER: usize = 0;
const CLIENT: usize = 1;

/// Both ends and the link between them.
struct Pair {
    now: Timestamp,
    ends: [End; 2],
    /// What is on its way from each end.
    pipes: [Pipe; 2],
    /// When each end has said that it will write no more, by a half-close or by letting go.
    finished: [Option<Timestamp>; 2],
    /// When each end has let go of the transport.
    gone: [Option<Timestamp>; 2],
    /// Whether an end sends back each message.
    echoes: [bool; 2],
}

struct Pipe {
    latency: Duration,
    /// In bytes a second.
    rate: u64,
    /// The most bytes that travel as one piece.
    piece: usize,
    /// When the next piece can be put on it.
    free_at: Timestamp,
    /// The pieces and when they arrive; `None` is the end.
    pieces: VecDeque<(Timestamp, Option<Vec<u8>>)>,
    is_cut: bool,
}

impl Pair {
    fn new(config: &Config) -> Self {
        Self::with(config, config, Duration::from_millis(20), 10_000_000, 1500)
    }

    fn with(server: &Config, client: &Config, latency: Duration, rate: u64, piece: usize) -> Self {
        let pipe = || Pipe { latency, rate, piece, free_at: Timestamp::ZERO, pieces: VecDeque::new(), is_cut: false };
        let mut ends = [End::new(Role::Server, server), End::new(Role::Client, client)];
        ends.iter_mut().for_each(|end| end.writable = false);
        Self {
            now: Timestamp::ZERO,
            ends,
            pipes: [pipe(), pipe()],
            finished: [None; 2],
            gone: [None; 2],
            echoes: [false; 2],
        }
    }

    #[track_caller]
    fn run_until(&mut self, then: Timestamp) {
        let mut rounds = 0;
        loop {
            for i in [SERVER, CLIENT] {
                self.ends[i].now = self.now;
                while self.write(i) || self.deliver(i) {}
                self.settle(i);
            }
            rounds += 1;
            assert!(rounds < 1_000_000, "it never comes to rest");
            match self.next_time() {
                Some(next) if next <= then => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = then;
        self.ends.iter_mut().for_each(|end| end.now = then);
    }

    #[track_caller]
    fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// One piece from an end onto its pipe, when there is one and the pipe is free.
    fn write(&mut self, i: usize) -> bool {
        let (end, pipe) = (&mut self.ends[i], &mut self.pipes[i]);
        if self.gone[i].is_some() || pipe.free_at > self.now || !end.connection.outgoing().has_remaining() {
            return false;
        }
        assert_eq!(self.finished[i], None, "something follows a half-close");
        let before = end.written.len();
        end.take(pipe.piece);
        let bytes = end.written[before..].to_vec();
        pipe.free_at = self.now + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / pipe.rate);
        if !pipe.is_cut {
            pipe.pieces.push_back((pipe.free_at + pipe.latency, Some(bytes)));
        }
        true
    }

    /// One piece that has arrived at an end.
    fn deliver(&mut self, i: usize) -> bool {
        let pipe = &mut self.pipes[1 - i];
        if pipe.pieces.front().is_none_or(|(arrives, _)| *arrives > self.now) {
            return false;
        }
        let Some((_, piece)) = pipe.pieces.pop_front() else { return false };
        if self.gone[i].is_some() {
            return true;
        }
        let end = &mut self.ends[i];
        match piece {
            Some(bytes) => {
                let before = end.seen.len();
                end.read(bytes);
                if self.echoes[i] {
                    for event in &end.seen[before..] {
                        // Refused when the connection is closing by now.
                        let _ = match event {
                            Seen::Text(text) => end.connection.send_text(text),
                            Seen::Binary(bytes) => end.connection.send_binary(bytes),
                            _ => Ok(()),
                        };
                    }
                }
            }
            None => end.eof(),
        }
        true
    }

    /// Deadlines, and what the protocol asks of the transport.
    #[track_caller]
    fn settle(&mut self, i: usize) {
        let end = &mut self.ends[i];
        if self.gone[i].is_none() && end.deadline().is_some_and(|deadline| deadline <= self.now) {
            end.wake();
        }
        let transport = end.transport();
        if transport != Transport::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            let pipe = &mut self.pipes[i];
            if !pipe.is_cut {
                pipe.pieces.push_back((pipe.free_at.max(self.now) + pipe.latency, None));
            }
        }
        if transport == Transport::Close && self.gone[i].is_none() {
            self.gone[i] = Some(self.now);
        }
    }

    fn next_time(&mut self) -> Option<Timestamp> {
        let mut times = vec![];
        for i in [SERVER, CLIENT] {
            times.extend(self.pipes[i].pieces.front().map(|(arrives, _)| *arrives));
            if self.gone[i].is_none() {
                times.extend(self.ends[i].deadline());
                times.extend(self.ends[i].connection.outgoing().has_remaining().then_some(self.pipes[i].free_at));
            }
        }
        times.into_iter().min()
    }

    fn cut(&mut self) {
        for pipe in &mut self.pipes {
            pipe.is_cut = true;
            pipe.pieces.clear();
        }
    }

    /// The messages that an end has received.
    #[track_caller]
    fn received(&self, i: usize) -> Vec<Seen> {
        let mut events = put_together(self.ends[i].before_closed());
        events.retain(|event| matches!(event, Seen::Text(_) | Seen::Binary(_)));
        events
    }

    /// The codes of the frames each end has sent and received, as it reported them.
    #[track_caller]
    fn codes(&self, i: usize) -> (Option<u16>, Option<u16>) {
        let outcome = self.ends[i].outcome().expect("it has ended");
        let code = |frame: &Option<ws_proto::CloseFrame>| frame.as_ref().map(|frame| frame.code.into());
        (code(&outcome.sent), code(&outcome.received))
    }

    #[track_caller]
    fn assert_over(&mut self) {
        for end in &mut self.ends {
            end.assert_over();
        }
        assert!(self.gone.iter().all(Option::is_some));
    }
}

fn letters(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}

#[test]
fn messages_go_there_and_come_back() {
    let mut pair = Pair::new(&Config::default());
    pair.echoes[SERVER] = true;
    let mut sent = vec![];
    for len in [0, 1, 125, 126, 1500, 4096, 65_535, 65_536, 1 << 20] {
        let letters = letters(len);
        pair.ends[CLIENT].connection.send(letters.as_str().into()).unwrap();
        pair.run(secs(1));
        pair.ends[CLIENT].connection.send(letters.as_bytes().into()).unwrap();
        pair.run(secs(1));
        sent.extend([text(&letters), binary(&letters)]);
    }
    assert!(pair.received(SERVER) == sent);
    assert!(pair.received(CLIENT) == sent);

    pair.ends[CLIENT].close(1000, "done");
    pair.run(secs(1));
    assert_eq!(pair.codes(SERVER), (Some(1000), Some(1000)));
    assert_eq!(pair.codes(CLIENT), (Some(1000), Some(1000)));
    assert_eq!(pair.ends[SERVER].outcome().map(|outcome| outcome.reason()), Some("done"));
    pair.assert_over();
}

#[test]
fn the_server_ends_the_transport_first_whoever_closes() {
    for (closers, causes) in [
        (&[SERVER][..], [Cause::Local, Cause::Peer]),
        (&[CLIENT], [Cause::Peer, Cause::Local]),
        (&[SERVER, CLIENT], [Cause::Local, Cause::Local]),
    ] {
        for latency in [0, 1, 500] {
            let config = Config::default();
            let mut pair = Pair::with(&config, &config, Duration::from_millis(latency), 1_000_000, 1);
            for end in &mut pair.ends {
                end.connection.send("last words".into()).unwrap();
            }
            closers.iter().for_each(|&i| pair.ends[i].close(1000, ""));
            pair.run(secs(5));
            for (i, cause) in causes.iter().enumerate() {
                assert_eq!(pair.received(i), [text("last words")]);
                let outcome = pair.ends[i].outcome().unwrap();
                assert!(outcome.is_normal());
                assert_eq!(&outcome.cause, cause);
            }
            pair.assert_over();
            let (server, client) = (pair.finished[SERVER].unwrap(), pair.finished[CLIENT].unwrap());
            assert!(client >= server + Duration::from_millis(latency), "the client waits for the server's end");
        }
    }
}

#[test]
fn an_hour_of_silence_is_kept_alive() {
    let mut pair = Pair::new(&Config::default());
    pair.run_until(at(3600));
    for end in &mut pair.ends {
        end.assert_open();
        assert_eq!(end.payloads(PING).len(), 180);
        assert!((179..=180).contains(&end.payloads(PONG).len()));
        let latency = end.connection.latency().unwrap();
        assert!((Duration::from_millis(40)..Duration::from_millis(50)).contains(&latency), "{latency:?}");
    }
}

#[test]
fn a_link_that_is_cut_is_noticed_by_both_within_40_seconds() {
    for when in [1, 19, 20, 21, 30, 39] {
        let mut pair = Pair::new(&Config::default());
        pair.run_until(at(when));
        pair.cut();
        pair.run_until(at(when + 60));
        for i in [SERVER, CLIENT] {
            let outcome = pair.ends[i].outcome().unwrap();
            assert_eq!((&outcome.cause, outcome.code()), (&Cause::KeepaliveTimeout, CloseCode::ABNORMAL));
            // The Close was written, the peer had 2 s to read it.
            let gone = pair.gone[i].unwrap();
            assert!(gone <= at(when + 40 + 2), "cut at {when}, gone at {gone:?}");
        }
        pair.assert_over();
    }
}

#[test]
fn a_slow_link_delivers_long_messages_and_is_not_taken_for_dead() {
    // 20 KiB a second: each message takes 51 seconds, and the pongs stand behind it.
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        let config = config(|config| config.delivery = delivery);
        let mut pair = Pair::with(&config, &config, Duration::from_millis(100), 20 << 10, 1000);
        let message = letters(1 << 20);
        for end in &mut pair.ends {
            end.connection.send(message.as_str().into()).unwrap();
        }
        pair.run_until(at(120));
        for i in [SERVER, CLIENT] {
            assert_eq!(pair.ends[i].outcome(), None);
            assert!(pair.received(i) == [text(&message)]);
        }
    }
}

#[test]
fn messages_of_any_length_over_a_slow_link_are_not_taken_for_dead() {
    // Whenever the message ends, the pong comes behind it.
    for kib in (100..=900).step_by(25) {
        let config = Config::default();
        let mut pair = Pair::with(&config, &config, Duration::from_millis(300), 20 << 10, 500);
        pair.ends[CLIENT].connection.send(letters(kib << 10).into()).unwrap();
        pair.run_until(at(120));
        for end in &pair.ends {
            assert_eq!(end.outcome(), None, "{kib} KiB");
        }
        assert_eq!(pair.received(SERVER).len(), 1);
    }
}

#[test]
fn a_ping_that_travels_long_is_answered_late_but_the_message_meanwhile_was_life() {
    // The server's ping of 20 s arrives at 39.5 s; its pong comes at 40.5 s, and at 39.9 s a long message ended.
    let config = Config::default();
    let mut pair = Pair::with(&config, &config, secs(1), 20 << 10, 100);
    pair.pipes[SERVER].latency = Duration::from_millis(19_500);
    pair.ends[CLIENT].connection.send_binary(&vec![0; (20 << 10) * 389 / 10]).unwrap();
    pair.run_until(at(45));
    assert_eq!(pair.received(SERVER).len(), 1);
    assert_eq!(pair.ends[SERVER].payloads(CLOSE), [[0; 0]; 0], "the peer showed life at 39.9 s");
    assert!(pair.ends.iter().all(|end| end.outcome().is_none()));
}

#[test]
fn an_error_close_reaches_the_peer() {
    for role in [SERVER, CLIENT] {
        for (raw, code) in [
            (vec![0x83], 1002),
            (to([Role::Server, Role::Client][role], TEXT, b"\xFF"), 1007),
            (header_to([Role::Server, Role::Client][role], BINARY, 1 << 30), 1009),
        ] {
            let mut pair = Pair::new(&Config::default());
            pair.ends[1 - role].connection.send("before".into()).unwrap();
            pair.run(secs(1));
            // Bytes that the other end never wrote.
            pair.pipes[1 - role].pieces.push_back((pair.now, Some(raw)));
            pair.run(secs(5));
            assert_eq!(pair.received(role), [text("before")]);
            assert_eq!(pair.codes(role), (Some(code), None));
            assert_eq!(pair.codes(1 - role), (Some(code), Some(code)));
            let reason = pair.ends[role].outcome().unwrap().sent.clone().unwrap().reason;
            assert_eq!(pair.ends[1 - role].outcome().unwrap().reason(), &*reason);
            pair.assert_over();
        }
    }
}

#[test]
fn the_sender_of_a_message_that_is_too_big_learns_so_while_it_sends() {
    let lenient = config(|config| {
        config.limits.high_water = usize::MAX;
        config.limits.hard_cap = usize::MAX;
    });
    for size in [(1 << 20) + 1, 5 << 20] {
        for (latency, rate) in [(0, 1_000_000_000), (20, 10_000_000), (100, 1_000_000), (500, 100_000)] {
            let mut pair = Pair::with(&Config::default(), &lenient, Duration::from_millis(latency), rate, 16_384);
            pair.ends[CLIENT].connection.send("before".into()).unwrap();
            pair.ends[CLIENT].connection.send_binary(&vec![0; size]).unwrap();
            pair.run(secs(60));
            assert_eq!(pair.received(SERVER), [text("before")]);
            assert_eq!(pair.codes(SERVER), (Some(1009), None));
            assert_eq!(pair.codes(CLIENT).1, Some(1009), "{size} bytes, {latency} ms, {rate} bytes a second");
            pair.assert_over();
        }
    }
}

#[test]
fn pings_of_the_application_are_answered_with_the_round_trip_time() {
    let mut pair = Pair::new(&Config::default());
    for i in [SERVER, CLIENT] {
        let now = pair.now;
        let id = pair.ends[i].connection.ping(now).unwrap();
        pair.run(secs(1));
        let Some(Seen::Pong(_, Some((answered, took)))) = pair.ends[i].seen.last() else { panic!("no pong") };
        assert_eq!(*answered, id);
        assert!((Duration::from_millis(40)..Duration::from_millis(41)).contains(took), "{took:?}");
    }
}

#[test]
fn a_peer_that_vanishes_with_an_end_of_the_transport_means_1006() {
    for i in [SERVER, CLIENT] {
        let mut pair = Pair::new(&Config::default());
        pair.ends[i].connection.send("never arrives in full".into()).unwrap();
        pair.pipes[i].piece = 5;
        pair.run(Duration::from_micros(1));
        pair.ends[i].abort();
        pair.run(secs(1));
        assert_eq!(pair.received(1 - i), []);
        assert_eq!(pair.ends[1 - i].outcome().map(|outcome| outcome.code()), Some(CloseCode::ABNORMAL));
        pair.assert_over();
    }
}

#[test]
fn a_close_behind_more_than_the_link_carries_in_10_seconds_is_given_up() {
    let config = Config::default();
    let mut pair = Pair::with(&config, &config, secs(0), 1000, 100);
    pair.ends[CLIENT].connection.send_binary(&[0; 100_000]).unwrap();
    pair.ends[CLIENT].close(1000, "");
    pair.run(secs(60));
    assert_eq!(pair.ends[CLIENT].outcome().map(|outcome| &outcome.cause), Some(&Cause::CloseTimeout));
    assert_eq!(pair.ends[SERVER].outcome().map(|outcome| &outcome.cause), Some(&Cause::Eof));
    assert_eq!(pair.gone[CLIENT], Some(at(10)));
    pair.assert_over();
}

// ---- conversations ----

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
    let (is_text, words) = (random.below(2) == 0, letters(len));
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
fn whatever_is_said_before_a_close_arrives_in_order_and_both_ends_agree() {
    for seed in 1..=150 {
        let mut random = Random(seed);
        let configs = [0, 1].map(|_| {
            config(|config| {
                config.delivery = random.pick(&[Delivery::Messages, Delivery::Chunks]);
                config.deadlines.message_progress = None; // these talkers pause between fragments
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
        assert!(pair.finished[SERVER] <= pair.finished[CLIENT], "seed {seed}");
    }
}

#[test]
fn a_link_cut_at_any_moment_leaves_a_beginning_of_what_was_said() {
    for seed in 1..=60 {
        let mut random = Random(seed);
        let config = Config::default();
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
