//! Errors of open connections, of opening them, and of handlers.

mod accept;
mod attempt;
mod closed;
mod compression;
mod connect;
mod dial;
mod handler;
mod proxy;
mod redirect;
mod setting;
mod temporary;
mod upgrade;
mod url;

pub use self::accept::AcceptError;
pub use self::attempt::FailedAttempt;
pub use self::closed::{Closed, Error};
pub(crate) use self::closed::{ClosedSource, ClosingSource};
pub use self::compression::CompressionError;
pub use self::connect::ConnectError;
pub use self::dial::{Attempt, DialError, Stage, TimedOut};
pub use self::handler::{BoxError, HandlerError, HandlerResult};
pub use self::proxy::{ProxyCause, ProxyError, SocksReply};
pub use self::redirect::{RedirectError, RedirectFailure};
pub use self::setting::InvalidSetting;
pub use self::upgrade::UpgradeError;
pub use self::url::UrlError;
