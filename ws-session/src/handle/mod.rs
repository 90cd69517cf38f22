//! The handles of an application, and the results of handlers.

mod adapted;
mod broadcast;
mod facts;
mod guard;
pub(crate) mod incoming;
#[cfg(feature = "json")]
mod json;
pub(crate) mod outbound;
mod outcome;
pub(crate) mod outgoing;
mod receiving;
mod sender;
pub(crate) mod source;
mod unwanted;
mod websocket;
mod within;

pub use self::broadcast::{BroadcastOutcome, SlowConsumer, broadcast};
pub(crate) use self::facts::opening_facts;
pub use self::incoming::{IncomingStream, StreamSource};
pub use self::outcome::{Handled, HandlerOutput, handler};
pub(crate) use self::sender::PingGuard;
pub use self::sender::Sender;
pub use self::source::{StreamItem, StreamReader};
pub(crate) use self::websocket::AwaitsEnd;
pub use self::websocket::WebSocket;
