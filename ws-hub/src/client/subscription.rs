//! [`ClientSubscription`]: a topic of a hub at another place.

use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use futures_channel::oneshot;
use futures_core::Stream;

use super::state::Reply;
use super::{ClientError, HubClient};
use crate::backplane::BoxFuture;
use crate::options::SlowPolicy;
use crate::position::Position;
use crate::protocol::{Payload, ServerFrame, cause_of, reason_of};
use crate::publication::{Delivery, GapCause, Publication};
use crate::queue::Queue;
use crate::subscriber::{Offer, Subscriber as _};
use crate::topic::{InvalidTopic, Topic};
use crate::waiting::Bound;

/// A subscription that begins when it is awaited: [`HubClient::subscribe`].
#[must_use = "nothing is subscribed until it is awaited"]
pub struct ClientSubscribe {
    client: HubClient,
    topic: String,
    since: Option<Position>,
    last: u64,
    bound: Bound,
}

impl ClientSubscribe {
    pub(super) fn new(client: HubClient, topic: String) -> Self {
        Self { client, topic, since: None, last: 0, bound: Bound::default() }
    }

    /// Begins after a position: see [`Subscribe::since`](crate::Subscribe::since).
    pub fn since(mut self, position: impl Into<Option<Position>>) -> Self {
        self.since = position.into();
        self
    }

    /// Begins with the last publications of the topic: see [`Subscribe::last`](crate::Subscribe::last).
    pub fn last(mut self, publications: u32) -> Self {
        self.last = publications.into();
        self
    }

    /// Limits the deliveries that wait to be taken, and their bytes, with about 128 for each beside the payload. Default 1,000 and
    /// 1 MiB. Above it, the topic is unsubscribed until they are taken, and then recovered. A topic without history gets a gap
    /// instead.
    pub fn bound(mut self, deliveries: usize, bytes: usize) -> Self {
        self.bound = Bound { deliveries, bytes };
        self
    }
}

impl IntoFuture for ClientSubscribe {
    type Output = Result<ClientSubscription, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    /// Waits until the server has answered, through losses of the connection.
    ///
    /// Cancel-safe: if the future is dropped, nothing is subscribed.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (ready, is_ready) = oneshot::channel();
            // From here on, dropping it unsubscribes.
            let subscription = self.register(ready)?;
            is_ready.await.unwrap_or(Err(ClientError::Disconnected))?;
            Ok(subscription)
        })
    }
}

impl ClientSubscribe {
    /// Puts it into the client's list, and asks the server if there is a connection.
    fn register(self, ready: Reply<()>) -> Result<ClientSubscription, ClientError> {
        let invalid =
            |error: InvalidTopic| ClientError::Refused { code: "invalid_topic".into(), text: error.to_string() };
        let topic = Topic::new(self.topic).map_err(invalid)?;
        let queue = Queue::new(self.bound, SlowPolicy::Skip);
        let feed = Arc::new(Feed { queue, end: OnceLock::new(), is_paused: AtomicBool::new(false) });
        let mut state = self.client.shared().lock();
        state.check()?;
        if state.subscriptions.contains_key(topic.as_str()) {
            return Err(ClientError::Already);
        }
        let serial = state.next_id();
        let entry = SubscriptionEntry {
            serial,
            topic: topic.clone(),
            feed: Arc::clone(&feed),
            ready: Some(ready),
            position: self.since,
            last: self.last,
            asked_anything: false,
            start: None,
            is_answered: false,
            was_answered: false,
            is_resuming: false,
            owed: None,
        };
        state.subscriptions.insert(topic.as_str().to_owned(), entry);
        state.subscribe(topic.as_str());
        drop(state);
        Ok(ClientSubscription { client: self.client, topic, serial, feed })
    }
}

/// The deliveries of a topic, in order, through losses of the connection. Dropping it ends the subscription. It is a [`Stream`],
/// too.
#[must_use = "dropping it ends the subscription"]
pub struct ClientSubscription {
    client: HubClient,
    topic: Topic,
    serial: u64,
    feed: Arc<Feed>,
}

/// What waits for the application.
pub(super) struct Feed {
    queue: Queue,
    /// The reason why nothing follows.
    end: OnceLock<ClientError>,
    /// The topic is not subscribed, until what waits is taken.
    is_paused: AtomicBool,
}

impl ClientSubscription {
    /// The topic.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The position after the last delivery that has come, from which it would be subscribed again.
    pub fn position(&self) -> Option<Position> {
        let state = self.client.shared().lock();
        state.subscriptions.get(self.topic.as_str()).filter(|entry| entry.serial == self.serial)?.position
    }

    /// Waits for the next delivery.
    ///
    /// Cancel-safe: when the future is dropped, no delivery is lost.
    ///
    /// # Errors
    ///
    /// If the subscription has ended: the server has refused it after a loss of the connection, or there is no other connection.
    /// Then each call has the same error.
    pub async fn next(&mut self) -> Result<Delivery, ClientError> {
        poll_fn(|cx| self.poll_delivery(cx)).await
    }

    fn poll_delivery(&self, cx: &mut Context<'_>) -> Poll<Result<Delivery, ClientError>> {
        let next = self.feed.queue.poll_next(cx);
        if next.is_pending() && self.feed.is_paused.load(Ordering::Relaxed) {
            let mut state = self.client.shared().lock();
            // Under the lock: a new connection subscribes all that is not paused.
            if self.feed.is_paused.swap(false, Ordering::Relaxed) {
                state.subscribe(self.topic.as_str());
            }
        }
        Poll::Ready(match ready!(next) {
            Some(delivery) => Ok(delivery),
            None => Err(self.feed.end.get().cloned().unwrap_or(ClientError::Disconnected)),
        })
    }
}

impl Stream for ClientSubscription {
    type Item = Result<Delivery, ClientError>;

    /// Does not end: after an error, it has the same again.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(cx).map(Some)
    }
}

impl Drop for ClientSubscription {
    fn drop(&mut self) {
        let mut state = self.client.shared().lock();
        let topic = self.topic.as_str();
        if state.subscriptions.get(topic).is_some_and(|entry| entry.serial == self.serial) {
            state.subscriptions.remove(topic);
            if !self.feed.is_paused.load(Ordering::Relaxed) {
                state.unsubscribe(topic);
            }
        }
    }
}

impl fmt::Debug for ClientSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSubscription").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// A subscription in the client's list.
pub(super) struct SubscriptionEntry {
    /// No two subscriptions of a topic have the same.
    pub(super) serial: u64,
    topic: Topic,
    feed: Arc<Feed>,
    /// Told once.
    ready: Option<Reply<()>>,
    position: Option<Position>,
    /// How many of the last publications are asked for, until they have come.
    last: u64,
    /// The subscription in progress asks for publications of the past.
    asked_anything: bool,
    /// Where the live publications of the subscription in progress begin.
    start: Option<Position>,
    /// Pushes count from the answer on; those before it are of an earlier subscription.
    is_answered: bool,
    was_answered: bool,
    /// It goes on after the application was slow, which is not told.
    is_resuming: bool,
    owed: Option<GapCause>,
}

impl SubscriptionEntry {
    /// With what to subscribe now. `None` if it waits for the application.
    pub(super) fn request(&mut self) -> Option<(Option<Position>, Option<u64>)> {
        if self.feed.is_paused.load(Ordering::Relaxed) {
            return None;
        }
        self.asked_anything = self.position.is_some() || self.last > 0;
        Some((self.position, (self.last > 0).then_some(self.last)))
    }

    pub(super) fn answered(&mut self, start: Option<Position>) {
        self.is_answered = true;
        self.start = start;
        if !self.asked_anything {
            self.position = start;
            if self.was_answered {
                self.owed.get_or_insert(GapCause::Disconnected);
                self.pay();
            }
        }
        self.was_answered = true;
        if let Some(ready) = self.ready.take() {
            drop(ready.send(Ok(())));
        }
    }

    pub(super) fn lost(&mut self) {
        self.is_answered = false;
    }

    pub(super) fn end(self, error: ClientError) {
        drop(self.feed.end.set(error.clone()));
        self.feed.queue.end();
        if let Some(ready) = self.ready {
            drop(ready.send(Err(error)));
        }
    }

    /// Takes a push. `None` if it is none of the protocol; `true` if the topic is to be unsubscribed until the application has
    /// taken what waits.
    pub(super) fn push(&mut self, frame: &ServerFrame<'_>) -> Option<bool> {
        if !self.is_answered {
            return Some(false);
        }
        match &*frame.kind {
            "publication" => return self.publication(frame),
            "gap" => {
                let cause = cause_of(frame.cause.as_deref().unwrap_or_default());
                self.owed.get_or_insert(cause);
                self.pay();
            }
            "recovered" => {
                self.last = 0;
                self.position = self.position.or(self.start);
                let publications = usize::try_from(frame.publications.unwrap_or_default()).ok()?;
                if !std::mem::take(&mut self.is_resuming) && !self.offer(&Delivery::Recovered { publications }) {
                    return Some(self.pause(false));
                }
            }
            "unrecoverable" => {
                self.is_resuming = false;
                self.position = if self.last > 0 { None } else { self.start };
                let reason = reason_of(frame.reason.as_deref().unwrap_or_default());
                if !self.offer(&Delivery::Unrecoverable(reason)) {
                    self.owed = Some(GapCause::SlowSubscriber);
                }
            }
            // A later version of the protocol.
            _ => {}
        }
        Some(false)
    }

    fn publication(&mut self, frame: &ServerFrame<'_>) -> Option<bool> {
        let message = Payload::into_message(frame.data, frame.text.as_deref(), frame.binary.as_deref()).ok()?;
        let mut publication = Publication::new(self.topic.clone(), message);
        publication.position = frame.position.as_deref().map(str::parse).transpose().ok()?;
        publication.key = frame.key.as_deref().map(Into::into);
        publication.is_local = frame.local.unwrap_or_default();
        let position = publication.position;
        if self.offer(&Delivery::Publication(Arc::new(publication))) {
            self.position = position.or(self.position);
        } else if position.is_some() && self.position.is_some() {
            return Some(self.pause(true));
        } else {
            self.owed = Some(GapCause::SlowSubscriber);
        }
        Some(false)
    }

    /// Waits for the application.
    fn pause(&mut self, is_resuming: bool) -> bool {
        (self.is_answered, self.is_resuming) = (false, is_resuming);
        self.feed.is_paused.store(true, Ordering::Relaxed);
        // It may have taken all that waited since the queue was full, and would wait for ever.
        self.feed.queue.wake();
        true
    }

    /// Tells a gap that is owed. Returns whether none is owed any more.
    fn pay(&mut self) -> bool {
        let Some(cause) = self.owed else { return true };
        if self.feed.queue.offer(&Delivery::Gap(cause.into())) == Offer::Taken {
            self.owed = None;
        }
        self.owed.is_none()
    }

    fn offer(&mut self, delivery: &Delivery) -> bool {
        self.pay() && self.feed.queue.offer(delivery) == Offer::Taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;
    use crate::position::Epoch;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn entry(bound: Bound) -> SubscriptionEntry {
        let queue = Queue::new(bound, SlowPolicy::Skip);
        SubscriptionEntry {
            serial: 1,
            topic: Topic::new("a").unwrap(),
            feed: Arc::new(Feed { queue, end: OnceLock::new(), is_paused: AtomicBool::new(false) }),
            ready: None,
            position: Some(Position::new(Epoch(1), 0)),
            last: 0,
            asked_anything: true,
            start: None,
            is_answered: true,
            was_answered: true,
            is_resuming: false,
            owed: None,
        }
    }

    #[test]
    fn an_application_that_took_all_before_the_topic_is_paused_is_told() {
        let mut entry = entry(Bound { deliveries: 1, bytes: 1 << 20 });
        let feed = Arc::clone(&entry.feed);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = &mut Context::from_waker(&waker);
        let recovered = Delivery::Recovered { publications: 0 };
        assert!(entry.offer(&recovered));
        assert!(!entry.offer(&recovered));
        // On another thread, the application takes all and waits, before the topic is paused.
        assert!(feed.queue.poll_next(cx).is_ready());
        assert!(feed.queue.poll_next(cx).is_pending());
        assert!(entry.pause(true));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(feed.is_paused.load(Ordering::Relaxed));
    }
}
