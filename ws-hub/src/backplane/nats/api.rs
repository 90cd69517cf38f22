//! JetStream's API: requests as JSON, and what is needed of the answers.

use std::time::{Duration, Instant};

use async_nats::Message as Raw;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::config;
use super::connection::{Command, Connection};
use super::settings::Settings;
use super::subject::{self, Set, Subjects};
use super::wire::{self, Time};
use crate::position::Epoch;

/// Why there is no answer of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// There is no answer.
    Unavailable,
    /// The stream does not exist.
    NoStream,
    /// The server refuses it, for this reason.
    Refused(String),
}

/// A stream as it was when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) epoch: Epoch,
    /// The first sequence number that is still stored, of all subjects. Everything older has expired. One above `last` if there
    /// is none.
    pub(super) first: u64,
    pub(super) last: u64,
    /// In what its configuration differs from the hub's, without harm.
    pub(super) differences: Vec<&'static str>,
}

/// Messages of one subject.
pub(super) struct Batch {
    /// With their sequence numbers.
    pub(super) messages: Vec<(u64, Raw)>,
    /// The number of those that follow.
    pub(super) pending: u64,
}

/// The longest time that an answer may take. The hub has a limit of its own.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one batch.
const BATCH_BYTES: u64 = 4 << 20;

const STREAM_NOT_FOUND: u64 = 10059;
/// There is one of the name with other settings, or one with the same subjects.
const TAKEN: [u64; 2] = [10058, 10065];

async fn request(connection: &Connection, subject: String, body: &Value) -> Result<Value, Problem> {
    let mut expected = connection.inbox.one();
    let payload = Bytes::from(body.to_string());
    connection.send(Command::Request { subject, reply: expected.subject.clone(), payload });
    let answer = timeout(TIMEOUT, &mut expected.answer).await;
    let raw = answer.ok().and_then(Result::ok).ok_or(Problem::Unavailable)?;
    if raw.status.is_some_and(|status| status.as_u16() == 503) {
        return Err(Problem::Refused(NO_JETSTREAM.to_owned()));
    }
    serde_json::from_slice(&raw.payload).map_err(|_| Problem::Unavailable)
}

pub(super) const NO_JETSTREAM: &str =
    "the NATS server has no JetStream, which topics with history need (`jetstream {}` in its configuration)";

/// Whether the answer is an error, and its number.
fn error(answer: &Value) -> Option<(u64, String)> {
    let error = answer.get("error")?;
    let description = error["description"].as_str().unwrap_or("without a reason").to_owned();
    Some((error["err_code"].as_u64().unwrap_or(0), description))
}

fn parse(answer: &Value) -> Result<Info, Problem> {
    let name = answer["config"]["name"].as_str().unwrap_or_default();
    let epoch = subject::epoch_of(name).ok_or_else(|| {
        Problem::Refused(format!("the stream {name:?} takes the subjects of the hub, and is not one of a hub"))
    })?;
    let number = |field: &str| answer["state"][field].as_u64().unwrap_or(0);
    Ok(Info {
        name: name.to_owned(),
        epoch,
        first: number("first_seq"),
        last: number("last_seq"),
        differences: Vec::new(),
    })
}

/// A stream that is known by name.
pub(super) async fn info(connection: &Connection, settings: &Settings, set: Set, name: &str) -> Result<Info, Problem> {
    let answer = request(connection, format!("$JS.API.STREAM.INFO.{name}"), &json!({})).await?;
    match error(&answer) {
        Some((STREAM_NOT_FOUND, _)) => Err(Problem::NoStream),
        Some((_, reason)) => Err(Problem::Refused(reason)),
        None => {
            let mut info = parse(&answer)?;
            let (config, subjects) = (&answer["config"], Subjects { prefix: settings.prefix.clone() });
            config::check(config, settings, &subjects, set).map_err(Problem::Refused)?;
            info.differences = config::differences(config, settings, &subjects, set);
            Ok(info)
        }
    }
}

/// Finds the stream of a set of options, or makes it.
pub(super) async fn find(connection: &Connection, settings: &Settings, set: Set) -> Result<Info, Problem> {
    let subjects = Subjects { prefix: settings.prefix.clone() };
    let start = Instant::now();
    while start.elapsed() < MAKING {
        if let Some(found) = existing(connection, settings, &subjects, set).await? {
            return Ok(found);
        }
        if !lock(connection, settings, &subjects, set).await? {
            // Another instance makes it.
            sleep(LOOK_AGAIN).await;
            continue;
        }
        // It may have been made between the two.
        let found = match existing(connection, settings, &subjects, set).await {
            Ok(None) => create(connection, settings, &subjects, set).await.map(Some),
            found => found,
        };
        unlock(connection, settings, set).await?;
        match found {
            Ok(Some(info)) => return Ok(info),
            Ok(None) | Err(Problem::NoStream) => {}
            Err(problem) => return Err(problem),
        }
    }
    // The instance that was to make it has died: next time, another one does.
    unlock(connection, settings, set).await?;
    Err(Problem::Unavailable)
}

async fn existing(
    connection: &Connection,
    settings: &Settings,
    subjects: &Subjects,
    set: Set,
) -> Result<Option<Info>, Problem> {
    let filter = json!({ "subject": subjects.all_log(set) });
    let answer = request(connection, "$JS.API.STREAM.NAMES".to_owned(), &filter).await?;
    if let Some((_, reason)) = error(&answer) {
        return Err(Problem::Refused(reason));
    }
    let Some(name) = answer["streams"][0].as_str() else { return Ok(None) };
    match info(connection, settings, set, name).await {
        // It was deleted meanwhile.
        Err(Problem::NoStream) => Ok(None),
        found => found.map(Some),
    }
}

/// Begins to make a stream, unless another instance does. A server that is asked at the same time for two streams of the same
/// subjects makes both, sometimes (2.15.1); two streams of the same name it never makes. So a stream is the lock.
async fn lock(connection: &Connection, settings: &Settings, subjects: &Subjects, set: Set) -> Result<bool, Problem> {
    let name = lock_name(settings, set);
    let config = json!({
        "name": name,
        // Makes it differ from that of others.
        "description": format!("A stream is being made ({:016x})", crate::random::u64()),
        "subjects": [subjects.lock(set)],
        "max_msgs": 1,
        "storage": config::storage(settings),
    });
    let answer = request(connection, format!("$JS.API.STREAM.CREATE.{name}"), &config).await?;
    match error(&answer) {
        Some((code, _)) if TAKEN.contains(&code) => Ok(false),
        Some((_, reason)) => Err(Problem::Refused(reason)),
        None => Ok(true),
    }
}

async fn unlock(connection: &Connection, settings: &Settings, set: Set) -> Result<(), Problem> {
    let name = lock_name(settings, set);
    request(connection, format!("$JS.API.STREAM.DELETE.{name}"), &json!({})).await.map(drop)
}

fn lock_name(settings: &Settings, set: Set) -> String {
    format!("{}_{set}_LOCK", settings.stream)
}

/// The time that making a stream may take.
const MAKING: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

async fn create(connection: &Connection, settings: &Settings, subjects: &Subjects, set: Set) -> Result<Info, Problem> {
    let name = subject::stream_name(&settings.stream, set, Epoch(crate::random::u64()));
    let config = config::make(&name, settings, subjects, set);
    let answer = request(connection, format!("$JS.API.STREAM.CREATE.{name}"), &config).await?;
    match error(&answer) {
        Some((code, _)) if TAKEN.contains(&code) => Err(Problem::NoStream),
        Some((_, reason)) => Err(Problem::Refused(reason)),
        None => parse(&answer),
    }
}

/// At most `limit` messages of a subject from a sequence number on.
pub(super) async fn get(
    connection: &Connection,
    stream: &str,
    subject: &str,
    from: u64,
    limit: usize,
) -> Result<Batch, Problem> {
    let mut expected = connection.inbox.many();
    let body = json!({ "seq": from.max(1), "next_by_subj": subject, "batch": limit, "max_bytes": BATCH_BYTES });
    let (payload, reply) = (Bytes::from(body.to_string()), expected.subject.clone());
    connection.send(Command::Request { subject: format!("$JS.API.DIRECT.GET.{stream}"), reply, payload });
    let mut batch = Batch { messages: Vec::new(), pending: 0 };
    loop {
        let raw = timeout(TIMEOUT, expected.answer.recv()).await.ok().flatten().ok_or(Problem::Unavailable)?;
        let number = |name: &str| {
            raw.headers.as_ref().and_then(|headers| headers.get(name)).and_then(|value| value.as_str().parse().ok())
        };
        match raw.status.map(|status| status.as_u16()) {
            None => {
                let sequence = number("Nats-Sequence").ok_or(Problem::Unavailable)?;
                // Servers before 2.11 know no batches: they send one message and no end.
                if number("Nats-Num-Pending").is_none() {
                    return Err(Problem::Refused("history needs NATS 2.11 or newer".to_owned()));
                }
                batch.messages.push((sequence, raw));
            }
            Some(204) => {
                batch.pending = number("Nats-Num-Pending").unwrap_or(0);
                return Ok(batch);
            }
            // There are none.
            Some(404) => return Ok(batch),
            Some(503) => return Err(Problem::NoStream),
            Some(408 | 413) => return Err(Problem::Refused("the server refuses to read so much".to_owned())),
            Some(_) => return Err(Problem::Unavailable),
        }
    }
}

/// The sequence number of the last message of a subject, and when it was stored.
pub(super) async fn last(
    connection: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<(u64, Option<Time>)>, Problem> {
    let mut expected = connection.inbox.one();
    let payload = Bytes::from(json!({ "last_by_subj": subject }).to_string());
    let reply = expected.subject.clone();
    connection.send(Command::Request { subject: format!("$JS.API.DIRECT.GET.{stream}"), reply, payload });
    let answer = timeout(TIMEOUT, &mut expected.answer).await;
    let raw = answer.ok().and_then(Result::ok).ok_or(Problem::Unavailable)?;
    match raw.status.map(|status| status.as_u16()) {
        None => {
            let sequence = raw.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence"));
            let sequence = sequence.and_then(|value| value.as_str().parse().ok()).ok_or(Problem::Unavailable)?;
            Ok(Some((sequence, wire::time(&raw))))
        }
        Some(404) => Ok(None),
        Some(503) => Err(Problem::NoStream),
        Some(_) => Err(Problem::Unavailable),
    }
}
