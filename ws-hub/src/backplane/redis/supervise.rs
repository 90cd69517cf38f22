//! Keeps a connection to the broker, and the subscriptions of all topics.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisResult, cmd};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, info, warn};

use super::TARGET;
use super::connect::{self, ConnectError, Connections, Sentinel, connect};
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
                shared.set_session(Some(Arc::new(Session { commands, end: end.clone() })));
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
                // Whoever waits for an answer learns it.
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
    let subscribing = async {
        subscribe(shared, &mut connections.live, &topics).await?;
        // Those that were unsubscribed meanwhile.
        for topic in topics.iter().filter(|topic| !shared.has(topic)) {
            connections.live.unsubscribe(shared.settings.channel(topic.as_str())).await?;
        }
        Ok::<_, ConnectError>(())
    };
    timeout(shared.settings.connect_timeout, subscribing).await.map_err(|_| ConnectError::TimedOut)??;
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
    loop {
        let step = async {
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change else { return Some(None) };
                    let changed = change_all(shared, &mut connections.live, change, changes);
                    timeout(shared.settings.connect_timeout, changed).await.is_err().then_some(Some(GapCause::BrokerSilent))
                }
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

/// Makes a change, and those that wait.
async fn change_all(shared: &Shared, live: &mut MultiplexedConnection, first: Change, changes: &mut Changes) {
    let mut next = Some(first);
    while let Some(change) = next.take() {
        match change {
            Change::Subscribe(topic, answer) => {
                let (mut topics, mut answers) = (vec![topic], vec![answer]);
                while topics.len() < BATCH
                    && let Some(change) = changes.try_next()
                {
                    match change {
                        Change::Subscribe(topic, answer) => {
                            topics.push(topic);
                            answers.push(answer);
                        }
                        Change::Unsubscribe(_) => {
                            next = Some(change);
                            break;
                        }
                    }
                }
                subscribe_each(shared, live, &topics, answers).await;
            }
            Change::Unsubscribe(topic) => {
                shared.remove(&topic);
                // If it fails, the connection does, too.
                let _ = live.unsubscribe(shared.settings.channel(topic.as_str())).await;
            }
        }
        next = next.or_else(|| changes.try_next());
    }
}

/// Subscribes topics at once; if the broker refuses that, one by one, so that the others stand.
async fn subscribe_each(
    shared: &Shared,
    live: &mut MultiplexedConnection,
    topics: &[Topic],
    answers: Vec<oneshot::Sender<Result<(), Unavailable>>>,
) {
    let is_made = subscribe(shared, live, topics).await.is_ok();
    for (topic, answer) in topics.iter().zip(answers) {
        let result = match is_made {
            true => Ok(()),
            false => subscribe(shared, live, std::slice::from_ref(topic)).await,
        };
        match &result {
            Ok(()) => shared.add(topic),
            Err(error) => warn!(target: TARGET, %topic, "not subscribed: {error}"),
        }
        let _ = answer.send(result.map_err(|_| Unavailable));
    }
}

async fn subscribe(shared: &Shared, live: &mut MultiplexedConnection, topics: &[Topic]) -> RedisResult<()> {
    for batch in topics.chunks(BATCH) {
        let channels: Vec<_> = batch.iter().map(|topic| shared.settings.channel(topic.as_str())).collect();
        live.subscribe(channels).await?;
    }
    Ok(())
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
