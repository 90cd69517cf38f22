//! Why a connection ended, or did not open, and what handlers return.

mod accept;
mod closed;
mod connect;
mod dial;
mod handler;
mod url;

pub use self::accept::AcceptError;
pub use self::closed::{Closed, Error};
pub use self::connect::ConnectError;
pub use self::dial::{Attempt, DialError, Stage, TimedOut};
pub use self::handler::{BoxError, HandlerError, HandlerResult};
pub use self::url::UrlError;
