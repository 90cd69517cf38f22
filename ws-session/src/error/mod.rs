//! Why a connection ended, or did not open, and what handlers return.

mod accept;
mod closed;
mod compression;
mod connect;
mod dial;
mod handler;
mod setting;
mod url;

pub use self::accept::AcceptError;
pub use self::closed::{Closed, Error};
pub(crate) use self::closed::{ClosedSource, ClosingSource};
pub use self::compression::CompressionError;
pub use self::connect::ConnectError;
pub use self::dial::{Attempt, DialError, Stage, TimedOut};
pub use self::handler::{BoxError, HandlerError, HandlerResult};
pub use self::setting::InvalidSetting;
pub use self::url::UrlError;
