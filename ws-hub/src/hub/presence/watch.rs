//! [`PresenceWatch`]: the members of a topic as a stream of changes.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Presence;
use crate::presence::{PresenceEvent, Watcher};

/// The members of a topic: first [all of them](PresenceEvent::Members), then each change. A watcher that does not take the
/// events in time gets all members anew. It is a [`Stream`], too.
#[must_use = "dropping it ends it"]
pub struct PresenceWatch {
    presence: Arc<Presence>,
    watcher: Watcher,
}

impl PresenceWatch {
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        Self { watcher: presence.watcher(), presence }
    }

    /// Waits for the next event. A watch does not end by itself.
    ///
    /// Cancel-safe: when the future is dropped, no event is lost.
    pub async fn next(&mut self) -> PresenceEvent {
        poll_fn(|cx| self.presence.poll(&self.watcher, cx)).await
    }
}

impl Stream for PresenceWatch {
    type Item = PresenceEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<PresenceEvent>> {
        self.presence.poll(&self.watcher, cx).map(Some)
    }
}

impl fmt::Debug for PresenceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceWatch").finish_non_exhaustive()
    }
}
