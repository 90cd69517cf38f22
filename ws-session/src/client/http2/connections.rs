//! [`Http2Connections`]: the connections that clients share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::http2::Http2Session;
use crate::sync::{Mutex, PoisonError};
use crate::transport::Addresses;

/// Connections of HTTP/2 that clients share: [`Client::http2`](crate::Client::http2). Cheap to clone; a clone shares them.
///
/// A connection stays open while this value lives and the server keeps it. It is used for WebSockets to the same scheme, host and
/// port, as long as the server accepts more streams. Otherwise another one is opened. Clients that connect at the same time, before
/// there is a connection, open one each. TLS settings are those of the client that
/// opened it, and so are its proxy and overrides of the host. Share this value only between clients with the same ones.
#[derive(Clone, Default)]
pub struct Http2Connections {
    shared: Arc<Mutex<BTreeMap<Origin, Vec<Shared>>>>,
    pub(super) prior_knowledge: bool,
}

/// What a connection is used for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) session: Arc<dyn Http2Session>,
    pub(super) addresses: Addresses,
}

impl Http2Connections {
    /// No connections yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether a server at a `ws://` URL is known to speak HTTP/2 (RFC 9113 §3.3). Without TLS it cannot be negotiated.
    /// Default `false`: `ws://` URLs use HTTP/1.1.
    #[must_use]
    pub fn prior_knowledge(mut self, known: bool) -> Self {
        self.prior_knowledge = known;
        self
    }

    /// The number of open connections.
    pub fn count(&self) -> usize {
        self.with(|all| {
            all.retain(|_, shared| {
                shared.retain(|one| one.session.is_open());
                !shared.is_empty()
            });
            all.values().map(Vec::len).sum()
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<Origin, Vec<Shared>>) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection with room for another stream.
    pub(super) fn find(&self, origin: &Origin) -> Option<Shared> {
        self.with(|all| {
            let shared = all.get_mut(origin)?;
            shared.retain(|one| one.session.is_open());
            shared.iter().find(|one| one.session.has_room()).cloned()
        })
    }

    pub(super) fn add(&self, origin: Origin, shared: Shared) {
        self.with(|all| all.entry(origin).or_default().push(shared));
    }
}

impl fmt::Debug for Http2Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.with(|all| all.keys().cloned().collect::<Vec<_>>());
        f.debug_struct("Http2Connections").field("origins", &origins).finish_non_exhaustive()
    }
}
