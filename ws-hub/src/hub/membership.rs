//! [`Membership`]: a subscriber on a topic.

use std::fmt;
use std::sync::Arc;

use super::Inner;
use crate::entry::{Entry, Seat};
use crate::position::Position;
use crate::topic::Topic;

/// A subscriber on a topic. Dropping it ends the subscription.
#[must_use = "dropping it ends the subscription"]
pub struct Membership {
    hub: Arc<Inner>,
    entry: Arc<Entry>,
    seat: Seat,
    start: Option<Position>,
}

impl Membership {
    pub(super) fn new(hub: Arc<Inner>, entry: Arc<Entry>, seat: Seat) -> Self {
        Self { hub, entry, seat, start: None }
    }

    pub(super) fn set_start(&mut self, start: Option<Position>) {
        self.start = start;
    }

    /// The topic.
    pub fn topic(&self) -> &Topic {
        &self.entry.topic
    }

    /// The position at which the subscription began: a client that gets no publication before its connection is lost can
    /// subscribe from here again. `None` if the topic has no history, or if the broker cannot be reached.
    pub fn start(&self) -> Option<Position> {
        self.start
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if self.entry.remove(self.seat) {
            self.hub.release(&self.entry);
        }
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership").field("topic", self.topic()).field("start", &self.start).finish()
    }
}
