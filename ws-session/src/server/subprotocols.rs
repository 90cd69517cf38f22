//! The subprotocol that a server selects.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use ws_proto::Escaped;
use ws_proto::handshake::server::{Rejection, Upgrade};

use super::Server;
use super::hooks::Failure;
use crate::error::InvalidSetting;
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Sets the subprotocols that the server supports, in order of preference. The first one that the client offers is
    /// chosen. Without a common one, the connection opens without a subprotocol (RFC 6455 §4.2.2), unless
    /// [`require_subprotocol`](Self::require_subprotocol) is set. A name that is not a token, such as one with a blank, is
    /// reported when the server starts ([`InvalidSetting::Subprotocols`]).
    #[must_use]
    pub fn subprotocols(mut self, subprotocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let supported: Vec<String> = subprotocols.into_iter().map(Into::into).collect();
        if let Some(name) = supported.iter().find(|name| !is_token(name)) {
            let name = Escaped(name);
            self.mistake(InvalidSetting::Subprotocols(format!("\"{name}\" is not a subprotocol: it must be a token")));
        }
        self.settings.subprotocols.choice = Choice::First(supported);
        self
    }

    /// Has a function select the subprotocol, in place of a [list](Self::subprotocols). It gets the request, and the
    /// subprotocols that the client offers, in the client's order. `None` selects none.
    ///
    /// A subprotocol that the client does not offer is a mistake of the server: the response is 500, as after a panic.
    ///
    /// ```
    /// # use ws_session::{Runtime, Server};
    /// # fn example<R: Runtime>(server: Server<R>) -> Server<R> {
    /// // The newest version.
    /// server.select_subprotocol(|_request, offered| {
    ///     offered.iter().filter(|name| name.starts_with("chat.v")).max().cloned()
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn select_subprotocol(
        mut self,
        select: impl Fn(&Request<()>, &[String]) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.settings.subprotocols.choice = Choice::Selected(Arc::new(select));
        self
    }

    /// Sets whether a connection must have a subprotocol. Default `false`. If `true`, a request without a common subprotocol
    /// gets 400, with a text that lists those of the server. A server that requires one and supports none is reported when it
    /// starts ([`InvalidSetting::Subprotocols`]).
    #[must_use]
    pub fn require_subprotocol(mut self, required: bool) -> Self {
        self.settings.subprotocols.required = required;
        self
    }
}

/// Selects a subprotocol from those that a client offers.
type Select = dyn Fn(&Request<()>, &[String]) -> Option<String> + Send + Sync;

#[derive(Clone, Debug, Default)]
pub(crate) struct Subprotocols {
    choice: Choice,
    required: bool,
}

#[derive(Clone)]
enum Choice {
    /// The first of these that the client offers.
    First(Vec<String>),
    Selected(Arc<Select>),
}

/// Whether a name is a token (RFC 9110 §5.6.2). Each token is a method of HTTP.
fn is_token(name: &str) -> bool {
    Method::from_bytes(name.as_bytes()).is_ok()
}

impl Subprotocols {
    /// Fails if one is required and there is none.
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        match &self.choice {
            Choice::First(supported) if self.required && supported.is_empty() => {
                let mistake =
                    "a subprotocol is required, and none is supported (require_subprotocol without subprotocols)";
                Err(InvalidSetting::Subprotocols(mistake.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a function sees the request.
    pub(super) fn is_function(&self) -> bool {
        matches!(self.choice, Choice::Selected(_))
    }

    pub(super) fn select(&self, upgrade: &Upgrade) -> Result<Option<String>, Rejection> {
        let selected = match &self.choice {
            Choice::First(supported) => upgrade.select_subprotocol(supported).cloned(),
            Choice::Selected(select) => {
                let (request, offered) = (upgrade.request(), upgrade.subprotocols());
                catch_unwind(AssertUnwindSafe(|| select(request, offered)))
                    .map_err(|_| Failure::Panicked.log("function that selects the subprotocol", request))?
            }
        };
        match selected {
            None if self.required => Err(self.none_in_common(upgrade.subprotocols())),
            selected => Ok(selected),
        }
    }

    fn none_in_common(&self, offered: &[String]) -> Rejection {
        let mut message = match offered {
            [] => "This server needs a subprotocol, and the request offers none in Sec-WebSocket-Protocol.".to_owned(),
            offered => format!(
                "This server does not support the subprotocols that the request offers: {}.",
                offered.join(", ")
            ),
        };
        if let Choice::First(supported) = &self.choice {
            message.push_str(&format!(" Supported: {}.", supported.join(", ")));
        }
        Rejection::new(StatusCode::BAD_REQUEST, message)
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self::First(Vec::new())
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(supported) => supported.fmt(f),
            Self::Selected(_) => f.write_str("a function"),
        }
    }
}
