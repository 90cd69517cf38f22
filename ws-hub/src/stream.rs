//! [`Stream`]: one topic's publications as they reach an instance, made into one order without silent gaps.
//!
//! It knows no subscriber and does no I/O: each method returns what to deliver to all of them, and whether history is to be
//! read.

use std::sync::Arc;

use crate::backplane::{HistoryError, Page};
use crate::catchup::{Bounds, Catchup, Read, Step};
use crate::position::Position;
use crate::publication::{Delivery, GapCause, Publication, Unrecoverable};

pub(crate) struct Stream {
    /// `None` if the topic has no history.
    bounds: Option<Bounds>,
    state: State,
    /// The broker cannot be reached.
    is_lost: Option<GapCause>,
    /// A gap that was not delivered yet, of a topic without history.
    owed: Option<GapCause>,
    /// The gap was delivered before a local publication, and is due again before the next one that is none.
    due: Option<GapCause>,
}

enum State {
    /// Publications are delivered when they come. With history, the next one must follow `tail`, if that is known.
    Live { tail: Option<Position> },
    /// Publications were missed, or may have been.
    CatchingUp {
        catchup: Catchup,
        cause: GapCause,
        /// The place after the last publication that was delivered. What is found meanwhile is not.
        from: Position,
    },
}

impl Stream {
    pub(crate) fn new(history: Option<Bounds>) -> Self {
        Self { bounds: history, state: State::Live { tail: None }, is_lost: None, owed: None, due: None }
    }

    /// The place after the last publication that was delivered. `None` without history, or if it is not known yet.
    pub(crate) fn tail(&self) -> Option<Position> {
        match &self.state {
            State::Live { tail } => *tail,
            State::CatchingUp { from, .. } => Some(*from),
        }
    }

    /// Whether the broker cannot be reached.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost.is_some()
    }

    /// What is to be read of the history now.
    pub(crate) fn wanted(&self) -> Option<Read> {
        match &self.state {
            State::CatchingUp { catchup, .. } if self.is_lost.is_none() => Some(catchup.wanted()),
            _ => None,
        }
    }

    /// The topic is subscribed at the broker. `top` is the place from which on publications come live, with history.
    pub(crate) fn attached(&mut self, top: Option<Position>) {
        if let State::Live { tail: tail @ None } = &mut self.state {
            *tail = top;
        }
    }

    /// A publication arrived. Calls `deliver` for each item in order.
    pub(crate) fn arrived(&mut self, publication: &Arc<Publication>, deliver: &mut dyn FnMut(Delivery)) {
        let Some((position, bounds)) = publication.position.zip(self.bounds) else {
            match self.due.take() {
                due if publication.is_local => self.due = due.or(self.owed.filter(|_| self.is_lost.is_some())),
                due => self.owed = self.owed.or(due),
            }
            self.pay(deliver);
            return deliver(Delivery::Publication(Arc::clone(publication)));
        };
        let tail = match &mut self.state {
            State::CatchingUp { catchup, .. } => return catchup.arrived(publication),
            State::Live { tail } => tail,
        };
        match *tail {
            Some(last) if last.epoch != position.epoch => deliver(Delivery::Gap(GapCause::EpochChanged.into())),
            Some(last) if position.offset <= last.offset => return,
            Some(last) if !publication.follows(last) => {
                let mut catchup = Catchup::new(last, None, bounds);
                catchup.arrived(publication);
                self.state = State::CatchingUp { catchup, cause: GapCause::Missed, from: last };
                return;
            }
            _ => {}
        }
        *tail = Some(position);
        deliver(Delivery::Publication(Arc::clone(publication)));
    }

    /// Publications may be missing from here on, because the broker cannot be reached, until [`restored`](Self::restored).
    pub(crate) fn lost(&mut self, cause: GapCause) {
        self.is_lost = Some(cause);
        self.missed(cause);
    }

    /// The broker is reached again, and the topic is subscribed.
    pub(crate) fn restored(&mut self, deliver: &mut dyn FnMut(Delivery)) {
        if let Some(cause) = self.is_lost.take()
            && self.bounds.is_none()
        {
            (self.owed, self.due) = (Some(cause), None);
            self.pay(deliver);
        }
    }

    /// Publications may be missing here, although the broker can be reached.
    pub(crate) fn missed(&mut self, cause: GapCause) {
        match (&mut self.state, self.bounds) {
            (State::CatchingUp { catchup, .. }, _) => catchup.missed(),
            (State::Live { tail: Some(last) }, Some(bounds)) => {
                let (from, mut catchup) = (*last, Catchup::new(*last, None, bounds));
                catchup.missed();
                self.state = State::CatchingUp { catchup, cause, from };
            }
            // Nothing was promised yet: a subscriber that comes now waits until the topic is attached.
            (State::Live { tail: None }, Some(_)) => {}
            (State::Live { .. }, None) => self.owed = Some(cause),
        }
    }

    /// Delivers the gap that is owed.
    pub(crate) fn pay(&mut self, deliver: &mut dyn FnMut(Delivery)) {
        if let Some(cause) = self.owed.take() {
            deliver(Delivery::Gap(cause.into()));
        }
    }

    /// A read of history begins.
    pub(crate) fn begin_read(&mut self, read: Read) {
        if let State::CatchingUp { catchup, .. } = &mut self.state {
            catchup.begin_read(read);
        }
    }

    /// A read of history has ended.
    pub(crate) fn ended(&mut self, read: Read, result: &Result<Page, HistoryError>, deliver: &mut dyn FnMut(Delivery)) {
        let State::CatchingUp { catchup, cause, .. } = &mut self.state else { return };
        let (publications, tail) = match catchup.ended(read, result) {
            Step::Read | Step::Instead { .. } => return,
            Step::Done { publications, tail, .. } => (publications, Some(tail)),
            Step::Failed { reason, publications, tail } => {
                let is_new = matches!(reason, Unrecoverable::Epoch { .. });
                deliver(Delivery::Gap(if is_new { GapCause::EpochChanged } else { *cause }.into()));
                (publications, tail)
            }
        };
        self.state = State::Live { tail };
        for publication in publications {
            deliver(Delivery::Publication(publication));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;
    use crate::topic::Topic;

    /// As after a failover to a replica that lacks the end of a stream.
    #[test]
    fn a_publication_that_follows_an_earlier_one_than_the_last_is_a_hole() {
        let (epoch, bounds) = (Epoch(1), Bounds { publications: 10, bytes: 1000 });
        let at = |offset, previous| {
            let publication = Publication::new(Topic::new("a").unwrap(), "");
            publication.at(Position::new(epoch, offset), previous)
        };
        let mut stream = Stream::new(Some(bounds));
        stream.attached(Some(Position::new(epoch, 3)));
        stream.arrived(&Arc::new(at(9, 2)), &mut |_| panic!("delivered"));
        assert_eq!(stream.tail(), Some(Position::new(epoch, 3)));
        let between = Publication::new(Topic::new("a").unwrap(), "").at_shared(Position::new(epoch, 9), 2);
        assert!(between.follows(Position::new(epoch, 3)) && between.follows(Position::new(epoch, 2)));
        assert!(!between.follows(Position::new(epoch, 1)) && !between.follows(Position::new(epoch, 9)));
        assert!(at(9, 2).follows(Position::new(epoch, 2)) && !at(9, 2).follows(Position::new(epoch, 3)));
    }

    #[test]
    fn a_local_publication_pays_no_gap_of_those_that_follow() {
        let mut stream = Stream::new(None);
        let mut got = String::new();
        let mut deliver = |delivery| {
            got.push(match delivery {
                Delivery::Publication(publication) if publication.is_local => 'l',
                Delivery::Publication(_) => 'p',
                _ => 'g',
            });
        };
        let publication = |is_local| {
            let mut publication = Publication::new(Topic::new("a").unwrap(), "");
            publication.is_local = is_local;
            Arc::new(publication)
        };
        let (local, other) = (publication(true), publication(false));
        stream.arrived(&other, &mut deliver);
        stream.lost(GapCause::BrokerLost);
        for publication in [&local, &local, &other, &other, &local] {
            stream.arrived(publication, &mut deliver);
        }
        stream.restored(&mut deliver);
        stream.arrived(&local, &mut deliver);
        stream.arrived(&other, &mut deliver);
        assert_eq!(got, "pgllgpplglp");
    }
}
