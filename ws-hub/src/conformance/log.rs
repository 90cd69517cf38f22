//! [`Log`]: the publications of a topic at the [`Broker`](super::Broker).

use std::collections::VecDeque;
use std::sync::Arc;

use ws_session::ByteString;

use super::rng::Rng;
use crate::backplane::{HistoryError, Outgoing, Page, PublishError, Refusal};
use crate::options::History;
use crate::position::{Epoch, Position};
use crate::publication::{Publication, Unrecoverable};
use crate::topic::Topic;

pub(super) struct Log {
    epoch: Epoch,
    offset: u64,
    /// With their idempotency keys.
    ring: VecDeque<(Option<ByteString>, Arc<Publication>)>,
}

/// What became of a publication.
pub(super) enum Added {
    New(Arc<Publication>),
    /// One with the same idempotency key is at this position.
    Again(Position),
}

impl Log {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { epoch: Epoch(rng.next()), offset: 0, ring: VecDeque::new() }
    }

    /// Adds a publication, whose offset is `step` above the last one.
    pub(super) fn publish(
        &mut self,
        topic: &Topic,
        outgoing: Outgoing,
        history: &History,
        step: u64,
    ) -> Result<Added, PublishError> {
        let Outgoing { message, key, idempotency_key, after, .. } = outgoing;
        if idempotency_key.is_some()
            && let Some((_, first)) = self.ring.iter().find(|(name, _)| *name == idempotency_key)
            && let Some(position) = first.position
        {
            return Ok(Added::Again(position));
        }
        if after.is_some_and(|after| after != self.top()) {
            return Err(PublishError::Refused(Refusal::Conflict));
        }
        let previous = self.offset;
        self.offset += step;
        let mut publication = Publication::new(topic.clone(), message);
        publication.key = key;
        let publication = Arc::new(publication.at(self.top(), previous));
        self.ring.push_back((idempotency_key, Arc::clone(&publication)));
        while self.ring.len() > history.size {
            self.ring.pop_front();
        }
        Ok(Added::New(publication))
    }

    pub(super) fn top(&self) -> Position {
        Position::new(self.epoch, self.offset)
    }

    pub(super) fn page(&self, since: Position, limit: usize) -> Result<Page, HistoryError> {
        let fail = |reason| Err(HistoryError::Unrecoverable { reason, top: Some(self.top()) });
        if since.epoch != self.epoch {
            return fail(Unrecoverable::Epoch { current: Some(self.epoch) });
        }
        let skip = match self.ring.iter().position(|(_, kept)| kept.position == Some(since)) {
            Some(own) => own + 1,
            None if since.offset == self.ring.front().map_or(self.offset, |(_, first)| first.previous) => 0,
            None if since.offset > self.offset => return fail(Unrecoverable::Unknown),
            None => return fail(Unrecoverable::Expired),
        };
        let publications: Vec<_> = self.ring.iter().skip(skip).take(limit).map(|(_, kept)| Arc::clone(kept)).collect();
        let is_complete = skip + publications.len() == self.ring.len();
        Ok(Page::new(since, publications, is_complete))
    }

    pub(super) fn latest(&self, limit: usize) -> Page {
        let skip = self.ring.len().saturating_sub(limit);
        let publications: Vec<_> = self.ring.iter().skip(skip).map(|(_, kept)| Arc::clone(kept)).collect();
        let before = publications.first().map_or(self.offset, |first| first.previous);
        Page::new(Position::new(self.epoch, before), publications, true)
    }
}
