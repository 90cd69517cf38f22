//! [`NatsLink`]: the link of a hub, over one connection after the other.

use std::collections::HashMap;
use std::future::ready;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tracing::{debug, warn};

use super::chain::Numbers;
use super::connection::{Command, Connection};
use super::inbox::Done;
use super::log::Log;
use super::settings::Settings;
use super::subject::{Set, Subjects};
use super::subscription::Subscribed;
use super::{TARGET, publish};
use crate::backplane::background::Background;
use crate::backplane::{BoxFuture, HistoryError, Link, Outgoing, Page, PublishError, Refusal, Unavailable};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::Position;
use crate::publication::{GapCause, Unrecoverable};
use crate::random;
use crate::topic::Topic;

pub(super) struct NatsLink {
    shared: Arc<Shared>,
    background: Background,
}

struct Shared {
    settings: Arc<Settings>,
    subjects: Subjects,
    inbound: Inbound,
    topics: Mutex<HashMap<Topic, Arc<Subscribed>>>,
    logs: Mutex<HashMap<Set, Arc<Log>>>,
    numbers: Arc<Mutex<Numbers>>,
    permits: Arc<Semaphore>,
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// The first attempt to connect has not ended, and has not lasted long.
    Starting,
    Down,
    Up(Arc<Connection>),
    /// The link was dropped.
    Over,
}

/// Publications that wait to be handed to the client library, at most.
const WAITING: usize = 1024;
/// The time for which publications and subscriptions wait for the first attempt to connect.
const FIRST: Duration = Duration::from_secs(1);
/// The longest delay between attempts.
const LONGEST: Duration = Duration::from_secs(5);
/// The time in which the servers of a cluster learn of a subscription.
const SPREAD: Duration = Duration::from_millis(20);
/// When a subscription is looked at again, in a cluster.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl NatsLink {
    pub(super) fn open(settings: Arc<Settings>, inbound: Inbound, background: Background) -> Self {
        let shared = Arc::new(Shared {
            subjects: Subjects { prefix: settings.prefix.clone() },
            settings,
            inbound,
            topics: Mutex::default(),
            logs: Mutex::default(),
            numbers: Arc::new(Mutex::new(Numbers::new())),
            permits: Arc::new(Semaphore::new(WAITING)),
            state: watch::Sender::new(State::Starting),
        });
        background.spawn(supervise(Arc::clone(&shared)));
        Self { shared, background }
    }

    /// Runs a future where the client library's timers are.
    fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        ended: T,
    ) -> BoxFuture<'static, T> {
        let run = self.background.run(future);
        Box::pin(async move { run.await.unwrap_or(ended) })
    }

    fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }
}

impl Link for NatsLink {
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        let (shared, topic) = (Arc::clone(&self.shared), topic.clone());
        let unavailable = || PublishError::Refused(Refusal::Unavailable { locally: 0 });
        let unsupported = |feature| Box::pin(ready(Err(PublishError::Refused(Refusal::Unsupported(feature)))));
        match outgoing.history {
            None if outgoing.after.is_some() => unsupported("a condition on a topic without history"),
            None => Box::pin(async move {
                let permit = Arc::clone(&shared.permits).acquire_owned().await.map_err(|_| unavailable())?;
                let connection = shared.connection().await.ok_or_else(unavailable)?;
                publish::plain(&connection, &shared.subjects, topic, outgoing, permit).await
            }),
            Some(_) if !self.shared.settings.has_history => unsupported("history"),
            Some(history) => {
                let published = async move {
                    let connection = shared.connection().await.ok_or_else(unavailable)?;
                    let log = shared.log(Set::from(&history));
                    publish::stored(&connection, &log, &shared.subjects, topic, outgoing, &shared.permits).await
                };
                self.run(published, Err(unavailable()))
            }
        }
    }

    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        if matches!(self.state(), State::Down | State::Over) {
            return Box::pin(ready(Err(Unavailable)));
        }
        // Now, so that a later call of `unsubscribe` finds it.
        let subscribed = self.shared.register(topic, history);
        let shared = Arc::clone(&self.shared);
        self.run(async move { shared.subscribe(&subscribed).await }, Err(Unavailable))
    }

    fn unsubscribe(&self, topic: &Topic) {
        let removed = self.shared.topics().remove(topic);
        if let Some(subscribed) = removed {
            match self.state() {
                State::Up(connection) => connection.send(Command::Unsubscribe(subscribed)),
                _ => subscribed.detach(),
            }
        }
    }

    fn reset(&self) {
        if let State::Up(connection) = self.state() {
            warn!(target: TARGET, "the NATS server is silent: the connection is given up");
            connection.end(GapCause::BrokerSilent);
        }
    }

    fn history(
        &self,
        topic: &Topic,
        history: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (shared, topic, history) = (Arc::clone(&self.shared), topic.clone(), *history);
        let read = async move {
            let (connection, log) = shared.reading(&history).await?;
            let subscribed = shared.topics().get(&topic).cloned();
            let known = subscribed.as_ref().and_then(|subscribed| subscribed.time_of(since));
            let read = log.history(&connection, &topic, since, limit, known).await;
            let Some(subscribed) = subscribed else { return read.map(|(page, _)| page) };
            match read {
                Ok((page, time)) => {
                    subscribed.mark(page.end(), time);
                    Ok(page)
                }
                Err(error) => {
                    // The hub goes on from the end.
                    if let HistoryError::Unrecoverable { top: Some(top), .. } = error {
                        match known {
                            Some(_) if top.epoch == since.epoch => subscribed.cut(top, Instant::now()),
                            _ => subscribed.see(top, Instant::now()),
                        }
                    }
                    Err(error)
                }
            }
        };
        self.run(read, Err(HistoryError::Unavailable))
    }

    fn latest(&self, topic: &Topic, history: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (shared, topic, history) = (Arc::clone(&self.shared), topic.clone(), *history);
        let read = async move {
            let (connection, log) = shared.reading(&history).await?;
            log.latest(&connection, &topic, limit).await
        };
        self.run(read, Err(HistoryError::Unavailable))
    }
}

impl Drop for NatsLink {
    fn drop(&mut self) {
        let state = self.shared.state.send_replace(State::Over);
        if let State::Up(connection) = state {
            connection.end(GapCause::BrokerLost);
        }
    }
}

impl Shared {
    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Subscribed>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if there is one. The first attempt to make one is waited for.
    async fn connection(&self) -> Option<Arc<Connection>> {
        let mut state = self.state.subscribe();
        let state = state.wait_for(|state| !matches!(state, State::Starting)).await.ok()?;
        match &*state {
            State::Up(connection) if !connection.is_over() => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    fn log(&self, set: Set) -> Arc<Log> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(logs.entry(set).or_insert_with(|| Arc::new(Log::new(&self.settings, set))))
    }

    async fn reading(&self, history: &History) -> Result<(Arc<Connection>, Arc<Log>), HistoryError> {
        if !self.settings.has_history {
            return Err(HistoryError::Unrecoverable { reason: Unrecoverable::NoHistory, top: None });
        }
        let connection = self.connection().await.ok_or(HistoryError::Unavailable)?;
        Ok((connection, self.log(Set::from(history))))
    }

    fn register(&self, topic: &Topic, history: Option<&History>) -> Arc<Subscribed> {
        let set = history.filter(|_| self.settings.has_history).map(Set::from);
        let mut topics = self.topics();
        if let Some(subscribed) = topics.get(topic)
            && subscribed.set == set
        {
            return Arc::clone(subscribed);
        }
        let subject = match set {
            Some(set) => self.subjects.live(set, topic),
            None => self.subjects.plain(topic),
        };
        let subscribed = Subscribed::new(topic.clone(), subject, set, self.settings.max_bytes.is_some());
        if let Some(other) = topics.insert(topic.clone(), Arc::clone(&subscribed)) {
            other.detach();
        }
        subscribed
    }

    async fn subscribe(self: Arc<Self>, subscribed: &Arc<Subscribed>) -> Result<Option<Position>, Unavailable> {
        let connection = self.connection().await.ok_or(Unavailable)?;
        if !attach(&connection, vec![Arc::clone(subscribed)]).await? {
            return Err(Unavailable);
        }
        let (Some(history), topic) = (subscribed.set, subscribed.topic.clone()) else { return Ok(None) };
        let log = self.log(history);
        let at = Instant::now();
        let (top, time) = log.top(&connection, &topic).await.map_err(|_| Unavailable)?;
        subscribed.see(top, at);
        subscribed.mark(top, time);
        if connection.is_clustered {
            let subscribed = Arc::clone(subscribed);
            // What was published through another server meanwhile, which did not know of the subscription, is found there.
            tokio::spawn(async move {
                tokio::time::sleep(SECOND_LOOK).await;
                if let Ok(Some(last)) = log.last(&connection, &topic).await
                    && subscribed.is_behind(last)
                {
                    self.inbound.missed(Some(topic.as_str()), GapCause::Missed);
                }
            });
        }
        Ok(Some(top))
    }

    /// Sets the state, unless the link was dropped. Returns whether it was not.
    fn set(&self, state: State) -> bool {
        self.state.send_if_modified(|now| {
            let is_open = !matches!(now, State::Over);
            if is_open {
                *now = state;
            }
            is_open
        })
    }

    fn is_over(&self) -> bool {
        self.inbound.is_closed() || matches!(*self.state.borrow(), State::Over)
    }

    /// Waits for an attempt to connect. The first one is not waited for by others for long.
    async fn patiently<T>(&self, connecting: impl Future<Output = T>) -> T {
        let mut connecting = pin!(connecting);
        if let Ok(connected) = tokio::time::timeout(FIRST, &mut connecting).await {
            return connected;
        }
        if matches!(*self.state.borrow(), State::Starting) && self.set(State::Down) {
            self.inbound.lost(GapCause::BrokerLost);
        }
        connecting.await
    }

    async fn connect(self: &Arc<Self>) -> Result<Arc<Connection>, String> {
        let shared = Arc::downgrade(self);
        let denied = move |subject: &str| {
            let Some(shared) = shared.upgrade() else { return };
            let topic = shared.topics().values().find(|subscribed| subscribed.subject == subject).cloned();
            if let Some(subscribed) = topic {
                subscribed.refuse();
                shared.inbound.missed(Some(subscribed.topic.as_str()), GapCause::Unsubscribed);
            }
        };
        let connection = Connection::open(&self.settings, &self.numbers, &self.inbound, denied).await?;
        let connection = Arc::new(connection);
        let all = self.topics().values().cloned().collect();
        // The others stand without those that the server refuses.
        attach(&connection, all).await.map_err(|_| "the connection was lost at once")?;
        Ok(connection)
    }
}

/// Subscribes, and waits until the server has it. Returns whether it has refused none.
async fn attach(connection: &Connection, all: Vec<Arc<Subscribed>>) -> Result<bool, Unavailable> {
    if all.is_empty() {
        return Ok(true);
    }
    let mut waiting = Vec::with_capacity(all.len());
    for subscribed in all {
        let (done, is_done) = Done::new();
        connection.send(Command::Subscribe { subscribed, done });
        waiting.push(is_done);
    }
    let mut are_allowed = true;
    for is_done in waiting {
        are_allowed &= is_done.await.map_err(|_| Unavailable)?.is_none();
    }
    if connection.is_clustered {
        tokio::time::sleep(SPREAD).await;
    }
    Ok(are_allowed)
}

/// Makes one connection after the other.
async fn supervise(shared: Arc<Shared>) {
    let (mut attempt, mut logged) = (0, None);
    while !shared.is_over() {
        match shared.patiently(shared.connect()).await {
            Ok(connection) => {
                let since = Instant::now();
                logged = None;
                if !shared.set(State::Up(Arc::clone(&connection))) {
                    return;
                }
                shared.inbound.restored();
                let cause = connection.over().await;
                debug!(target: TARGET, "the connection to the NATS server has ended");
                // A server that ends each connection soon is not asked again at once.
                if since.elapsed() >= LONGEST {
                    attempt = 0;
                }
                if !shared.set(State::Down) {
                    return;
                }
                shared.inbound.lost(cause);
            }
            Err(reason) => {
                if logged.as_ref() != Some(&reason) {
                    warn!(target: TARGET, "cannot connect to NATS: {reason}");
                }
                logged = Some(reason);
                if !shared.set(State::Down) {
                    return;
                }
                shared.inbound.lost(GapCause::BrokerLost);
            }
        }
        attempt += 1;
        tokio::time::sleep(jitter(attempt)).await;
    }
}

/// A random delay, whose bound doubles with each attempt, so that many instances do not return at the same time.
fn jitter(attempt: u32) -> Duration {
    let bound = Duration::from_millis(100).saturating_mul(1 << attempt.min(10)).min(LONGEST);
    bound.mul_f64(random::u64() as f64 / u64::MAX as f64)
}
