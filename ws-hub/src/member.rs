//! [`Member`]: a subscriber on a topic.

use std::sync::Arc;

use crate::backplane::{HistoryError, Page};
use crate::catchup::{Bounds, Catchup, Read, Start, Step};
use crate::options::SlowPolicy;
use crate::position::Position;
use crate::publication::{Delivery, GapCause, Publication};
use crate::stats::Tally;
use crate::subscriber::{Offer, Subscriber};

pub(crate) struct Member {
    pub(crate) id: u64,
    subscriber: Arc<dyn Subscriber>,
    progress: Progress,
    /// Publications passed that it has not got, and of which it was not told.
    owed: Option<GapCause>,
}

/// A member's place beside the topic's stream.
enum Progress {
    /// It gets what the stream delivers.
    Live,
    /// It recovers what it missed.
    CatchingUp(Box<Catchup>),
    /// It recovered more than the stream has delivered, up to this place.
    Ahead(Box<Position>),
}

/// Whether a member stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    Yes,
    No,
}

impl Member {
    /// A member that gets live publications.
    pub(crate) fn live(id: u64, subscriber: Arc<dyn Subscriber>) -> Self {
        Self { id, subscriber, progress: Progress::Live, owed: None }
    }

    /// A member that first gets earlier publications. `reach` is the last place that was delivered live.
    pub(crate) fn start(
        id: u64,
        subscriber: Arc<dyn Subscriber>,
        start: Start,
        reach: Option<Position>,
        bounds: Bounds,
    ) -> Self {
        let catchup = Box::new(Catchup::start(start, reach, bounds));
        Self { progress: Progress::CatchingUp(catchup), ..Self::live(id, subscriber) }
    }

    /// What is to be read of the history.
    pub(crate) fn wanted(&self) -> Option<Read> {
        match &self.progress {
            Progress::CatchingUp(catchup) => Some(catchup.wanted()),
            _ => None,
        }
    }

    /// The topic's stream has delivered everything up to this place, or has told a gap.
    pub(crate) fn must_reach(&mut self, place: Option<Position>) {
        if let Progress::CatchingUp(catchup) = &mut self.progress {
            catchup.must_reach(place);
        }
    }

    pub(crate) fn begin_read(&mut self, read: Read) {
        if let Progress::CatchingUp(catchup) = &mut self.progress {
            catchup.begin_read(read);
        }
    }

    /// It may have missed publications before the next one.
    pub(crate) fn owe(&mut self, cause: GapCause) {
        self.owed.get_or_insert(cause);
    }

    /// Passes on an item of the topic's stream.
    #[inline]
    pub(crate) fn deliver(&mut self, delivery: &Delivery, policy: SlowPolicy, tally: &mut Tally) -> Stay {
        // Nearly always.
        if let (Progress::Live, None) = (&self.progress, self.owed) {
            return self.pass_on(delivery, policy, tally);
        }
        self.deliver_in_its_place(delivery, policy, tally)
    }

    fn deliver_in_its_place(&mut self, delivery: &Delivery, policy: SlowPolicy, tally: &mut Tally) -> Stay {
        let place = match delivery {
            Delivery::Publication(publication) => publication.position.map(|position| (publication, position)),
            _ => None,
        };
        match (&mut self.progress, delivery, place) {
            (Progress::CatchingUp(catchup), _, Some((publication, _))) => {
                catchup.arrived(publication);
                return Stay::Yes;
            }
            (Progress::CatchingUp(catchup), Delivery::Gap(_), _) => {
                catchup.missed();
                return Stay::Yes;
            }
            (Progress::Ahead(seen), _, Some((_, position))) => {
                if position.epoch == seen.epoch && position.offset <= seen.offset {
                    return Stay::Yes;
                }
                self.progress = Progress::Live;
            }
            // A local publication has no place in the order.
            _ => {}
        }
        self.offer(delivery, policy, tally)
    }

    /// A read of history has ended.
    pub(crate) fn ended(
        &mut self,
        read: Read,
        result: &Result<Page, HistoryError>,
        policy: SlowPolicy,
        tally: &mut Tally,
    ) -> Stay {
        let Progress::CatchingUp(catchup) = &mut self.progress else { return Stay::Yes };
        match catchup.ended(read, result) {
            Step::Read => Stay::Yes,
            Step::Done { publications, asked, tail } => {
                self.progress = Progress::Ahead(Box::new(tail));
                let recovered = Delivery::Recovered { publications: asked };
                self.offer_all(publications, asked, recovered, policy, tally)
            }
            Step::Instead { reason } => self.offer(&Delivery::Unrecoverable(reason), policy, tally),
            Step::Failed { reason, publications, .. } => {
                self.progress = Progress::Live;
                self.offer_all(publications, 0, Delivery::Unrecoverable(reason), policy, tally)
            }
        }
    }

    /// Offers publications, and a word after the first of them.
    fn offer_all(
        &mut self,
        publications: Vec<Arc<Publication>>,
        before: usize,
        word: Delivery,
        policy: SlowPolicy,
        tally: &mut Tally,
    ) -> Stay {
        let mut deliveries: Vec<_> = publications.into_iter().map(Delivery::Publication).collect();
        deliveries.insert(before, word);
        if let Some(cause) = self.owed.take() {
            deliveries.insert(0, Delivery::Gap(cause.into()));
        }
        match (self.subscriber.recovered(&deliveries), deliveries.last()) {
            (Offer::Full, Some(last)) => self.is_slow(last, policy, tally),
            (Offer::Gone, _) => Stay::No,
            _ => {
                deliveries.iter().for_each(|delivery| tally.taken(delivery));
                Stay::Yes
            }
        }
    }

    fn offer(&mut self, delivery: &Delivery, policy: SlowPolicy, tally: &mut Tally) -> Stay {
        if let Some(cause) = self.owed {
            let gap = Delivery::Gap(cause.into());
            match self.subscriber.offer(&gap) {
                Offer::Taken => {
                    tally.taken(&gap);
                    self.owed = None;
                }
                Offer::Full => return self.is_slow(delivery, policy, tally),
                Offer::Gone => return Stay::No,
            }
        }
        self.pass_on(delivery, policy, tally)
    }

    #[inline]
    fn pass_on(&mut self, delivery: &Delivery, policy: SlowPolicy, tally: &mut Tally) -> Stay {
        match self.subscriber.offer(delivery) {
            Offer::Taken => {
                tally.taken(delivery);
                Stay::Yes
            }
            Offer::Full => self.is_slow(delivery, policy, tally),
            Offer::Gone => Stay::No,
        }
    }

    fn is_slow(&mut self, delivery: &Delivery, policy: SlowPolicy, tally: &mut Tally) -> Stay {
        tally.skipped(delivery);
        if policy == SlowPolicy::Close {
            tally.closed();
            self.subscriber.end();
            return Stay::No;
        }
        self.owed = Some(GapCause::SlowSubscriber);
        Stay::Yes
    }
}
