//! [`audit`]: the rules of a hub, checked with what subscribers got.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use crate::position::{Epoch, Position};
use crate::publication::{Delivery, Publication};

/// What one subscription got, in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Transcript {
    /// A name for messages.
    pub name: String,
    /// The topic.
    pub topic: String,
    /// Whether the topic has history.
    pub has_history: bool,
    /// The position that was asked for.
    pub since: Option<Position>,
    /// How many of the last publications were asked for ([`Subscribe::last`](crate::Subscribe::last)).
    pub last: usize,
    /// The position at which the subscription began ([`Membership::start`](crate::Membership::start)).
    pub start: Option<Position>,
    /// What was delivered.
    pub seen: Vec<Seen>,
}

impl Transcript {
    /// An empty one.
    pub fn new(name: impl Into<String>, topic: impl Into<String>, has_history: bool) -> Self {
        Self {
            name: name.into(),
            topic: topic.into(),
            has_history,
            since: None,
            last: 0,
            start: None,
            seen: Vec::new(),
        }
    }
}

/// A delivery, as far as the rules need it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seen {
    /// A publication.
    Publication {
        /// What tells it from all others. Publications of one publisher that are numbered in order are `PUBLISHER-NUMBER`, with any
        /// text before the last hyphen.
        content: String,
        /// The position after it.
        position: Option<Position>,
        /// The offset of the one before it.
        previous: u64,
        /// Whether only subscribers of its instance got it.
        is_local: bool,
    },
    /// Publications may be missing.
    Gap,
    /// So many publications were recovered.
    Recovered(usize),
    /// What was missed cannot be had.
    Unrecoverable,
}

impl Seen {
    /// A publication, of which `content` tells what it is.
    pub fn publication(publication: &Publication, content: impl Into<String>) -> Self {
        Self::Publication {
            content: content.into(),
            position: publication.position,
            previous: publication.previous,
            is_local: publication.is_local,
        }
    }

    /// A delivery, of which `content` tells what a publication is.
    pub fn new(delivery: &Delivery, content: impl FnOnce(&Publication) -> String) -> Self {
        match delivery {
            Delivery::Publication(publication) => Self::publication(publication, content(publication)),
            Delivery::Gap(_) => Self::Gap,
            Delivery::Recovered { publications } => Self::Recovered(*publications),
            Delivery::Unrecoverable(_) => Self::Unrecoverable,
        }
    }

    fn is_positioned(&self) -> bool {
        matches!(self, Self::Publication { position: Some(_), .. })
    }
}

/// A publication that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Accepted {
    /// The topic.
    pub topic: String,
    /// What tells it from all others, as in [`Seen::Publication`].
    pub content: String,
    /// Its position.
    pub position: Option<Position>,
}

impl Accepted {
    /// A publication that was accepted.
    pub fn new(topic: impl Into<String>, content: impl Into<String>, position: Option<Position>) -> Self {
        Self { topic: topic.into(), content: content.into(), position }
    }
}

/// What subscribers have seen in a run, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Publications that the broker has accepted.
    pub accepted: usize,
    /// Publications that subscribers got.
    pub delivered: usize,
    /// Gaps that subscribers were told.
    pub gaps: usize,
    /// Recoveries that returned all that was missed, and the publications of them.
    pub recovered: (usize, usize),
    /// Recoveries that were refused with a reason.
    pub unrecoverable: usize,
}

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Checks what subscribers got: that no gap is silent, no publication is doubled or out of order, and that a recovery is exact or
/// refused.
///
/// `accepted` are the publications that are known to be accepted, in the order in which each publisher made them. Others may have
/// been delivered, too. On a topic without history, a gap of a publisher shows by its numbers.
///
/// # Errors
///
/// The first rule that did not hold.
pub fn audit(accepted: &[Accepted], transcripts: &[Transcript]) -> Result<Outcome, Violation> {
    let mut outcome = Outcome { accepted: accepted.len(), ..Outcome::default() };
    let mut contents = HashMap::new();
    let mut known: HashMap<(&str, &str), Vec<u64>> = HashMap::new();
    let mut places: HashMap<&str, BTreeSet<(Epoch, u64)>> = HashMap::new();
    for one in accepted {
        if let Some(position) = one.position {
            places.entry(&one.topic).or_default().insert((position.epoch, position.offset));
        }
        if let Some(position) = one.position
            && let Some(other) = contents.insert((one.topic.as_str(), position), one.content.as_str())
            && other != one.content
        {
            return Err(Violation(format!(
                "{}: {other} and {} were both accepted at {position}",
                one.topic, one.content
            )));
        }
        if let Some((publisher, number)) = numbered(&one.content) {
            known.entry((&one.topic, publisher)).or_default().push(number);
        }
    }
    known.values_mut().for_each(|numbers| numbers.sort_unstable());
    for transcript in transcripts {
        let mut reader = Reader::new(transcript, &known, places.get(transcript.topic.as_str()));
        for (at, seen) in transcript.seen.iter().enumerate() {
            reader.take(at, seen, &mut contents, &mut outcome).map_err(|what| describe(transcript, at, &what))?;
        }
    }
    Ok(outcome)
}

/// Publisher and number of a content.
fn numbered(content: &str) -> Option<(&str, u64)> {
    let (publisher, number) = content.rsplit_once('-')?;
    Some((publisher, number.parse().ok()?))
}

fn describe(transcript: &Transcript, at: usize, what: &str) -> Violation {
    let Transcript { name, topic, since, start, seen, .. } = transcript;
    let around = &seen[at.saturating_sub(5)..seen.len().min(at + 5)];
    Violation(format!("{name} on {topic:?} since {since:?}, from {start:?}: {what}, at {at}: {around:#?}"))
}

struct Reader<'a> {
    transcript: &'a Transcript,
    known: &'a HashMap<(&'a str, &'a str), Vec<u64>>,
    /// Where publications of the topic were accepted.
    places: Option<&'a BTreeSet<(Epoch, u64)>>,
    /// The place after which the next publication must come. `None` where a gap was told, or where nothing was promised.
    last: Option<Position>,
    is_recovering: bool,
    /// The last publications are read, not those since a position.
    is_latest: bool,
    had: HashSet<&'a str>,
    /// The last number of each publisher since a gap, without history.
    numbers: HashMap<&'a str, u64>,
}

impl<'a> Reader<'a> {
    fn new(
        transcript: &'a Transcript,
        known: &'a HashMap<(&'a str, &'a str), Vec<u64>>,
        places: Option<&'a BTreeSet<(Epoch, u64)>>,
    ) -> Self {
        Self {
            transcript,
            known,
            places,
            last: transcript.since.or(transcript.start.filter(|_| transcript.last == 0)),
            is_recovering: transcript.since.is_some() || transcript.last > 0,
            is_latest: transcript.since.is_none(),
            had: HashSet::new(),
            numbers: HashMap::new(),
        }
    }

    fn take(
        &mut self,
        at: usize,
        seen: &'a Seen,
        contents: &mut HashMap<(&'a str, Position), &'a str>,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let before = &self.transcript.seen[..at];
        match seen {
            Seen::Publication { is_local: true, .. } => outcome.delivered += 1,
            Seen::Publication { content, position, previous, .. } => {
                outcome.delivered += 1;
                if !self.had.insert(content) {
                    return Err("a double".to_owned());
                }
                match position {
                    Some(position) => {
                        let own = contents.entry((&self.transcript.topic, *position)).or_insert(content);
                        if own != content {
                            return Err(format!("at {position} there is {own}"));
                        }
                        if self.last.is_some_and(|last| !self.follows(*position, *previous, last)) {
                            return Err("a silent gap, or another order".to_owned());
                        }
                        self.last = Some(*position);
                    }
                    None if self.transcript.has_history => return Err("a publication without a position".to_owned()),
                    None => self.follow(content)?,
                }
            }
            Seen::Gap => {
                outcome.gaps += 1;
                self.last = None;
                self.numbers.clear();
            }
            Seen::Recovered(publications) => {
                let got = before.iter().filter(|seen| seen.is_positioned()).count();
                let is_in_bound = !self.is_latest || got <= self.transcript.last;
                if !self.is_recovering || got != *publications || !is_in_bound {
                    return Err("not what was recovered".to_owned());
                }
                self.is_recovering = false;
                outcome.recovered = (outcome.recovered.0 + 1, outcome.recovered.1 + publications);
            }
            Seen::Unrecoverable => {
                if self.transcript.has_history && (!self.is_recovering || before.iter().any(Seen::is_positioned)) {
                    return Err("a part with a hole".to_owned());
                }
                // Once more, if the last publications are read instead.
                self.is_recovering = self.transcript.last > 0 && !self.is_latest;
                self.is_latest = true;
                outcome.unrecoverable += 1;
                self.last = None;
            }
        }
        Ok(())
    }

    /// Whether the publication at `own` comes next after the place `last`, by its own word, and because no other was accepted
    /// between.
    fn follows(&self, own: Position, previous: u64, last: Position) -> bool {
        let is_next = last.epoch == own.epoch && previous <= last.offset && last.offset < own.offset;
        let mut between = self
            .places
            .filter(|_| is_next)
            .into_iter()
            .flat_map(|places| places.range((own.epoch, last.offset + 1)..(own.epoch, own.offset)));
        is_next && between.next().is_none()
    }

    /// Without history, a publisher's accepted publications follow each other.
    fn follow(&mut self, content: &'a str) -> Result<(), String> {
        let Some((publisher, number)) = numbered(content) else { return Ok(()) };
        let Some(last) = self.numbers.insert(publisher, number) else { return Ok(()) };
        if number < last {
            return Err("another order".to_owned());
        }
        let known = self.known.get(&(self.transcript.topic.as_str(), publisher)).map_or(&[][..], Vec::as_slice);
        let missing = &known[known.partition_point(|one| *one <= last)..known.partition_point(|one| *one < number)];
        match missing.first() {
            Some(missing) => Err(format!("a silent gap: {publisher}-{missing} is missing")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;

    fn at(offset: u64) -> Position {
        Position::new(Epoch(1), offset)
    }

    fn kept(content: &str, offset: u64, previous: u64) -> Seen {
        Seen::Publication { content: content.to_owned(), position: Some(at(offset)), previous, is_local: false }
    }

    fn plain(content: &str) -> Seen {
        Seen::Publication { content: content.to_owned(), position: None, previous: 0, is_local: false }
    }

    fn check(has_history: bool, since: Option<u64>, seen: &[Seen]) -> Result<Outcome, Violation> {
        let mut transcript = Transcript::new("x", "t", has_history);
        (transcript.since, transcript.seen) = (since.map(at), seen.to_vec());
        let accepted: Vec<_> =
            (1..5).map(|n| Accepted::new("t", format!("a-{n}"), has_history.then(|| at(n)))).collect();
        audit(&accepted, &[transcript])
    }

    #[test]
    fn what_the_rules_allow_is_accepted() {
        let all = [kept("a-1", 1, 0), Seen::Recovered(1), kept("a-2", 2, 1), Seen::Gap, kept("a-4", 4, 3)];
        let outcome = check(true, Some(0), &all).unwrap();
        assert_eq!((outcome.delivered, outcome.gaps, outcome.recovered), (3, 1, (1, 1)));
        check(true, Some(0), &[Seen::Unrecoverable, kept("a-3", 3, 2)]).unwrap();
        check(false, None, &[plain("a-2"), plain("b-7"), plain("a-3"), Seen::Gap, plain("a-9")]).unwrap();
        // A number that is not known to be accepted may be missing.
        check(false, None, &[plain("a-4"), plain("a-6")]).unwrap();
    }

    #[test]
    fn each_breach_is_found() {
        let breaches: [(bool, Option<u64>, &[Seen]); 9] = [
            (true, None, &[kept("a-1", 1, 0), kept("a-3", 3, 2)]),
            (true, None, &[kept("a-1", 1, 0), kept("a-1", 1, 0)]),
            (true, None, &[kept("a-2", 2, 1), kept("a-1", 1, 0)]),
            (true, None, &[kept("b-1", 1, 0)]),
            (true, None, &[plain("a-1")]),
            (true, Some(0), &[kept("a-1", 1, 0), Seen::Recovered(2)]),
            (true, Some(0), &[kept("a-1", 1, 0), Seen::Unrecoverable]),
            (false, None, &[plain("a-1"), plain("a-3")]),
            (false, None, &[plain("a-2"), plain("a-1")]),
        ];
        for (has_history, since, seen) in breaches {
            assert!(check(has_history, since, seen).is_err(), "{seen:?}");
        }
        let twice = [Accepted::new("t", "a-1", Some(at(1))), Accepted::new("t", "b-1", Some(at(1)))];
        assert!(audit(&twice, &[]).is_err());
    }
}
