//! Publishing: the commands, and what their answers mean.

use ::redis::{ErrorKind, ServerErrorKind, cmd, from_redis_value};

use super::link::{AFTERWARDS, end_if_replica, entries, milliseconds, new_epoch, position};
use super::outbox::Failed;
use super::session::{Session, Shared};
use super::wire;
use crate::backplane::{Doubt, Outgoing, PublishError, Refusal};
use crate::options::History;
use crate::position::Position;
use crate::random;
use crate::topic::Topic;

type Published = Result<Option<Position>, PublishError>;

impl Shared {
    pub(super) async fn publish_live(&self, session: &Session, topic: &Topic, outgoing: &Outgoing) -> Published {
        let payload = wire::encode(&outgoing.message, outgoing.key.as_ref());
        let mut publish = cmd("PUBLISH");
        publish.arg(self.settings.channel(topic.as_str())).arg(payload);
        session.outbox.run(publish, outgoing.message.len()).await.map_err(|failed| refused(session, failed))?;
        Ok(None)
    }

    pub(super) async fn add_to_history(
        &self,
        session: &Session,
        topic: &Topic,
        outgoing: &Outgoing,
        history: &History,
    ) -> Published {
        let (message, key) = (&outgoing.message, outgoing.key.as_ref());
        let mut body = Vec::new();
        wire::body(&mut body, message, key);
        let once = outgoing.idempotency_key.as_ref().map(|name| self.settings.once(topic.as_str(), name));
        let mut script = cmd("EVALSHA");
        script.arg(self.scripts.publish.get_hash()).arg(1 + usize::from(once.is_some()));
        script.arg(self.settings.stream(topic.as_str())).arg(once);
        script.arg(self.settings.channel(topic.as_str())).arg(entries(history.size));
        script.arg(milliseconds(history.age)).arg(milliseconds(history.age.saturating_add(AFTERWARDS)));
        // The upper half of the sequence numbers is for publications of the same millisecond.
        script.arg(new_epoch()).arg(random::u64() >> 43);
        script.arg(wire::head(message, key)).arg(body);
        match outgoing.after {
            Some(after) => script.arg(after.epoch.to_string()).arg(wire::id(after.offset)),
            None => script.arg("").arg(""),
        };
        let answer = match session.outbox.run(script.clone(), message.len()).await {
            Err(Failed::Broker(error)) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                let mut commands = session.commands.clone();
                match session.end.or(self.scripts.publish.load_async(&mut commands)).await {
                    Some(Err(error)) if !error.is_io_error() => return Err(refused(session, Failed::Broker(error))),
                    Some(Ok(_)) => session.outbox.run(script, message.len()).await,
                    _ => Err(Failed::Unsent),
                }
            }
            answer => answer,
        };
        let answer = answer.map_err(|failed| refused(session, failed))?;
        let answer = from_redis_value::<Vec<String>>(answer).unwrap_or_default();
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["conflict"] => Err(PublishError::Refused(Refusal::Conflict)),
            ["new" | "again", epoch, id] => Ok(position(epoch, id)),
            _ => Err(PublishError::Unknown(Doubt::ConnectionLost)),
        }
    }
}

pub(super) fn unavailable() -> PublishError {
    PublishError::Refused(Refusal::Unavailable { locally: 0 })
}

/// What becomes of a publication whose command has no result.
fn refused(session: &Session, failed: Failed) -> PublishError {
    let error = match failed {
        Failed::Broker(error) => error,
        Failed::Unsent => return unavailable(),
        Failed::Lost => return PublishError::Unknown(Doubt::ConnectionLost),
    };
    end_if_replica(session, &error);
    match error.code() {
        // It cannot take publications at all, now.
        Some("READONLY" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN") => unavailable(),
        Some(code) => PublishError::Refused(Refusal::Broker(format!("{code} {}", error.detail().unwrap_or_default()))),
        None => PublishError::Unknown(Doubt::ConnectionLost),
    }
}
