//! The handles of an application, and the results of handlers.

mod adapted;
mod broadcast;
mod facts;
mod gathered;
mod guard;
#[cfg(feature = "json")]
mod json;
mod open_connection;
pub(crate) mod outbound;
mod outcome;
mod receiving;
pub(crate) mod recv_stream;
pub(crate) mod send_stream;
mod sender;
pub(crate) mod source;
mod unwanted;
mod websocket;
mod within;

pub use self::broadcast::{BroadcastOutcome, SlowConsumer, broadcast};
pub(crate) use self::facts::opening_facts;
pub use self::open_connection::OpenConnection;
pub(crate) use self::open_connection::check_code;
pub use self::outcome::{Handled, HandlerOutput, handler};
pub use self::recv_stream::{IncomingStream, StreamSource};
pub(crate) use self::sender::PingGuard;
pub use self::sender::Sender;
pub use self::source::{StreamItem, StreamReader};
pub(crate) use self::websocket::AwaitsEnd;
pub use self::websocket::WebSocket;
