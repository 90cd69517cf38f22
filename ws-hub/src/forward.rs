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
    policy: SlowPolicy,
    bound: Bound,
    clock: Clock,
    /// Itself, for the task that waits for room.
    own: Weak<Forward>,
    /// What waits for room, while there is a task that does.
    waiting: Mutex<Option<Box<Waiting>>>,
}

type Encode = dyn Fn(&Delivery) -> Option<Prepared> + Send + Sync;

impl Forward {
    pub(crate) fn new(
        sender: Sender,
        encode: impl Fn(&Delivery) -> Option<Prepared> + Send + Sync + 'static,
        policy: SlowPolicy,
        bound: Bound,
        clock: Clock,
    ) -> Arc<Self> {
        let encode = Box::new(encode);
        Arc::new_cyclic(|own| Self {
            sender,
            encode,
            policy,
            bound,
            clock,
            own: own.clone(),
            waiting: Mutex::new(None),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Box<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next delivery that waits. If there is none, later ones do not wait.
    fn next_waiting(&self) -> Option<Delivery> {
        let mut waiting = self.waiting();
        let next = waiting.as_mut().and_then(|waiting| waiting.take());
        if next.is_none() {
            *waiting = None;
        }
        next
    }

    /// Keeps a delivery until there is room.
    fn keep(&self, delivery: &Delivery) -> Offer {
        let mut waiting = self.waiting();
        let is_new = waiting.is_none();
        let kept = waiting.get_or_insert_with(|| Box::new(Waiting::new(self.bound, self.policy))).offer(delivery);
        drop(waiting);
        if is_new && let Some(own) = self.own.upgrade() {
            self.clock.spawn(async move {
                while let Some(delivery) = own.next_waiting() {
                    let Some(message) = (own.encode)(&delivery) else { continue };
                    if own.sender.send_prepared(&message).await.is_err() {
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
        if self.policy == SlowPolicy::Newest && self.waiting().is_some() {
            return self.keep(delivery);
        }
        let Some(message) = (self.encode)(delivery) else { return Offer::Taken };
        match self.sender.offer(&message, SlowConsumer::Skip) {
            BroadcastOutcome::Queued => Offer::Taken,
            BroadcastOutcome::Closed => Offer::Gone,
            _ if self.policy == SlowPolicy::Newest => self.keep(delivery),
            _ => Offer::Full,
        }
    }

    fn end(&self) {
        // The closing handshake begins with the call.
        drop(self.sender.close(RESUMABLE, TOO_SLOW));
    }
}
