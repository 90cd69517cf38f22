//! [`RedisLink`]: the link of a hub, and reading history.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error};

use super::publish::unavailable;
use super::session::{Session, Shared};
use super::settings::Settings;
use super::supervise::{Change, Changes, supervise};
use super::{TARGET, wire};
use crate::backplane::background::Background;
use crate::backplane::{BoxFuture, HistoryError, Link, Outgoing, Page, PublishError, Refusal, Unavailable};
use crate::inbound::Inbound;
use crate::options::History;
use crate::position::{Epoch, Position};
use crate::publication::{GapCause, Publication, Unrecoverable};
use crate::random;
use crate::topic::Topic;

/// A stream stays for this time after its last publication is too old: its subscribers know its epoch.
pub(super) const AFTERWARDS: Duration = Duration::from_secs(7 * 24 * 3600);
/// A stream without publications stays for this time, unless it is subscribed: anybody who subscribes makes one.
pub(super) const EMPTY: Duration = Duration::from_secs(3600);
/// The bytes of a page, about. A read must not keep the broker from others for long.
const PAGE: usize = 4 << 20;
/// The bytes of the last publications, about. The hub recovers no more.
const LATEST: usize = 16 << 20;

pub(super) struct RedisLink {
    shared: Arc<Shared>,
    changes: mpsc::UnboundedSender<Change>,
    /// Where the connections are.
    _background: Option<Background>,
}

impl RedisLink {
    pub(super) fn new(settings: Settings, inbound: Inbound) -> Self {
        let shared = Arc::new(Shared::new(settings, inbound));
        let (changes, receiver) = mpsc::unbounded_channel();
        let background = match Background::new() {
            Ok(background) => {
                background.spawn(supervise(Arc::clone(&shared), Changes::new(receiver)));
                Some(background)
            }
            Err(error) => {
                error!(target: TARGET, "no thread for the connections to the broker: {error}");
                shared.inbound.lost(GapCause::BrokerLost);
                None
            }
        };
        Self { shared, changes, _background: background }
    }
}

impl Link for RedisLink {
    fn publish(&self, topic: &Topic, outgoing: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        let Some(session) = self.shared.session() else { return Box::pin(ready(Err(unavailable()))) };
        if outgoing.after.is_some() && outgoing.history.is_none() {
            let refusal = Refusal::Unsupported("a publication after a position, on a topic without history");
            return Box::pin(ready(Err(PublishError::Refused(refusal))));
        }
        let (shared, topic) = (Arc::clone(&self.shared), topic.clone());
        Box::pin(async move {
            match &outgoing.history {
                Some(history) => shared.add_to_history(&session, &topic, &outgoing, history).await,
                None => shared.publish_live(&session, &topic, &outgoing).await,
            }
        })
    }

    fn subscribe(
        &self,
        topic: &Topic,
        history: Option<&History>,
    ) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.changes.send(Change::Subscribe(topic.clone(), answer));
        let (shared, topic, history) = (Arc::clone(&self.shared), topic.clone(), history.copied());
        Box::pin(async move {
            sent.map_err(|_| Unavailable)?;
            answered.await.map_err(|_| Unavailable)??;
            let Some(history) = history else { return Ok(None) };
            let page = shared.latest(&topic, &history, 0).await.map_err(|_| Unavailable)?;
            Ok(Some(page.since))
        })
    }

    fn unsubscribe(&self, topic: &Topic) {
        let _ = self.changes.send(Change::Unsubscribe(topic.clone()));
    }

    fn reset(&self) {
        if let Some(session) = self.shared.session() {
            session.end.with(GapCause::BrokerSilent);
        }
    }

    fn history(
        &self,
        topic: &Topic,
        history: &History,
        since: Position,
        limit: usize,
    ) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (shared, topic, history) = (Arc::clone(&self.shared), topic.clone(), *history);
        Box::pin(async move { shared.history(&topic, &history, since, limit).await })
    }

    fn latest(&self, topic: &Topic, history: &History, limit: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        let (shared, topic, history) = (Arc::clone(&self.shared), topic.clone(), *history);
        Box::pin(async move { shared.latest(&topic, &history, limit).await })
    }
}

impl Shared {
    async fn history(
        &self,
        topic: &Topic,
        history: &History,
        since: Position,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let mut script = self.scripts.history.key(self.settings.stream(topic.as_str()));
        script.arg(since.epoch.to_string()).arg(wire::id(since.offset)).arg(entries(limit));
        script.arg(milliseconds(history.age)).arg(PAGE);
        let answer = self.read(topic, &script).await?;
        let mut answer = answer.into_iter();
        let (Some(word), epoch, id) = (answer.next().and_then(text), answer.next(), answer.next()) else {
            return Err(HistoryError::Unavailable);
        };
        let top = epoch.and_then(text).zip(id.and_then(text)).and_then(|(epoch, id)| position(&epoch, &id));
        let fail = |reason| Err(HistoryError::Unrecoverable { reason, top });
        match word.as_str() {
            "page" => {}
            "none" => return fail(Unrecoverable::Epoch { current: None }),
            "epoch" => return fail(Unrecoverable::Epoch { current: top.map(|top| top.epoch) }),
            "unknown" => return fail(Unrecoverable::Unknown),
            _ => return fail(Unrecoverable::Expired),
        }
        let is_complete = matches!(answer.next(), Some(Value::Int(1)));
        let publications = answer.map(|entry| publication(topic, since.epoch, entry)).collect::<Option<Vec<_>>>();
        Ok(Page::new(since, publications.ok_or_else(|| strange(topic))?, is_complete))
    }

    async fn latest(&self, topic: &Topic, history: &History, limit: usize) -> Result<Page, HistoryError> {
        let (mut last, mut top) = (Last::new(limit), None);
        let mut newest = "+".to_owned();
        loop {
            let (end, publications, is_more) = self.page_of_latest(topic, history, last.room(), &newest).await?;
            let top = *top.get_or_insert(end);
            // Else the stream has been made anew meanwhile.
            let goes_on = end.epoch == top.epoch && last.add(publications);
            match last.oldest().filter(|_| goes_on && is_more) {
                Some(oldest) => newest = format!("({}", wire::id(oldest)),
                None => return Ok(last.into_page(top)),
            }
        }
    }

    /// The end of the stream; publications from an ID on backwards; and whether there can be more before them.
    async fn page_of_latest(
        &self,
        topic: &Topic,
        history: &History,
        limit: usize,
        newest: &str,
    ) -> Result<(Position, Vec<Arc<Publication>>, bool), HistoryError> {
        let mut script = self.scripts.latest.key(self.settings.stream(topic.as_str()));
        script.arg(new_epoch()).arg(milliseconds(history.age.saturating_add(AFTERWARDS))).arg(entries(limit));
        script.arg(milliseconds(history.age)).arg(PAGE).arg(newest).arg(milliseconds(EMPTY));
        let answer = self.read(topic, &script).await?;
        let mut answer = answer.into_iter();
        let (epoch, id) = (answer.next().and_then(text), answer.next().and_then(text));
        let top = epoch.zip(id).and_then(|(epoch, id)| position(&epoch, &id)).ok_or_else(|| strange(topic))?;
        let is_more = matches!(answer.next(), Some(Value::Int(1)));
        let publications = answer.map(|entry| publication(topic, top.epoch, entry)).collect::<Option<Vec<_>>>();
        Ok((top, publications.ok_or_else(|| strange(topic))?, is_more))
    }

    async fn read(&self, topic: &Topic, script: &::redis::ScriptInvocation<'_>) -> Result<Vec<Value>, HistoryError> {
        let session = self.session().ok_or(HistoryError::Unavailable)?;
        let mut commands = session.commands.clone();
        let reading = script.invoke_async::<Vec<Value>>(&mut commands);
        match session.end.or(reading).await {
            Some(Ok(answer)) => Ok(answer),
            None => Err(HistoryError::Unavailable),
            Some(Err(error)) => {
                debug!(target: TARGET, %topic, "history was not read: {error}");
                end_if_replica(&session, &error);
                Err(HistoryError::Unavailable)
            }
        }
    }
}

/// The last publications, as they are found: the newest first.
struct Last {
    limit: usize,
    found: Vec<Arc<Publication>>,
    bytes: usize,
}

impl Last {
    fn new(limit: usize) -> Self {
        Self { limit, found: Vec::new(), bytes: 0 }
    }

    /// The number of publications for which there is room.
    fn room(&self) -> usize {
        self.limit - self.found.len()
    }

    /// Adds earlier ones. Returns whether there is room for more, and none is missing between them.
    fn add(&mut self, publications: Vec<Arc<Publication>>) -> bool {
        for publication in publications {
            let place = publication.position.map_or(0, |position| position.offset);
            if self.room() == 0 || self.found.last().is_some_and(|next| next.previous != place) {
                return false;
            }
            self.bytes += publication.weight();
            self.found.push(publication);
        }
        self.room() > 0 && self.bytes < LATEST
    }

    fn oldest(&self) -> Option<u64> {
        self.found.last()?.position.map(|position| position.offset)
    }

    fn into_page(mut self, top: Position) -> Page {
        self.found.reverse();
        let since = self.found.first().map_or(top, |first| Position::new(top.epoch, first.previous));
        Page::new(since, self.found, true)
    }
}

/// After a failover, or after the credentials were taken away, the connection is of no use.
pub(super) fn end_if_replica(session: &Session, error: &RedisError) {
    if let Some("READONLY" | "NOAUTH") = error.code() {
        session.end.with(GapCause::BrokerLost);
    }
}

fn strange(topic: &Topic) -> HistoryError {
    debug!(target: TARGET, %topic, "the stream has entries that no hub has made");
    HistoryError::Unavailable
}

pub(super) fn new_epoch() -> String {
    Epoch(random::u64()).to_string()
}

/// At most a number of entries that the broker understands.
pub(super) fn entries(number: usize) -> usize {
    number.min(1 << 30)
}

/// At most a number that a script can calculate with.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min(1 << 48)
}

pub(super) fn position(epoch: &str, id: &str) -> Option<Position> {
    Some(Position::new(wire::epoch(epoch)?, wire::offset(id)?))
}

/// An entry that a script has read: ID, the ID before it, head, body.
fn publication(topic: &Topic, epoch: Epoch, entry: Value) -> Option<Arc<Publication>> {
    let Value::Array(fields) = entry else { return None };
    let mut fields = fields.into_iter();
    let (offset, previous) = (wire::offset(&text(fields.next()?)?)?, wire::offset(&text(fields.next()?)?)?);
    let (Value::BulkString(head), Value::BulkString(body)) = (fields.next()?, fields.next()?) else { return None };
    let publication = wire::entry(topic, &head, body)?;
    Some(Arc::new(publication.at(Position::new(epoch, offset), previous)))
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(offset: u64, previous: u64, bytes: usize) -> Arc<Publication> {
        let publication = Publication::new(Topic::new("a").unwrap(), vec![0; bytes]);
        Arc::new(publication.at(Position::new(Epoch(1), offset), previous))
    }

    fn offsets(page: &Page) -> Vec<u64> {
        page.publications.iter().map(|publication| publication.position.unwrap().offset).collect()
    }

    fn top() -> Position {
        Position::new(Epoch(1), 9)
    }

    #[test]
    fn the_last_publications_are_put_together_from_pages() {
        let mut last = Last::new(4);
        assert!(last.add(vec![publication(9, 8, 1), publication(8, 6, 1)]));
        assert_eq!((last.room(), last.oldest()), (2, Some(8)));
        assert!(!last.add(vec![publication(6, 4, 1), publication(4, 3, 1), publication(3, 0, 1)]), "there is no room");
        let page = last.into_page(top());
        assert_eq!((offsets(&page), page.since.offset), (vec![4, 6, 8, 9], 3));
    }

    #[test]
    fn what_was_removed_between_two_pages_ends_them() {
        let mut last = Last::new(10);
        assert!(last.add(vec![publication(9, 8, 1)]));
        assert!(!last.add(vec![publication(7, 6, 1)]), "8 is missing");
        assert_eq!(offsets(&last.into_page(top())), [9]);
    }

    #[test]
    fn the_last_publications_are_bounded_in_bytes() {
        let mut last = Last::new(usize::MAX);
        assert!(last.add(vec![publication(9, 8, LATEST / 2)]));
        assert!(!last.add(vec![publication(8, 7, LATEST / 2)]));
        let page = Last::new(5).into_page(top());
        assert_eq!((page.publications.len(), page.since), (0, top()));
    }

    #[test]
    fn numbers_are_bounded_by_what_the_broker_understands() {
        assert_eq!((entries(7), entries(usize::MAX)), (7, 1 << 30));
    }
}
