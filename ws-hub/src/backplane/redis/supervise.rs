//! Keeps a connection to the broker, and the subscriptions of all topics.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, cmd, pipe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};

use super::TARGET;
use super::connect::{self, ConnectError, Connections, Sentinel, connect};
use super::link::{EMPTY, milliseconds};
use super::outbox::Outbox;
use super::session::{End, Session, Shared};
use crate::backplane::Unavailable;
use crate::publication::GapCause;
use crate::random;
use crate::topic::Topic;

/// A change of the subscriptions.
pub(super) enum Change {
    Subscribe(Topic, oneshot::Sender<Result<(), Unavailable>>),
    Unsubscribe(Topic),
}

/// The changes that the link asks for, in order.
pub(super) struct Changes {
    receiver: mpsc::UnboundedReceiver<Change>,
    /// Subscriptions that wait for a connection. The hub asks again and again: each topic counts once.
    held: HashMap<Topic, oneshot::Sender<Result<(), Unavailable>>>,
    /// Those that are made next.
    next: VecDeque<Change>,
}

impl Changes {
    pub(super) fn new(receiver: mpsc::UnboundedReceiver<Change>) -> Self {
        Self { receiver, held: HashMap::new(), next: VecDeque::new() }
    }

    async fn next(&mut self) -> Option<Change> {
        match self.next.pop_front() {
            Some(change) => Some(change),
            None => self.receiver.recv().await,
        }
    }

    fn try_next(&mut self) -> Option<Change> {
        self.next.pop_front().or_else(|| self.receiver.try_recv().ok())
    }

    /// A change, and those of the same kind that follow it.
    fn batch(&mut self, first: Change) -> Batch {
        let mut batch = match first {
            Change::Subscribe(topic, answer) => Batch::Subscribe(vec![topic], vec![answer]),
            Change::Unsubscribe(topic) => Batch::Unsubscribe(vec![topic]),
        };
        while batch.len() < BATCH
            && let Some(change) = self.try_next()
        {
            match (&mut batch, change) {
                (Batch::Subscribe(topics, answers), Change::Subscribe(topic, answer)) => {
                    topics.push(topic);
                    answers.push(answer);
                }
                (Batch::Unsubscribe(topics), Change::Unsubscribe(topic)) => topics.push(topic),
                (_, other) => {
                    self.next.push_front(other);
                    break;
                }
            }
        }
        batch
    }

    /// Takes a change while there is no connection.
    fn hold(&mut self, shared: &Shared, change: Change) {
        match change {
            Change::Subscribe(topic, answer) => drop(self.held.insert(topic, answer)),
            Change::Unsubscribe(topic) => {
                self.held.remove(&topic);
                self.next.retain(|next| !matches!(next, Change::Subscribe(other, _) if *other == topic));
                shared.remove(&topic);
            }
        }
    }

    /// There is a connection.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held).into_iter().filter(|(_, answer)| !answer.is_closed());
        self.next.extend(held.map(|(topic, answer)| Change::Subscribe(topic, answer)));
    }
}

/// Changes that are made together.
enum Batch {
    Subscribe(Vec<Topic>, Vec<oneshot::Sender<Result<(), Unavailable>>>),
    Unsubscribe(Vec<Topic>),
}

impl Batch {
    fn len(&self) -> usize {
        let (Self::Subscribe(topics, _) | Self::Unsubscribe(topics)) = self;
        topics.len()
    }
}

/// Channels of one command.
const BATCH: usize = 500;
/// The longest delay between attempts to connect.
const LONGEST: Duration = Duration::from_secs(5);

/// Runs until the link is dropped.
pub(super) async fn supervise(shared: Arc<Shared>, mut changes: Changes) {
    let mut sentinel = Sentinel::default();
    let (mut attempt, mut is_lost, mut has_checked, mut complaint) = (0, false, false, String::new());
    loop {
        let end = End::new();
        let connecting = establish(&shared, &mut sentinel, &end);
        let Some(connected) = meanwhile(&shared, &mut changes, connecting).await else { return };
        match connected {
            Ok(mut connections) => {
                let since = Instant::now();
                let commands = connections.commands.clone();
                let (outbox, outgoing) = Outbox::new();
                tokio::spawn(outgoing.send(commands.clone(), end.clone()));
                shared.set_session(Some(Arc::new(Session { outbox, commands, end: end.clone() })));
                if is_lost {
                    info!(target: TARGET, "the broker is reached again");
                    shared.inbound.restored();
                }
                complaint.clear();
                changes.release();
                if !std::mem::replace(&mut has_checked, true) {
                    let warning =
                        connect::warn_of_settings(&mut connections.commands, shared.inbound.max_publication());
                    let _ = timeout(shared.settings.connect_timeout, warning).await;
                }
                let ended = watch(&shared, &mut connections, &mut sentinel, &end, &mut changes).await;
                shared.set_session(None);
                let Some(cause) = ended else { return };
                // Commands that wait for an answer learn it.
                end.with(cause);
                attempt = if since.elapsed() >= LONGEST { 0 } else { attempt + 1 };
                warn!(target: TARGET, "{cause}");
                shared.inbound.lost(cause);
            }
            Err(error) => {
                attempt += 1;
                if !is_lost {
                    shared.inbound.lost(GapCause::BrokerLost);
                }
                // Once for each reason.
                let reason = error.to_string();
                if reason != complaint {
                    warn!(target: TARGET, "the broker cannot be used: {reason}");
                    complaint = reason;
                }
            }
        }
        is_lost = true;
        if meanwhile(&shared, &mut changes, sleep(jitter(attempt))).await.is_none() {
            return;
        }
    }
}

/// Connects, and subscribes all topics.
async fn establish(shared: &Arc<Shared>, sentinel: &mut Sentinel, end: &End) -> Result<Connections, ConnectError> {
    let broken = end.clone();
    let on_end = move || {
        debug!(target: TARGET, "the connection for commands has ended");
        broken.with(GapCause::BrokerLost);
    };
    let mut connections = connect(&shared.settings, sentinel, shared.receiver(end.clone()), on_end).await?;
    let topics = shared.topics();
    for batch in topics.chunks(BATCH) {
        within(shared, subscribe(shared, &mut connections.live, batch)).await.map_err(|_| ConnectError::TimedOut)??;
    }
    // Those that were unsubscribed meanwhile.
    let gone: Vec<_> = topics.into_iter().filter(|topic| !shared.has(topic)).collect();
    for batch in gone.chunks(BATCH) {
        let unsubscribing = connections.live.unsubscribe(channels(shared, batch));
        within(shared, unsubscribing).await.map_err(|_| ConnectError::TimedOut)??;
    }
    Ok(connections)
}

/// Waits for a future while there is no connection. `None` if the link is gone.
async fn meanwhile<T>(shared: &Shared, changes: &mut Changes, future: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            output = &mut future => return Some(output),
            change = changes.receiver.recv() => changes.hold(shared, change?),
        }
    }
}

/// Makes changes, and checks the connections. Returns the cause of their end; `None` if the link is gone.
async fn watch(
    shared: &Shared,
    connections: &mut Connections,
    sentinel: &mut Sentinel,
    end: &End,
    changes: &mut Changes,
) -> Option<GapCause> {
    let mut ticks = interval(shared.settings.ping.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keep = interval(EMPTY / 3);
    keep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let step = async {
            tokio::select! {
                first = changes.next() => {
                    let Some(first) = first else { return Some(None) };
                    let batch = changes.batch(first);
                    change(shared, &mut connections.live, batch).await.err().map(Some)
                }
                _ = keep.tick() => keep_empty(shared, &mut connections.commands).await.err().map(Some),
                _ = ticks.tick() => check(shared, connections, sentinel).await.err().map(Some),
            }
        };
        match end.or(step).await {
            None => return Some(end.wait().await),
            Some(Some(cause)) => return cause,
            Some(None) => {}
        }
    }
}

/// Makes changes. Each command has the time that an answer may take.
async fn change(shared: &Shared, live: &mut MultiplexedConnection, batch: Batch) -> Result<(), GapCause> {
    match batch {
        Batch::Subscribe(topics, answers) => subscribe_each(shared, live, &topics, answers).await,
        Batch::Unsubscribe(topics) => {
            // Before the answer, so that they are not subscribed again if the connection is lost meanwhile.
            topics.iter().for_each(|topic| shared.remove(topic));
            // If it fails, the connection does, too.
            within(shared, live.unsubscribe(channels(shared, &topics))).await.map(drop)
        }
    }
}

async fn within<T>(shared: &Shared, command: impl Future<Output = T>) -> Result<T, GapCause> {
    timeout(shared.settings.connect_timeout, command).await.map_err(|_| GapCause::BrokerSilent)
}

/// Keeps the streams that have no publication yet, as long as their topics are subscribed.
async fn keep_empty(shared: &Shared, commands: &mut MultiplexedConnection) -> Result<(), GapCause> {
    for topics in shared.topics().chunks(BATCH) {
        let mut keep = pipe();
        for topic in topics {
            // Not those that stay longer anyhow.
            let stream = shared.settings.stream(topic.as_str());
            keep.cmd("PEXPIRE").arg(stream).arg(milliseconds(EMPTY)).arg("GT").ignore();
        }
        if let Err(error) = within(shared, keep.query_async::<()>(commands)).await? {
            debug!(target: TARGET, "streams without publications were not kept: {error}");
        }
    }
    Ok(())
}

/// Subscribes topics at once; if the broker refuses that, one by one, so that the others stand.
async fn subscribe_each(
    shared: &Shared,
    live: &mut MultiplexedConnection,
    topics: &[Topic],
    answers: Vec<oneshot::Sender<Result<(), Unavailable>>>,
) -> Result<(), GapCause> {
    let is_made = within(shared, subscribe(shared, live, topics)).await?.is_ok();
    for (topic, answer) in topics.iter().zip(answers) {
        let result = match is_made {
            true => Ok(()),
            false => within(shared, subscribe(shared, live, std::slice::from_ref(topic))).await?,
        };
        match &result {
            Ok(()) => shared.add(topic),
            Err(error) => warn!(target: TARGET, %topic, "not subscribed: {error}"),
        }
        let _ = answer.send(result.map_err(|_| Unavailable));
    }
    Ok(())
}

async fn subscribe(shared: &Shared, live: &mut MultiplexedConnection, topics: &[Topic]) -> RedisResult<()> {
    live.subscribe(channels(shared, topics)).await
}

fn channels(shared: &Shared, topics: &[Topic]) -> Vec<String> {
    topics.iter().map(|topic| shared.settings.channel(topic.as_str())).collect()
}

/// Checks that the broker answers, and is still the one to use.
async fn check(shared: &Shared, connections: &mut Connections, sentinel: &mut Sentinel) -> Result<(), GapCause> {
    let Connections { live, commands, master } = connections;
    let checks = async {
        cmd("PING").query_async::<()>(live).await?;
        connect::is_replica(commands).await
    };
    match timeout(shared.settings.connect_timeout, checks).await {
        Err(_) => return Err(GapCause::BrokerSilent),
        Ok(Err(error)) if error.is_io_error() => {
            debug!(target: TARGET, "the check of the connections failed: {error}");
            return Err(GapCause::BrokerLost);
        }
        Ok(Err(_) | Ok(false)) => {}
        Ok(Ok(true)) => {
            warn!(target: TARGET, "the broker has become a replica");
            return Err(GapCause::BrokerLost);
        }
    }
    if let Some(master) = &*master
        && let Ok(Ok(now)) = timeout(shared.settings.connect_timeout, sentinel.master(&shared.settings)).await
        && now != *master
    {
        info!(target: TARGET, "the Sentinels name another master: {}:{}", now.0, now.1);
        return Err(GapCause::BrokerLost);
    }
    Ok(())
}

/// A random delay, so that not all instances come back at the same time.
fn jitter(attempt: u32) -> Duration {
    let bound = Duration::from_millis(100).saturating_mul(1 << attempt.min(10)).min(LONGEST);
    bound.mul_f64(random::u64() as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_made_together_in_their_order() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut changes = Changes::new(receiver);
        let topic = |number: usize| Topic::new(format!("topic {number}")).unwrap();
        let subscribe = |number| Change::Subscribe(topic(number), oneshot::channel().0);
        for number in 0..BATCH + 3 {
            sender.send(Change::Unsubscribe(topic(number))).unwrap();
        }
        for change in [subscribe(1), subscribe(2), Change::Unsubscribe(topic(1)), subscribe(1)] {
            sender.send(change).unwrap();
        }
        let mut made = Vec::new();
        while let Some(first) = changes.try_next() {
            let batch = changes.batch(first);
            made.push((matches!(batch, Batch::Subscribe(..)), batch.len()));
        }
        assert_eq!(made, [(false, BATCH), (false, 3), (true, 2), (false, 1), (true, 1)]);
    }
}
