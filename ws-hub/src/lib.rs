//! Topics over many WebSocket connections, at one instance of a server or at many: publish, subscribe, recover what was missed,
//! and know who is there.
//!
//! It runs on every runtime that [`ws_session`] has an adapter for. Publications travel over a [`Backplane`]:
//!
//! | backplane | for | feature |
//! | --- | --- | --- |
//! | [`Memory`] | the instances of one process | |
//! | `Redis` | Redis and Valkey | `redis`; `redis-tls` for TLS |
//! | `Nats` | NATS, with JetStream for history | `nats` |
//! | `Kafka` | Kafka | `kafka` |
//!
//! [`Backplane`] and [`Link`] are public, so that others can be written.
//!
//! ```
//! use ws_hub::{Delivery, Hub, Membership};
//! use ws_session::{HandlerResult, WebSocket};
//!
//! /// Each message of a connection goes to all connections.
//! async fn chat(hub: Hub, mut ws: WebSocket) -> HandlerResult {
//!     let _membership: Membership = hub
//!         .subscribe("chat")
//!         .forward(&ws.sender(), |delivery| match delivery {
//!             Delivery::Publication(publication) => Some(publication.prepared().clone()),
//!             Delivery::Gap(_) => Some("(some messages may be missing here)".into()),
//!             _ => None,
//!         })
//!         .await?;
//!     while let Some(message) = ws.recv().await? {
//!         hub.publish("chat", message).await?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `Hub::builder().start::<ws_tokio::Tokio>()` starts a hub on tokio, `start::<ws_async_std::AsyncStd>()` on async-std.
//!
//! Futures of a hub are awaited on its runtime. Everything else, dropping included, can be done on any thread.
//!
//! # Rules
//!
//! 1. A topic with history has one order, the same for all subscribers at all instances. Without history, at least each
//!    publisher's order is kept; [`Hub::promises`] says which.
//! 2. Live delivery is at most once. No gap is silent: before the publication that follows missing ones, a subscriber gets a
//!    [`Gap`] with its [cause](GapCause).
//! 3. [`Subscribe::since`] delivers everything that was missed since a [`Position`], in order, once, and then live publications;
//!    or it says why that cannot be had ([`Unrecoverable`]), and delivers live publications only. It never delivers a part.
//!    [`Subscribe::last`] begins with the last publications instead, and from the first of them on, none is missing.
//! 4. A publication is accepted, certainly [refused](PublishError::Refused), or [unknown](PublishError::Unknown), within
//!    [a time](HubBuilder::publish_timeout). It is never retried.
//! 5. A publisher never waits for a subscriber. A subscriber that is too slow is treated by the topic's [`SlowPolicy`], and delays
//!    no other.
//! 6. A publication is one value for all subscribers of an instance. It is encoded once, and compressed once for all connections
//!    with the same settings ([`Publication::prepared`]).
//! 7. [Presence](Hub::presence) counts connections over all instances. A member leaves 15 s after its last connection, and 60 s
//!    after its instance died.
//! 8. Loss of the broker closes no connection. Subscribers of the same instance go on receiving its publications, which are marked
//!    as [local](Publication::is_local). When the broker is back, history fills the gap, or a [`Gap`] tells it.
//! 9. A hub publishes a [heartbeat](HubBuilder::heartbeat) to itself, because a frozen broker keeps its connections open.
//! 10. The cost to the broker depends on the topics of an instance, not on its connections: one subscription for each topic, which
//!     stays [a little longer](HubBuilder::linger) than its last subscriber. Subscribers that recover at the same time share reads
//!     of the history.
//!
//! The module [`conformance`] runs them in virtual time, around a broker that drops, doubles and reorders, is cut off, freezes,
//! restarts with its data and without.
//!
//! # The files
//!
//! | file | what it does |
//! | --- | --- |
//! | `client` | a client of the protocol (feature `client`) |
//! | `protocol` | the client protocol: JSON over one WebSocket (feature `protocol`) |
//! | `hub` | [`Hub`]: publishing, subscribing, presence; its tasks |
//! | `entry` | a topic that is subscribed at this instance, under one lock |
//! | `member` | a subscriber of a topic, and its place beside the topic's stream |
//! | `stream` | a topic's publications, made into one order without silent gaps |
//! | `catchup` | closes the space between a position, or the last publications, and the live ones with history |
//! | `queue`, `forward` | subscribers: deliveries that wait to be taken, a WebSocket connection |
//! | `waiting` | the deliveries that wait for a slow subscriber, within a bound |
//! | `presence` | members, and the lists of them that instances tell each other |
//! | `backplane`, `inbound` | what carries publications between instances, and what it tells the hub |
//! | `conformance` | virtual time, a broker with faults, and a storm in which the rules must hold |
//! | `stats` | counters, and their names for monitoring |
//! | `topic`, `position`, `publication`, `options`, `subscriber` | the words that all of them use |
//! | `clock`, `tasks`, `random` | time and tasks of any runtime, from any thread; random numbers |

mod backplane;
mod catchup;
#[cfg(feature = "client")]
pub mod client;
mod clock;
pub mod conformance;
mod entry;
mod forward;
mod hub;
mod inbound;
mod member;
mod options;
mod position;
mod presence;
#[cfg(feature = "protocol")]
pub mod protocol;
mod publication;
mod queue;
mod random;
mod stats;
mod stream;
mod subscriber;
mod tasks;
mod topic;
mod waiting;

#[cfg(feature = "kafka")]
pub use self::backplane::Kafka;
pub use self::backplane::{
    Backplane, BoxFuture, Doubt, HistoryError, Link, Memory, Order, Outgoing, Page, Promises, PublishError, Recovery,
    Refusal, Unavailable,
};
#[cfg(feature = "nats")]
pub use self::backplane::{InvalidNats, Nats};
#[cfg(feature = "redis")]
pub use self::backplane::{InvalidRedisUrl, Redis};
pub use self::hub::{
    Access, Action, Hub, HubBuilder, Joined, Membership, PresenceError, PresenceWatch, Publish, ReadError, Subscribe,
    SubscribeError, Subscription, TopicPresence,
};
pub use self::inbound::Inbound;
pub use self::options::{History, RESUMABLE, SlowPolicy, TopicOptions};
pub use self::position::{Epoch, InvalidPosition, Position};
pub use self::presence::{InvalidMember, Member, PresenceEvent};
pub use self::publication::{Delivery, Gap, GapCause, Publication, Unrecoverable};
pub use self::stats::HubStats;
pub use self::subscriber::{Offer, Subscriber};
pub use self::topic::{InvalidTopic, Topic};

/// The programs in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
