//! [`Forward`]: passes the deliveries of a topic on to a WebSocket connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ws_session::{BroadcastOutcome, Prepared, Sender, SlowConsumer};

use crate::clock::Clock;
use crate::options::{RESUMABLE, SlowPolicy};
use crate::publication::Delivery;
use crate::subscriber::{Offer, Subscriber};
use crate::waiting::{Bound, Waiting};

/// The reason in the Close frame to a connection that was too slow.
const TOO_SLOW: &str = "too slow for the publications sent here";

/// Passes the deliveries of a topic on to a WebSocket connection, as messages.
///
/// Deliveries go into the connection's outgoing queue up to its high-water mark
/// ([`Limits::high_water`](ws_session::Limits::high_water)). Above it, the topic's policy acts. With [`SlowPolicy::Newest`], the
/// newest publication of each key waits until there is room.
pub(crate) struct Forward {
    sender: Sender,
    encode: Box<Encode>,
    /// With [`SlowPolicy::Newest`]. Of others, nothing waits here, and an idle subscription is small.
    newest: Option<Box<Newest>>,
}

type Encode = dyn Fn(&Delivery) -> Option<Prepared> + Send + Sync;

/// The newest publication of each key.
struct Newest {
    bound: Bound,
    clock: Clock,
    /// For the task that waits for room.
    forward: Weak<Forward>,
    /// What waits for room, while there is a task that does.
    waiting: Mutex<Option<Waiting>>,
}

impl Forward {
    pub(crate) fn new(
        sender: Sender,
        encode: impl Fn(&Delivery) -> Option<Prepared> + Send + Sync + 'static,
        policy: SlowPolicy,
        bound: Bound,
        clock: &Clock,
    ) -> Arc<Self> {
        let encode = Box::new(encode);
        if policy != SlowPolicy::Newest {
            return Arc::new(Self { sender, encode, newest: None });
        }
        let newest = |forward: &Weak<Self>| Newest {
            bound,
            clock: clock.clone(),
            forward: forward.clone(),
            waiting: Mutex::new(None),
        };
        Arc::new_cyclic(|own| Self { sender, encode, newest: Some(Box::new(newest(own))) })
    }

    /// The next delivery that waits.
    fn next_waiting(&self) -> Option<Delivery> {
        self.newest.as_ref().and_then(|newest| newest.next())
    }
}

impl Newest {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_waiting(&self) -> bool {
        self.lock().is_some()
    }

    /// The next delivery. If there is none, later ones do not wait.
    fn next(&self) -> Option<Delivery> {
        let mut waiting = self.lock();
        let next = waiting.as_mut().and_then(|waiting| waiting.take());
        if next.is_none() {
            *waiting = None;
        }
        next
    }

    /// Keeps a delivery until there is room.
    fn keep(&self, delivery: &Delivery) -> Offer {
        let mut waiting = self.lock();
        let is_new = waiting.is_none();
        let kept = waiting.get_or_insert_with(|| Waiting::new(self.bound, SlowPolicy::Newest)).offer(delivery);
        drop(waiting);
        if is_new && let Some(forward) = self.forward.upgrade() {
            self.clock.spawn(async move {
                while let Some(delivery) = forward.next_waiting() {
                    let Some(message) = (forward.encode)(&delivery) else { continue };
                    if forward.sender.send_prepared(&message).await.is_err() {
                        return;
                    }
                }
            });
        }
        if kept { Offer::Taken } else { Offer::Full }
    }
}

impl Subscriber for Forward {
    fn offer(&self, delivery: &Delivery) -> Offer {
        if let Some(newest) = &self.newest
            && newest.is_waiting()
        {
            return newest.keep(delivery);
        }
        let Some(message) = (self.encode)(delivery) else { return Offer::Taken };
        match (self.sender.offer(&message, SlowConsumer::Skip), &self.newest) {
            (BroadcastOutcome::Queued, _) => Offer::Taken,
            (BroadcastOutcome::Closed, _) => Offer::Gone,
            (_, Some(newest)) => newest.keep(delivery),
            _ => Offer::Full,
        }
    }

    fn end(&self) {
        // The closing handshake begins with the call.
        drop(self.sender.close(RESUMABLE, TOO_SLOW));
    }
}
