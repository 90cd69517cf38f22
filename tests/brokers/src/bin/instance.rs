//! One instance of a hub as a process: commands come as lines of JSON, and everything that happens is told as lines of JSON.
//!
//! `instance '{"backplane": "redis redis://127.0.0.1:6379", "history": [1000, 3600], "heartbeat": [500, 2000]}'`

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinHandle;
use ws_hub::{Delivery, Hub, Joined, Member, Publication, PublishError, Refusal, TopicOptions};
use ws_tokio::Tokio;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("ws_hub=debug"))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let settings: Value = serde_json::from_str(&std::env::args().nth(1).expect("settings")).expect("settings are JSON");
    let hub = start(&settings);
    tell(&json!({"ready": hub.promises().name, "order": format!("{:?}", hub.promises().order)}));
    let mut instance = Instance { hub, subscriptions: HashMap::new(), joined: Arc::default() };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let command: Value = serde_json::from_str(&line).expect("a command is JSON");
        instance.obey(&command).await;
    }
}

struct Instance {
    hub: Hub,
    subscriptions: HashMap<u64, JoinHandle<()>>,
    joined: Arc<Mutex<HashMap<String, Joined>>>,
}

fn start(settings: &Value) -> Hub {
    let number = |name: &str, at: usize| settings[name][at].as_u64().expect("a number");
    let history = |size| TopicOptions::new().history(size, Duration::from_secs(number("history", 1)));
    let size = usize::try_from(number("history", 0)).expect("a size");
    let mut builder = Hub::builder()
        .topics("kept/", history(size))
        .topics("short/", history(5))
        .heartbeat(Duration::from_millis(number("heartbeat", 0)), Duration::from_millis(number("heartbeat", 1)))
        .presence_grace(Duration::from_secs(1));
    if let Some(bytes) = settings["max_publication"].as_u64() {
        builder = builder.max_publication(bytes as usize);
    }
    let backplane = settings["backplane"].as_str().expect("a backplane");
    match backplane.split_once(' ').unwrap_or((backplane, "")) {
        ("memory", _) => {}
        ("nats", url) => builder = builder.backplane(ws_hub::Nats::new(url).expect("a URL")),
        ("nats-core", url) => builder = builder.backplane(ws_hub::Nats::new(url).expect("a URL").core()),
        ("nats-memory", url) => builder = builder.backplane(ws_hub::Nats::new(url).expect("a URL").in_memory()),
        ("redis", url) => builder = builder.backplane(ws_hub::Redis::new(url).expect("a URL")),
        ("kafka", server) => builder = builder.backplane(ws_hub::Kafka::new([server]).partitions(3)),
        (other, _) => panic!("there is no backplane {other}"),
    }
    builder.start::<Tokio>()
}

impl Instance {
    async fn obey(&mut self, command: &Value) {
        let text = |name: &str| command[name].as_str().unwrap_or_default().to_owned();
        let (hub, id, topic) = (self.hub.clone(), command["id"].as_u64().unwrap_or_default(), text("topic"));
        match command["do"].as_str().unwrap_or_default() {
            "subscribe" => {
                let since = command["since"].as_str().map(|since| since.parse().expect("a position"));
                self.subscriptions.insert(id, tokio::spawn(subscribe(hub, id, topic, since)));
            }
            "unsubscribe" => {
                if let Some(task) = self.subscriptions.remove(&id) {
                    task.abort();
                }
            }
            "publish" => drop(tokio::spawn(publish(hub, command.clone()))),
            // One after the other, so that a leave follows its join.
            "join" => {
                let member = Member::new(text("member"), "").expect("a member");
                let joined = hub.presence(&topic).await.expect("a topic").join(member);
                self.joined.lock().unwrap().insert(text("member"), joined);
            }
            "leave" => drop(self.joined.lock().unwrap().remove(&text("member"))),
            "members" => {
                let members = hub.presence(&topic).await.expect("a topic").members();
                let mut members: Vec<_> = members.iter().map(|member| member.id.to_string()).collect();
                members.sort();
                tell(&json!({"members": id, "list": members}));
            }
            other => panic!("there is no command {other}"),
        }
    }
}

async fn subscribe(hub: Hub, id: u64, topic: String, since: Option<ws_hub::Position>) {
    let mut subscription = hub.subscribe(&topic).since(since).bound(100_000, 256 << 20).await.expect("a subscription");
    tell(&json!({"subscribed": id, "start": subscription.start().map(|start| start.to_string())}));
    while let Some(delivery) = subscription.next().await {
        tell(&match delivery {
            Delivery::Publication(publication) => json!({
                "to": id,
                "publication": content(&publication),
                "len": publication.message.len(),
                "position": publication.position.map(|position| position.to_string()),
                "previous": publication.previous,
                "key": publication.key.as_deref(),
                "local": publication.is_local,
            }),
            Delivery::Gap(gap) => json!({"to": id, "gap": format!("{:?}", gap.cause)}),
            Delivery::Recovered { publications } => json!({"to": id, "recovered": publications}),
            Delivery::Unrecoverable(reason) => json!({"to": id, "unrecoverable": format!("{reason:?}")}),
            other => panic!("{other:?}"),
        });
    }
    tell(&json!({"to": id, "end": true}));
}

/// What tells a publication from all others: the text before a `|`. The rest is a filling.
fn content(publication: &Publication) -> String {
    let bytes = publication.message.as_bytes();
    let end = bytes.iter().position(|byte| *byte == b'|').unwrap_or(bytes.len());
    let (content, filling) = bytes.split_at(end);
    let content = String::from_utf8_lossy(content);
    match filling.iter().skip(1).all(|byte| *byte == b'x') {
        true => content.into_owned(),
        false => format!("{content}, damaged"),
    }
}

/// Publishes `count` publications, numbered from `from`, one after the other.
async fn publish(hub: Hub, command: Value) {
    let (id, topic) = (command["id"].clone(), command["topic"].as_str().unwrap_or_default());
    let (name, from) = (command["name"].as_str().unwrap_or_default(), command["from"].as_u64().unwrap_or_default());
    let (count, size) = (command["count"].as_u64().unwrap_or(1), command["size"].as_u64().unwrap_or(0) as usize);
    let pause = Duration::from_micros(command["pause_us"].as_u64().unwrap_or(0));
    for n in from..from + count {
        let content = format!("{name}-{n}");
        let mut text = content.clone();
        if text.len() + 1 < size {
            text.push('|');
            text.extend(std::iter::repeat_n('x', size - text.len()));
        }
        let mut publish = hub.publish(topic, text);
        if let Some(key) = command["key"].as_str() {
            publish = publish.key(key);
        }
        if let Some(once) = command["once"].as_str() {
            publish = publish.idempotency_key(once);
        }
        if let Some(after) = command["after"].as_str() {
            publish = publish.after(after.parse().expect("a position"));
        }
        let (result, reason) = match publish.await {
            Ok(position) => ("accepted", position.map(|position| position.to_string())),
            Err(PublishError::Refused(Refusal::Conflict)) => ("conflict", None),
            Err(PublishError::Refused(Refusal::Unavailable { .. })) => ("unavailable", None),
            Err(error @ PublishError::Refused(_)) => ("refused", Some(error.to_string())),
            Err(error) => ("unknown", Some(error.to_string())),
        };
        tell(&json!({"of": id, "topic": topic, "content": content, "result": result, "with": reason}));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    tell(&json!({"published": id}));
}

fn tell(event: &Value) {
    let mut out = std::io::stdout().lock();
    // Without a reader, there is nobody left to tell.
    if writeln!(out, "{event}").and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}
