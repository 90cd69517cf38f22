//! [`Catchup`]: closes the space between a position and the live publications with history.
//!
//! Live publications wait in a gate while history is read. A read begins at the last publication that was seen, inclusive: the
//! backplane must find that one. Publications that come both ways are told apart by their offsets. The gate holds the newest
//! publications without a hole in them; if it overflows, what was dropped is in the history, so another read finds it.
//!
//! A catch-up that begins with the last publications reads those first, and goes on from there in the same way.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::backplane::{HistoryError, Page};
use crate::position::Position;
use crate::publication::{Publication, Unrecoverable};

/// The bounds of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Publications that a recovery returns at most.
    pub(crate) publications: usize,
    /// Their bytes.
    pub(crate) bytes: usize,
}

/// Reads of history that found a hole between them and the gate, after which a recovery is given up. Each follows the one
/// before at once, so only a stream that grows faster than it can be read needs more.
const ROUNDS: u32 = 32;

/// Reads without an answer, after which a recovery is given up.
const PATIENCE: u32 = 10;

/// Reads of the last publications that found another stream than the one that is delivered live, after which a recovery is given
/// up.
const STREAMS: u32 = 3;

/// Where a subscription begins. The default is with what is published from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Start {
    /// After this position.
    pub(crate) since: Option<Position>,
    /// With so many of the last publications, if not after a position.
    pub(crate) last: usize,
}

/// A read of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// What follows a position.
    Since(Position),
    /// The last publications, at most so many.
    Latest(usize),
}

pub(crate) struct Catchup {
    bounds: Bounds,
    /// The place after the last publication that was found. `None` until the last publications are found.
    last: Option<Position>,
    /// So many of the last publications are to be found, if nothing else can be.
    latest: usize,
    /// It begins with the last publications.
    is_latest: bool,
    /// A place that was delivered live before the gate was there: what is found must reach it.
    reach: Option<Position>,
    found: Vec<Arc<Publication>>,
    found_bytes: usize,
    gate: VecDeque<Arc<Publication>>,
    gate_bytes: usize,
    /// Publications passed that are neither in `found` nor in the gate, since the read in progress began.
    is_stale: bool,
    /// A read is in progress that began after this was there.
    is_reading: bool,
    rounds: u32,
    /// Reads that the broker has not answered since the last one that it has.
    unanswered: u32,
}

/// What to do after a read.
#[derive(Debug)]
pub(crate) enum Step {
    /// Read on, from [`Catchup::wanted`].
    Read,
    /// Everything that was missed was found.
    Done {
        /// What was missed, in order. Live publications follow.
        publications: Vec<Arc<Publication>>,
        /// The number of the first of them that were asked for. The others came meanwhile.
        asked: usize,
        /// The place after them.
        tail: Position,
    },
    /// What was missed cannot be had. Read on: the last publications, from [`Catchup::wanted`].
    Instead { reason: Unrecoverable },
    /// What was missed cannot be had.
    Failed {
        reason: Unrecoverable,
        /// What came meanwhile, in order. Live publications follow.
        publications: Vec<Arc<Publication>>,
        /// The place after them, if it is known.
        tail: Option<Position>,
    },
}

impl Catchup {
    /// Begins at this position. `reach` is the last place that was delivered live, if there is one.
    pub(crate) fn new(since: Position, reach: Option<Position>, bounds: Bounds) -> Self {
        Self::start(Start { since: Some(since), last: 0 }, reach, bounds)
    }

    /// Begins at a position or with the last publications.
    pub(crate) fn start(start: Start, reach: Option<Position>, bounds: Bounds) -> Self {
        Self {
            bounds,
            last: start.since,
            latest: start.last.min(bounds.publications),
            is_latest: start.since.is_none(),
            reach,
            found: Vec::new(),
            found_bytes: 0,
            gate: VecDeque::new(),
            gate_bytes: 0,
            is_stale: false,
            is_reading: false,
            rounds: 0,
            unanswered: 0,
        }
    }

    /// Live publications begin after this place at the earliest.
    pub(crate) fn must_reach(&mut self, place: Option<Position>) {
        self.reach = place.or(self.reach);
    }

    /// What to read.
    pub(crate) fn wanted(&self) -> Read {
        self.last.map_or(Read::Latest(self.latest), Read::Since)
    }

    /// A live publication with a position arrived.
    pub(crate) fn arrived(&mut self, publication: &Arc<Publication>) {
        if let Some(back) = self.gate.back().and_then(|back| back.position) {
            if publication.position.is_some_and(|own| own.epoch == back.epoch && own.offset <= back.offset) {
                return;
            }
            if !publication.follows(back) {
                self.missed();
            }
        }
        self.gate_bytes += publication.weight();
        self.gate.push_back(Arc::clone(publication));
        if self.gate.len() > self.bounds.publications || self.gate_bytes > self.bounds.bytes {
            self.missed();
        }
    }

    /// Publications may be missing from here on: only a read that begins now can find them.
    pub(crate) fn missed(&mut self) {
        self.gate.clear();
        (self.gate_bytes, self.is_stale) = (0, true);
    }

    /// A read begins that may be of use here: [`ended`](Self::ended) is called with its result.
    pub(crate) fn begin_read(&mut self, read: Read) {
        let is_of_use = match (self.wanted(), read) {
            (Read::Since(last), Read::Since(since)) => since.epoch == last.epoch && since.offset <= last.offset,
            (Read::Latest(wanted), Read::Latest(count)) => wanted <= count,
            _ => false,
        };
        if is_of_use {
            (self.is_stale, self.is_reading) = (false, true);
        }
    }

    /// A read has ended.
    pub(crate) fn ended(&mut self, read: Read, result: &Result<Page, HistoryError>) -> Step {
        if !mem::take(&mut self.is_reading) {
            return Step::Read;
        }
        match (result, self.last) {
            (Ok(page), last) => {
                self.unanswered = 0;
                match last {
                    Some(last) => self.read(page, last),
                    None => self.read_latest(page),
                }
            }
            (Err(HistoryError::Unavailable), _) => {
                self.unanswered += 1;
                if self.unanswered < PATIENCE { Step::Read } else { self.give_up(Unrecoverable::Unavailable, None) }
            }
            (Err(HistoryError::Unrecoverable { reason, top }), last) => {
                // A read from an earlier place than ours says nothing of ours, but for the stream.
                let is_ours = last.is_none_or(|last| read == Read::Since(last));
                let is_ours = is_ours || matches!(reason, Unrecoverable::Epoch { .. });
                if is_ours { self.fail(*reason, *top) } else { Step::Read }
            }
        }
    }

    fn read(&mut self, page: &Page, last: Position) -> Step {
        let start = if page.since == last {
            0
        } else {
            // It was read for others, too, from an earlier place. The publication at ours must be in it, if there is one.
            let is_own = |publication: &Arc<Publication>| publication.position == Some(last);
            let is_next = |publication: &Arc<Publication>| publication.follows(last);
            match page.publications.iter().position(is_own) {
                Some(own) => own + 1,
                // A place up to which it was read.
                None if page.until.is_some_and(|until| until.epoch == last.epoch && last.offset <= until.offset) => {
                    page.publications.iter().position(is_next).unwrap_or(page.publications.len())
                }
                // It lies behind the end.
                None if page.until.is_some() && page.is_complete => return self.fail(Unrecoverable::Unknown, None),
                // Ours can be a place without a publication, or lie behind the page. The next read begins there.
                None => return Step::Read,
            }
        };
        self.found(last, &page.publications[start..], page.until, page.is_complete)
    }

    fn read_latest(&mut self, page: &Page) -> Step {
        let live = self.gate.back().and_then(|back| back.position).or(self.reach);
        let epoch = page.since.epoch;
        if live.is_some_and(|live| live.epoch != epoch) {
            self.rounds += 1;
            let reason = Unrecoverable::Epoch { current: Some(epoch) };
            return if self.rounds < STREAMS { Step::Read } else { self.give_up(reason, None) };
        }
        let page = page.clone().newest(self.latest, self.bounds.bytes);
        match self.gate.front() {
            // More were published meanwhile than were asked for. None of them may be left out.
            Some(front) if front.previous < page.since.offset => {
                self.found(Position::new(epoch, front.previous), &[], None, true)
            }
            _ => self.found(page.since, &page.publications, page.until, true),
        }
    }

    /// These publications were found after a place, and no others up to another one.
    fn found(
        &mut self,
        mut last: Position,
        publications: &[Arc<Publication>],
        until: Option<Position>,
        is_complete: bool,
    ) -> Step {
        let before = self.last.replace(last);
        for publication in publications {
            let Some(position) = publication.position else { continue };
            if !publication.follows(last) {
                return self.fail(Unrecoverable::Expired, None);
            }
            (last, self.last) = (position, Some(position));
            self.found_bytes += publication.weight();
            self.found.push(Arc::clone(publication));
            if self.found.len() > self.bounds.publications || self.found_bytes > self.bounds.bytes {
                return self.fail(Unrecoverable::TooMany, None);
            }
        }
        if let Some(until) = until.filter(|until| until.epoch == last.epoch && until.offset > last.offset) {
            (last, self.last) = (until, Some(until));
        }
        if !is_complete && before != Some(last) {
            // A page that leads further, however many there are.
            return Step::Read;
        }
        if !is_complete || self.has_hole(last) {
            return self.again(Unrecoverable::TooMany);
        }
        let mut publications = mem::take(&mut self.found);
        publications.extend(self.gate.drain(..));
        let tail = publications.last().and_then(|last| last.position).unwrap_or(last);
        let asked = if self.is_latest { self.latest.min(publications.len()) } else { publications.len() };
        Step::Done { publications, asked, tail }
    }

    /// Reads again, unless that was in vain too often.
    fn again(&mut self, reason: Unrecoverable) -> Step {
        self.rounds += 1;
        if self.rounds < ROUNDS { Step::Read } else { self.give_up(reason, None) }
    }

    /// Whether publications are missing between those that were found and those in the gate. Removes from the gate those that
    /// were found, too.
    fn has_hole(&mut self, last: Position) -> bool {
        let is_found = |own: Position| own.epoch == last.epoch && own.offset <= last.offset;
        while self.gate.front().and_then(|front| front.position).is_some_and(is_found) {
            self.gate.pop_front();
        }
        let end = self.gate.back().and_then(|back| back.position).unwrap_or(last);
        let falls_short = self.reach.is_some_and(|reach| reach.epoch == end.epoch && reach.offset > end.offset);
        self.is_stale || falls_short || self.gate.front().is_some_and(|front| !front.follows(last))
    }

    /// What was to be found cannot be had. The last publications are read instead, if they were asked for.
    fn fail(&mut self, reason: Unrecoverable, top: Option<Position>) -> Step {
        if self.latest == 0 || self.rounds >= ROUNDS {
            return self.give_up(reason, top);
        }
        (self.last, self.found, self.found_bytes) = (None, Vec::new(), 0);
        if mem::replace(&mut self.is_latest, true) {
            self.rounds += 1;
            // The stream has run away from what was found and from the gate.
            self.missed();
            Step::Read
        } else {
            self.rounds = 0;
            Step::Instead { reason }
        }
    }

    /// Gives up. A member that knows no later place goes on from `last`: then the next publication shows a hole, and is not taken for
    /// the one that follows.
    fn give_up(&mut self, reason: Unrecoverable, top: Option<Position>) -> Step {
        let publications: Vec<_> = self.gate.drain(..).collect();
        let tail = publications.last().and_then(|last| last.position).or(top).or(self.last);
        Step::Failed { reason, publications, tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;
    use crate::topic::Topic;

    fn place(offset: u64) -> Position {
        Position::new(Epoch(1), offset)
    }

    /// A page of publications at these offsets.
    fn page(since: u64, offsets: &[u64], until: u64) -> Page {
        let mut previous = since;
        let publication = |offset: &u64| {
            let before = std::mem::replace(&mut previous, *offset);
            Arc::new(Publication::new(Topic::new("a").unwrap(), "x").at_shared(place(*offset), before))
        };
        let publications = offsets.iter().map(publication).collect();
        Page::new(place(since), publications, true).until(place(until))
    }

    /// What a catch-up from an offset makes of a page that was read from another one.
    fn recover(from: u64, reach: u64, page: Page) -> Step {
        let bounds = Bounds { publications: 100, bytes: 1 << 20 };
        let mut catchup = Catchup::new(place(from), Some(place(reach)), bounds);
        let read = Read::Since(page.since);
        catchup.begin_read(read);
        catchup.ended(read, &Ok(page))
    }

    fn offsets(step: Step) -> (Vec<u64>, u64) {
        match step {
            Step::Done { publications, tail, .. } => {
                let offset = |one: &Arc<Publication>| one.position.unwrap().offset;
                (publications.iter().map(offset).collect(), tail.offset)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_place_between_publications_is_a_position_where_offsets_are_shared() {
        for (from, expected) in
            [(2, vec![5, 9]), (3, vec![5, 9]), (5, vec![9]), (7, vec![9]), (9, vec![]), (11, vec![])]
        {
            let (found, _) = offsets(recover(from, 12, page(2, &[5, 9], 12)));
            assert_eq!(found, expected, "from {from}");
        }
    }

    #[test]
    fn a_read_to_the_end_reaches_what_was_live_though_nothing_was_found() {
        assert_eq!(offsets(recover(3, 12, page(3, &[], 12))), (vec![], 12));
        assert!(matches!(recover(3, 13, page(3, &[], 12)), Step::Read), "a replica that is behind");
    }

    /// A place at which no publication ends, such as one where a subscription began, is read for itself.
    #[test]
    fn a_place_in_no_page_is_not_called_unknown() {
        let publications = page(2, &[5, 9], 9).publications;
        let step = recover(7, 7, Page::new(place(2), publications, true));
        assert!(matches!(step, Step::Read), "{step:?}");
    }

    #[test]
    fn a_place_behind_the_end_is_unknown() {
        for from in [13, u64::MAX] {
            let step = recover(from, 12, page(2, &[5, 9], 12));
            assert!(matches!(step, Step::Failed { reason: Unrecoverable::Unknown, .. }), "{from}: {step:?}");
        }
    }
}
