//! Publishing: what the server's answers mean.

use std::sync::Arc;

use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM};
use tokio::sync::OwnedSemaphorePermit;
use ws_session::MessageKind;

use super::api::{Info, NO_JETSTREAM, Problem};
use super::connection::{Command, Connection, Sending, To};
use super::inbox::Done;
use super::log::Log;
use super::subject::Subjects;
use super::wire::{self, Answer};
use crate::backplane::{Doubt, Outgoing, PublishError, Refusal};
use crate::position::Position;
use crate::topic::Topic;

type Published = Result<Option<Position>, PublishError>;

const LOST: PublishError = PublishError::Unknown(Doubt::ConnectionLost);

fn refused(refusal: Refusal) -> PublishError {
    PublishError::Refused(refusal)
}

fn kind(outgoing: &Outgoing) -> MessageKind {
    outgoing.message.kind()
}

/// Publishes on a topic without history: accepted when the server has handled it.
pub(super) async fn plain(
    connection: &Connection,
    subjects: &Subjects,
    topic: Topic,
    outgoing: Outgoing,
    permit: OwnedSemaphorePermit,
) -> Published {
    let (done, result) = Done::new();
    let sending = Sending {
        subject: subjects.plain(&topic),
        kind: kind(&outgoing),
        headers: wire::headers(&topic, &outgoing),
        payload: outgoing.message.into_bytes(),
        to: To::Subscribers { done },
        permit,
        topic,
    };
    connection.send(Command::Publish(Box::new(sending)));
    match result.await {
        Ok(None) => Ok(None),
        Ok(Some(refusal)) => Err(refused(refusal)),
        Err(_) => Err(LOST),
    }
}

/// Publishes on a topic with history: accepted when the stream has stored it.
pub(super) async fn stored(
    connection: &Connection,
    log: &Log,
    subjects: &Subjects,
    topic: Topic,
    outgoing: Outgoing,
    permits: &Arc<tokio::sync::Semaphore>,
) -> Published {
    let mut expected = outgoing.after.map(|after| after.offset);
    // Once more after each answer which says for sure that nothing was stored, and why that is different now.
    for _ in 0..4 {
        let mut headers = wire::headers(&topic, &outgoing).unwrap_or_default();
        if let Some(after) = outgoing.after {
            let mut info = log.any(connection).await.map_err(problem)?;
            if info.epoch != after.epoch {
                info = log.now(connection).await.map_err(problem)?;
            }
            if info.epoch != after.epoch {
                return Err(refused(Refusal::Conflict));
            }
            headers.insert(NATS_EXPECTED_STREAM, info.name);
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.unwrap_or(0).to_string());
        }
        let Ok(permit) = Arc::clone(permits).acquire_owned().await else { return Err(LOST) };
        let mut answer = connection.inbox.one();
        let (done, handed) = Done::new();
        let sending = Sending {
            topic: topic.clone(),
            subject: subjects.log(log.set(), &topic),
            kind: kind(&outgoing),
            headers: Some(headers),
            payload: outgoing.message.clone().into_bytes(),
            to: To::Stream { reply: answer.subject.clone(), done },
            permit,
        };
        connection.send(Command::Publish(Box::new(sending)));
        // It ends when the publication is handed to the client library, with a refusal or without.
        if let Ok(Some(refusal)) = handed.await {
            return Err(refused(refusal));
        }
        let raw = (&mut answer.answer).await.map_err(|_| LOST)?;
        match wire::answer(&raw) {
            Answer::Stored(position) => return Ok(Some(position)),
            // It was lost, or there was none yet.
            Answer::NoStream => drop(log.now(connection).await.map_err(problem)?),
            Answer::WrongLast(last) => {
                let after = outgoing.after.ok_or(LOST)?;
                if !is_end(connection, log, after, last).await? || expected == Some(last) {
                    return Err(refused(Refusal::Conflict));
                }
                expected = Some(last);
            }
            Answer::Refused(reason) => return Err(refused(Refusal::Broker(reason))),
            Answer::Unclear => return Err(LOST),
        }
    }
    Err(refused(Refusal::Broker("the stream of the topic is being made anew again and again".to_owned())))
}

/// Whether a position is the end of a topic although no publication is stored there: the position is a place after which all
/// come, or the publication has expired. `last` is the sequence number of the last one, 0 if there is none.
async fn is_end(connection: &Connection, log: &Log, after: Position, last: u64) -> Result<bool, PublishError> {
    if last >= after.offset {
        return Ok(false);
    }
    let now = log.now(connection).await.map_err(problem)?;
    Ok(is_end_of(&now, after, last))
}

fn is_end_of(stream: &Info, after: Position, last: u64) -> bool {
    let is_place = stream.epoch == after.epoch && after.offset <= stream.last;
    // Else others may have come and gone since.
    is_place && (last > 0 || stream.first <= after.offset.saturating_add(1))
}

/// Nothing was sent.
fn problem(problem: Problem) -> PublishError {
    refused(match problem {
        Problem::Unavailable => Refusal::Unavailable { locally: 0 },
        Problem::Refused(reason) => Refusal::Broker(reason),
        Problem::NoStream => Refusal::Broker(NO_JETSTREAM.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Epoch;

    #[test]
    fn a_place_is_the_end_of_a_topic_if_nothing_can_have_come_after_it() {
        let stream = Info { name: "S".to_owned(), epoch: Epoch(1), first: 5, last: 9, differences: Vec::new() };
        let is_end = |offset, last| is_end_of(&stream, Position::new(Epoch(1), offset), last);
        assert!(is_end(9, 0) && is_end(4, 0), "nothing was removed after it");
        assert!(!is_end(3, 0), "others may have come and gone");
        assert!(is_end(3, 2), "the one before it is still there");
        assert!(!is_end(10, 0) && !is_end(10, 7), "the stream has no such place");
        assert!(!is_end_of(&stream, Position::new(Epoch(2), 9), 0));
    }
}
