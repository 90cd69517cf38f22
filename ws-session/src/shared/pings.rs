//! Pings that tasks wait for.

use std::slice;
use std::time::Duration;

use ws_proto::{Connection, PingId, Timestamp};

use super::key::Key;

/// A ping and the pong that answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// The time from the ping to its pong.
    pub time: Duration,
    /// Whether the pong had another payload than the ping, such as an empty one. Some peers answer so, against RFC 6455
    /// §5.5.3. Then the pong may belong to another ping.
    pub payload_differed: bool,
}

impl RoundTrip {
    /// Makes a round trip, for tests of applications.
    pub const fn new(time: Duration, payload_differed: bool) -> Self {
        Self { time, payload_differed }
    }
}

/// Pings by key, so that one is removed when its task gives up. It takes no memory while there are none.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    #[expect(clippy::box_collection, reason = "a vector would take three words of every idle connection")]
    waits: Option<Box<Vec<PongWait>>>,
}

#[derive(Debug)]
struct PongWait {
    key: Key,
    ping: State,
}

#[derive(Debug)]
enum State {
    Requested,
    Sent { id: PingId, at: Timestamp },
    Answered(RoundTrip),
}

impl Pings {
    /// Requests a ping, and returns its key.
    pub(crate) fn request(&mut self) -> Key {
        let key = Key::new();
        self.waits.get_or_insert_default().push(PongWait { key, ping: State::Requested });
        key
    }

    pub(crate) fn forget(&mut self, key: Key) {
        if let Some(waits) = &mut self.waits {
            waits.retain(|wait| wait.key != key);
        }
        self.waits.take_if(|waits| waits.is_empty());
    }

    /// The round trip of a ping that has been answered.
    pub(crate) fn answer(&self, key: Key) -> Option<RoundTrip> {
        self.iter().find(|wait| wait.key == key).and_then(|wait| match wait.ping {
            State::Answered(took) => Some(took),
            _ => None,
        })
    }

    /// Whether a requested ping has not been sent yet.
    pub(crate) fn has_requests(&self) -> bool {
        self.iter().any(|wait| matches!(wait.ping, State::Requested))
    }

    /// Sends the requested pings, as far as there is room.
    #[inline]
    pub(crate) fn send(&mut self, connection: &mut Connection, now: Timestamp) {
        for wait in self.iter_mut() {
            if let State::Requested = wait.ping
                && let Ok(id) = connection.ping(now)
            {
                wait.ping = State::Sent { id, at: now };
            }
        }
    }

    /// Handles a pong, which answers its ping and all before it. Returns whether a task waits for one of them.
    pub(crate) fn on_pong(&mut self, answered: PingId, payload_differed: bool, now: Timestamp) -> bool {
        let mut found = false;
        for wait in self.iter_mut() {
            if let State::Sent { id, at } = wait.ping
                && id <= answered
            {
                wait.ping = State::Answered(RoundTrip { time: now - at, payload_differed });
                found = true;
            }
        }
        found
    }

    fn iter(&self) -> slice::Iter<'_, PongWait> {
        self.waits.as_deref().map(Vec::as_slice).unwrap_or_default().iter()
    }

    fn iter_mut(&mut self) -> slice::IterMut<'_, PongWait> {
        self.waits.as_deref_mut().map(Vec::as_mut_slice).unwrap_or_default().iter_mut()
    }
}
