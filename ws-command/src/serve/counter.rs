//! `/counter`: a number that all clients see and change.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use ws_hub::{
    Delivery, Doubt, Hub, Position, PresenceEvent, Publication, PublishError, ReadError, Refusal, TopicPresence,
};
use ws_tokio::{ByteString, CloseCode, EscapedBytes, HandlerResult, Message, Sender, WebSocket};

use super::guest;
use super::seldom::Seldom;

/// The topic of the values, and of who is there.
pub(super) const TOPIC: &str = "ws-demo/counter";

/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of an invalid request that are logged.
const LOGGED: usize = 75;

/// A request from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Plus,
    Minus,
}

/// A message to clients.
#[derive(Debug)]
enum Notice<'a> {
    Users { count: usize },
    State { value: i64 },
    Error { message: &'a str },
}

impl From<Notice<'_>> for Message {
    fn from(notice: Notice<'_>) -> Self {
        Self::from(match notice {
            Notice::Users { count } => format!(r#"{{"type":"users","count":{count}}}"#),
            Notice::State { value } => format!(r#"{{"type":"state","value":{value}}}"#),
            Notice::Error { message } => format!(r#"{{"type":"error","message":{}}}"#, Value::from(message)),
        })
    }
}

/// The counter of all instances. Its value is the last publication of its topic.
pub(super) struct Counter {
    hub: Hub,
    people: TopicPresence,
    /// The last value that is known here.
    known: watch::Sender<Option<Known>>,
    /// Those who change the value here: one after the other, so that they do not compete with each other.
    turn: tokio::sync::Mutex<()>,
    /// Invalid requests of all clients.
    invalid: Mutex<Seldom>,
}

/// A value, and the place after it in the topic.
#[derive(Debug, Clone, Copy)]
struct Known {
    value: i64,
    position: Position,
}

impl Counter {
    pub(super) async fn new(hub: &Hub) -> Arc<Self> {
        let counter = Arc::new(Self {
            hub: hub.clone(),
            people: hub.presence(TOPIC).await.expect("anyone may"),
            known: watch::Sender::new(None),
            turn: tokio::sync::Mutex::default(),
            invalid: Mutex::default(),
        });
        let follower = Arc::clone(&counter);
        tokio::spawn(async move { follower.follow().await });
        counter
    }

    /// Runs one connection, until it closes.
    pub(super) async fn join(&self, mut ws: WebSocket) -> HandlerResult {
        let sender = ws.sender();
        let _joined = self.people.join(guest::member(&ws));
        let mut watch = self.people.watch();
        let mut count = 0;
        tell_users(&sender, watch.next().await, &mut count).await;
        tokio::select! {
            end = self.listen(&mut ws) => end,
            // They do not end.
            () = self.tell_state(&sender) => Ok(()),
            () = async { loop { tell_users(&sender, watch.next().await, &mut count).await } } => Ok(()),
        }
    }

    async fn listen(&self, ws: &mut WebSocket) -> HandlerResult {
        while let Some(message) = ws.recv().await? {
            match parse(&message) {
                Ok(action) => {
                    if let Err(problem) = self.act(action).await {
                        ws.send(Notice::Error { message: &problem }).await?;
                    }
                }
                Err(problem) => {
                    ws.send(Notice::Error { message: &problem }).await?;
                    if let Some(count) = lock(&self.invalid).count(Instant::now()) {
                        let start = &message.as_bytes()[..message.len().min(LOGGED)];
                        let latest = EscapedBytes(start);
                        tracing::warn!(count, client = ws.id(), ?latest, problem, "invalid requests");
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends the value, and each that comes after it.
    async fn tell_state(&self, sender: &Sender) {
        // Without the broker, there may be none for a while.
        let mut all_known = self.known.subscribe();
        let known = all_known.wait_for(Option::is_some).await.ok().and_then(|known| *known);
        let Some(Known { value, position }) = known else { return pending().await };
        // A connection that is lost ends the handler.
        let _ = sender.send(Notice::State { value }).await;
        let Ok(mut values) = self.hub.subscribe(TOPIC).since(position).await else { return pending().await };
        let (mut told, mut is_missing) = (value, false);
        loop {
            let value = tokio::select! {
                delivery = values.next() => match delivery {
                    Some(Delivery::Publication(publication)) if !publication.is_local => {
                        is_missing = false;
                        value_of(&publication)
                    }
                    // What is known by now is newer than what is missing, or what is known soon.
                    Some(Delivery::Gap(_) | Delivery::Unrecoverable(_)) => {
                        is_missing = true;
                        all_known.borrow_and_update().map(|known| known.value)
                    }
                    Some(_) => None,
                    None => break,
                },
                Ok(()) = all_known.changed(), if is_missing => {
                    all_known.borrow_and_update().map(|known| known.value).filter(|value| *value != told)
                }
            };
            if let Some(value) = value {
                told = value;
                let _ = sender.send(Notice::State { value }).await;
            }
        }
        tracing::warn!(client = sender.id(), "closed: the client does not read its messages");
        let _ = sender.close(CloseCode::TRY_AGAIN_LATER, "too slow").await;
        pending().await
    }

    /// Changes the value by one, at all instances.
    async fn act(&self, action: Action) -> Result<(), String> {
        match timeout(PATIENCE, self.try_act(action)).await {
            Ok(result) => result,
            Err(_) => Err(format!("not certain whether this was counted: no answer in {} s", PATIENCE.as_secs())),
        }
    }

    async fn try_act(&self, action: Action) -> Result<(), String> {
        if let Some(cause) = self.hub.outage() {
            return Err(format!("not counted: {cause}"));
        }
        let _turn = self.turn.lock().await;
        let promises = self.hub.promises();
        let known = *self.known.borrow();
        let mut known = match known {
            Some(known) => known,
            None => self.read().await.map_err(|error| format!("not counted: {error}"))?,
        };
        let key = ByteString::from(format!("{:032x}", rand::random::<u128>()));
        let mut conflicts = 0;
        let mut doubt = None;
        loop {
            let value = apply(known.value, action);
            let mut publish = self.hub.publish(TOPIC, value.to_string());
            // Without this, changes at two instances at the same time can count as one.
            if promises.conditional {
                publish = publish.after(known.position);
            }
            if promises.idempotent {
                publish = publish.idempotency_key(key.clone());
            }
            match publish.await {
                Ok(position) => {
                    if let Some(position) = position {
                        self.learn(Known { value, position });
                    }
                    return Ok(());
                }
                // With a doubt, the other value can be that of the earlier attempt.
                Err(PublishError::Refused(Refusal::Conflict)) if doubt.is_none() => {
                    conflicts += 1;
                    sleep(Duration::from_micros(rand::random_range(0..500 * conflicts.min(20)))).await;
                    known = self.read().await.map_err(|error| format!("not counted: {error}"))?;
                }
                // With its key, it is not counted twice.
                Err(PublishError::Unknown(unknown)) if promises.idempotent && self.hub.outage().is_none() => {
                    doubt = Some(unknown);
                    sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(uncounted(error, doubt)),
            }
        }
    }

    /// Reads the value from the broker. Where it has lost it, the last value that is known here goes on.
    async fn read(&self) -> Result<Known, ReadError> {
        let page = self.hub.latest(TOPIC, 1).await?;
        let last = page
            .publications
            .last()
            .and_then(|publication| Some(Known { value: value_of(publication)?, position: publication.position? }));
        let value = self.known.borrow().map_or(0, |known| known.value);
        Ok(last.unwrap_or(Known { value, position: page.end() }))
    }

    fn learn(&self, new: Known) {
        self.known.send_modify(|known| {
            let is_older = known.is_some_and(|known| {
                known.position.epoch == new.position.epoch && known.position.offset > new.position.offset
            });
            if !is_older {
                *known = Some(new);
            }
        });
    }

    /// Keeps up with the value, for as long as the server runs.
    async fn follow(&self) {
        loop {
            match self.read().await {
                Ok(known) => {
                    self.learn(known);
                    self.follow_from(known).await;
                }
                Err(_) => sleep(Duration::from_millis(rand::random_range(100..1000))).await,
            }
        }
    }

    /// Keeps up until the topic's history is lost, or something was missed.
    async fn follow_from(&self, known: Known) {
        let Ok(mut values) = self.hub.subscribe(TOPIC).since(known.position).await else { return pending().await };
        while let Some(delivery) = values.next().await {
            match delivery {
                Delivery::Publication(publication) if !publication.is_local => {
                    if let Some((value, position)) = value_of(&publication).zip(publication.position) {
                        self.learn(Known { value, position });
                    }
                }
                Delivery::Gap(_) | Delivery::Unrecoverable(_) => return self.restore().await,
                _ => {}
            }
        }
    }

    /// Publishes the value that is known here, if the broker has lost it.
    async fn restore(&self) {
        let known = *self.known.borrow();
        if let Some(Known { value, .. }) = known.filter(|_| self.hub.promises().conditional)
            && let Ok(page) = self.hub.latest(TOPIC, 1).await
            && page.publications.is_empty()
        {
            // A conflict is another instance that does the same.
            let _ = self.hub.publish(TOPIC, value.to_string()).after(page.end()).await;
        }
    }
}

/// What a client is told of a change that was not accepted, after a doubt about an earlier attempt, which may still count.
fn uncounted(error: PublishError, doubt: Option<Doubt>) -> String {
    match (error, doubt) {
        (PublishError::Refused(_), Some(doubt)) => uncounted(PublishError::Unknown(doubt), None),
        (error @ PublishError::Refused(_), None) => format!("not counted: {error}"),
        (error, _) => format!("not certain whether this was counted: {error}"),
    }
}

/// Sends the number of clients, if it has changed.
async fn tell_users(sender: &Sender, event: PresenceEvent, count: &mut usize) {
    match event {
        PresenceEvent::Members(members) => *count = members.len(),
        PresenceEvent::Joined(_) => *count += 1,
        PresenceEvent::Left(_) => *count = count.saturating_sub(1),
        _ => return,
    }
    // A connection that is lost ends the handler.
    let _ = sender.send(Notice::Users { count: *count }).await;
}

fn value_of(publication: &Publication) -> Option<i64> {
    publication.message.as_text()?.parse().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it holds is valid even after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn apply(value: i64, action: Action) -> i64 {
    match action {
        Action::Plus => value.saturating_add(1),
        Action::Minus => value.saturating_sub(1),
    }
}

/// The action that a message asks for, or the reason why the message is invalid.
fn parse(message: &Message) -> Result<Action, String> {
    const EXPECTED: &str = r#"expected {"action":"plus"} or {"action":"minus"}"#;
    let text = message.as_text().ok_or("expected text, not binary")?;
    match serde_json::from_str::<Value>(text) {
        Ok(request) if request == json!({"action": "plus"}) => Ok(Action::Plus),
        Ok(request) if request == json!({"action": "minus"}) => Ok(Action::Minus),
        Ok(_) => Err(EXPECTED.into()),
        Err(error) => Err(format!("{EXPECTED}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_which_an_attempt_is_in_doubt_is_not_called_uncounted() {
        let unavailable = || PublishError::Refused(Refusal::Unavailable { locally: 0 });
        let doubt = Doubt::ConnectionLost;
        assert!(uncounted(unavailable(), None).starts_with("not counted: "));
        for error in [unavailable(), PublishError::Refused(Refusal::Conflict), PublishError::Unknown(doubt)] {
            assert!(uncounted(error, Some(doubt)).starts_with("not certain whether this was counted: "));
        }
    }

    fn json(notice: Notice<'_>) -> String {
        Message::from(notice).as_text().unwrap().to_owned()
    }

    #[test]
    fn notices_have_exactly_these_forms() {
        assert_eq!(json(Notice::Users { count: 3 }), r#"{"type":"users","count":3}"#);
        assert_eq!(json(Notice::State { value: -7 }), r#"{"type":"state","value":-7}"#);
        assert_eq!(json(Notice::Error { message: "a \"b\"" }), r#"{"type":"error","message":"a \"b\""}"#);
    }

    #[test]
    fn actions() {
        assert_eq!(parse(&Message::from(r#"{"action":"plus"}"#)), Ok(Action::Plus));
        assert_eq!(parse(&Message::from(" { \"action\" : \"minus\" }\n")), Ok(Action::Minus));
    }

    #[test]
    fn anything_else_is_invalid() {
        for bad in [
            "",
            "plus",
            "null",
            "[]",
            r#""plus""#,
            r#"["plus"]"#,
            r#"{"action":{"plus":null}}"#,
            r#"{}"#,
            r#"{"action":"times"}"#,
            r#"{"action":"Plus"}"#,
            r#"{"action":null}"#,
            r#"{"action":["plus"]}"#,
            r#"{"action":"plus","by":2}"#,
            r#"{"action":"plus"} {"action":"plus"}"#,
            r#"{"type":"state","value":1}"#,
        ] {
            assert!(parse(&Message::from(bad)).is_err(), "{bad}");
        }
        assert!(parse(&Message::from(vec![0xff])).is_err());
        assert!(parse(&Message::from("[".repeat(100_000))).is_err());
    }

    #[test]
    fn the_value_stays_where_it_cannot_go_further() {
        assert_eq!(apply(0, Action::Minus), -1);
        assert_eq!(apply(i64::MAX, Action::Plus), i64::MAX);
        assert_eq!(apply(i64::MIN, Action::Minus), i64::MIN);
    }
}
