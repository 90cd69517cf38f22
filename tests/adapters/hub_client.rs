//! The hub's client in Rust: the same topics through servers that end, connections that are cut, and refusals.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use ws_hub::client::{ClientError, ClientSubscription, HubClient};
use ws_hub::protocol::{self, SUBPROTOCOL};
use ws_hub::{Delivery, GapCause, Hub, Member, PresenceEvent, TopicOptions, Unrecoverable};

use super::super::Rt;
use super::hub_protocol;
use super::setup::*;

/// A client whose delays no test notices.
fn client_of(url: &str) -> HubClient {
    let connections = Client::new(url).subprotocols([SUBPROTOCOL]).reconnect();
    let connections = connections.backoff(Duration::from_millis(1), Duration::from_millis(20));
    block_on(async { HubClient::reconnecting(connections) })
}

/// Starts a server of the hub at an address that another one has left.
fn restart(hub: &Hub, address: SocketAddr) -> Running {
    let mut listening = None;
    until(|| {
        listening = block_on(uncompressed().subprotocols([SUBPROTOCOL]).bind(address)).ok();
        listening.is_some()
    });
    let hub = hub.clone();
    Running::of(listening.unwrap(), move |ws| {
        let hub = hub.clone();
        async move { protocol::serve(&hub, ws).await }
    })
}

fn publish(hub: &Hub, topic: &str, text: &str) {
    block_on(async { hub.publish(topic, text.to_owned()).await }).unwrap();
}

/// The next delivery in a word: the payload, or what else it is.
fn word(subscription: &mut ClientSubscription) -> String {
    match block_on(subscription.next()) {
        Ok(Delivery::Publication(publication)) => String::from_utf8(publication.message.as_bytes().to_vec()).unwrap(),
        Ok(Delivery::Recovered { publications }) => format!("{publications} recovered"),
        Ok(Delivery::Gap(gap)) => format!("{:?}", gap.cause),
        Ok(Delivery::Unrecoverable(reason)) => format!("{reason:?}"),
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

/// What a server by hand does with a connection.
type Script = Box<dyn FnOnce(&mut Hand) + Send>;

/// A server by hand: each of its connections, in order, is what the script makes of it. It says everything byte by byte.
fn by_hand(scripts: Vec<Script>) -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for script in scripts {
            let mut peer = Peer::new(listener.accept().unwrap().0);
            peer.accept(b"");
            script(&mut Hand { peer, tell: tell.clone() });
        }
    });
    (url, told)
}

struct Hand {
    peer: Peer,
    tell: mpsc::Sender<Value>,
}

impl Hand {
    /// The next command, which is told to the test, too.
    fn hear(&mut self) -> Value {
        let (first, payload) = self.peer.frame();
        assert_eq!(first, 0x81);
        let command: Value = serde_json::from_slice(&payload).unwrap();
        drop(self.tell.send(command.clone()));
        command
    }

    fn say(&mut self, message: Value) {
        for byte in frame(0x81, message.to_string(), None) {
            self.peer.write([byte]);
        }
    }

    fn accept(&mut self, position: Option<&str>) {
        let id = self.hear()["id"].clone();
        self.say(json!({"type": "ok", "id": id, "position": position, "unknown": {"field": [1]}}));
        self.say(json!({"type": "unknown", "topic": "t"}));
    }

    fn publication(&mut self, offset: u64) {
        let position = format!("{:016x}:{offset}", 7);
        self.say(json!({"type": "publication", "topic": "t", "position": position, "data": offset}));
    }
}

#[test]
fn a_subscription_survives_the_restart_of_its_server() {
    let hub = hub_protocol::hub();
    let mut server = hub_protocol::start_at(&hub);
    let address = server.address;
    let client = client_of(&server.url("/"));
    let mut kept = block_on(async { client.subscribe("kept/a").await }).unwrap();
    let mut other = block_on(async { client.subscribe("other").await }).unwrap();
    for round in 0..3 {
        let position = block_on(async { client.publish("kept/a", round.to_string()).await }).unwrap();
        assert_eq!(word(&mut kept), round.to_string());
        assert_eq!(kept.position(), position);
        server.stop();
        until(|| !client.is_connected());
        assert_eq!(block_on(async { client.publish("kept/a", "x").await }), Err(ClientError::Offline));
        (0..round).for_each(|more| publish(&hub, "kept/a", &format!("{round}/{more}")));
        publish(&hub, "other", "missed");
        server = restart(&hub, address);
        (0..round).for_each(|more| assert_eq!(word(&mut kept), format!("{round}/{more}")));
        assert_eq!(word(&mut kept), format!("{round} recovered"));
        assert_eq!(word(&mut other), "Disconnected");
    }
    // The last handle ends the connection.
    drop((kept, other));
    until(|| hub.subscribers("kept/a") + hub.subscribers("other") == 0);
    drop(client);
    until(|| server.handle.stats().open == 0);
    server.stop();
}

#[test]
fn a_recovery_that_is_cut_goes_on_where_it_was() {
    let (url, told) = by_hand(vec![
        // Nothing of it has come.
        Box::new(|hand| hand.accept(Some("0000000000000007:9"))),
        // A part of it has come.
        Box::new(|hand| {
            hand.accept(Some("0000000000000007:9"));
            hand.publication(7);
            // In the middle of a frame.
            hand.peer.write(&frame(0x81, "{\"type\": \"publication\"", None)[..9]);
        }),
        Box::new(|hand| {
            hand.accept(Some("0000000000000007:9"));
            hand.publication(8);
            hand.publication(9);
            hand.say(json!({"type": "recovered", "topic": "t", "publications": 2}));
        }),
        // What it subscribes with after that.
        Box::new(|hand| {
            hand.accept(Some("0000000000000008:1"));
            hand.say(json!({"type": "unrecoverable", "topic": "t", "reason": "epoch", "text": "lost"}));
        }),
        Box::new(|hand| {
            hand.hear();
            hand.peer.write(close_frame(1008));
            hand.peer.until_let_go();
        }),
    ]);
    let client = client_of(&url);
    let mut subscription = block_on(async { client.subscribe("t").last(3).await }).unwrap();
    for wanted in ["7", "8", "9", "2 recovered"] {
        assert_eq!(word(&mut subscription), wanted);
    }
    assert_eq!(word(&mut subscription), format!("{:?}", Unrecoverable::Epoch { current: None }));
    assert!(word(&mut subscription).contains("1008"));
    assert!(matches!(block_on(subscription.next()), Err(ClientError::Ended(_))));
    let asked: Vec<_> = told.iter().map(|command| json!([command["since"], command["last"]])).collect();
    let wanted = json!([
        [null, 3],
        [null, 3],
        ["0000000000000007:7", 3],
        ["0000000000000007:9", null],
        ["0000000000000008:1", null]
    ]);
    assert_eq!(json!(asked), wanted);
    assert!(matches!(block_on(async { client.publish("t", "1").await }), Err(ClientError::Ended(_))));
    assert!(matches!(block_on(async { client.subscribe("u").await }), Err(ClientError::Ended(_))));
}

fn close_frame(code: u16) -> Vec<u8> {
    frame(0x88, close_body(code, "not here"), None)
}

#[test]
fn a_slow_application_loses_nothing_where_there_is_history() {
    let hub = hub_protocol::hub();
    let server = hub_protocol::start_at(&hub);
    let client = client_of(&server.url("/"));
    let mut kept = block_on(async { client.subscribe("kept/a").bound(10, MIB).await }).unwrap();
    let mut other = block_on(async { client.subscribe("other").bound(10, MIB).await }).unwrap();
    for n in 0..2000 {
        publish(&hub, "kept/a", &n.to_string());
        publish(&hub, "other", &n.to_string());
    }
    for n in 0..2000 {
        assert_eq!(word(&mut kept), n.to_string());
    }
    // Answers come, whatever waits.
    block_on(async { client.publish("other", "last").await }).unwrap();
    let (mut told, mut next) = (0, 0);
    loop {
        match for_a_while(other.next()) {
            Some(Ok(Delivery::Gap(gap))) => {
                assert_eq!(gap.cause, GapCause::SlowSubscriber);
                told += 1;
            }
            Some(Ok(Delivery::Publication(publication))) => match publication.message.as_text() {
                Some("last") => break,
                text => {
                    let n: u64 = text.unwrap().parse().unwrap();
                    assert!(n == next || told > 0, "a gap that is not told");
                    next = n + 1;
                }
            },
            Some(unexpected) => panic!("{unexpected:?}"),
            // The gap is told before the next publication.
            None => publish(&hub, "other", "last"),
        }
    }
    assert!(told > 0, "nothing was slow");
    server.stop();
}

#[test]
fn refusals_are_errors_and_the_end_of_a_subscription() {
    let builder = Hub::builder().topics("single/", TopicOptions::new().max_subscribers(1));
    let builder = builder.authorize(|access| async move { access.topic.as_str() != "secret" });
    let hub = block_on(async { builder.start::<Rt>() });
    let server = hub_protocol::start_at(&hub);
    let (one, two) = (client_of(&server.url("/")), client_of(&server.url("/")));
    let code = |error| match error {
        ClientError::Refused { code, .. } => code,
        other => other.to_string(),
    };
    let subscribe = |client: &HubClient, topic: &str| block_on(async { client.subscribe(topic).await });
    let single = subscribe(&one, "single/a").unwrap();
    assert_eq!(code(subscribe(&two, "single/a").unwrap_err()), "topic_full");
    assert_eq!(subscribe(&one, "single/a").unwrap_err(), ClientError::Already);
    assert_eq!(code(subscribe(&one, "secret").unwrap_err()), "forbidden");
    assert_eq!(code(subscribe(&one, "").unwrap_err()), "invalid_topic");
    assert_eq!(code(block_on(async { one.publish("secret", "1").await }).unwrap_err()), "forbidden");
    assert_eq!(code(block_on(async { one.publish("a", "1").idempotency_key("k").await }).unwrap_err()), "unsupported");
    let too_large = block_on(async { hub.publish("a", "x".repeat(2 * MIB)).await });
    assert!(too_large.is_err());
    drop(single);
    until(|| subscribe(&two, "single/a").is_ok());
    // Refused while it waits, and the topic is free again.
    until(|| subscribe(&one, "single/a").is_ok());
    server.stop();
}

#[test]
fn a_publication_without_an_answer_is_unknown() {
    let (url, told) =
        by_hand(vec![Box::new(|hand| drop(hand.hear())), Box::new(|hand| drop(hand.peer.until_let_go()))]);
    let client = client_of(&url);
    until(|| client.is_connected());
    let error = block_on(async { client.publish("t", vec![1, 2]).key("k").await }).unwrap_err();
    assert_eq!(error, ClientError::Disconnected);
    assert!(error.is_unknown());
    let command = hear(&told);
    assert_eq!((&command["binary"], &command["key"]), (&json!("AQI="), &json!("k")));
    client.close();
}

#[test]
fn dropped_futures_leave_nothing_behind() {
    let hub = hub_protocol::hub();
    let server = hub_protocol::start_at(&hub);
    let client = client_of(&server.url("/"));
    let mut kept = block_on(async { client.subscribe("kept/a").await }).unwrap();
    for polls in 1..6 {
        drop(block_on(cut_off(client.subscribe("other").into_future(), polls)));
        drop(block_on(cut_off(client.publish("kept/a", polls.to_string()).into_future(), polls)));
        if let Some(delivery) = block_on(cut_off(kept.next(), 1)) {
            assert!(delivery.is_ok());
        }
    }
    block_on(async { client.publish("kept/a", "last").await }).unwrap();
    while word(&mut kept) != "last" {}
    until(|| hub.subscribers("other") == 0);
    assert!(block_on(async { client.subscribe("other").await }).is_ok());
    server.stop();
}

#[test]
fn members_are_there_again_after_the_restart_of_the_server() {
    let hub = hub_protocol::hub();
    let server = hub_protocol::start_at(&hub);
    let address = server.address;
    let (one, two) = (client_of(&server.url("/")), client_of(&server.url("/")));
    let alice = Member::new("alice", "{\"name\":\"Alice\"}").unwrap();
    let mut watch = one.presence("room").watch().unwrap();
    assert_eq!(one.presence("room").watch().unwrap_err(), ClientError::Already);
    assert_eq!(block_on(watch.next()), Ok(PresenceEvent::Members(vec![])));
    let joined = block_on(two.presence("room").join(alice.clone())).unwrap();
    assert_eq!(block_on(watch.next()), Ok(PresenceEvent::Joined(alice.clone())));
    assert_eq!(block_on(two.presence("room").members()), Ok(vec![alice.clone()]));
    server.stop();
    let server = restart(&hub, address);
    // All members again, and perhaps before she has joined again.
    loop {
        match block_on(watch.next()).unwrap() {
            PresenceEvent::Members(members) if members.is_empty() => {}
            PresenceEvent::Left(_) => {}
            PresenceEvent::Members(members) if members == [alice.clone()] => break,
            PresenceEvent::Joined(member) if member == alice => break,
            other => panic!("{other:?}"),
        }
    }
    until(|| block_on(two.presence("room").members()).is_ok_and(|members| members == [alice.clone()]));
    drop(joined);
    until(|| matches!(block_on(watch.next()), Ok(PresenceEvent::Left(_))));
    server.stop();
}

#[test]
fn a_server_that_speaks_something_else_is_left() {
    for message in ["hello", "[]", "{}", "{\"type\": \"ok\"}", "{\"type\": 7}"] {
        let (url, _told) = by_hand(vec![Box::new(move |hand: &mut Hand| {
            hand.hear();
            hand.peer.write(frame(0x81, message, None));
            assert_eq!(hand.peer.close_frame().0, 1007);
            hand.peer.write(frame(0x88, close_body(1007, ""), None));
            hand.peer.until_let_go();
        })]);
        let client = client_of(&url);
        let error = block_on(async { client.subscribe("t").await }).unwrap_err();
        assert!(matches!(error, ClientError::Ended(_)), "{message}: {error}");
    }
}
