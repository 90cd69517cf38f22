//! Reading the last publications of a topic: [`Hub::latest`].

use std::error::Error;
use std::fmt;

use super::recover::TIMEOUT;
use super::{Action, Hub, Inner};
use crate::backplane::{HistoryError, Page, Unavailable};
use crate::stats::Counters;
use crate::topic::{InvalidTopic, Topic};

impl Hub {
    /// Reads the last publications of a topic's history, at most so many, without subscribing. Of more than
    /// [`HubBuilder::max_recovery`](crate::HubBuilder::max_recovery) allows, the oldest are left out.
    ///
    /// [`Page::end`] is the position from which a subscription goes on without a gap ([`Subscribe::since`](crate::Subscribe::since)),
    /// and after which the next publication can be made ([`Publish::after`](crate::Publish::after)).
    ///
    /// ```
    /// # use ws_hub::{Hub, ReadError};
    /// # async fn f(hub: &Hub) -> Result<(), ReadError> {
    /// for publication in hub.latest("chat/rust", 50).await?.publications {
    ///     println!("{:?}", publication.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// If the name is not valid, if it is not allowed, if the topic has no history, or if the broker does not answer within 5 s.
    pub async fn latest(&self, topic: &str, publications: usize) -> Result<Page, ReadError> {
        let topic = Topic::new(topic).map_err(ReadError::Topic)?;
        if !self.may(Action::Subscribe, &topic).await {
            return Err(ReadError::Forbidden);
        }
        self.inner.latest(&topic, publications).await
    }
}

impl Inner {
    async fn latest(&self, topic: &Topic, count: usize) -> Result<Page, ReadError> {
        let settings = &self.settings;
        let history = settings.options(topic.as_str()).history.ok_or(ReadError::NoHistory)?;
        let reading = self.link().map(|link| link.latest(topic, &history, count.min(settings.recovery.publications)));
        Counters::add(&self.counters.history_reads, 1);
        let page = self.clock.within(TIMEOUT, reading.ok_or(ReadError::Unavailable)?).await;
        match page {
            Some(Ok(page)) => Ok(page.newest(count, settings.recovery.bytes)),
            Some(Err(HistoryError::Unrecoverable { .. })) => Err(ReadError::NoHistory),
            Some(Err(HistoryError::Unavailable)) | None => Err(ReadError::Unavailable),
        }
    }
}

/// History that was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The name of the topic is not valid.
    Topic(InvalidTopic),
    /// [`HubBuilder::authorize`](crate::HubBuilder::authorize) does not allow it.
    Forbidden,
    /// The topic has no history.
    NoHistory,
    /// The broker does not answer.
    Unavailable,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(invalid) => write!(f, "not read: {invalid}"),
            Self::Forbidden => f.write_str("not read: it is not allowed"),
            Self::NoHistory => f.write_str("not read: the topic has no history"),
            Self::Unavailable => write!(f, "not read: {Unavailable}"),
        }
    }
}

impl Error for ReadError {}
