//! [`Http2Connections`]: the connections that clients share.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Request;

use super::opening::{Ended, Opening};
use crate::http2::{Http2Failure, Http2Opened, Http2Session};
use crate::info::Caller;
use crate::sync::{Mutex, PoisonError};

/// Connections of HTTP/2 that clients share: [`Client::http2`](crate::Client::http2). Cheap to clone; a clone shares them.
///
/// A connection stays open while this value lives and the server keeps it. It is used for WebSockets to the same scheme, host and
/// port, as long as the server accepts more streams. Otherwise another one is opened. Clients that connect at the same time wait
/// for one connection. If it cannot be opened, or the server does not offer WebSocket over HTTP/2, each of them connects on its
/// own.
///
/// TLS settings are those of the client that opened the connection, and so are its proxy and overrides of the host. Share this
/// value only between clients with the same ones.
#[derive(Clone, Default)]
pub struct Http2Connections {
    origins: Arc<Mutex<BTreeMap<Origin, Pool>>>,
    pub(super) prior_knowledge: bool,
}

/// What a connection is used for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it is for clients whose certificate is for another origin.
    pub(super) anonymous: bool,
}

/// The connections to one origin.
#[derive(Default)]
struct Pool {
    open: Vec<Shared>,
    /// The one that a client opens now.
    opening: Option<Arc<Opening>>,
}

/// An open connection.
pub(super) struct Shared {
    pub(super) session: Arc<dyn Http2Session>,
    pub(super) server: Caller,
}

/// A stream that has been requested.
pub(super) struct Requested {
    pub(super) opened: Pin<Box<dyn Future<Output = Result<Http2Opened, Http2Failure>> + Send>>,
    pub(super) server: Caller,
}

/// The result of looking for a stream.
pub(super) enum Found {
    /// An open connection had room for it.
    Requested(Requested),
    /// Another client opens a connection.
    Wait(Arc<Opening>),
    /// The caller opens a connection, and others may wait for it.
    Nothing(Option<Opener>),
}

/// The client that opens a connection for which others wait. When it is dropped, they go on.
pub(super) struct Opener {
    connections: Http2Connections,
    origin: Origin,
    opening: Arc<Opening>,
    ended: Ended,
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
        self.with(|origins| {
            origins.retain(|_, pool| {
                pool.open.retain(|one| one.session.is_open());
                !pool.open.is_empty() || pool.opening.is_some()
            });
            origins.values().map(|pool| pool.open.len()).sum()
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<Origin, Pool>) -> T) -> T {
        change(&mut self.origins.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Requests a stream on a connection that has room. If there is none, the first caller opens one, and others wait.
    pub(super) fn find(&self, origin: &Origin, request: &Request<()>) -> Found {
        self.with(|origins| {
            let pool = origins.entry(origin.clone()).or_default();
            pool.open.retain(|one| one.session.is_open());
            if let Some(one) = pool.open.iter().find(|one| one.session.has_room()) {
                // Under the lock: the next caller sees this stream's place taken.
                return Found::Requested(one.request(request));
            }
            if let Some(opening) = &pool.opening {
                return Found::Wait(Arc::clone(opening));
            }
            let opening = Arc::new(Opening::default());
            pool.opening = Some(Arc::clone(&opening));
            Found::Nothing(Some(Opener {
                connections: self.clone(),
                origin: origin.clone(),
                opening,
                ended: Ended::Left,
            }))
        })
    }

    /// Shares a connection, and requests its first stream.
    pub(super) fn add(&self, origin: &Origin, shared: Shared, request: &Request<()>) -> Requested {
        let requested = shared.request(request);
        self.with(|origins| origins.entry(origin.clone()).or_default().open.push(shared));
        requested
    }
}

impl Shared {
    fn request(&self, request: &Request<()>) -> Requested {
        Requested { opened: self.session.open(request.clone()), server: self.server.clone() }
    }
}

impl Opener {
    /// Ends the wait of the others: they use the connection that was added, or connect on their own.
    pub(super) fn end(mut self, is_added: bool) {
        self.ended = if is_added { Ended::Added } else { Ended::Failed };
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.connections.with(|origins| {
            let Some(pool) = origins.get_mut(&self.origin) else { return };
            pool.opening = None;
            if pool.open.is_empty() {
                origins.remove(&self.origin);
            }
        });
        self.opening.end(self.ended);
    }
}

impl fmt::Debug for Http2Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.with(|origins| origins.keys().cloned().collect::<Vec<_>>());
        f.debug_struct("Http2Connections").field("origins", &origins).finish_non_exhaustive()
    }
}
