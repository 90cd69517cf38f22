//! The handles of an application, and the results of handlers.

mod adapted;
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

#[cfg(feature = "json")]
pub use self::json::JsonError;
#[cfg(feature = "json")]
pub(crate) use self::json::from_json;
pub use self::outcome::{Handled, HandlerOutput, handler};
pub(crate) use self::sender::PingGuard;
pub use self::sender::Sender;
pub(crate) use self::websocket::AwaitsEnd;
pub use self::websocket::WebSocket;
