//! Topics over many WebSocket connections and many instances.

mod backplane;
mod catchup;
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
mod publication;
mod random;
mod stream;
mod subscriber;
mod subscription;
mod topic;
mod waiting;

pub use self::backplane::{
    Backplane, BoxFuture, Doubt, HistoryError, Link, Memory, Order, Outgoing, Page, Promises, PublishError, Recovery,
    Refusal, Unavailable,
};
pub use self::hub::{Hub, HubBuilder, Membership, Publish, Subscribe, SubscribeError};
pub use self::inbound::Inbound;
pub use self::options::{History, RESUMABLE, SlowPolicy, TopicOptions};
pub use self::position::{Epoch, InvalidPosition, Position};
pub use self::presence::{InvalidMember, Joined, Member, PresenceEvent, PresenceWatch, TopicPresence};
pub use self::publication::{Delivery, Gap, GapCause, Publication, Unrecoverable};
pub use self::subscriber::{Offer, Subscriber};
pub use self::subscription::Subscription;
pub use self::topic::{InvalidTopic, Topic};
