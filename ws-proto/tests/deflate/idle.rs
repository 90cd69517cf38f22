//! What is released after silence, and that messages go on after it.

use std::time::Duration;

use ws_proto::permessage_deflate::DeflateParams;
use ws_proto::{Buf, Config, Connection, Event, Message, Prepared, Timestamp};
use ws_test_support::random::Random;

use super::samples::*;
use crate::common::*;

const SILENCE: Duration = Duration::from_secs(10);

/// Two ends of a connection, without deadlines of their own.
struct Both {
    client: Connection,
    server: Connection,
    now: Timestamp,
}

impl Both {
    fn new(agreed: DeflateParams) -> Self {
        let mut config = Config::default();
        config.deadlines.ping_interval = None;
        let now = Timestamp::ZERO;
        let mut client = Connection::client(config.clone(), || KEY, now);
        let mut server = Connection::server(config, now);
        client.set_deflate(Some(agreed));
        server.set_deflate(Some(agreed));
        Self { client, server, now }
    }

    fn ends(&mut self, from_server: bool) -> (&mut Connection, &mut Connection) {
        let Self { client, server, .. } = self;
        if from_server { (server, client) } else { (client, server) }
    }

    /// Moves what one end has queued to the other. Returns the messages, and the bytes that it took.
    fn carry(&mut self, from_server: bool) -> (Vec<Message>, usize) {
        let now = self.now;
        let (from, to) = self.ends(from_server);
        let mut bytes = Vec::new();
        while from.outgoing().has_remaining() {
            let chunk = from.outgoing().chunk().to_vec();
            from.outgoing().advance(chunk.len());
            bytes.extend(chunk);
        }
        let (mut messages, len) = (Vec::new(), bytes.len());
        let mut input = bytes.as_mut_slice();
        while let Some(event) = to.receive(&mut input, now) {
            match event {
                Event::Message(message) => messages.push(message.into_message()),
                other => panic!("{other:?}"),
            }
        }
        from.poll_timeout(now);
        to.poll_timeout(now);
        (messages, len)
    }

    /// Time passes, and deadlines are handled when they come.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        for connection in [&mut self.client, &mut self.server] {
            let mut now = self.now;
            while let Some(deadline) = connection.poll_timeout(now).filter(|deadline| *deadline <= end) {
                assert!(deadline > now, "a deadline that is always due");
                now = deadline;
                assert!(connection.handle_timeout(now).is_none());
            }
        }
        self.now = end;
    }

    /// The size of a message on the wire, which must arrive.
    #[track_caller]
    fn send(&mut self, from_server: bool, text: &str) -> usize {
        self.ends(from_server).0.send_text(text).unwrap();
        let (messages, len) = self.carry(from_server);
        assert_eq!(messages, [Message::from(text)]);
        len
    }
}

#[test]
fn after_silence_a_message_refers_to_none_before() {
    for from_server in [false, true] {
        let text = json(&mut Random(1), 2000);
        let text = std::str::from_utf8(&text).unwrap();
        let mut both = Both::new(WIDE);
        let first = both.send(from_server, text);
        let again = both.send(from_server, text);
        assert!(again * 4 < first, "{again} of {first} bytes");
        both.wait(SILENCE - Duration::from_nanos(1));
        assert!(both.send(from_server, text) * 4 < first);
        both.wait(SILENCE);
        assert_eq!(both.send(from_server, text), first);
        assert!(both.send(from_server, text) * 4 < first);
    }
}

#[test]
fn messages_do_not_move_the_deadline_and_it_comes_once_in_ten_seconds() {
    let mut both = Both::new(WIDE);
    assert_eq!(both.server.poll_timeout(both.now), None);
    let text = "a text that is long enough to be compressed, and is compressed".repeat(3);
    both.send(true, &text);
    let deadline = both.server.poll_timeout(both.now);
    assert_eq!(deadline, Some(both.now + SILENCE));
    for _ in 0..9 {
        both.wait(Duration::from_secs(1));
        both.send(true, &text);
        assert_eq!(both.server.poll_timeout(both.now), deadline);
    }
    // It has come, and the last message is a second ago.
    both.wait(Duration::from_secs(1));
    assert_eq!(both.server.poll_timeout(both.now), Some(both.now + Duration::from_secs(9)));
    both.wait(Duration::from_secs(9));
    assert_eq!(both.server.poll_timeout(both.now), None);
    // The receiver kept the window.
    assert_eq!(both.client.poll_timeout(both.now), None);
    both.send(true, &text);
}

#[test]
fn without_takeover_there_is_nothing_to_release() {
    let mut both = Both::new(ALONE);
    let text = "nothing is kept of this text".repeat(100);
    for from_server in [false, true] {
        both.send(from_server, &text);
        assert_eq!((both.client.poll_timeout(both.now), both.server.poll_timeout(both.now)), (None, None));
    }
}

#[test]
fn silence_inside_a_message_loses_nothing() {
    let text = "fragments with silence between them, ".repeat(200);
    let (front, back) = text.split_at(text.len() / 2);
    for from_server in [false, true] {
        let mut both = Both::new(WIDE);
        both.send(from_server, &text);
        both.ends(from_server).0.send_fragment(Message::from(front), false).unwrap();
        assert!(both.carry(from_server).0.is_empty());
        both.wait(3 * SILENCE);
        both.ends(from_server).0.send_fragment(Message::from(back), true).unwrap();
        assert_eq!(both.carry(from_server).0, [Message::from(&*text)]);
        both.send(from_server, &text);
    }
}

#[test]
fn messages_are_the_same_however_long_it_is_silent_between_them() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let bits = 8 + random.below(8) as u8;
        let mut both = Both::new(wide(|agreed| {
            (agreed.send_window_bits, agreed.receive_window_bits) = (bits.max(9), bits.max(9));
            agreed.mem_level = 1 + (seed % 9) as u8;
        }));
        let payloads = samples();
        for _ in 0..60 {
            let payload = &payloads[random.below(payloads.len())];
            let payload = &payload[..payload.len().min(random.below(60_000))];
            let from_server = random.below(2) == 0;
            let message = Message::from(payload.to_vec());
            match random.below(3) {
                0 => both.ends(from_server).0.send_prepared(&Prepared::new(message.clone())).unwrap(),
                _ => both.ends(from_server).0.send(message.clone()).unwrap(),
            }
            assert_eq!(both.carry(from_server).0, [message], "seed {seed}");
            both.wait(Duration::from_millis(random.below(15_000) as u64));
        }
    }
}
