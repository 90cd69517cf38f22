//! [`World`]: a broker, instances of a hub as processes, and what they told.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use ws_hub::Position;
use ws_hub::conformance::{Accepted, Seen, Transcript, audit};

use crate::Outcome;
use crate::broker::{Broker, Fault, Kind};
use crate::process::{Folder, Process};

/// The time within which what must happen happens, on a machine with much other work.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct World {
    pub kind: &'static Kind,
    pub broker: Box<dyn Broker>,
    pub instances: Vec<Instance>,
    /// Publications of each history.
    pub history: usize,
    /// What instances are started with, if it is not what the broker says.
    pub backplane: Option<String>,
    folder: Arc<Folder>,
    shared: Arc<Shared>,
    next_id: u64,
    /// The next number of each publisher.
    numbers: HashMap<String, u64>,
}

/// An instance of a hub.
pub struct Instance {
    process: Process,
    commands: ChildStdin,
}

/// What all instances told, in the order in which it came.
#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
pub struct Told {
    pub subscriptions: HashMap<u64, Told1>,
    pub accepted: Vec<Accepted>,
    /// Results of publications by their content.
    pub results: HashMap<String, (String, Option<String>)>,
    finished: Vec<u64>,
    members: HashMap<u64, Vec<String>>,
    ready: usize,
    /// Instances whose output has ended.
    ended: usize,
}

/// What one subscription got.
#[derive(Clone, Debug)]
pub struct Told1 {
    pub transcript: Transcript,
    pub is_subscribed: bool,
    /// The causes of gaps.
    pub gaps: Vec<String>,
    /// The reasons of unrecoverables.
    pub unrecoverable: Vec<String>,
    /// Bytes of each publication.
    pub sizes: Vec<u64>,
}

impl Told1 {
    pub fn has(&self, content: &str) -> bool {
        self.transcript.seen.iter().any(|seen| is_publication(seen, content))
    }

    /// The contents of the publications that came through the broker.
    pub fn contents(&self) -> Vec<&str> {
        self.transcript
            .seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Publication { content, is_local: false, .. } => Some(content.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The position of the last publication.
    pub fn last(&self) -> Option<Position> {
        self.transcript.seen.iter().rev().find_map(|seen| match seen {
            Seen::Publication { position, .. } => *position,
            _ => None,
        })
    }

    pub fn has_recovered(&self) -> bool {
        self.transcript.seen.iter().any(|seen| matches!(seen, Seen::Recovered(_)))
    }
}

fn is_publication(seen: &Seen, wanted: &str) -> bool {
    matches!(seen, Seen::Publication { content, is_local: false, .. } if content == wanted)
}

/// How to publish.
#[derive(Clone, Debug)]
pub struct Burst<'a> {
    pub topic: &'a str,
    pub count: u64,
    pub size: usize,
    pub pause: Duration,
    pub once: Option<&'a str>,
    pub after: Option<Position>,
    pub key: Option<&'a str>,
}

impl<'a> Burst<'a> {
    pub fn new(topic: &'a str, count: u64) -> Self {
        Self { topic, count, size: 0, pause: Duration::ZERO, once: None, after: None, key: None }
    }
}

/// A burst that runs.
#[derive(Clone, Debug)]
pub struct Running {
    id: u64,
    /// What the contents begin with, before the number.
    pub name: String,
    pub from: u64,
    pub count: u64,
}

impl Running {
    /// The content of the last publication.
    pub fn last(&self) -> String {
        format!("{}-{}", self.name, self.from + self.count - 1)
    }
}

impl World {
    /// A broker with so many instances; one, if it can have no more.
    pub fn new(kind: &'static Kind, broker: Box<dyn Broker>, folder: Arc<Folder>) -> Self {
        let (shared, numbers) = (Arc::default(), HashMap::new());
        Self {
            kind,
            broker,
            instances: Vec::new(),
            history: 10_000,
            backplane: None,
            folder,
            shared,
            next_id: 0,
            numbers,
        }
    }

    /// Starts instances, until there are so many. One is enough where there can be no more.
    pub fn instances(&mut self, count: usize) -> Outcome {
        let count = if self.kind.has(Fault::ManyInstances) { count } else { 1 };
        while self.instances.len() < count {
            self.add()?;
        }
        let ready = self.instances.len();
        self.wait("the instances", |told| Ok(told.ready >= ready))
    }

    fn add(&mut self) -> Outcome {
        let settings = json!({
            "backplane": self.backplane.clone().unwrap_or_else(|| self.broker.backplane()),
            "history": [self.history, 3600],
            "heartbeat": [300, 2000],
        });
        let program = std::env::current_exe().map_err(|error| error.to_string())?.with_file_name("instance");
        let log = self.folder.path().join(format!("instance-{}.log", self.instances.len()));
        let log = std::fs::File::create(log).map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("an instance does not start: {error}"))?;
        let (Some(commands), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("an instance has no pipes".to_owned());
        };
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // The last line of a process that was killed may be cut.
                if let Ok(event) = serde_json::from_str(&line) {
                    shared.hear(&event);
                }
            }
            shared.told.lock().unwrap_or_else(PoisonError::into_inner).ended += 1;
            shared.changed.notify_all();
        });
        self.instances.push(Instance { process: Process::of(child), commands });
        Ok(())
    }

    /// Whether an instance has said this in its log.
    pub fn has_logged(&self, instance: usize, text: &str) -> bool {
        let log = self.folder.path().join(format!("instance-{instance}.log"));
        std::fs::read_to_string(log).is_ok_and(|log| log.contains(text))
    }

    fn command(&mut self, instance: usize, command: &Value) -> Outcome {
        let commands = &mut self.instances[instance].commands;
        writeln!(commands, "{command}").map_err(|error| format!("instance {instance} takes no commands: {error}"))
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Subscribes at an instance, without waiting.
    pub fn begin_subscribing(&mut self, instance: usize, topic: &str, since: Option<Position>) -> Outcome<u64> {
        let id = self.id();
        let has_history = topic.starts_with("kept/") || topic.starts_with("short/");
        let mut transcript = Transcript::new(format!("subscription {id} at instance {instance}"), topic, has_history);
        transcript.since = since;
        let told = Told1 { transcript, is_subscribed: false, gaps: vec![], unrecoverable: vec![], sizes: vec![] };
        self.lock().subscriptions.insert(id, told);
        let since = since.map(|since| since.to_string());
        self.command(instance, &json!({"do": "subscribe", "id": id, "topic": topic, "since": since}))?;
        Ok(id)
    }

    /// Subscribes at an instance, and waits until it is done.
    pub fn subscribe(&mut self, instance: usize, topic: &str, since: Option<Position>) -> Outcome<u64> {
        let id = self.begin_subscribing(instance, topic, since)?;
        self.wait("a subscription", |told| Ok(told.subscriptions[&id].is_subscribed))?;
        Ok(id)
    }

    /// Subscribes a topic at each instance.
    pub fn subscribe_all(&mut self, topic: &str) -> Outcome<Vec<u64>> {
        (0..self.instances.len()).map(|instance| self.subscribe(instance, topic, None)).collect()
    }

    pub fn unsubscribe(&mut self, instance: usize, id: u64) -> Outcome {
        self.command(instance, &json!({"do": "unsubscribe", "id": id}))
    }

    /// Begins to publish at an instance, under a name of its own: `i0`, and numbers that go on from burst to burst.
    pub fn begin(&mut self, instance: usize, burst: &Burst<'_>) -> Outcome<Running> {
        self.begin_as(instance, &format!("i{instance}"), burst)
    }

    /// The same under another name, for bursts at the same time.
    pub fn begin_as(&mut self, instance: usize, name: &str, burst: &Burst<'_>) -> Outcome<Running> {
        let id = self.id();
        let next = self.numbers.entry(name.to_owned()).or_default();
        let from = *next;
        *next += burst.count;
        let command = json!({
            "do": "publish", "id": id, "topic": burst.topic, "name": name, "from": from, "count": burst.count,
            "size": burst.size, "pause_us": u64::try_from(burst.pause.as_micros()).unwrap_or(u64::MAX),
            "once": burst.once, "after": burst.after.map(|after| after.to_string()), "key": burst.key,
        });
        self.command(instance, &command)?;
        Ok(Running { id, name: name.to_owned(), from, count: burst.count })
    }

    /// Waits until a burst has ended.
    pub fn finish(&mut self, running: &Running) -> Outcome {
        self.wait("publications", |told| Ok(told.finished.contains(&running.id)))
    }

    pub fn publish(&mut self, instance: usize, burst: &Burst<'_>) -> Outcome<Running> {
        let running = self.begin(instance, burst)?;
        self.finish(&running)?;
        Ok(running)
    }

    /// Publishes one that is accepted, trying again with new ones. Returns its content.
    pub fn publish_until_accepted(&mut self, instance: usize, topic: &str) -> Outcome<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let running = self.publish(instance, &Burst::new(topic, 1))?;
            let result = self.result(&running.last());
            if result.as_ref().is_some_and(|(result, _)| result == "accepted") {
                return Ok(running.last());
            }
            if Instant::now() > end {
                return Err(format!("nothing is accepted on {topic}: {result:?}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Publishes until all these subscriptions have got the same publication: one that is accepted while an instance is not yet
    /// connected again does not reach its subscribers, where there is no history.
    pub fn publish_until_heard(&mut self, instance: usize, topic: &str, ids: &[u64]) -> Outcome {
        let end = Instant::now() + PATIENCE;
        loop {
            let content = self.publish_until_accepted(instance, topic)?;
            let time = Duration::from_secs(2).min(end.saturating_duration_since(Instant::now()));
            let heard =
                self.wait_at_most(time, &content, |told| Ok(ids.iter().all(|id| told.subscriptions[id].has(&content))));
            if heard.is_ok() || time.is_zero() {
                return heard;
            }
        }
    }

    /// What became of a publication.
    pub fn result(&self, content: &str) -> Option<(String, Option<String>)> {
        self.lock().results.get(content).cloned()
    }

    /// How many publications had a result.
    pub fn count(&self, result: &str) -> usize {
        self.lock().results.values().filter(|(own, _)| own == result).count()
    }

    pub fn told(&self, id: u64) -> Told1 {
        self.lock().subscriptions[&id].clone()
    }

    pub fn join(&mut self, instance: usize, topic: &str, member: &str) -> Outcome {
        self.command(instance, &json!({"do": "join", "topic": topic, "member": member}))
    }

    pub fn leave(&mut self, instance: usize, topic: &str, member: &str) -> Outcome {
        self.command(instance, &json!({"do": "leave", "topic": topic, "member": member}))
    }

    /// Waits until instances know these members and no others.
    pub fn wait_for_members(&mut self, instances: &[usize], topic: &str, members: &[&str]) -> Outcome {
        let end = Instant::now() + PATIENCE;
        for &instance in instances {
            loop {
                let id = self.id();
                self.command(instance, &json!({"do": "members", "id": id, "topic": topic}))?;
                self.wait("members", |told| Ok(told.members.contains_key(&id)))?;
                let list = self.lock().members.remove(&id).unwrap_or_default();
                if list == members {
                    break;
                }
                if Instant::now() > end {
                    return Err(format!("instance {instance} knows {list:?}, not {members:?}"));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Waits until all these subscriptions have a publication.
    pub fn wait_for(&self, ids: &[u64], content: &str) -> Outcome {
        self.wait(content, |told| Ok(ids.iter().all(|id| told.subscriptions[id].has(content))))
    }

    /// Waits until a subscription was told a gap of this cause.
    pub fn wait_for_gap(&self, id: u64, cause: &str) -> Outcome {
        self.wait(cause, |told| Ok(told.subscriptions[&id].gaps.iter().any(|own| own == cause)))
    }

    /// Waits for something that instances tell.
    pub fn wait(&self, what: &str, is_so: impl FnMut(&Told) -> Outcome<bool>) -> Outcome {
        self.wait_at_most(PATIENCE, what, is_so)
    }

    fn wait_at_most(&self, time: Duration, what: &str, mut is_so: impl FnMut(&Told) -> Outcome<bool>) -> Outcome {
        let end = Instant::now() + time;
        let mut told = self.lock();
        loop {
            if is_so(&told)? {
                return Ok(());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("waited {time:?} for {what}: {}", told.summary()));
            }
            told = self.shared.changed.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops an instance (`SIGSTOP`).
    pub fn stop(&self, instance: usize) -> Outcome {
        self.instances[instance].process.signal(Signal::SIGSTOP)
    }

    pub fn resume(&self, instance: usize) -> Outcome {
        self.instances[instance].process.signal(Signal::SIGCONT)
    }

    /// Kills an instance (`SIGKILL`), and waits until everything that it told was heard.
    pub fn kill(&mut self, instance: usize) -> Outcome {
        let ended = self.lock().ended;
        self.instances[instance].process.kill();
        self.wait("the end of an instance", |told| Ok(told.ended > ended))
    }

    /// Idempotency keys were used: two publications were accepted, and one of them was published.
    pub fn forget_accepted_twice(&mut self) {
        let mut told = self.lock();
        let delivered: std::collections::HashSet<_> = told
            .subscriptions
            .values()
            .flat_map(|told| told.contents().into_iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        told.accepted.retain(|one| delivered.contains(&one.content));
    }

    /// Checks the rules with everything that was told.
    pub fn audit(&self) -> Outcome {
        let told = self.lock();
        let transcripts: Vec<_> = told.subscriptions.values().map(|told| told.transcript.clone()).collect();
        audit(&told.accepted, &transcripts).map(drop).map_err(|violation| violation.to_string())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Told> {
        self.shared.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn summary(&self) -> String {
        let mut results = HashMap::<&str, usize>::new();
        self.results.values().for_each(|(result, _)| *results.entry(result).or_default() += 1);
        let mut text = format!("results {results:?}");
        let reason = self.results.values().find(|(result, _)| result == "refused");
        text += &reason.map_or(String::new(), |(_, reason)| format!(", refused {reason:?}"));
        for (id, told) in &self.subscriptions {
            let last = told.transcript.seen.last();
            let (topic, count) = (&told.transcript.topic, told.transcript.seen.len());
            text += &format!("; {id} on {topic:?}: {count}, gaps {:?}, last {last:?}", told.gaps);
        }
        text
    }
}

impl Shared {
    fn hear(&self, event: &Value) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let position = |name: &str| event[name].as_str().and_then(|text| text.parse::<Position>().ok());
        if event["ready"].is_string() {
            told.ready += 1;
        } else if let Some(id) = event["subscribed"].as_u64() {
            if let Some(own) = told.subscriptions.get_mut(&id) {
                own.is_subscribed = true;
                own.transcript.start = position("start");
            }
        } else if let Some(id) = event["to"].as_u64() {
            if let Some(own) = told.subscriptions.get_mut(&id) {
                own.hear(event);
            }
        } else if let Some(id) = event["published"].as_u64() {
            told.finished.push(id);
        } else if let Some(id) = event["members"].as_u64() {
            let list = event["list"].as_array().into_iter().flatten();
            let list = list.filter_map(|member| member.as_str().map(str::to_owned)).collect();
            told.members.insert(id, list);
        } else if let (Some(content), Some(result)) = (text("content"), text("result")) {
            if result == "accepted" {
                told.accepted.push(Accepted::new(text("topic").unwrap_or_default(), &content, position("with")));
            }
            told.results.insert(content, (result, text("with")));
        }
        drop(told);
        self.changed.notify_all();
    }
}

impl Told1 {
    fn hear(&mut self, event: &Value) {
        let seen = if let Some(content) = event["publication"].as_str() {
            self.sizes.push(event["len"].as_u64().unwrap_or_default());
            Seen::Publication {
                content: content.to_owned(),
                position: event["position"].as_str().and_then(|text| text.parse().ok()),
                previous: event["previous"].as_u64().unwrap_or_default(),
                is_local: event["local"].as_bool().unwrap_or_default(),
            }
        } else if let Some(cause) = event["gap"].as_str() {
            self.gaps.push(cause.to_owned());
            Seen::Gap
        } else if let Some(publications) = event["recovered"].as_u64() {
            Seen::Recovered(publications as usize)
        } else if let Some(reason) = event["unrecoverable"].as_str() {
            self.unrecoverable.push(reason.to_owned());
            Seen::Unrecoverable
        } else {
            return;
        };
        self.transcript.seen.push(seen);
    }
}
