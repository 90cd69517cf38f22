//! The handles that an application holds, and what handlers return.

#[cfg(feature = "json")]
mod json;
mod outbound;
mod outcome;
mod sender;
mod unwanted;
mod websocket;

#[cfg(feature = "json")]
pub use self::json::JsonError;
pub use self::outcome::{Handled, HandlerOutput, handler};
pub use self::sender::Sender;
pub use self::websocket::WebSocket;
