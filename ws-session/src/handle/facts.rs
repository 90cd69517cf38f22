//! The facts about its opening that each handle of a connection tells.

use super::{Sender, WebSocket};
use crate::info::ConnectionInfo;

/// Defines methods that read the request and the attached values. `info()` of the type returns the connection's facts.
macro_rules! opening_facts {
    () => {
        /// The path of the request, still percent-encoded: `/chat`. It is `/` if the connection was made without
        /// [`Parts::heads`](crate::Parts::heads).
        ///
        /// This and the methods for a query parameter, a header and a cookie search the request's text, and keep nothing.
        /// [`WebSocket::request`](crate::WebSocket::request) parses both heads. They stay parsed for the life of the
        /// connection, and take about 2 KiB.
        pub fn path(&self) -> &str {
            self.info().opening.heads.path()
        }

        /// The first query parameter of this name in the request, decoded as browsers encode forms: `%41` is `A`, and `+` is
        /// a space. Bytes that are not UTF-8 become U+FFFD. A parameter without `=` has an empty value.
        pub fn query(&self, name: &str) -> Option<::std::borrow::Cow<'_, str>> {
            self.info().opening.heads.parameter(name)
        }

        /// The first value of this header of the request, in upper or lower case. `None` if it is not UTF-8.
        pub fn header(&self, name: &str) -> Option<&str> {
            self.info().opening.heads.field(name)
        }

        /// The first cookie of this name in the request (RFC 6265 §4.2.1). Its value is not decoded, and quotes are part of it.
        pub fn cookie(&self, name: &str) -> Option<&str> {
            self.info().opening.heads.cookie(name)
        }

        /// The value of this type that a hook has attached to the connection, on a server. See
        /// [`Decision::state`](crate::Decision::state).
        pub fn state<S: ::std::any::Any + Send + Sync>(&self) -> Option<&S> {
            self.info().opening.attached.get()
        }

        /// The name of the authenticated user, on a server. See [`Server::basic_auth`](crate::Server::basic_auth) and
        /// [`Decision::user`](crate::Decision::user).
        pub fn user(&self) -> Option<&str> {
            self.info().opening.attached.user()
        }
    };
}

pub(crate) use opening_facts;

impl Sender {
    opening_facts!();

    fn info(&self) -> &ConnectionInfo {
        &self.shared.info
    }
}

impl WebSocket {
    opening_facts!();

    fn info(&self) -> &ConnectionInfo {
        &self.sender.shared.info
    }
}
