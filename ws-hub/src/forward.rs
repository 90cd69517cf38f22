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
/// ([`Limits::high_water`](ws_session::Limits::high_water)). Above it, the topic's policy acts. What was recovered waits until
/// there is room, and so does the newest publication of each key with [`SlowPolicy::Newest`].
pub(crate) struct Forward {
    sender: Sender,
    encode: Box<Encode>,
    /// With [`SlowPolicy::Newest`], or if it recovers. Of others, nothing waits here, and an idle subscription is small.
    room: Option<Box<Room>>,
}

type Encode = dyn Fn(&Delivery) -> Option<Prepared> + Send + Sync;

/// Where deliveries wait for the connection: what was recovered, and the newest publication of each key.
struct Room {
    policy: SlowPolicy,
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
        recovers: bool,
        bound: Bound,
        clock: &Clock,
    ) -> Arc<Self> {
        let encode = Box::new(encode);
        if policy != SlowPolicy::Newest && !recovers {
            return Arc::new(Self { sender, encode, room: None });
        }
        let room = |forward: &Weak<Self>| Room {
            policy,
            bound,
            clock: clock.clone(),
            forward: forward.clone(),
            waiting: Mutex::new(None),
        };
        Arc::new_cyclic(|own| Self { sender, encode, room: Some(Box::new(room(own))) })
    }

    /// The next delivery that waits.
    fn next_waiting(&self) -> Option<Delivery> {
        self.room.as_ref().and_then(|room| room.next())
    }
}

impl Room {
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

    /// Keeps deliveries until there is room, with a task that waits for it.
    fn keep<T>(&self, add: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut waiting = self.lock();
        let is_new = waiting.is_none();
        let added = add(waiting.get_or_insert_with(|| Waiting::new(self.bound, self.policy)));
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
        added
    }

    fn keep_one(&self, delivery: &Delivery) -> Offer {
        if self.keep(|waiting| waiting.offer(delivery)) { Offer::Taken } else { Offer::Full }
    }
}

impl Subscriber for Forward {
    fn offer(&self, delivery: &Delivery) -> Offer {
        if let Some(room) = &self.room
            && room.is_waiting()
        {
            return room.keep_one(delivery);
        }
        let Some(message) = (self.encode)(delivery) else { return Offer::Taken };
        match (self.sender.offer(&message, SlowConsumer::Skip), &self.room) {
            (BroadcastOutcome::Queued, _) => Offer::Taken,
            (BroadcastOutcome::Closed, _) => Offer::Gone,
            (_, Some(room)) if room.policy == SlowPolicy::Newest => room.keep_one(delivery),
            _ => Offer::Full,
        }
    }

    fn recovered(&self, deliveries: &[Delivery]) -> Offer {
        // It waits behind what waits already. Else it goes as far as there is room, and the rest waits.
        let mut done = 0;
        if !self.room.as_ref().is_some_and(|room| room.is_waiting()) {
            for delivery in deliveries {
                match (self.encode)(delivery).map(|message| self.sender.offer(&message, SlowConsumer::Skip)) {
                    None | Some(BroadcastOutcome::Queued) => done += 1,
                    Some(BroadcastOutcome::Closed) => return Offer::Gone,
                    Some(_) => break,
                }
            }
        }
        match (deliveries.get(done..).unwrap_or_default(), &self.room) {
            ([], _) => Offer::Taken,
            (rest, Some(room)) => {
                room.keep(|waiting| waiting.add_recovered(rest));
                Offer::Taken
            }
            (_, None) => Offer::Full,
        }
    }

    fn end(&self) {
        // The closing handshake begins with the call.
        drop(self.sender.close(RESUMABLE, TOO_SLOW));
    }
}
