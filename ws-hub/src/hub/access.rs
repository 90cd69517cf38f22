//! Who may do what on a topic: [`HubBuilder::authorize`].

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tracing::{debug, warn};

use super::{Hub, HubBuilder, Inner, TARGET};
use crate::backplane::BoxFuture;
use crate::topic::Topic;

/// What somebody is about to do, and who it is: what [`HubBuilder::authorize`] is asked.
#[derive(Clone)]
#[non_exhaustive]
pub struct Access {
    /// What is to be done.
    pub action: Action,
    /// The topic. Its name is valid.
    pub topic: Topic,
    identity: Identity,
}

/// What can be done on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Getting its publications, live or from its history: [`Hub::subscribe`], [`Hub::latest`].
    Subscribe,
    /// [`Hub::publish`].
    Publish,
    /// Seeing its members, or being one: [`Hub::presence`].
    Presence,
}

/// What an application knows of somebody.
pub(crate) type Identity = Option<Arc<dyn Any + Send + Sync>>;

/// Says whether something may be done.
pub(crate) type Guard = dyn Fn(Access) -> BoxFuture<'static, bool> + Send + Sync;

impl Access {
    /// Who it is: the value that was given to [`Hub::with_identity`]. `None` if there is none, or one of another type.
    pub fn identity<T: Any>(&self) -> Option<&T> {
        self.identity.as_deref().and_then(|identity| identity.downcast_ref())
    }

    /// Whether it is done without an identity, by the application itself.
    pub fn is_own(&self) -> bool {
        self.identity.is_none()
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Access");
        debug.field("action", &self.action).field("topic", &self.topic).field("is_own", &self.is_own()).finish()
    }
}

impl HubBuilder {
    /// Sets the function that decides who may subscribe, publish, and use presence, on which topic. It is asked each time,
    /// before anything is done, also for what the application does itself. Default: everything is allowed.
    ///
    /// The identity is that of the handle of the hub: a handler makes one for its connection with [`Hub::with_identity`].
    ///
    /// ```
    /// # use ws_hub::{Action, Hub};
    /// struct User {
    ///     name: String,
    ///     is_moderator: bool,
    /// }
    ///
    /// let builder = Hub::builder().authorize(|access| async move {
    ///     // Here, a database could be asked.
    ///     let topic = access.topic.as_str();
    ///     match access.identity::<User>() {
    ///         Some(user) if topic.starts_with("private/") => topic == format!("private/{}", user.name),
    ///         Some(user) => access.action != Action::Publish || user.is_moderator,
    ///         None => access.is_own(),
    ///     }
    /// });
    /// ```
    ///
    /// A call that is refused gets an error: [`SubscribeError::Forbidden`](crate::SubscribeError::Forbidden),
    /// [`Refusal::Forbidden`](crate::Refusal::Forbidden), [`ReadError::Forbidden`](crate::ReadError::Forbidden),
    /// [`PresenceError::Forbidden`](crate::PresenceError::Forbidden). So does a call that has no answer after 5 s. A subscription
    /// that stands is not asked for again: to revoke it, drop its [`Membership`](crate::Membership).
    pub fn authorize<F>(mut self, may: impl Fn(Access) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        self.settings.guard = Some(Box::new(move |access| Box::pin(may(access))));
        self
    }
}

impl Hub {
    /// A handle for somebody: what is done with it is done with this identity, which [`HubBuilder::authorize`] sees. It can be
    /// any value: a user of the application's, the headers of a request.
    ///
    /// ```
    /// # use ws_hub::Hub;
    /// # use ws_session::{HandlerResult, WebSocket};
    /// # struct User;
    /// # fn authenticated(ws: &WebSocket) -> User { User }
    /// async fn chat(hub: Hub, mut ws: WebSocket) -> HandlerResult {
    ///     let hub = hub.with_identity(authenticated(&ws));
    ///     let membership = hub.subscribe("chat").forward(&ws.sender(), |_| None).await?;
    ///     while let Some(message) = ws.recv().await? {
    ///         hub.publish("chat", message).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn with_identity(&self, identity: impl Any + Send + Sync) -> Self {
        Self { inner: Arc::clone(&self.inner), identity: Some(Arc::new(identity)) }
    }

    /// Whether something may be done on a topic by whom this handle is for.
    pub(super) async fn may(&self, action: Action, topic: &Topic) -> bool {
        match &self.inner.settings.guard {
            Some(guard) => {
                let access = Access { action, topic: topic.clone(), identity: self.identity.clone() };
                self.inner.is_allowed(guard(access), action, topic).await
            }
            None => true,
        }
    }
}

impl Inner {
    async fn is_allowed(&self, answer: BoxFuture<'static, bool>, action: Action, topic: &Topic) -> bool {
        let is_allowed = self.clock.within(super::recover::TIMEOUT, answer).await;
        match is_allowed {
            None => warn!(target: TARGET, "no answer whether {action:?} is allowed on topic {topic:?}"),
            Some(false) => debug!(target: TARGET, "{action:?} is forbidden on topic {topic:?}"),
            Some(true) => {}
        }
        is_allowed == Some(true)
    }
}
