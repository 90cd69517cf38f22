//! A client of the protocol in [`protocol`](crate::protocol) (feature `client`): topics of a hub at another place, with the same
//! deliveries as at the hub itself.
//!
//! ```
//! use ws_hub::client::{ClientError, HubClient};
//! use ws_hub::Delivery;
//! use ws_session::{Client, Runtime};
//!
//! async fn chat<R: Runtime>() -> Result<(), ClientError> {
//!     let hub = HubClient::connect(Client::<R>::new("wss://example.com/hub"));
//!     let mut chat = hub.subscribe("chat/rust").last(50).await?;
//!     hub.publish("chat/rust", "{\"says\": \"Hello\"}").await?;
//!     loop {
//!         match chat.next().await? {
//!             Delivery::Publication(publication) => println!("{:?}", publication.message),
//!             Delivery::Gap(gap) => println!("({gap})"),
//!             _ => {}
//!         }
//!     }
//! }
//! ```
//!
//! It connects again without limit, and subscribes from the last position that it has. On a topic with history, nothing is missing
//! and nothing comes twice. Where that cannot be had, the subscription has [`Delivery::Unrecoverable`](crate::Delivery) or a
//! [`Gap`](crate::Gap).
//!
//! An application that takes deliveries slowly loses none on a topic with history: above
//! [`bound`](ClientSubscribe::bound), the topic is unsubscribed until it has taken what waits, and then recovered. Without history,
//! it gets a gap.

mod presence;
mod run;
mod state;
mod subscription;

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use ws_session::{ByteString, Client, Message, Reconnect, Runtime};

pub use self::presence::{ClientJoined, ClientPresence, ClientWatch};
use self::state::{Answer, Shared};
pub use self::subscription::{ClientSubscribe, ClientSubscription};
use crate::backplane::BoxFuture;
use crate::position::Position;
use crate::protocol::{CommandFrame, Payload, SUBPROTOCOL};

/// A connection to a hub, which is made again whenever it is lost. Cheap to clone. It ends when the last handle is dropped,
/// subscriptions and memberships among them.
#[derive(Clone)]
pub struct HubClient {
    owner: Arc<Owner>,
}

/// Ends the connection when it is dropped.
struct Owner {
    shared: Arc<Shared>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl HubClient {
    /// Begins to connect, in a task of its own. It does not wait, and does not fail: commands tell.
    pub fn connect<R: Runtime>(client: Client<R>) -> Self {
        Self::reconnecting(client.subprotocols([SUBPROTOCOL]).reconnect())
    }

    /// Begins to connect with other delays between attempts. The client must offer the subprotocol
    /// [`SUBPROTOCOL`].
    pub fn reconnecting<R: Runtime>(connections: Reconnect<R>) -> Self {
        let shared = Arc::new(Shared::default());
        R::spawn(run::run(connections, Arc::clone(&shared)));
        Self { owner: Arc::new(Owner { shared }) }
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.owner.shared.is_open()
    }

    /// Subscribes to a topic, when the result is awaited: as soon as there is a connection, and again after each loss of one. A
    /// topic can be subscribed once by a client.
    pub fn subscribe(&self, topic: impl Into<String>) -> ClientSubscribe {
        ClientSubscribe::new(self.clone(), topic.into())
    }

    /// Publishes a message on a topic, when the result is awaited. Text that is JSON reaches other clients as that value. Returns
    /// the position, if the topic has history.
    ///
    /// It is not kept for later: without a connection, it is refused with [`ClientError::Offline`]. If the future is dropped, it
    /// may have been published.
    pub fn publish(&self, topic: impl Into<String>, message: impl Into<Message>) -> ClientPublish {
        ClientPublish {
            client: self.clone(),
            topic: topic.into(),
            message: message.into(),
            key: None,
            idempotency_key: None,
            after: None,
        }
    }

    /// The members of a topic.
    pub fn presence(&self, topic: impl Into<String>) -> ClientPresence {
        ClientPresence::new(self.clone(), topic.into())
    }

    /// Closes the connection, for good. What is subscribed ends with [`ClientError::Ended`].
    pub fn close(&self) {
        self.owner.shared.close();
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// Sends a command, and waits for its answer.
    async fn command(&self, frame: CommandFrame<'_>) -> Result<Answer, ClientError> {
        let answer = self.shared().command(frame)?;
        answer.await.unwrap_or(Err(ClientError::Disconnected))
    }
}

impl fmt::Debug for HubClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubClient").field("is_connected", &self.is_connected()).finish_non_exhaustive()
    }
}

/// A publication that begins when it is awaited: [`HubClient::publish`].
#[must_use = "nothing is published until it is awaited"]
pub struct ClientPublish {
    client: HubClient,
    topic: String,
    message: Message,
    key: Option<ByteString>,
    idempotency_key: Option<ByteString>,
    after: Option<Position>,
}

impl ClientPublish {
    /// Sets the key whose value this is: see [`Publish::key`](crate::Publish::key).
    pub fn key(mut self, key: impl Into<ByteString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names the publication, so that it can be published again when its result was unknown: see
    /// [`Publish::idempotency_key`](crate::Publish::idempotency_key).
    pub fn idempotency_key(mut self, key: impl Into<ByteString>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Publishes only if this position is the last one of the topic: see [`Publish::after`](crate::Publish::after).
    pub fn after(mut self, position: Position) -> Self {
        self.after = Some(position);
        self
    }
}

impl IntoFuture for ClientPublish {
    type Output = Result<Option<Position>, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let payload = Payload::of(&self.message);
            let answer = self.client.command(CommandFrame {
                kind: Some("publish".into()),
                topic: Some((&*self.topic).into()),
                data: payload.data,
                text: payload.text.map(Into::into),
                binary: payload.binary.map(Into::into),
                key: self.key.as_deref().map(Into::into),
                idempotency_key: self.idempotency_key.as_deref().map(Into::into),
                after: self.after.map(|after| after.to_string().into()),
                ..CommandFrame::default()
            });
            Ok(answer.await?.position)
        })
    }
}

/// Why a command has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The server has refused it.
    Refused {
        /// The code of the protocol, such as `forbidden` or `conflict`.
        code: String,
        /// The server's explanation.
        text: String,
    },
    /// The topic is subscribed, joined or watched by this client already.
    Already,
    /// There is no connection now: nothing was sent.
    Offline,
    /// The connection was lost before the answer.
    Disconnected,
    /// The connection has ended for good, for this reason. Nothing was sent.
    Ended(String),
}

impl ClientError {
    /// Whether a publication may have been published. Publish it again only with the same idempotency key.
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::Disconnected => true,
            Self::Refused { code, .. } => code == "unknown_result",
            _ => false,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, text } => write!(f, "refused by the server: {text} ({code})"),
            Self::Already => f.write_str("this client has subscribed, joined or watched the topic already"),
            Self::Offline => f.write_str("there is no connection to the hub; nothing was sent"),
            Self::Disconnected => f.write_str("the connection to the hub was lost before the answer"),
            Self::Ended(reason) => write!(f, "the connection to the hub has ended: {reason}"),
        }
    }
}

impl Error for ClientError {}
