//! [`Roster`]: the members of one topic, at this instance and at the others. It does no I/O.
//!
//! Each instance owns the list of its members, and numbers its versions. A word that does not follow the version that is known
//! shows that others were missed: then the list is asked for. A member is present while any list has it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ws_session::{ByteString, Timestamp};

use super::wire::{Says, Word};
use super::{Member, PresenceEvent};

/// The time for which the members of an instance stay without a word of it.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// The interval at which an instance says that it is alive.
const RENEWAL: Duration = Duration::from_secs(20);
/// The time between two lists, however many ask for them.
const LIST_INTERVAL: Duration = Duration::from_secs(1);
/// The time between the first two questions.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The bytes of members in one part of a list, about.
const PART: usize = 16 << 10;

pub(crate) struct Roster {
    instance: u64,
    version: u64,
    own: BTreeMap<ByteString, Own>,
    others: HashMap<u64, Other>,
    /// When the next word is due.
    renew_at: Timestamp,
    /// A list was asked for.
    list_at: Option<Timestamp>,
    listed_at: Option<Timestamp>,
    ask_at: Option<Timestamp>,
    is_new: bool,
}

#[derive(Default)]
struct Own {
    data: ByteString,
    connections: usize,
    /// It has no connections any more, and leaves then.
    leaves_at: Option<Timestamp>,
}

struct Other {
    /// The version of the list. `None` if words of it were missed.
    version: Option<u64>,
    members: BTreeMap<ByteString, ByteString>,
    /// The list that arrives in parts.
    list: Option<BTreeMap<ByteString, ByteString>>,
    expires_at: Timestamp,
}

/// What follows from a change.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) events: Vec<PresenceEvent>,
    pub(crate) words: Vec<Word>,
}

impl Roster {
    pub(crate) fn new(instance: u64, now: Timestamp) -> Self {
        Self {
            instance,
            version: 0,
            own: BTreeMap::new(),
            others: HashMap::new(),
            renew_at: now + RENEWAL,
            list_at: None,
            listed_at: None,
            ask_at: Some(now),
            is_new: true,
        }
    }

    /// All members, in the order of their IDs.
    pub(crate) fn members(&self) -> Vec<Member> {
        let ids: BTreeSet<_> =
            self.own.keys().chain(self.others.values().flat_map(|other| other.members.keys())).collect();
        ids.into_iter().filter_map(|id| Some(Member { id: id.clone(), data: self.data(id)?.clone() })).collect()
    }

    /// The data of a member. Where instances differ, that of the instance with the greatest number counts, at all instances.
    fn data(&self, id: &ByteString) -> Option<&ByteString> {
        let own = self.own.get(id).map(|own| (self.instance, &own.data));
        let others = self.others.iter().filter_map(|(instance, other)| Some((*instance, other.members.get(id)?)));
        own.into_iter().chain(others).max_by_key(|(instance, _)| *instance).map(|(_, data)| data)
    }

    /// Makes a change that concerns these members at most, and returns the events of it.
    fn change(&mut self, ids: Vec<ByteString>, change: impl FnOnce(&mut Self)) -> Vec<PresenceEvent> {
        let before: Vec<_> = ids.into_iter().map(|id| (self.data(&id).cloned(), id)).collect();
        change(self);
        let event = |(before, id): (Option<ByteString>, ByteString)| match (before, self.data(&id)) {
            (Some(old), None) => Some(PresenceEvent::Left(Member { id, data: old })),
            (None, Some(new)) => Some(PresenceEvent::Joined(Member { data: new.clone(), id })),
            (Some(old), Some(new)) if old != *new => Some(PresenceEvent::Changed(Member { data: new.clone(), id })),
            _ => None,
        };
        before.into_iter().filter_map(event).collect()
    }

    /// The number of members of this instance.
    pub(crate) fn own_members(&self) -> usize {
        self.own.len()
    }

    /// A connection of a member is there.
    pub(crate) fn join(&mut self, member: Member) -> Changes {
        let mut words = Vec::new();
        let events = self.change(vec![member.id.clone()], |this| {
            let known = this.own.get(&member.id).map(|own| own.data.clone());
            let own = this.own.entry(member.id.clone()).or_default();
            own.connections += 1;
            (own.leaves_at, own.data) = (None, member.data.clone());
            if known.as_ref() != Some(&member.data) {
                this.version += 1;
                words.push(this.word(Says::Joined(member)));
            }
        });
        Changes { events, words }
    }

    /// A connection of a member is gone. If it was the last one, the member leaves after this time.
    pub(crate) fn leave(&mut self, id: &ByteString, now: Timestamp, grace: Duration) {
        if let Some(own) = self.own.get_mut(id) {
            own.connections = own.connections.saturating_sub(1);
            own.leaves_at = (own.connections == 0).then(|| now + grace);
        }
    }

    /// All connections of this instance are gone, and their members leave at once.
    pub(crate) fn leave_all(&mut self) -> Changes {
        if self.own.is_empty() {
            return Changes::default();
        }
        let events = self.change(self.own.keys().cloned().collect(), |this| this.own.clear());
        self.version += 1;
        // An empty list, in one word.
        Changes { events, words: self.list() }
    }

    /// Words may have been missed: all lists are asked for. Nobody leaves for a lease.
    pub(crate) fn missed(&mut self, now: Timestamp) {
        for other in self.others.values_mut() {
            (other.version, other.list, other.expires_at) = (None, None, now + LEASE);
        }
        // So that others find out if they have missed ours.
        self.list_at.get_or_insert(now);
        self.ask_at.get_or_insert(now);
    }

    /// A word may not have arrived: a part of a list, which shows by no version. The list is said again.
    pub(crate) fn not_said(&mut self, now: Timestamp) {
        self.list_at.get_or_insert(now + LIST_INTERVAL);
    }

    /// Another instance, or this one, has said a word.
    pub(crate) fn heard(&mut self, word: Word, now: Timestamp) -> Changes {
        if word.instance == self.instance {
            return Changes::default();
        }
        if word.says == Says::Who {
            self.list_at.get_or_insert(now);
            return Changes { events: Vec::new(), words: self.list_if_due(now) };
        }
        let instance = word.instance;
        let other = self.others.entry(instance).or_insert_with(|| Other::new(now));
        other.expires_at = now + LEASE;
        let follows = other.version.is_some_and(|version| version.checked_add(1) == Some(word.version));
        let version = Some(word.version);
        let events = match word.says {
            Says::List { is_first, is_last, members } => {
                let Some(list) = other.received(is_first, is_last, members) else { return Changes::default() };
                let ids = other.members.keys().chain(list.keys()).cloned().collect::<BTreeSet<_>>();
                self.change(ids.into_iter().collect(), |this| this.set(instance, version, |members| *members = list))
            }
            Says::Joined(Member { id, data }) if follows => self.change(vec![id.clone()], |this| {
                this.set(instance, version, |members| drop(members.insert(id, data)));
            }),
            Says::Left(id) if follows => self.change(vec![id.clone()], |this| {
                this.set(instance, version, |members| drop(members.remove(&id)));
            }),
            _ => {
                if other.version.is_none_or(|known| known < word.version) {
                    other.version = None;
                    self.ask_at.get_or_insert(now);
                }
                Vec::new()
            }
        };
        Changes { events, words: Vec::new() }
    }

    fn set(&mut self, instance: u64, version: Option<u64>, change: impl FnOnce(&mut BTreeMap<ByteString, ByteString>)) {
        if let Some(other) = self.others.get_mut(&instance) {
            other.version = version;
            change(&mut other.members);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Changes {
        let mut changes = Changes::default();
        let leaves = |own: &Own| own.leaves_at.is_some_and(|at| at <= now);
        let leaving: Vec<_> = self.own.iter().filter(|(_, own)| leaves(own)).map(|(id, _)| id.clone()).collect();
        let is_dead = |other: &Other| other.expires_at <= now;
        let dead = self.others.values().filter(|other| is_dead(other)).flat_map(|other| other.members.keys().cloned());
        let gone = leaving.iter().cloned().chain(dead).collect::<BTreeSet<_>>();
        changes.events = self.change(gone.into_iter().collect(), |this| {
            this.own.retain(|_, own| !leaves(own));
            this.others.retain(|_, other| !is_dead(other));
        });
        for id in leaving {
            self.version += 1;
            changes.words.push(self.word(Says::Left(id)));
        }
        if self.ask_at.is_some_and(|at| at <= now) {
            // Once more at the beginning, when others may not have heard the first question, or this instance the answers.
            self.ask_at = std::mem::take(&mut self.is_new).then_some(now + ASK_AGAIN);
            changes.words.push(self.word(Says::Who));
        }
        changes.words.extend(self.list_if_due(now));
        if self.renew_at <= now {
            self.renew_at = now + RENEWAL;
            if self.version > 0 {
                changes.words.push(self.word(Says::Alive));
            }
            // An instance has missed words, and the answer to its question, too.
            if self.others.values().any(|other| other.version.is_none()) {
                changes.words.push(self.word(Says::Who));
            }
        }
        changes
    }

    fn word(&self, says: Says) -> Word {
        Word { instance: self.instance, version: self.version, says }
    }

    /// The list, if it was asked for.
    fn list_if_due(&mut self, now: Timestamp) -> Vec<Word> {
        let may_list = self.listed_at.is_none_or(|at| at + LIST_INTERVAL <= now);
        if !may_list || self.list_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        (self.list_at, self.listed_at, self.renew_at) = (None, Some(now), now + RENEWAL);
        self.list()
    }

    /// The list of own members, in parts. Nothing, if there never was one.
    fn list(&self) -> Vec<Word> {
        let mut words = Vec::new();
        if self.version == 0 {
            return words;
        }
        let (mut part, mut bytes, mut is_first) = (Vec::new(), 0, true);
        for (id, own) in &self.own {
            if bytes > PART {
                let members = std::mem::take(&mut part);
                words.push(self.word(Says::List { is_first, is_last: false, members }));
                (bytes, is_first) = (0, false);
            }
            bytes += id.len() + own.data.len();
            part.push(Member { id: id.clone(), data: own.data.clone() });
        }
        words.push(self.word(Says::List { is_first, is_last: true, members: part }));
        words
    }
}

impl Other {
    /// An instance of which nothing was heard: its first word is the first change of an empty list, or shows that others were
    /// missed.
    fn new(now: Timestamp) -> Self {
        Self { version: Some(0), members: BTreeMap::new(), list: None, expires_at: now + LEASE }
    }

    /// A part of its list arrived. Returns the list when it is complete.
    fn received(
        &mut self,
        is_first: bool,
        is_last: bool,
        members: Vec<Member>,
    ) -> Option<BTreeMap<ByteString, ByteString>> {
        if is_first {
            self.list = Some(BTreeMap::new());
        }
        self.list.as_mut()?.extend(members.into_iter().map(|member| (member.id, member.data)));
        if is_last { self.list.take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::ZERO;

    fn member(id: &str) -> Member {
        Member { id: id.into(), data: ByteString::new() }
    }

    fn word(version: u64, says: Says) -> Word {
        Word { instance: 2, version, says }
    }

    fn list(version: u64, ids: &[&str]) -> Word {
        let members = ids.iter().map(|id| member(id)).collect();
        word(version, Says::List { is_first: true, is_last: true, members })
    }

    /// Whether it asks for the lists at this time.
    fn asks(roster: &mut Roster, now: Timestamp) -> bool {
        roster.tick(now).words.iter().any(|word| word.says == Says::Who)
    }

    /// A roster that has asked at its beginning.
    fn asked() -> Roster {
        let mut roster = Roster::new(1, NOW);
        assert!(asks(&mut roster, NOW) && asks(&mut roster, NOW + ASK_AGAIN));
        assert!(!asks(&mut roster, NOW + ASK_AGAIN));
        roster
    }

    #[test]
    fn a_word_that_does_not_follow_is_not_taken_and_the_list_is_asked_for() {
        let mut roster = asked();
        assert_eq!(roster.heard(word(1, Says::Joined(member("a"))), NOW).events, [PresenceEvent::Joined(member("a"))]);
        for late in [word(4, Says::Joined(member("c"))), word(4, Says::Alive), word(4, Says::Left("a".into()))] {
            assert_eq!(roster.heard(late, NOW).events, []);
            assert!(asks(&mut roster, NOW + ASK_AGAIN));
            let events = roster.heard(list(2, &["a", "b"]), NOW).events;
            assert!(events.is_empty() || events == [PresenceEvent::Joined(member("b"))], "{events:?}");
        }
        // Doubles, and words from before the list.
        for old in [word(1, Says::Joined(member("x"))), word(2, Says::Left("b".into())), word(2, Says::Alive)] {
            assert_eq!(roster.heard(old, NOW).events, []);
            assert!(!asks(&mut roster, NOW + ASK_AGAIN));
        }
        assert_eq!(roster.heard(word(3, Says::Left("b".into())), NOW).events, [PresenceEvent::Left(member("b"))]);
    }

    #[test]
    fn a_list_in_parts_counts_when_it_is_complete() {
        let mut roster = asked();
        let part = |is_first, is_last, id| word(5, Says::List { is_first, is_last, members: vec![member(id)] });
        // Its beginning was missed.
        assert_eq!(roster.heard(part(false, true, "x"), NOW).events, []);
        assert_eq!(roster.heard(part(true, false, "a"), NOW).events, []);
        assert_eq!(roster.heard(part(false, false, "b"), NOW).events, []);
        assert_eq!(roster.heard(part(false, true, "c"), NOW).events.len(), 3);
        assert_eq!(roster.members(), ["a", "b", "c"].map(member));
    }

    #[test]
    fn a_long_list_is_sent_in_parts() {
        let mut roster = asked();
        for n in 0..2000 {
            roster.join(member(&format!("{n:0100}")));
        }
        let words = roster.heard(word(0, Says::Who), NOW + ASK_AGAIN).words;
        assert!(words.len() > 10 && words.iter().all(|word| word.encode().len() < 2 * PART));
        let mut other = Roster::new(3, NOW);
        for word in words {
            other.heard(word, NOW);
        }
        assert_eq!(other.members(), roster.members());
    }

    #[test]
    fn a_list_is_sent_once_a_second_at_most() {
        let mut roster = asked();
        roster.join(member("a"));
        let ask = |roster: &mut Roster, now| roster.heard(word(0, Says::Who), now).words.len();
        assert_eq!((ask(&mut roster, NOW), ask(&mut roster, NOW)), (1, 0));
        let later = NOW + LIST_INTERVAL;
        assert_eq!(roster.tick(later).words.len(), 1);
        assert_eq!(ask(&mut roster, later), 0);
    }
}
