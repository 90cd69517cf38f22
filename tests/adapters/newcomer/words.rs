//! Conversions into messages, codes, addresses and settings.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::super::setup::*;

#[test]
fn messages_of_everything_that_is_one() {
    let server = start(Server::new(), echo);
    let mut ws = server.connect();
    let owned = "Hello".to_owned();
    send(&ws, "Hello");
    send(&ws, &owned);
    send(&ws, owned.clone());
    send(&ws, format!("Hel{}", "lo"));
    send(&ws, Cow::Borrowed("Hello"));
    send(&ws, String::from_utf8_lossy(b"Hello"));
    send(&ws, &Message::from("Hello"));
    for _ in 0..7 {
        let message = recv(&mut ws);
        assert_eq!(message, "Hello");
        assert_eq!(message, owned);
        assert_eq!(message.to_string(), owned);
        assert_eq!(format!("they said: {message}"), "they said: Hello");
        assert_eq!(message.as_text(), Some("Hello"));
    }
    send(&ws, 'é');
    assert!(recv(&mut ws) == "é");
    send(&ws, [1, 2, 3]);
    send(&ws, vec![1, 2, 3]);
    send(&ws, &vec![1, 2, 3]);
    send(&ws, &[1, 2, 3]);
    send(&ws, &[1_u8, 2, 3][..]);
    send(&ws, b"\x01\x02\x03");
    send(&ws, Bytes::from_static(&[1, 2, 3]));
    for _ in 0..7 {
        let message = recv(&mut ws);
        assert_eq!(message.as_bytes(), [1, 2, 3]);
        assert_eq!(message.to_string(), "[3 bytes]");
    }
    close(ws);
    server.stop();
}

#[test]
fn codes_are_numbers_or_have_names() {
    let server = start(Server::new(), drain);
    for named in [true, false] {
        let ws = server.connect();
        let outcome = block_on(async {
            match named {
                true => ws.close(CloseCode::NORMAL, "").await,
                false => ws.close(1000, "").await,
            }
        });
        assert!(outcome.unwrap().code() == 1000);
    }
    let ws = server.connect();
    let outcome = block_on(ws.sender().close(4000, format!("room {}", 7))).unwrap();
    assert_eq!(outcome.code(), 4000);
    assert_eq!(outcome.sent.unwrap().reason, "room 7");
    server.stop();
}

#[test]
fn codes_that_must_not_be_sent_are_named() {
    let server = start(Server::new(), drain);
    let ws = server.connect();
    for code in [0, 999, 1006, 1015, 2999, 5000] {
        let refused = block_on(ws.close(code, "")).unwrap_err();
        assert!(refused.to_string().contains(&code.to_string()), "{refused}");
    }
    close(ws);
    server.stop();
}

#[test]
fn urls_are_strings() {
    let server = start(Server::new(), echo);
    let url = server.url("/");
    let parsed: url::Url = url.parse().unwrap();
    let uri: http::Uri = url.parse().unwrap();
    block_on(async {
        for ws in [
            connect(&*url).await,
            connect(&url).await,
            connect(url.clone()).await,
            connect(&parsed).await,
            connect(parsed).await,
            connect(uri.to_string()).await,
            connect(Cow::Borrowed(&*url)).await,
            Client::new(url.clone()).connect().await,
            Client::new(&url).connect().await,
        ] {
            ws.unwrap().close(1000, "").await.unwrap();
        }
    });
    let task = spawn(connect(url));
    block_on(task).unwrap();
    server.stop();
}

#[test]
fn senders_are_kept_in_sets_and_maps() {
    let (one, _other_end) = accepted(Server::new());
    let (other, _its_end) = accepted(Server::new());
    assert_eq!(one.sender(), one.sender());
    assert_ne!(one.sender(), other.sender());

    let mut set = HashSet::new();
    assert!(set.insert(one.sender()) && !set.insert(one.sender()) && set.insert(other.sender()));
    assert!(set.remove(&one.sender()));
    assert_eq!(set.len(), 1);

    let mut names = HashMap::from([(one.sender(), "one"), (other.sender(), "other")]);
    assert_eq!(names.insert(one.sender(), "another name"), Some("one"));

    let mut list = vec![one.sender(), other.sender()];
    list.retain(|sender| *sender != one.sender());
    assert_eq!(list, [other.sender()]);
}

#[test]
fn settings_without_ceremony() {
    let server = Server::new()
        .max_message(1000)
        .ping_interval(Duration::from_secs(5))
        .pong_timeout(Duration::from_secs(5))
        .close_timeout(Duration::from_secs(1))
        .configure(|config| config.limits.fragments = Some(2));
    let server = start(server, echo);
    let client = server.client().max_message(None).ping_interval(None).pong_timeout(None);
    let mut ws = block_on(client.connect()).unwrap();
    send(&ws, "x".repeat(1000));
    assert_eq!(recv(&mut ws).len(), 1000);
    send(&ws, "x".repeat(1001));
    assert_eq!(outcome(&failure(&mut ws)).code(), CloseCode::MESSAGE_TOO_BIG);

    // What was set is kept beside what is set later.
    let mut peer = server.upgraded();
    peer.write([masked(0x01, "one"), masked(0x00, "two"), masked(0x80, "three")].concat());
    assert_eq!(peer.close_frame().0, 1009);
    server.stop();
}
