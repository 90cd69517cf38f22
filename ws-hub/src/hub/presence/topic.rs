//! The presence of one topic at this instance: [`TopicPresence`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use ws_session::{ByteString, Message, Timestamp};

use super::PresenceWatch;
use crate::backplane::Outgoing;
use crate::catchup::Start;
use crate::entry::{Entry, Seat};
use crate::hub::Inner;
use crate::presence::{Changes, Member, PresenceEvent, Roster, Watcher, Watchers, Word};
use crate::publication::Delivery;
use crate::random;
use crate::subscriber::{Offer, Subscriber};
use crate::topic::Topic;

/// The members of one topic: [`Hub::presence`](crate::Hub::presence). Cheap to clone.
#[derive(Clone)]
pub struct TopicPresence {
    presence: Arc<Presence>,
}

impl TopicPresence {
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        Self { presence }
    }

    /// Makes somebody a member, until the returned value is dropped and the
    /// [grace](crate::HubBuilder::presence_grace) is over. Several connections can be one member; it leaves after the last of
    /// them.
    pub fn join(&self, member: Member) -> Joined {
        let id = member.id.clone();
        self.presence.change(|roster| roster.join(member));
        Joined { presence: Arc::clone(&self.presence), id }
    }

    /// The members now, at all instances, in the order of their IDs. Those of other instances are known a moment after the
    /// first use of a topic's presence at this instance.
    pub fn members(&self) -> Vec<Member> {
        self.presence.lock().roster.members()
    }

    /// The members as a stream: all of them, then each change.
    pub fn watch(&self) -> PresenceWatch {
        PresenceWatch::new(Arc::clone(&self.presence))
    }
}

impl fmt::Debug for TopicPresence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopicPresence").field("members", &self.members().len()).finish()
    }
}

/// A connection of a member. When it is dropped, the connection is gone.
#[must_use = "dropping it ends the membership"]
pub struct Joined {
    presence: Arc<Presence>,
    id: ByteString,
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(hub) = self.presence.hub.upgrade() {
            let (now, grace) = (hub.clock.now(), hub.settings.presence_grace);
            self.presence.lock().roster.leave(&self.id, now, grace);
        }
    }
}

impl fmt::Debug for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("id", &self.id).finish()
    }
}

/// The presence of one topic at this instance. It exists while somebody is a member here, or watches.
pub(super) struct Presence {
    hub: Weak<Inner>,
    topic: Topic,
    state: Mutex<State>,
}

struct State {
    roster: Roster,
    watchers: Watchers,
    /// Words that wait to be published, one after the other.
    outbox: VecDeque<Word>,
    is_sending: bool,
    /// The subscription of the words.
    seat: Option<(Arc<Entry>, Seat)>,
}

impl Presence {
    pub(super) fn new(hub: &Arc<Inner>, topic: &Topic) -> Arc<Self> {
        // A number of its own: this instance may have forgotten the topic, while others remember the versions of its list.
        let roster = Roster::new(random::u64(), hub.clock.now());
        let state =
            State { roster, watchers: Watchers::default(), outbox: VecDeque::new(), is_sending: false, seat: None };
        let topic = Topic::own(format_args!("presence/{topic}"));
        let presence = Arc::new(Self { hub: Arc::downgrade(hub), topic, state: Mutex::new(state) });
        let subscriber = Arc::new(Words(Arc::downgrade(&presence)));
        if let Ok((entry, seat, _)) = hub.join(&presence.topic, subscriber, Start::default()) {
            presence.lock().seat = Some((entry, seat));
        }
        presence
    }

    /// A watcher of it.
    pub(super) fn watcher(&self) -> Watcher {
        self.lock().watchers.add()
    }

    /// The next event of a watcher of it.
    pub(super) fn poll(&self, watcher: &Watcher, cx: &mut Context<'_>) -> Poll<PresenceEvent> {
        // The lock of the members first, as where events come from.
        let state = self.lock();
        watcher.poll(cx, || state.roster.members())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is due.
    pub(super) fn tick(self: &Arc<Self>, now: Timestamp) {
        self.change(|roster| roster.tick(now));
    }

    /// The number of members of this instance.
    pub(super) fn own_members(&self) -> usize {
        self.lock().roster.own_members()
    }

    /// All members of this instance leave at once.
    pub(super) fn leave_all(self: &Arc<Self>) {
        self.change(Roster::leave_all);
    }

    /// Whether words wait to be published.
    pub(super) fn is_sending(&self) -> bool {
        self.lock().is_sending
    }

    /// Whether it can be forgotten: nobody uses it, and all is said. `handles` of it are the table's.
    pub(super) fn is_unused(self: &Arc<Self>, handles: usize) -> bool {
        let state = self.lock();
        Arc::strong_count(self) <= handles && state.roster.own_members() == 0 && !state.is_sending
    }

    /// Ends the subscription of the words.
    pub(super) fn end(&self, hub: &Arc<Inner>) {
        let seat = self.lock().seat.take();
        if let Some((entry, seat)) = seat
            && entry.remove(seat)
        {
            hub.release(&entry);
        }
    }

    /// Makes a change, tells the watchers, and says the words.
    fn change(self: &Arc<Self>, change: impl FnOnce(&mut Roster) -> Changes) {
        let state = &mut *self.lock();
        let Changes { events, words } = change(&mut state.roster);
        state.watchers.tell(&events);
        state.outbox.extend(words);
        if state.outbox.is_empty() || state.is_sending {
            return;
        }
        let Some(hub) = self.hub.upgrade() else { return };
        state.is_sending = true;
        hub.clock.spawn(say(Arc::downgrade(&hub), Arc::downgrade(self), self.topic.clone()));
    }

    /// The next word to publish.
    fn next_word(&self) -> Option<Word> {
        let state = &mut *self.lock();
        let word = state.outbox.pop_front();
        state.is_sending = word.is_some();
        word
    }
}

/// Publishes words, in their order. One that gets lost shows by the version of the next.
async fn say(hub: Weak<Inner>, presence: Weak<Presence>, topic: Topic) {
    while let Some(word) = presence.upgrade().and_then(|presence| presence.next_word())
        && let Some(hub) = hub.upgrade()
    {
        if hub.send(topic.clone(), Outgoing::new(Message::from(word.encode()))).await.is_err()
            && let Some(presence) = presence.upgrade()
        {
            presence.lock().roster.not_said(hub.clock.now());
        }
    }
}

/// Takes the words of the other instances.
struct Words(Weak<Presence>);

impl Subscriber for Words {
    fn offer(&self, delivery: &Delivery) -> Offer {
        let Some(presence) = self.0.upgrade() else { return Offer::Gone };
        let Some(hub) = presence.hub.upgrade() else { return Offer::Gone };
        let now = hub.clock.now();
        match delivery {
            Delivery::Publication(publication) => {
                if let Some(word) = Word::decode(publication.message.as_bytes()) {
                    presence.change(|roster| roster.heard(word, now));
                }
            }
            _ => presence.lock().roster.missed(now),
        }
        Offer::Taken
    }

    fn end(&self) {}
}
