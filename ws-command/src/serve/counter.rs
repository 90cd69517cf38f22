//! `/counter`: a number that all clients see and change.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use ws_tokio::{EscapedBytes, HandlerResult, Message, WebSocket};

use super::audience::Audience;
use super::seldom::Seldom;

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

/// The counter. Each change and its broadcast happen under one lock. So no change is lost, and all clients see the same
/// values in the same order.
#[derive(Default)]
pub(super) struct Counter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    value: i64,
    audience: Audience,
    /// Invalid requests of all clients.
    invalid: Seldom,
}

impl Counter {
    /// Runs one connection, until it closes.
    pub(super) async fn join(&self, mut ws: WebSocket) -> HandlerResult {
        self.state(|state| state.welcome(&ws));
        let _membership = Membership { counter: self, id: ws.id() };
        self.listen(&mut ws).await
    }

    async fn listen(&self, ws: &mut WebSocket) -> HandlerResult {
        while let Some(message) = ws.recv().await? {
            match parse(&message) {
                Ok(action) => self.state(|state| state.act(action)),
                Err(problem) => {
                    let log = self.state(|state| {
                        state.audience.send(ws.id(), Notice::Error { message: &problem }.into());
                        state.invalid.count(Instant::now())
                    });
                    if let Some(count) = log {
                        let start = &message.as_bytes()[..message.len().min(LOGGED)];
                        let latest = EscapedBytes(start);
                        tracing::warn!(count, client = ws.id(), ?latest, problem, "invalid requests");
                    }
                }
            }
        }
        Ok(())
    }

    fn state<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        // The value and the list of members are valid even after a panic.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A client's membership. Dropping it removes the client, also when a panic drops it.
struct Membership<'a> {
    counter: &'a Counter,
    id: u64,
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.counter.state(|state| state.leave(self.id));
    }
}

impl State {
    fn welcome(&mut self, ws: &WebSocket) {
        self.audience.add(ws);
        self.announce_users();
        self.audience.send(ws.id(), Notice::State { value: self.value }.into());
    }

    fn leave(&mut self, id: u64) {
        self.audience.remove(id);
        self.announce_users();
    }

    fn act(&mut self, action: Action) {
        self.value = apply(self.value, action);
        self.audience.broadcast(Notice::State { value: self.value });
    }

    fn announce_users(&mut self) {
        let count = self.audience.len();
        self.audience.broadcast(Notice::Users { count });
    }
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
