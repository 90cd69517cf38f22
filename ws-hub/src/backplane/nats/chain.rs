//! Sequence numbers of each publisher on each topic, so that every instance notices a publication that the servers lost on the way.
//!
//! A publisher does not number its publications on all topics together, because nobody subscribes to all of them. The number
//! comes with the time since the one before it, so that a subscriber that hears a publisher for the first time knows whether it
//! should have heard it before.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use ws_session::MessageKind;

use crate::topic::Topic;

/// What a publication says of itself, beside its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) kind: MessageKind,
    /// The publisher, at random.
    pub(super) publisher: u64,
    /// Its number of this publisher on this topic, from 1.
    pub(super) number: u64,
    /// The milliseconds since the one before it. `None` for the first.
    pub(super) pause: Option<u64>,
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == MessageKind::Text { 't' } else { 'b' };
        write!(f, "{kind}.{:016x}.{}.", self.publisher, self.number)?;
        match self.pause {
            Some(pause) => write!(f, "{pause}"),
            None => f.write_str("-"),
        }
    }
}

impl Tag {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let kind = match parts.next()? {
            "t" => MessageKind::Text,
            "b" => MessageKind::Binary,
            _ => return None,
        };
        let publisher = u64::from_str_radix(parts.next().filter(|digits| digits.len() == 16)?, 16).ok()?;
        let number = parts.next()?.parse().ok()?;
        let pause = match parts.next()? {
            "-" => None,
            pause => Some(pause.parse().ok()?),
        };
        parts.next().is_none().then_some(Self { kind, publisher, number, pause })
    }
}

/// The numbers of one publisher. Topics on which it has not published for long are forgotten. Such a topic begins anew under another
/// name of the publisher.
pub(super) struct Numbers {
    publisher: u64,
    recent: HashMap<Topic, Last>,
    older: HashMap<Topic, Last>,
}

/// The last publication on a topic.
#[derive(Clone, Copy)]
struct Last {
    publisher: u64,
    number: u64,
    at: Instant,
}

/// Topics that are remembered at least. At most, it is twice as many.
const REMEMBERED: usize = 16_384;

impl Numbers {
    pub(super) fn new() -> Self {
        Self { publisher: crate::random::u64(), recent: HashMap::new(), older: HashMap::new() }
    }

    /// The next publication on a topic.
    pub(super) fn next(&mut self, topic: &Topic, kind: MessageKind, now: Instant) -> Tag {
        let last = self.recent.get(topic).copied().or_else(|| self.older.remove(topic));
        let next = match last {
            Some(last) => Last { number: last.number + 1, at: now, ..last },
            None => Last { publisher: self.publisher, number: 1, at: now },
        };
        match self.recent.get_mut(topic) {
            Some(recent) => *recent = next,
            None => {
                if self.recent.len() >= REMEMBERED {
                    self.older = std::mem::take(&mut self.recent);
                    self.publisher = self.publisher.wrapping_add(1);
                }
                self.recent.insert(topic.clone(), next);
            }
        }
        let pause = last.map(|last| millis(now.saturating_duration_since(last.at)));
        Tag { kind, publisher: next.publisher, number: next.number, pause }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The publishers that a subscription has heard.
pub(super) struct Heard {
    /// Since then, all publications should have arrived.
    since: Instant,
    publishers: HashMap<u64, (u64, Instant)>,
}

/// Publishers of one topic that are remembered.
const PUBLISHERS: usize = 256;
/// The longest time that a publication takes from its publisher. What takes longer is taken for a hole, if it comes first.
const LATENCY: Duration = Duration::from_secs(2);

impl Heard {
    pub(super) fn new(since: Instant) -> Self {
        Self { since, publishers: HashMap::new() }
    }

    /// A publication arrived.
    pub(super) fn take(&mut self, tag: &Tag, now: Instant) -> Arrival {
        if self.publishers.len() >= PUBLISHERS
            && !self.publishers.contains_key(&tag.publisher)
            && let Some(oldest) = self.publishers.iter().min_by_key(|(_, (_, last))| *last).map(|(oldest, _)| *oldest)
        {
            self.publishers.remove(&oldest);
        }
        let is_next = match self.publishers.get(&tag.publisher) {
            Some((last, _)) if tag.number <= *last => return Arrival::Late,
            Some((last, _)) => tag.number == last.saturating_add(1),
            // Heard for the first time. The one before it should have arrived, if it was sent in our time.
            None => tag.pause.is_none_or(|pause| {
                let ours = now.saturating_duration_since(self.since);
                ours <= Duration::from_millis(pause).saturating_add(LATENCY)
            }),
        };
        self.publishers.insert(tag.publisher, (tag.number, now));
        if is_next { Arrival::Next } else { Arrival::AfterMissing }
    }
}

/// How a publication stands among those of its publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// None is missing before it.
    Next,
    AfterMissing,
    /// Later ones came before it: a connection that was given up, or a server, stood still with it.
    Late,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Topic {
        Topic::new(name).unwrap()
    }

    #[test]
    fn a_tag_is_read_from_its_text() {
        for pause in [None, Some(0), Some(u64::MAX)] {
            for kind in [MessageKind::Text, MessageKind::Binary] {
                let tag = Tag { kind, publisher: 0xab, number: 7, pause };
                assert_eq!(Tag::parse(&tag.to_string()), Some(tag));
            }
        }
        for text in ["", "t", "t.1.1.-", "x.00000000000000ab.1.-", "t.00000000000000ab.1.-.", "t.00000000000000ab.x.-"]
        {
            assert_eq!(Tag::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_hole_of_one_publisher_is_noticed_among_others() {
        let now = Instant::now();
        let (mut one, mut other) = (Numbers::new(), Numbers::new());
        let (a, b) = (topic("a"), topic("b"));
        let mut heard = Heard::new(now);
        for _ in 0..3 {
            assert_eq!(heard.take(&one.next(&a, MessageKind::Text, now), now), Arrival::Next);
            assert_eq!(heard.take(&other.next(&a, MessageKind::Text, now), now), Arrival::Next);
            // Not subscribed, so not heard.
            one.next(&b, MessageKind::Text, now);
        }
        other.next(&a, MessageKind::Text, now);
        assert_eq!(heard.take(&one.next(&a, MessageKind::Text, now), now), Arrival::Next);
        assert_eq!(heard.take(&other.next(&a, MessageKind::Text, now), now), Arrival::AfterMissing);
        assert_eq!(heard.take(&other.next(&a, MessageKind::Text, now), now), Arrival::Next, "told once");
    }

    #[test]
    fn an_instance_that_is_heard_for_the_first_time_is_missed_only_if_it_was_there_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let a = topic("a");
        let mut publisher = Numbers::new();
        publisher.next(&a, MessageKind::Text, at(0));
        let mut heard = Heard::new(at(10));
        assert_eq!(
            heard.take(&publisher.next(&a, MessageKind::Text, at(60)), at(60)),
            Arrival::Next,
            "the first was before our time"
        );
        let mut other = Numbers::new();
        other.next(&a, MessageKind::Text, at(20));
        assert_eq!(
            heard.take(&other.next(&a, MessageKind::Text, at(60)), at(60)),
            Arrival::AfterMissing,
            "the first was in our time"
        );
        let mut third = Numbers::new();
        assert_eq!(heard.take(&third.next(&a, MessageKind::Text, at(61)), at(61)), Arrival::Next, "the first of all");
    }

    #[test]
    fn a_publisher_on_many_topics_is_bounded_and_tells_no_hole_for_what_it_forgot() {
        let now = Instant::now();
        let mut publisher = Numbers::new();
        let mut heard = Heard::new(now);
        let a = topic("a");
        let first = publisher.next(&a, MessageKind::Text, now);
        assert_eq!(heard.take(&first, now), Arrival::Next);
        for number in 0..REMEMBERED {
            publisher.next(&topic(&format!("other {number}")), MessageKind::Text, now);
        }
        let tag = publisher.next(&a, MessageKind::Text, now);
        assert_eq!(tag.number, 2, "remembered among the older ones");
        assert_eq!(heard.take(&tag, now), Arrival::Next);
        for number in 0..3 * REMEMBERED {
            publisher.next(&topic(&format!("another {number}")), MessageKind::Text, now);
        }
        assert!(publisher.recent.len() + publisher.older.len() <= 2 * REMEMBERED);
        let tag = publisher.next(&a, MessageKind::Text, now);
        assert_eq!((tag.number, tag.pause), (1, None));
        assert_ne!(tag.publisher, first.publisher);
        assert_eq!(heard.take(&tag, now), Arrival::Next);
    }

    #[test]
    fn what_comes_after_later_ones_is_late() {
        let now = Instant::now();
        let (mut publisher, mut heard) = (Numbers::new(), Heard::new(now));
        let tags: Vec<_> = (0..4).map(|_| publisher.next(&topic("a"), MessageKind::Text, now)).collect();
        let arrivals = [0, 2, 1, 2, 3].map(|at| heard.take(&tags[at], now));
        assert_eq!(arrivals, [Arrival::Next, Arrival::AfterMissing, Arrival::Late, Arrival::Late, Arrival::Next]);
    }

    #[test]
    fn many_publishers_are_bounded() {
        let now = Instant::now();
        let mut heard = Heard::new(now);
        for publisher in 0..1000 {
            assert_eq!(
                heard.take(&Tag { kind: MessageKind::Text, publisher, number: 1, pause: None }, now),
                Arrival::Next
            );
        }
        assert_eq!(heard.publishers.len(), PUBLISHERS);
    }
}
