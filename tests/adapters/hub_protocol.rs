//! The hub's client protocol, as its specification (docs/hub-protocol.md) has it, spoken by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use ws_hub::protocol::{Protocol, SUBPROTOCOL};
use ws_hub::{Action, Delivery, Hub, Member, SlowPolicy, TopicOptions, protocol};

use super::super::Rt;
use super::setup::*;

pub(crate) fn hub() -> Hub {
    let kept = || TopicOptions::new().history(10_000, Duration::from_secs(3600));
    let builder = Hub::builder().topics("kept/", kept()).topics("few/", TopicOptions::new().history(2, Duration::MAX));
    let builder = builder.topics("closing/", kept().slow(SlowPolicy::Close)).topics("single/", single());
    block_on(async { builder.presence_grace(Duration::ZERO).max_recovery(10_000, 64 * MIB).start::<Rt>() })
}

fn single() -> TopicOptions {
    TopicOptions::new().max_subscribers(1)
}

pub(crate) fn start_at(hub: &Hub) -> Running {
    let hub = hub.clone();
    start(uncompressed().subprotocols([SUBPROTOCOL]).max_message(2 * MIB), move |ws| {
        let hub = hub.clone();
        async move { protocol::serve(&hub, ws).await }
    })
}

fn join(server: &Running) -> WebSocket {
    let client = server.client().subprotocols([SUBPROTOCOL]).require_subprotocol(true);
    block_on(client.connect()).unwrap()
}

fn next(ws: &mut WebSocket) -> Value {
    serde_json::from_str(&text(ws)).unwrap()
}

/// Sends a command, whose answer is the next message.
fn ask(ws: &mut WebSocket, command: Value) -> Value {
    send(ws, command.to_string());
    next(ws)
}

fn publish(hub: &Hub, topic: &str, message: impl Into<Message>) -> String {
    let position = block_on(async { hub.publish(topic, message).await }).unwrap();
    position.map_or(String::new(), |position| position.to_string())
}

#[test]
fn the_answer_comes_first_then_all_that_was_missed_however_slow_the_client_is() {
    let hub = hub();
    let server = start_at(&hub);
    for topic in ["kept/a", "closing/a"] {
        let mut ws = join(&server);
        let subscribed = ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": topic}));
        let start = subscribed["position"].as_str().unwrap().to_owned();
        assert_eq!(subscribed, json!({"type": "ok", "id": 1, "position": start}));
        close(ws);
        // Many times what a connection's queue and its sockets hold.
        let large = format!("\"{}\"", "x".repeat(64 * KIB));
        let mut positions: Vec<_> = (0..150).map(|_| publish(&hub, topic, large.clone())).collect();
        for (field, value, begin) in [("since", json!(start), 0), ("last", json!(120), 31)] {
            let mut ws = join(&server);
            let answer = ask(&mut ws, json!({"type": "subscribe", "id": 2, "topic": topic, field: value}));
            assert_eq!((&answer["type"], &answer["id"]), (&json!("ok"), &json!(2)));
            // It reads nothing meanwhile.
            settle();
            let live = publish(&hub, topic, "\"live\"");
            for position in &positions[begin..] {
                let push = next(&mut ws);
                assert_eq!((&push["type"], &push["position"]), (&json!("publication"), &json!(position)));
            }
            let count = positions.len() - begin;
            assert_eq!(next(&mut ws), json!({"type": "recovered", "topic": topic, "publications": count}));
            assert_eq!(next(&mut ws)["data"], "live");
            close(ws);
            positions.push(live);
        }
    }
    server.stop();
}

#[test]
fn every_command_has_its_answer() {
    let hub = hub();
    let server = start_at(&hub);
    let mut ws = join(&server);
    let position = publish(&hub, "kept/a", "1");
    let unknown = format!("{}:99", position.split(':').next().unwrap());
    let long = "x".repeat(256);
    let deep = "[".repeat(129) + &"]".repeat(129);
    let mut other = join(&server);
    assert_eq!(ask(&mut other, json!({"type": "subscribe", "id": 1, "topic": "single/a"}))["type"], "ok");
    let mut code = |command: Value| {
        let id = command["id"].clone();
        let answer = ask(&mut ws, command);
        assert_eq!(answer["id"], id);
        let code = answer["code"].as_str().unwrap_or(answer["type"].as_str().unwrap()).to_owned();
        assert!(answer["type"] == "ok" || answer["text"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        code
    };
    for (command, wanted) in [
        (json!({"type": "ping"}), "ok"),
        (json!({"type": "ping", "with": {"unknown": ["fields"]}, "topic": null}), "ok"),
        (json!({"type": "dance"}), "unknown_command"),
        (json!({"type": null}), "malformed"),
        (json!({}), "malformed"),
        (json!({"type": 1}), "malformed"),
        (json!({"type": "subscribe"}), "malformed"),
        (json!({"type": "subscribe", "topic": 7}), "malformed"),
        (json!({"type": "subscribe", "topic": "a", "since": "yesterday"}), "malformed"),
        (json!({"type": "subscribe", "topic": "a", "last": -1}), "malformed"),
        (json!({"type": "subscribe", "topic": "a", "last": 1.5}), "malformed"),
        (json!({"type": "subscribe", "topic": ""}), "invalid_topic"),
        (json!({"type": "subscribe", "topic": long}), "invalid_topic"),
        (json!({"type": "subscribe", "topic": "\0ws-hub/beat"}), "invalid_topic"),
        (json!({"type": "subscribe", "topic": "single/a"}), "topic_full"),
        (json!({"type": "unsubscribe", "topic": "a"}), "absent"),
        (json!({"type": "subscribe", "topic": "a"}), "ok"),
        (json!({"type": "subscribe", "topic": "a"}), "already"),
        (json!({"type": "unsubscribe", "topic": "a"}), "ok"),
        (json!({"type": "unsubscribe", "topic": "a"}), "absent"),
        (json!({"type": "publish", "topic": "a"}), "malformed"),
        (json!({"type": "publish", "topic": "a", "data": 1, "text": "1"}), "malformed"),
        (json!({"type": "publish", "topic": "a", "binary": "%%"}), "malformed"),
        (json!({"type": "publish", "topic": "a", "data": serde_json::from_str::<Value>("[[1]]").unwrap()}), "ok"),
        (json!({"type": "publish", "topic": "a", "data": null}), "ok"),
        (json!({"type": "publish", "topic": "", "data": 1}), "invalid_topic"),
        (json!({"type": "publish", "topic": "a", "text": "x".repeat(MIB + 1)}), "too_large"),
        (json!({"type": "publish", "topic": "a", "text": "x".repeat(MIB)}), "ok"),
        (json!({"type": "publish", "topic": "a", "data": 1, "after": position}), "unsupported"),
        (json!({"type": "publish", "topic": "a", "data": 1, "idempotency_key": "k"}), "unsupported"),
        (json!({"type": "publish", "topic": "kept/a", "data": 2, "after": unknown}), "conflict"),
        (json!({"type": "publish", "topic": "kept/a", "data": 2, "after": position}), "ok"),
        (json!({"type": "publish", "topic": "kept/a", "data": 3, "after": position}), "conflict"),
        (json!({"type": "publish", "topic": "kept/a", "data": 3, "after": 3}), "malformed"),
        (json!({"type": "publish", "topic": "kept/a", "data": 4, "idempotency_key": "k"}), "ok"),
        (json!({"type": "publish", "topic": "kept/a", "data": 4, "idempotency_key": "k"}), "ok"),
        (json!({"type": "publish", "topic": "a", "data": 5, "key": "k".repeat(255)}), "ok"),
        (json!({"type": "publish", "topic": "a", "data": 5, "key": "k".repeat(256)}), "key_too_long"),
        (json!({"type": "publish", "topic": "kept/a", "data": 5, "idempotency_key": "k".repeat(256)}), "key_too_long"),
        (json!({"type": "join", "topic": "a"}), "malformed"),
        (json!({"type": "join", "topic": "a", "member": "alice"}), "malformed"),
        (json!({"type": "join", "topic": "a", "member": {}}), "malformed"),
        (json!({"type": "join", "topic": "a", "member": {"id": long}}), "invalid_member"),
        (json!({"type": "join", "topic": "a", "member": {"id": "b", "data": "x".repeat(4096)}}), "invalid_member"),
        (json!({"type": "join", "topic": "", "member": {"id": "b"}}), "invalid_topic"),
        (json!({"type": "join", "topic": "a", "member": {"id": "b"}}), "ok"),
        (json!({"type": "join", "topic": "a", "member": {"id": "c"}}), "already"),
        (json!({"type": "members", "topic": "a"}), "ok"),
        (json!({"type": "members", "topic": ""}), "invalid_topic"),
        (json!({"type": "leave", "topic": "a"}), "ok"),
        (json!({"type": "leave", "topic": "a"}), "absent"),
        (json!({"type": "unwatch", "topic": "a"}), "absent"),
    ]
    .into_iter()
    .enumerate()
    .map(|(id, (mut command, wanted))| {
        command["id"] = json!(id);
        (command, wanted)
    }) {
        assert_eq!(code(command.clone()), wanted, "{command:.100}");
    }
    send(&ws, format!("{{\"type\":\"publish\",\"id\":1,\"topic\":\"a\",\"data\":{deep}}}"));
    assert_eq!(next(&mut ws)["code"], "malformed");
    // Idempotent: it was published once.
    let page = block_on(async { hub.latest("kept/a", 10).await }).unwrap();
    assert_eq!(page.publications.len(), 3);
    close(ws);
    server.stop();
}

#[test]
fn a_message_that_cannot_be_answered_ends_the_connection() {
    let hub = hub();
    let server = start_at(&hub);
    let deep = "[".repeat(200_000);
    for (message, code) in [
        (Message::from(vec![1, 2, 3]), 1003),
        (Message::from("{}".as_bytes().to_vec()), 1003),
        (Message::from(""), 1007),
        (Message::from("hello"), 1007),
        (Message::from("{\"type\": \"ping\"}"), 1007),
        (Message::from("{\"type\": \"ping\", \"id\": 1"), 1007),
        (Message::from("{\"type\": \"ping\", \"id\": 9007199254740992}"), 1007),
        (Message::from("[{\"type\": \"ping\", \"id\": 1}]"), 1007),
        (Message::from(deep), 1007),
    ] {
        let mut ws = join(&server);
        assert_eq!(ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": "a"}))["type"], "ok");
        send(&ws, message.clone());
        let (got, reason) = ending(&mut ws);
        assert_eq!(got, code, "{message:.50?}");
        assert!(!reason.is_empty());
    }
    until(|| hub.subscribers("a") == 0);
    server.stop();
}

#[test]
fn commands_that_arrive_at_once_are_answered_in_order() {
    let hub = hub();
    let server = start_at(&hub);
    let mut ws = join(&server);
    for id in 0..500 {
        send(&ws, json!({"type": "publish", "id": id, "topic": "kept/order", "data": id}).to_string());
    }
    for id in 0..500 {
        assert_eq!(next(&mut ws)["id"], id);
    }
    let page = block_on(async { hub.latest("kept/order", 500).await }).unwrap();
    let order: Vec<_> = page.publications.iter().map(|publication| publication.message.clone()).collect();
    assert_eq!(order, (0..500).map(|id| Message::from(id.to_string())).collect::<Vec<_>>());
    close(ws);
    server.stop();
}

#[test]
fn payloads_arrive_as_they_were_published() {
    let hub = hub();
    let server = start_at(&hub);
    let mut ws = join(&server);
    ask(&mut ws, json!({"type": "subscribe", "id": 0, "topic": "kept/p"}));
    let mut here = block_on(async { hub.subscribe("kept/p").await }).unwrap();
    for (payload, delivered, message) in [
        (r#""data": {"b":1,  "a":1.0}"#, r#""data":{"b":1,  "a":1.0}"#, Message::from("{\"b\":1,  \"a\":1.0}")),
        (r#""data": "\u00fc \ud83d\ude00""#, r#""data":"\u00fc \ud83d\ude00""#, r#""\u00fc \ud83d\ude00""#.into()),
        (r#""text": "hello""#, r#""text":"hello""#, "hello".into()),
        (r#""text": "42""#, r#""data":42"#, "42".into()),
        (r#""text": """#, r#""text":"""#, "".into()),
        (r#""binary": "AAEC/w==""#, r#""binary":"AAEC/w==""#, vec![0, 1, 2, 255].into()),
        (r#""binary": """#, r#""binary":"""#, Vec::new().into()),
    ] {
        send(&ws, format!("{{\"type\":\"publish\",\"id\":1,\"topic\":\"kept/p\",{payload}}}"));
        let (mut one, mut two) = (text(&mut ws), text(&mut ws));
        // The push and the answer come in any order.
        if one.contains("\"ok\"") {
            std::mem::swap(&mut one, &mut two);
        }
        assert!(one.contains(delivered), "{one}");
        assert!(two.contains("\"position\""), "{two}");
        match block_on(here.next()) {
            Some(Delivery::Publication(publication)) => assert_eq!(publication.message, message),
            other => panic!("{other:?}"),
        }
    }
    block_on(async { drop(here) });
    close(ws);
    server.stop();
}

#[test]
fn what_cannot_be_recovered_is_told_before_what_follows() {
    let hub = hub();
    let server = start_at(&hub);
    let first = publish(&hub, "few/a", "1");
    (2..=5).for_each(|n| drop(publish(&hub, "few/a", n.to_string())));
    let mut ws = join(&server);
    let foreign = "0000000000000001:1";
    for (since, last, wanted) in [
        (Some(first.as_str()), None, json!(["expired"])),
        (Some(foreign), None, json!(["epoch"])),
        (Some(first.as_str()), Some(9), json!(["expired", 4, 5, "recovered"])),
        (None, Some(1), json!([5, "recovered"])),
    ] {
        let command = json!({"type": "subscribe", "id": 1, "topic": "few/a", "since": since, "last": last});
        assert_eq!(ask(&mut ws, command)["type"], "ok");
        for wanted in wanted.as_array().unwrap() {
            let push = next(&mut ws);
            let word = [&push["reason"], &push["data"], &push["type"]].into_iter().find(|word| !word.is_null());
            assert_eq!(word, Some(wanted), "{push}");
        }
        ask(&mut ws, json!({"type": "unsubscribe", "id": 2, "topic": "few/a"}));
    }
    for (topic, field) in [("none", "since"), ("none", "last")] {
        let value = if field == "since" { json!(first) } else { json!(3) };
        ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": topic, field: value}));
        assert_eq!(next(&mut ws)["reason"], "no_history");
        ask(&mut ws, json!({"type": "unsubscribe", "id": 2, "topic": topic}));
    }
    close(ws);
    server.stop();
}

#[test]
fn nothing_is_pushed_after_the_end_of_a_subscription() {
    let hub = hub();
    let server = start_at(&hub);
    let large = format!("\"{}\"", "x".repeat(64 * KIB));
    (0..100).for_each(|_| drop(publish(&hub, "kept/a", large.clone())));
    let mut ws = join(&server);
    for _ in 0..10 {
        // In the middle of a recovery.
        assert_eq!(ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": "kept/a", "last": 100}))["type"], "ok");
        send(&ws, json!({"type": "unsubscribe", "id": 2, "topic": "kept/a"}).to_string());
        let pushes = (0..=101).take_while(|_| next(&mut ws)["id"].is_null()).count();
        assert!(pushes <= 101, "there was no answer");
        publish(&hub, "kept/a", "1");
        assert_eq!(ask(&mut ws, json!({"type": "ping", "id": 3}))["id"], 3);
    }
    close(ws);
    server.stop();
}

#[test]
fn a_slow_client_is_told_or_closed_as_the_topic_says() {
    let hub = hub();
    let server = start_at(&hub);
    let large = format!("\"{}\"", "x".repeat(64 * KIB));
    for topic in ["open/a", "closing/b"] {
        let mut ws = join(&server);
        let start = ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": topic}))["position"].clone();
        let count = 300;
        (0..count).for_each(|_| drop(publish(&hub, topic, large.clone())));
        let mut seen = BTreeMap::<String, usize>::new();
        let mut last = start;
        let end = loop {
            match for_a_while(ws.recv()) {
                Some(Ok(Some(Message::Text(text)))) => {
                    let push: Value = serde_json::from_str(&text).unwrap();
                    *seen.entry(push["type"].as_str().unwrap().to_owned()).or_default() += 1;
                    if push["type"] == "gap" {
                        break push["cause"].as_str().unwrap().to_owned();
                    }
                    last = push["position"].clone();
                }
                Some(Ok(other)) => {
                    assert_eq!(other, None);
                    break u16::from(block_on(ws.closed()).code()).to_string();
                }
                Some(Err(error)) => break u16::from(outcome(&error).code()).to_string(),
                None => drop(publish(&hub, topic, "1")),
            }
        };
        assert!(seen["publication"] < count, "{topic}: nothing was slow");
        if topic == "open/a" {
            assert_eq!(end, "slow_subscriber");
            continue;
        }
        assert_eq!(end, "4008");
        // It comes again, and has everything.
        let mut ws = join(&server);
        ask(&mut ws, json!({"type": "subscribe", "id": 1, "topic": topic, "since": last}));
        while next(&mut ws)["type"] == "publication" {
            *seen.get_mut("publication").unwrap() += 1;
        }
        assert_eq!(seen["publication"], count);
        close(ws);
    }
    server.stop();
}

#[test]
fn members_are_pushed_as_they_come_and_go() {
    let hub = hub();
    let server = start_at(&hub);
    let here = block_on(async { hub.presence("room").await.unwrap().join(Member::new("zoe", "no JSON").unwrap()) });
    let (mut one, mut two) = (join(&server), join(&server));
    assert_eq!(ask(&mut one, json!({"type": "watch", "id": 1, "topic": "room"}))["type"], "ok");
    let zoe = json!({"id": "zoe", "text": "no JSON"});
    assert_eq!(next(&mut one), json!({"type": "members", "topic": "room", "members": [zoe]}));
    for (command, push) in [
        (json!({"type": "join", "member": {"id": "bob"}}), json!({"type": "joined", "member": {"id": "bob"}})),
        (json!({"type": "leave"}), json!({"type": "left", "member": {"id": "bob"}})),
        (
            json!({"type": "join", "member": {"id": "zoe", "data": null}}),
            json!({"type": "changed", "member": {"id": "zoe", "data": null}}),
        ),
    ] {
        let with_topic = |mut value: Value| {
            value["topic"] = json!("room");
            value["id"] =
                if value["member"].is_null() || value.get("id").is_none() { json!(1) } else { value["id"].clone() };
            value
        };
        assert_eq!(ask(&mut two, with_topic(command))["type"], "ok");
        let mut got = next(&mut one);
        assert_eq!(got["topic"].take(), "room");
        let mut push = push;
        push["topic"] = json!(null);
        assert_eq!(got, push);
    }
    let members = ask(&mut two, json!({"type": "members", "id": 9, "topic": "room"}));
    assert_eq!(members, json!({"type": "ok", "id": 9, "members": [{"id": "zoe", "data": null}]}));
    assert_eq!(ask(&mut one, json!({"type": "unwatch", "id": 2, "topic": "room"}))["type"], "ok");
    close(two);
    assert_eq!(ask(&mut one, json!({"type": "ping", "id": 3}))["id"], 3);
    close(one);
    block_on(async { drop(here) });
    server.stop();
}

#[test]
fn a_client_does_what_it_may_within_its_limits() {
    /// Whether it may publish.
    struct User(bool);
    let builder = Hub::builder().authorize(|access| async move {
        let is_open = access.topic.as_str().starts_with("open");
        match access.identity::<User>() {
            Some(user) => is_open && (access.action != Action::Publish || user.0),
            None => access.is_own(),
        }
    });
    let hub = block_on(async { builder.start::<Rt>() });
    let here = hub.clone();
    let protocol = Protocol::new().max_subscriptions(2).join_as(|ws, topic, member| {
        topic.as_str().starts_with("open") && ws.query("user").as_deref() == Some(&*member.id)
    });
    let server = start(Server::new(), move |ws| {
        let (hub, protocol) = (here.with_identity(User(ws.query("publish").is_some())), protocol.clone());
        async move { protocol.serve(&hub, ws).await }
    });
    let mut ws = block_on(Client::new(server.url("/?user=alice")).connect()).unwrap();
    assert_eq!(ws.subprotocol(), None);
    for (command, wanted) in [
        (json!({"type": "subscribe", "topic": "closed"}), "forbidden"),
        (json!({"type": "publish", "topic": "open", "data": 1}), "forbidden"),
        (json!({"type": "watch", "topic": "closed"}), "forbidden"),
        (json!({"type": "members", "topic": "closed"}), "forbidden"),
        (json!({"type": "join", "topic": "open", "member": {"id": "bob"}}), "forbidden"),
        (json!({"type": "join", "topic": "open", "member": {"id": "alice"}}), "ok"),
        (json!({"type": "join", "topic": "open2", "member": {"id": "alice"}}), "ok"),
        (json!({"type": "join", "topic": "open3", "member": {"id": "alice"}}), "too_many"),
        (json!({"type": "subscribe", "topic": "open1"}), "ok"),
        (json!({"type": "subscribe", "topic": "open2"}), "ok"),
        (json!({"type": "subscribe", "topic": "open2"}), "already"),
        (json!({"type": "subscribe", "topic": "open3"}), "too_many"),
        (json!({"type": "unsubscribe", "topic": "open2"}), "ok"),
        (json!({"type": "subscribe", "topic": "open3"}), "ok"),
    ] {
        let mut command = command;
        command["id"] = json!(1);
        let answer = ask(&mut ws, command.clone());
        assert_eq!(answer["code"].as_str().unwrap_or("ok"), wanted, "{command}");
        assert!(wanted != "too_many" || answer["text"].as_str().unwrap().contains("max_subscriptions is 2"));
    }
    assert_eq!(hub.subscribers("closed"), 0);
    close(ws);
    let mut ws = block_on(Client::new(server.url("/?publish=yes")).connect()).unwrap();
    assert_eq!(ask(&mut ws, json!({"type": "publish", "id": 1, "topic": "open", "data": 1}))["type"], "ok");
    close(ws);
    until(|| hub.subscribers("open1") + hub.subscribers("open3") == 0);
    server.stop();
}
