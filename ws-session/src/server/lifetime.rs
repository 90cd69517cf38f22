//! The longest life of a connection.

use std::time::Duration;

use super::Server;
use crate::random;
use crate::runtime::Runtime;

/// The longest life of a connection, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lifetime {
    most: Option<Duration>,
    jitter: Option<Duration>,
}

impl Lifetime {
    /// The life of a new connection, drawn at random.
    pub(super) fn draw(&self) -> Option<Duration> {
        let most = self.most?;
        let jitter = self.jitter.unwrap_or(most / 10).min(most);
        Some(most - random::up_to(jitter))
    }
}

impl<R: Runtime> Server<R> {
    /// Limits the life of a connection. Then it is closed with 1001 and the reason `connection lifetime`, and clients connect
    /// again: to another server behind a load balancer, or with fresh credentials. `None`, the default, for no limit.
    ///
    /// The life of each connection is shortened by a random time ([`lifetime_jitter`](Self::lifetime_jitter)), so that
    /// connections that opened together do not end together. It begins when the connection opens. Messages that are queued
    /// then are still written. The limit holds for connections of every kind: over HTTP/2, and those of
    /// [`accept`](Self::accept) and [`upgrade`](Self::upgrade), too.
    #[must_use]
    #[doc(alias = "max_connection_age", alias = "max_age")]
    pub fn max_lifetime(mut self, most: impl Into<Option<Duration>>) -> Self {
        self.settings.lifetime.most = most.into();
        self
    }

    /// Sets the longest time by which a connection ends before [`max_lifetime`](Self::max_lifetime). The time is random, from a
    /// cryptographically secure generator, and evenly distributed. Default: a tenth of the lifetime.
    #[must_use]
    pub fn lifetime_jitter(mut self, jitter: Duration) -> Self {
        self.settings.lifetime.jitter = Some(jitter);
        self
    }
}
