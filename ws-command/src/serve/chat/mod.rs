//! `/chat`: every text goes to everyone, at all instances.

mod form;

use std::future::pending;

use jiff::Zoned;
use tokio::sync::watch;
use ws_hub::{Doubt, GapCause, Hub, Position, PresenceEvent, PresenceWatch, PublishError, Refusal, TopicPresence};
use ws_tokio::{ByteString, CloseCode, HandlerResult, Sender, WebSocket};

use self::form::{Event, Form, Saying};
use super::guest;

/// The topic of the lines, and of who is there.
pub(super) const TOPIC: &str = "ws-demo/chat";

/// The lines that a newcomer sees.
const SHOWN: usize = 50;

/// How often a line is published, if the broker's answer to it does not come.
const ATTEMPTS: usize = 3;

pub(super) struct Chat {
    hub: Hub,
    people: TopicPresence,
    outage: watch::Receiver<Option<GapCause>>,
}

impl Chat {
    pub(super) async fn new(hub: &Hub, outage: watch::Receiver<Option<GapCause>>) -> Self {
        Self { hub: hub.clone(), people: hub.presence(TOPIC).await.expect("anyone may"), outage }
    }

    /// Runs one connection, until it closes.
    pub(super) async fn join(&self, mut ws: WebSocket) -> HandlerResult {
        let form = if ws.query("json").is_some() { Form::Events } else { Form::Lines };
        let since = ws.query("since").and_then(|text| text.parse().ok());
        let sender = ws.sender();
        let _joined = self.people.join(guest::member(&ws));
        tokio::select! {
            end = self.listen(&mut ws, form) => end,
            // They do not end.
            () = self.tell_lines(&sender, form, since) => Ok(()),
            () = self.tell_people(&sender, self.people.watch()), if form == Form::Events => Ok(()),
            () = self.tell_outages(&sender), if form == Form::Events => Ok(()),
        }
    }

    /// Publishes what a client says.
    async fn listen(&self, ws: &mut WebSocket, form: Form) -> HandlerResult {
        if form == Form::Events {
            ws.send(Event::Hello { resend: self.hub.promises().idempotent }).await?;
        }
        while let Some(message) = ws.recv().await? {
            let Some(text) = message.as_text() else {
                ws.close(CloseCode::UNSUPPORTED_DATA, "the chat is text only").await?;
                break;
            };
            match form {
                Form::Lines => {
                    if let Err(problem) = self.say(text, None).await {
                        ws.send(format!("({problem})")).await?;
                    }
                }
                Form::Events => match Saying::parse(text) {
                    Ok(Saying { text, key }) => {
                        let problem = self.say(&text, Some(&key)).await.err().map(|error| error.to_string());
                        ws.send(Event::Said { key: &key, problem: problem.as_deref() }).await?;
                    }
                    Err(problem) => ws.send(Event::Error { message: &problem }).await?,
                },
            }
        }
        Ok(())
    }

    /// Publishes a line. Without the broker, those at this instance get it, which counts as said.
    async fn say(&self, text: &str, key: Option<&str>) -> Result<(), PublishError> {
        let line = line(&Zoned::now(), text);
        let random = || format!("{:032x}", rand::random::<u128>());
        let key = self.hub.promises().idempotent.then(|| ByteString::from(key.map_or_else(random, str::to_owned)));
        let mut attempts = 0;
        let mut doubt = None;
        loop {
            attempts += 1;
            let publish = self.hub.publish(TOPIC, line.as_str());
            let published = match &key {
                Some(key) => publish.idempotency_key(key.clone()).await,
                None => publish.await,
            };
            match published {
                Ok(_) => return Ok(()),
                // With its key, it is not published twice.
                Err(PublishError::Unknown(unknown))
                    if key.is_some() && attempts < ATTEMPTS && self.hub.outage().is_none() =>
                {
                    doubt = Some(unknown);
                }
                Err(error) => return said(error, doubt),
            }
        }
    }

    /// Sends the lines: those since a position, or the last ones; then all that come.
    async fn tell_lines(&self, sender: &Sender, form: Form, since: Option<Position>) {
        // Whatever was missed but cannot be had, the last lines are shown.
        let subscribed = self.hub.subscribe(TOPIC).since(since).last(SHOWN).bound(1000, 16 << 20).await;
        let Ok(mut lines) = subscribed else { return pending().await };
        if let (Form::Events, Some(position)) = (form, lines.start()) {
            // A connection that is lost ends the handler.
            let _ = sender.send(Event::Start { position }).await;
        }
        while let Some(delivery) = lines.next().await {
            if let Some(message) = form.message(&delivery) {
                let _ = sender.send_prepared(&message).await;
            }
        }
        tracing::warn!(client = sender.id(), "closed: the client does not read its messages");
        let _ = sender.close(CloseCode::TRY_AGAIN_LATER, "too slow").await;
        pending().await
    }

    /// Sends who is there, and who comes and leaves.
    async fn tell_people(&self, sender: &Sender, mut watch: PresenceWatch) {
        loop {
            let event = match watch.next().await {
                PresenceEvent::Joined(member) => Event::Joined { name: member.data },
                PresenceEvent::Left(member) => Event::Left { name: member.data },
                PresenceEvent::Members(members) => Event::here(members),
                _ => Event::here(self.people.members()),
            };
            let _ = sender.send(event).await;
        }
    }

    /// Sends whether the broker can be reached.
    async fn tell_outages(&self, sender: &Sender) {
        let mut outage = self.outage.clone();
        let mut told = None;
        loop {
            let now = *outage.borrow_and_update();
            if now != told {
                told = now;
                let _ = sender.send(Event::Broker { problem: now }).await;
            }
            if outage.changed().await.is_err() {
                return pending().await;
            }
        }
    }
}

/// What becomes of a line that was not accepted, after a doubt about an earlier attempt. The earlier one may still come, and can
/// be told from another line only by its key.
fn said(error: PublishError, doubt: Option<Doubt>) -> Result<(), PublishError> {
    match (error, doubt) {
        (PublishError::Refused(_), Some(doubt)) => Err(PublishError::Unknown(doubt)),
        (PublishError::Refused(Refusal::Unavailable { .. }), None) => Ok(()),
        (error, _) => Err(error),
    }
}

/// `[HH:MM:SS] text`, in the server's own time zone.
fn line(now: &Zoned, text: &str) -> String {
    format!("[{}] {text}", now.strftime("%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_which_an_attempt_is_in_doubt_is_not_said() {
        let doubt = Doubt::TimedOut;
        let unavailable = || PublishError::Refused(Refusal::Unavailable { locally: 1 });
        assert_eq!(said(unavailable(), None), Ok(()));
        for error in [unavailable(), PublishError::Refused(Refusal::Conflict), PublishError::Unknown(doubt)] {
            assert_eq!(said(error, Some(doubt)), Err(PublishError::Unknown(doubt)));
        }
        let refused = PublishError::Refused(Refusal::Forbidden);
        assert_eq!(said(refused.clone(), None), Err(refused));
    }

    #[test]
    fn a_line_is_stamped_with_the_local_time() {
        let now = jiff::civil::date(2026, 11, 5).at(9, 3, 7, 0).to_zoned(jiff::tz::offset(-5).to_time_zone()).unwrap();
        assert_eq!(line(&now, "hi <b>"), "[09:03:07] hi <b>");
    }
}
