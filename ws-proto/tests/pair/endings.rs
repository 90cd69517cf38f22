//! How it ends: with a Close, with a fault, or with a link that is cut.

use std::time::Duration;

use ws_proto::{Cause, CloseCode, Config, Role};

use crate::common::*;

#[test]
fn neither_end_waits_for_the_others_once_both_closes_are_there() {
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
            for i in [SERVER, CLIENT] {
                // What the peer's Close answers, or does not wait for, takes one way or two; and some time to be written.
                let ways = if closers == [i] { 2 } else { 1 };
                let finished = pair.finished[i].unwrap() - at(0);
                let expected = Duration::from_millis(latency * ways);
                assert!((expected..expected + Duration::from_millis(1)).contains(&finished), "{i}: {finished:?}");
            }
        }
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
            pair.wires[1 - role].inject(pair.now, raw);
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
fn a_peer_that_vanishes_with_an_end_of_the_transport_means_1006() {
    for i in [SERVER, CLIENT] {
        let mut pair = Pair::new(&Config::default());
        pair.ends[i].connection.send("never arrives in full".into()).unwrap();
        pair.wires[i].link.piece = 5;
        pair.run(Duration::from_micros(1));
        pair.ends[i].abort();
        pair.run(secs(1));
        assert_eq!(pair.received(1 - i), []);
        assert_eq!(pair.ends[1 - i].outcome().map(|outcome| outcome.code()), Some(CloseCode::ABNORMAL));
        pair.assert_over();
    }
}

#[test]
fn a_close_behind_much_on_a_slow_link_arrives_within_the_total() {
    for total in [300, 60] {
        let config = config(|config| config.deadlines.close_total = secs(total));
        let mut pair = Pair::with(&config, &config, secs(0), 1000, 100);
        pair.ends[CLIENT].connection.send_binary(&[0; 100_000]).unwrap();
        pair.ends[CLIENT].close(1000, "");
        pair.run(secs(200));
        let causes = [SERVER, CLIENT].map(|i| pair.ends[i].outcome().unwrap().cause.clone());
        match total {
            300 => assert_eq!(causes, [Cause::Peer, Cause::Local]),
            _ => {
                assert_eq!(causes, [Cause::Eof, Cause::CloseTimeout]);
                assert_eq!(pair.gone[CLIENT], Some(at(60)));
            }
        }
        pair.assert_over();
    }
}
