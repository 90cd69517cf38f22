//! [`Session`]: the connections to a broker, from the time when all subscriptions stand to their end.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ::redis::aio::MultiplexedConnection;
use ::redis::{PushInfo, PushKind, Value};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::outbox::Outbox;
use super::scripts::Scripts;
use super::settings::Settings;
use super::{TARGET, wire};
use crate::inbound::Inbound;
use crate::publication::GapCause;
use crate::topic::Topic;

/// What the link and the task that supervises its connections share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) scripts: Scripts,
    pub(super) inbound: Inbound,
    /// The topics that are subscribed, or will be when there is a connection.
    topics: RwLock<HashSet<Topic>>,
    session: Mutex<Option<Arc<Session>>>,
}

pub(super) struct Session {
    /// Publications.
    pub(super) outbox: Outbox,
    /// All else.
    pub(super) commands: MultiplexedConnection,
    pub(super) end: End,
}

/// The end of a session, and its cause. Clones are the same.
#[derive(Clone)]
pub(super) struct End(Arc<watch::Sender<Option<GapCause>>>);

impl End {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Ends the session. The first cause counts.
    pub(super) fn with(&self, cause: GapCause) {
        self.0.send_if_modified(|end| end.is_none() && end.replace(cause).is_none());
    }

    /// Waits for the end.
    pub(super) async fn wait(&self) -> GapCause {
        let mut end = self.0.subscribe();
        let cause = end.wait_for(Option::is_some).await.ok().and_then(|cause| *cause);
        cause.unwrap_or(GapCause::BrokerLost)
    }

    /// Runs a future. `None` if the session has ended before.
    pub(super) async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            _ = self.wait() => None,
        }
    }
}

impl Shared {
    pub(super) fn new(settings: Settings, inbound: Inbound) -> Self {
        let (topics, session) = (RwLock::default(), Mutex::default());
        Self { settings, scripts: Scripts::new(), inbound, topics, session }
    }

    /// The session, if there is one.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_session(&self, session: Option<Arc<Session>>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    pub(super) fn topics(&self) -> Vec<Topic> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub(super) fn add(&self, topic: &Topic) {
        self.topics.write().unwrap_or_else(PoisonError::into_inner).insert(topic.clone());
    }

    pub(super) fn remove(&self, topic: &Topic) {
        self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    pub(super) fn has(&self, topic: &Topic) -> bool {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Takes what arrives on the connection for subscriptions. It runs in the task that reads from the connection, so that nothing
    /// waits between the broker and the hub: if this process is too slow, the broker's limit ends the connection.
    pub(super) fn receiver(self: &Arc<Self>, end: End) -> impl Fn(PushInfo) + Send + Sync + 'static {
        let shared = Arc::downgrade(self);
        let prefix = self.settings.channel_prefix();
        let has_warned = AtomicBool::new(false);
        move |PushInfo { kind, data }| {
            let Some(shared) = shared.upgrade() else { return };
            let mut data = data.into_iter();
            let channel = match data.next() {
                Some(Value::BulkString(channel)) => channel,
                _ => Vec::new(),
            };
            let name = std::str::from_utf8(&channel).ok().and_then(|channel| channel.strip_prefix(prefix.as_str()));
            let topic = name.and_then(|name| shared.topic(name));
            match (kind, topic) {
                (PushKind::Disconnection, _) => {
                    debug!(target: TARGET, "the connection for subscriptions has ended");
                    end.with(GapCause::BrokerLost);
                }
                // Our own are no longer among the topics.
                (PushKind::Unsubscribe, Some(_)) => end.with(GapCause::Unsubscribed),
                (PushKind::Message, Some(topic)) => {
                    let payload = match data.next() {
                        Some(Value::BulkString(payload)) => payload,
                        _ => Vec::new(),
                    };
                    if let Some(publication) = wire::decode(&topic, payload) {
                        return shared.inbound.publication(&Arc::new(publication));
                    }
                    if !has_warned.swap(true, Ordering::Relaxed) {
                        warn!(target: TARGET, %topic, "what another program published has not the form of a publication");
                    }
                    // A hub of another version may have meant something by it.
                    shared.inbound.missed(Some(topic.as_str()), GapCause::Missed);
                }
                _ => {}
            }
        }
    }
}
