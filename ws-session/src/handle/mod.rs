//! The handles of an application, and the results of handlers.

mod adapted;
mod facts;
mod guard;
#[cfg(feature = "json")]
mod json;
pub(crate) mod outbound;
mod outcome;
mod receiving;
mod sender;
mod unwanted;
mod websocket;
mod within;

pub(crate) use self::facts::opening_facts;
pub use self::outcome::{Handled, HandlerOutput, handler};
pub(crate) use self::sender::PingGuard;
pub use self::sender::Sender;
pub(crate) use self::websocket::AwaitsEnd;
pub use self::websocket::WebSocket;
