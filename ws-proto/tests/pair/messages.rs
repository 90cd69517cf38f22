//! Messages and pings that arrive, however slow the link is.

use std::time::Duration;

use ws_proto::{Config, Delivery};

use crate::common::*;

#[test]
fn messages_go_there_and_come_back() {
    let mut pair = Pair::new(&Config::default());
    pair.echoes[SERVER] = true;
    let mut sent = vec![];
    for len in [0, 1, 125, 126, 1500, 4096, 65_535, 65_536, 1 << 20] {
        let letters = alphabet(len);
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
fn a_slow_link_delivers_long_messages_and_is_not_taken_for_dead() {
    // 20 KiB a second: each message takes 51 seconds, and the pongs stand behind it.
    for delivery in [Delivery::Messages, Delivery::Chunks] {
        let config = config(|config| config.delivery = delivery);
        let mut pair = Pair::with(&config, &config, Duration::from_millis(100), 20 << 10, 1000);
        let message = alphabet(1 << 20);
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
        pair.ends[CLIENT].connection.send(alphabet(kib << 10).into()).unwrap();
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
    pair.wires[SERVER].link.latency = Duration::from_millis(19_500);
    pair.ends[CLIENT].connection.send_binary(&vec![0; (20 << 10) * 389 / 10]).unwrap();
    pair.run_until(at(45));
    assert_eq!(pair.received(SERVER).len(), 1);
    assert_eq!(pair.ends[SERVER].payloads(CLOSE), [[0; 0]; 0], "the peer showed life at 39.9 s");
    assert!(pair.ends.iter().all(|end| end.outcome().is_none()));
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
