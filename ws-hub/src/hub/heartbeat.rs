//! The heartbeat: a publication to oneself through the broker, because a broker that is frozen keeps its connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ws_session::Message;

use super::Inner;
use crate::backplane::Outgoing;
use crate::catchup::Start;
use crate::publication::Delivery;
use crate::random;
use crate::subscriber::{Offer, Subscriber};
use crate::topic::Topic;

impl Inner {
    pub(super) fn watch_heartbeat(self: &Arc<Self>) {
        let (hub, clock) = (Arc::downgrade(self), self.clock.clone());
        let topic = Topic::own(format_args!("heartbeat/{:016x}", random::u64()));
        let heard = Arc::new(Heard::default());
        self.clock.spawn(async move {
            // Never removed: the subscription lives as long as the hub.
            match hub.upgrade() {
                Some(hub) => drop(hub.join(&topic, Arc::clone(&heard) as _, Start::default())),
                None => return,
            }
            let (mut beats, mut last_heard, mut last_time) = (0, 0, clock.now());
            while let Some(beating) = hub.upgrade() {
                beats += 1;
                let (interval, silence) = (beating.settings.heartbeat, beating.settings.silence);
                let (beat, topic) = (Message::from(u64::to_be_bytes(beats).to_vec()), topic.clone());
                // The broker may take as long as it likes for an answer: only what arrives counts.
                clock.spawn(async move { drop(beating.send(topic, Outgoing::new(beat)).await) });
                clock.sleep(interval).await;
                let Some(hub) = hub.upgrade() else { return };
                let (now, count) = (clock.now(), heard.0.load(Ordering::Relaxed));
                if count > last_heard {
                    (last_heard, last_time) = (count, now);
                    hub.reach(|reach| reach.is_silent = false);
                } else if now.saturating_since(last_time.max(hub.lock_reach().restored)) >= silence {
                    hub.reach(|reach| reach.is_silent = true);
                    // Once for each time of silence, so that a slow connection attempt is not given up again and again.
                    last_time = now;
                    hub.link().into_iter().for_each(|link| link.reset());
                }
            }
        });
    }
}

/// The last heartbeat that arrived.
#[derive(Default)]
struct Heard(AtomicU64);

impl Subscriber for Heard {
    fn offer(&self, delivery: &Delivery) -> Offer {
        if let Delivery::Publication(publication) = delivery
            && !publication.is_local
            && let Ok(beat) = publication.message.as_bytes().try_into()
        {
            self.0.fetch_max(u64::from_be_bytes(beat), Ordering::Relaxed);
        }
        Offer::Taken
    }

    fn end(&self) {}
}
