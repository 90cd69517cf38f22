//! The client protocol `ws-hub.v1` (feature `protocol`): JSON over one WebSocket, for browsers and other clients.
//!
//! [`serve`] is the body of a handler: clients subscribe, publish and take part in presence. [`Protocol`] has the settings. The
//! server must choose the subprotocol [`SUBPROTOCOL`], because browsers refuse a connection otherwise.
//!
//! ```
//! use ws_hub::{Hub, protocol};
//! use ws_session::{Runtime, Server};
//!
//! async fn run<R: Runtime>(hub: Hub) -> std::io::Result<()> {
//!     let server = Server::<R>::new().subprotocols([protocol::SUBPROTOCOL]).bind("127.0.0.1:8765").await?;
//!     server.serve(move |ws| { let hub = hub.clone(); async move { protocol::serve(&hub, ws).await } }).await
//! }
//! ```
//!
//! [`JAVASCRIPT`] is a client for browsers and Node, in one file. `ws_hub::client` (feature `client`) is one in Rust. The
//! repository has the protocol's specification in `docs/hub-protocol.md`, from which others can be written.

mod feed;
mod payload;
mod session;
mod words;

use std::fmt;
use std::sync::Arc;

use ws_session::{HandlerResult, WebSocket};

#[cfg(feature = "client")]
pub(crate) use self::payload::Payload;
use self::session::Session;
#[cfg(feature = "client")]
pub(crate) use self::words::{CommandFrame, MemberFrame, ServerFrame, cause_of, reason_of};
use crate::hub::Hub;
use crate::presence::Member;
use crate::topic::Topic;

/// The name of the subprotocol.
pub const SUBPROTOCOL: &str = "ws-hub.v1";

/// The client in JavaScript: an ES module, to be served as `text/javascript`.
pub const JAVASCRIPT: &str = include_str!("../../client/ws-hub.js");

/// Serves a connection until it ends, with the default settings. What a client may do is decided by
/// [`HubBuilder::authorize`](crate::HubBuilder::authorize); without it, everything.
///
/// # Errors
///
/// If the connection fails.
pub async fn serve(hub: &Hub, ws: WebSocket) -> HandlerResult {
    Protocol::new().serve(hub, ws).await
}

/// Serves the protocol, with settings. Cheap to clone.
///
/// What a client may do is decided by [`HubBuilder::authorize`](crate::HubBuilder::authorize), with the identity of the handle of
/// the hub ([`Hub::with_identity`]). As which member a client joins, is decided by [`join_as`](Self::join_as).
///
/// ```
/// use ws_hub::protocol::Protocol;
/// use ws_hub::{Action, Hub};
/// use ws_session::{HandlerResult, Runtime, WebSocket};
///
/// struct User(String);
///
/// fn start<R: Runtime>() -> Hub {
///     let hub = Hub::builder().authorize(|access| async move {
///         let topic = access.topic.as_str();
///         match access.identity::<User>() {
///             // Everybody reads the news, nobody publishes there.
///             Some(_) if topic == "news" => access.action == Action::Subscribe,
///             Some(_) => topic.starts_with("chat/"),
///             None => access.is_own(),
///         }
///     });
///     hub.start::<R>()
/// }
///
/// async fn handler(hub: Hub, ws: WebSocket) -> HandlerResult {
///     let name = ws.user().unwrap_or("guest").to_owned();
///     let protocol = Protocol::new().join_as(|ws, _topic, member| ws.user() == Some(&*member.id));
///     protocol.serve(&hub.with_identity(User(name)), ws).await
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Protocol {
    join_as: Option<Arc<JoinAs>>,
    max_subscriptions: usize,
}

type JoinAs = dyn Fn(&WebSocket, &Topic, &Member) -> bool + Send + Sync;

impl Default for Protocol {
    fn default() -> Self {
        Self::new()
    }
}

impl Protocol {
    /// A client joins as any member; 100 subscriptions for each connection.
    pub fn new() -> Self {
        Self { join_as: None, max_subscriptions: 100 }
    }

    /// Decides as which member a client may join a topic. Default: as any. It must not block.
    pub fn join_as(mut self, may: impl Fn(&WebSocket, &Topic, &Member) -> bool + Send + Sync + 'static) -> Self {
        self.join_as = Some(Arc::new(may));
        self
    }

    /// Limits the subscriptions of a connection; also its memberships, and the topics whose members it watches. Default 100 of
    /// each.
    pub fn max_subscriptions(mut self, subscriptions: usize) -> Self {
        self.max_subscriptions = subscriptions;
        self
    }

    /// Serves a connection until it ends. Its subscriptions and memberships end with it.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub async fn serve(&self, hub: &Hub, ws: WebSocket) -> HandlerResult {
        Session::new(self, hub, ws).run().await
    }

    fn lets_join(&self, ws: &WebSocket, topic: &Topic, member: &Member) -> bool {
        self.join_as.as_ref().is_none_or(|may| may(ws, topic, member))
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protocol").field("max_subscriptions", &self.max_subscriptions).finish_non_exhaustive()
    }
}
