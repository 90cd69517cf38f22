//! The headers of a server's responses.

use http::header::SERVER;
use http::{HeaderMap, HeaderName, HeaderValue};
use ws_proto::handshake::server::is_reserved;

use super::{Server, ServerSettings};
use crate::error::InvalidSetting;
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Adds a header to the response that accepts a connection. [`bind`](Self::bind) refuses a header that the handshake
    /// itself sets.
    #[must_use]
    pub fn header(mut self, name: impl TryInto<HeaderName>, value: impl TryInto<HeaderValue>) -> Self {
        match (name.try_into(), value.try_into()) {
            (Ok(name), Ok(_)) if is_reserved(&name) => {
                self.mistake(InvalidSetting::Header(format!("the header {name} is set by the handshake")));
            }
            (Ok(name), Ok(value)) => {
                if self.settings.headers.try_append(name, value).is_err() {
                    self.mistake(InvalidSetting::Header("too many response headers".to_owned()));
                }
            }
            _ => self.mistake(InvalidSetting::Header("invalid response header".to_owned())),
        }
        self
    }

    /// Sets the `Server` header of all responses, refusals included (RFC 9110 §10.2.4). A response that has one already keeps
    /// it. `None`, the default, sends none: the name of a program helps those who look for servers with known faults.
    #[must_use]
    pub fn server_header<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        match name.into().map(HeaderValue::from_str).transpose() {
            Ok(name) => self.settings.server_header = name,
            Err(_) => self.mistake(InvalidSetting::Header("invalid Server header".to_owned())),
        }
        self
    }
}

impl ServerSettings {
    /// Adds the `Server` header to a response without one.
    pub(super) fn name_server(&self, headers: &mut HeaderMap) {
        if let Some(name) = &self.server_header
            && !headers.contains_key(SERVER)
        {
            // Only tens of thousands of headers leave no room for this one.
            let _ = headers.try_insert(SERVER, name.clone());
        }
    }
}
