//! The origins from which a server accepts connections.

use ws_proto::handshake::server::Origins;

use super::Server;
use crate::error::InvalidSetting;
use crate::runtime::Runtime;

impl<R: Runtime> Server<R> {
    /// Accepts only requests from web pages of these origins, such as `https://example.com`. Others get 403 (RFC 6455 §10.2).
    /// Requests without an `Origin` header are refused too; browsers send none of these.
    /// [`origins_or_none`](Self::origins_or_none) accepts them. Another call replaces the list, but not
    /// [`same_origin`](Self::same_origin) and [`same_origin_or_none`](Self::same_origin_or_none).
    ///
    /// | origin | accepts |
    /// | --- | --- |
    /// | `https://example.com` | this origin; the scheme's own port may be left out on either side |
    /// | `http://localhost:3000` | this origin, with its port |
    /// | `https://*.example.com` | each subdomain, at any depth, but not `https://example.com` itself |
    /// | `http://localhost:*` | any port |
    /// | `null` | pages without an origin of their own, such as files |
    ///
    /// [`bind`](Self::bind) refuses anything else, such as a path or a `*` elsewhere.
    #[must_use]
    pub fn origins(mut self, origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let before = self.settings.origins.take().filter(Origins::accepts_same_origin);
        match (Origins::new(origins), before) {
            (Ok(origins), None) => self.settings.origins = Some(origins),
            (Ok(origins), Some(before)) if before.accepts_none() => {
                self.settings.origins = Some(origins.same_origin().or_none());
            }
            (Ok(origins), Some(_)) => self.settings.origins = Some(origins.same_origin()),
            (Err(error), _) => self.mistake(InvalidSetting::Origins(error.to_string())),
        }
        self
    }

    /// Accepts only requests from web pages of these origins, or without an `Origin` header: clients other than browsers.
    /// `origins_or_none([""; 0])` refuses all web pages.
    #[must_use]
    pub fn origins_or_none(self, origins: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.origins(origins).or_none()
    }

    /// Accepts requests from web pages of the host that the request is for: those whose `Origin` has the host and port of the
    /// `Host` header. Others get 403, unless [`origins`](Self::origins) lists them. So do requests without an `Origin` header;
    /// [`same_origin_or_none`](Self::same_origin_or_none) accepts them.
    ///
    /// The scheme may be `http` or `https`, because a proxy may end TLS. Such a proxy must pass on `Host` as it came. Pages of a
    /// scheme of their own, such as those of applications and of browser extensions, are refused.
    ///
    /// A name whose owner has pointed it at this server (DNS rebinding) has the same origin. On a machine where that matters,
    /// such as a developer's, list the names instead.
    #[must_use]
    pub fn same_origin(mut self) -> Self {
        let origins = self.settings.origins.take().or_else(|| Origins::new([""; 0]).ok());
        self.settings.origins = origins.map(Origins::same_origin);
        self
    }

    /// Accepts requests as [`same_origin`](Self::same_origin) does, or without an `Origin` header.
    #[must_use]
    pub fn same_origin_or_none(self) -> Self {
        self.same_origin().or_none()
    }

    fn or_none(mut self) -> Self {
        self.settings.origins = self.settings.origins.map(Origins::or_none);
        self
    }
}
