//! The presences of topics: made when they are used, forgotten when nobody uses them.

mod topic;
mod watch;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::topic::Presence;
pub use self::topic::{Joined, TopicPresence};
pub use self::watch::PresenceWatch;
use super::{Action, Hub, Inner};
use crate::topic::{InvalidTopic, Topic};

/// The interval at which presences do what is due.
const TICK: Duration = Duration::from_secs(1);

/// The interval at which a shutdown looks whether all is said.
const GLANCE: Duration = Duration::from_millis(10);

#[derive(Default)]
pub(super) struct Presences {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    topics: HashMap<Topic, Arc<Presence>>,
    is_ticking: bool,
}

impl Presences {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The members with a connection at this instance.
    pub(super) fn own_members(&self) -> usize {
        let presences: Vec<_> = self.lock().topics.values().map(Arc::clone).collect();
        presences.iter().map(|presence| presence.own_members()).sum()
    }
}

impl Hub {
    /// The members of a topic.
    ///
    /// ```
    /// # use ws_hub::{Hub, Member, PresenceEvent};
    /// # async fn f(hub: &Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// let presence = hub.presence("chat/rust").await?;
    /// let me = presence.join(Member::new("alice", "{\"colour\": \"red\"}")?);
    /// let mut watch = presence.watch();
    /// while let event = watch.next().await {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Presence needs no history, and no storage at the broker: instances tell each other of their members. A member leaves
    /// [15 s](crate::HubBuilder::presence_grace) after its last connection, and with an instance that dies, after 60 s.
    ///
    /// # Errors
    ///
    /// If the name is not valid, or if it is not allowed.
    pub async fn presence(&self, topic: &str) -> Result<TopicPresence, PresenceError> {
        let topic = Topic::new(topic).map_err(PresenceError::Topic)?;
        if !self.may(Action::Presence, &topic).await {
            return Err(PresenceError::Forbidden);
        }
        Ok(self.inner.presence(&topic))
    }

    /// Tells the other instances that the members of this one have left, at once and without the
    /// [grace](crate::HubBuilder::presence_grace). For the end of a process, after its connections are closed: without it, its
    /// members stay for up to 60 s. It ends nothing else.
    ///
    /// It waits until the broker has it, within [`publish_timeout`](crate::HubBuilder::publish_timeout). If the future is
    /// dropped before it is ready, some instances may not have heard it.
    pub async fn shutdown(&self) {
        let presences: Vec<_> = self.inner.presences.lock().topics.values().map(Arc::clone).collect();
        presences.iter().for_each(|presence| presence.leave_all());
        let said = async {
            while presences.iter().any(|presence| presence.is_sending()) {
                self.inner.clock.sleep(GLANCE).await;
            }
        };
        // The lease ends what could not be said.
        let _ = self.inner.clock.within(self.inner.settings.publish_timeout, said).await;
    }
}

/// A presence that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PresenceError {
    /// The name of the topic is not valid.
    Topic(InvalidTopic),
    /// [`HubBuilder::authorize`](crate::HubBuilder::authorize) does not allow it.
    Forbidden,
}

impl fmt::Display for PresenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(invalid) => write!(f, "no presence: {invalid}"),
            Self::Forbidden => f.write_str("no presence: it is not allowed"),
        }
    }
}

impl Error for PresenceError {}

impl Inner {
    fn presence(self: &Arc<Self>, topic: &Topic) -> TopicPresence {
        let mut state = self.presences.lock();
        let make = || Presence::new(self, topic);
        let presence = Arc::clone(state.topics.entry(topic.clone()).or_insert_with(make));
        if !std::mem::replace(&mut state.is_ticking, true) {
            self.tick_presences();
        }
        TopicPresence::new(presence)
    }

    /// Lets presences do what is due, until there are none.
    fn tick_presences(self: &Arc<Self>) {
        let (hub, clock) = (Arc::downgrade(self), self.clock.clone());
        self.clock.spawn(async move {
            while let Some(hub) = hub.upgrade() {
                let presences: Vec<_> = hub.presences.lock().topics.values().map(Arc::clone).collect();
                presences.iter().for_each(|presence| presence.tick(clock.now()));
                drop(presences);
                if hub.forget_presences() {
                    return;
                }
                drop(hub);
                clock.sleep(TICK).await;
            }
        });
    }

    /// Forgets presences that nobody uses. Returns whether there are none left.
    fn forget_presences(self: &Arc<Self>) -> bool {
        let mut state = self.presences.lock();
        // The table itself has one handle.
        let unused: Vec<_> = state.topics.extract_if(|_, presence| presence.is_unused(1)).collect();
        state.is_ticking = !state.topics.is_empty();
        let is_over = !state.is_ticking;
        drop(state);
        unused.iter().for_each(|(_, presence)| presence.end(self));
        is_over
    }
}
