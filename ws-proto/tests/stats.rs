//! The counters of a connection: messages, frames, and bytes with and without headers and compression.

#[cfg(feature = "deflate")]
use ws_proto::Role;
use ws_proto::{Config, Message, Prepared, Traffic};

use crate::common::*;

/// Counters of a direction without compression.
fn traffic(messages: u64, frames: u64, payload_bytes: u64, wire_bytes: u64) -> Traffic {
    let mut traffic = Traffic::default();
    (traffic.messages, traffic.frames) = (messages, frames);
    (traffic.payload_bytes, traffic.wire_bytes) = (payload_bytes, wire_bytes);
    traffic
}

#[test]
fn whatever_is_received_counts_however_it_is_cut() {
    let long = vec![b'x'; 70_000];
    for (frames, messages, payload) in [
        (vec![(TEXT, &b"Hello"[..])], 1, 5),
        (vec![(TEXT, b""), (BINARY, &long[..126]), (BINARY, &long[..300])], 3, 426),
        (vec![(BINARY_BEGINS, b"ab"), (CONTINUES, b""), (PING, b"p"), (LAST, b"cde")], 1, 5),
        (vec![(PING, &long[..125]), (PONG, b""), (BINARY, &long)], 1, 70_000),
    ] {
        let input = |role| all_to(role, &frames);
        each_role(input, |end| {
            let expected = traffic(messages, frames.len() as u64, payload, input(end.role()).len() as u64);
            assert_eq!(end.connection.stats().received, expected);
        });
    }
}

#[test]
fn the_end_keeps_the_counters_and_counts_what_it_discards() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let frames = all_to(role, &[(TEXT, b"Hello"), (CLOSE, &close_body(1000, "")), (TEXT, b"too late")]);
        end.read(&frames);
        let expected = traffic(1, 2, 5, frames.len() as u64);
        assert_eq!(end.connection.stats().received, expected);
        end.read(b"more");
        end.eof();
        assert_eq!(end.connection.stats().received, traffic(1, 2, 5, frames.len() as u64 + 4));
        // The answer to the Close frame.
        assert_eq!(end.connection.stats().sent, traffic(0, 1, 0, end.written.len() as u64));
    }
}

#[test]
fn whatever_is_sent_counts() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.connection.send(Message::from("Hello")).unwrap();
        assert_eq!(end.connection.stats().sent, traffic(1, 1, 5, 0), "nothing is written");
        end.settle();
        let connection = &mut end.connection;
        connection.send_text("é").unwrap();
        connection.send_binary(&[7; 1000]).unwrap();
        connection.send_prepared(&Prepared::new("to all")).unwrap();
        connection.send_fragment("one ".into(), false).unwrap();
        connection.send_fragment("two ".into(), false).unwrap();
        connection.send_fragment("three".into(), true).unwrap();
        connection.ping(end.now).unwrap();
        end.settle();
        end.read_frame(PING, "answer me");
        end.close(1000, "done");
        let frames = end.frames();
        assert_eq!(frames.len(), 10);
        let expected = traffic(5, 10, 5 + 2 + 1000 + 6 + 13, end.written.len() as u64);
        assert_eq!(end.connection.stats().sent, expected);
        assert_eq!(expected.compression_ratio(), None);
    }
}

#[test]
fn what_is_refused_does_not_count() {
    let config = config(|config| (config.limits.high_water, config.limits.hard_cap) = (1, 1));
    for role in ROLES {
        let mut end = End::new(role, &config);
        let connection = &mut end.connection;
        connection.send("first".into()).unwrap();
        let counted = connection.stats();
        connection.send("second".into()).unwrap_err();
        connection.send_fragment("third".into(), true).unwrap_err();
        connection.ping(at(0)).unwrap_err();
        assert_eq!(connection.stats(), counted);
    }
}

#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use ws_proto::permessage_deflate::{Compress, DeflateParams};

    use crate::deflate::samples::{ALONE, WIDE};

    /// Sends from one end to the other. Returns the counters of the sender and of the receiver.
    fn exchange(role: Role, agreed: DeflateParams, send: impl Fn(&mut End)) -> [Traffic; 2] {
        let mut from = End::compressing(role, &Config::default(), agreed);
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        let mut to = End::compressing(other, &Config::default(), agreed);
        send(&mut from);
        from.close(1000, "");
        for piece in from.written.clone().chunks(7) {
            to.read(piece);
        }
        // The memory for compression is free by now. The counters are not.
        [from.connection.stats().sent, to.connection.stats().received]
    }

    #[test]
    fn both_ends_count_the_same() {
        let repeated = "the same again, ".repeat(100);
        for (role, agreed) in [(Role::Server, WIDE), (Role::Client, WIDE), (Role::Server, ALONE), (Role::Client, ALONE)]
        {
            let [sent, received] = exchange(role, agreed, |end| {
                end.connection.send(repeated.as_str().into()).unwrap();
                end.connection.send_prepared(&Prepared::new(repeated.as_str())).unwrap();
                end.connection.send_fragment(repeated.as_str().into(), false).unwrap();
                end.connection.send_fragment(repeated.as_str().into(), true).unwrap();
                end.connection.send_with("as it is".into(), Compress::Never).unwrap();
                end.settle();
            });
            assert_eq!(sent, received);
            let len = repeated.len() as u64;
            assert_eq!((sent.messages, sent.frames, sent.payload_bytes), (4, 6, 4 * len + 8));
            assert_eq!(sent.uncompressed_bytes, 4 * len);
            assert!(sent.compressed_bytes < sent.wire_bytes && sent.wire_bytes < len, "{sent:?}");
            let ratio = sent.compression_ratio().unwrap();
            assert_eq!(ratio, sent.uncompressed_bytes as f64 / sent.compressed_bytes as f64);
            assert!(ratio > 10.0, "{ratio}");
        }
    }
}
