//! The counters of a hub: [`HubStats`].

mod named;

use std::mem::discriminant;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::backplane::PublishError;
use crate::publication::{Delivery, GapCause, Unrecoverable};

/// Counters of a hub since it was started. [`Hub::stats`](crate::Hub::stats) returns them. What the hub publishes for itself, for
/// presence and the heartbeat, is not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubStats {
    /// The topics with subscribers, or that had some a moment ago.
    pub topics: usize,
    /// The subscribers of all topics.
    pub subscribers: usize,
    /// The members of all topics with a connection at this instance. Those in their grace are among them.
    pub members: usize,
    /// The publications of this instance that were accepted.
    pub accepted: u64,
    /// The bytes of their payloads.
    pub accepted_bytes: u64,
    /// The publications of this instance that were refused.
    pub refused: u64,
    /// The publications of this instance of which it is unknown whether they were published.
    pub unknown: u64,
    /// The publications that subscribers took. One counts for each of its subscribers.
    pub delivered: u64,
    /// The bytes of their payloads.
    pub delivered_bytes: u64,
    /// The gaps that subscribers were told, by cause.
    pub gaps: Vec<(GapCause, u64)>,
    /// The subscriptions that got the earlier publications that they asked for.
    pub recovered: u64,
    /// The number of those publications.
    pub recovered_publications: u64,
    /// The subscriptions that could not have them, by reason. [`Unrecoverable::Epoch`] names no epoch here.
    pub unrecoverable: Vec<(Unrecoverable, u64)>,
    /// The publications that subscribers did not take in time.
    pub skipped: u64,
    /// The subscriptions that ended because they were too slow.
    pub closed: u64,
    /// How often the broker was lost.
    pub broker_lost: u64,
    /// How often it was reached again.
    pub broker_restored: u64,
    /// Reads of history at the broker.
    pub history_reads: u64,
}

macro_rules! counters {
    ($($name:ident),+ $(,)?) => {
        /// What is counted for all topics together.
        #[derive(Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)+
            gaps: [AtomicU64; GapCause::ALL.len()],
            unrecoverable: [AtomicU64; REASONS.len()],
        }

        impl Counters {
            /// The counters, without the numbers of what there is now.
            pub(crate) fn stats(&self) -> HubStats {
                let gaps = GapCause::ALL.iter().zip(&self.gaps).map(|(cause, count)| (*cause, count.load(Relaxed)));
                let reasons = REASONS.iter().zip(&self.unrecoverable);
                HubStats {
                    $($name: self.$name.load(Relaxed),)+
                    gaps: gaps.filter(|(_, count)| *count > 0).collect(),
                    unrecoverable: reasons
                        .map(|(reason, count)| (*reason, count.load(Relaxed)))
                        .filter(|(_, count)| *count > 0)
                        .collect(),
                    ..HubStats::default()
                }
            }
        }
    };
}

counters!(
    accepted,
    accepted_bytes,
    refused,
    unknown,
    delivered,
    delivered_bytes,
    recovered,
    recovered_publications,
    skipped,
    closed,
    broker_lost,
    broker_restored,
    history_reads,
);

/// The reasons, in the order in which they are counted.
const REASONS: [Unrecoverable; 6] = [
    Unrecoverable::NoHistory,
    Unrecoverable::Epoch { current: None },
    Unrecoverable::Expired,
    Unrecoverable::TooMany,
    Unrecoverable::Unknown,
    Unrecoverable::Unavailable,
];

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Relaxed);
        }
    }

    /// A publication of this instance has ended in this way.
    pub(crate) fn published<T>(&self, bytes: usize, result: &Result<T, PublishError>) {
        match result {
            Ok(_) => {
                Self::add(&self.accepted, 1);
                Self::add(&self.accepted_bytes, bytes as u64);
            }
            Err(PublishError::Refused(_)) => Self::add(&self.refused, 1),
            Err(PublishError::Unknown(_)) => Self::add(&self.unknown, 1),
        }
    }

    pub(crate) fn delivered(&self, tally: Tally) {
        Self::add(&self.delivered, tally.delivered);
        Self::add(&self.delivered_bytes, tally.bytes);
        Self::add(&self.skipped, tally.skipped);
        Self::add(&self.closed, tally.closed);
        if let Some(told) = tally.told {
            Self::add(&self.recovered, told.recovered);
            Self::add(&self.recovered_publications, told.publications);
            self.gaps.iter().zip(told.gaps).for_each(|(counter, count)| Self::add(counter, count));
            self.unrecoverable.iter().zip(told.unrecoverable).for_each(|(counter, count)| Self::add(counter, count));
        }
    }
}

/// What became of deliveries to many subscribers, so that it is added to the counters once.
#[derive(Default)]
pub(crate) struct Tally {
    delivered: u64,
    bytes: u64,
    skipped: u64,
    closed: u64,
    /// Deliveries that are no publications, which are rare.
    told: Option<Box<Told>>,
}

#[derive(Default)]
struct Told {
    recovered: u64,
    publications: u64,
    gaps: [u64; GapCause::ALL.len()],
    unrecoverable: [u64; REASONS.len()],
}

impl Tally {
    /// A subscriber has taken this.
    #[inline]
    pub(crate) fn taken(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Publication(publication) => {
                self.delivered += 1;
                self.bytes += publication.message.len() as u64;
            }
            other => self.told(other),
        }
    }

    #[cold]
    fn told(&mut self, delivery: &Delivery) {
        let told = self.told.get_or_insert_default();
        match delivery {
            Delivery::Publication(_) => {}
            Delivery::Gap(gap) => {
                let index = GapCause::ALL.iter().position(|cause| *cause == gap.cause);
                index.into_iter().for_each(|index| told.gaps[index] += 1);
            }
            Delivery::Recovered { publications } => {
                told.recovered += 1;
                told.publications += *publications as u64;
            }
            Delivery::Unrecoverable(reason) => {
                let index = REASONS.iter().position(|other| discriminant(other) == discriminant(reason));
                index.into_iter().for_each(|index| told.unrecoverable[index] += 1);
            }
        }
    }

    /// A subscriber has no room for this.
    pub(crate) fn skipped(&mut self, delivery: &Delivery) {
        self.skipped += u64::from(matches!(delivery, Delivery::Publication(_)));
    }

    /// A subscription has ended, because it was too slow.
    pub(crate) fn closed(&mut self) {
        self.closed += 1;
    }
}
