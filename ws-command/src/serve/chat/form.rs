//! The two forms of the chat: lines of text for people at a terminal, and events in JSON for the page.

use serde_json::{Value, json};
use ws_hub::{Delivery, GapCause, Member, Position};
use ws_tokio::{ByteString, Message, Prepared};

/// The longest key of a saying, in bytes.
const LONGEST_KEY: usize = 64;

/// What a connection sends and receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines of text. Whatever else there is to say stands between parentheses.
    Lines,
    /// [`Event`]s and [`Saying`]s, as JSON.
    Events,
}

impl Form {
    /// The message of a delivery.
    pub(super) fn message(self, delivery: &Delivery) -> Option<Prepared> {
        match (self, delivery) {
            (Self::Lines, Delivery::Publication(publication)) => Some(publication.prepared().clone()),
            (Self::Lines, Delivery::Gap(gap)) => Some(notice(&gap.cause)),
            (Self::Lines, Delivery::Unrecoverable(reason)) => Some(notice(reason)),
            (Self::Lines, _) => None,
            (Self::Events, Delivery::Publication(publication)) => {
                let text = publication.message.as_text()?;
                Some(Event::Line { text, position: publication.position, local: publication.is_local }.into())
            }
            (Self::Events, Delivery::Gap(gap)) => Some(Event::Gap { cause: &gap.cause.to_string() }.into()),
            (Self::Events, Delivery::Unrecoverable(reason)) => Some(Event::Gap { cause: &reason.to_string() }.into()),
            (Self::Events, Delivery::Recovered { publications }) => {
                Some(Event::Recovered { publications: *publications }.into())
            }
            (Self::Events, _) => None,
        }
    }
}

fn notice(cause: &dyn std::fmt::Display) -> Prepared {
    Prepared::new(format!("(some messages may be missing here: {cause})"))
}

/// A message to the page.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// The first one: whether sayings without an answer can be sent again.
    Hello { resend: bool },
    /// The place where the lines begin.
    Start { position: Position },
    /// A line. The page asks for those after its position when it connects again.
    Line { text: &'a str, position: Option<Position>, local: bool },
    /// Lines may be missing here.
    Gap { cause: &'a str },
    /// These many lines before it were asked for, and are complete.
    Recovered { publications: usize },
    /// The answer to a saying. With a problem, it is not certain that it was said.
    Said { key: &'a str, problem: Option<&'a str> },
    /// Everyone who is there.
    Here { names: Vec<ByteString> },
    /// Somebody came.
    Joined { name: ByteString },
    /// Somebody left.
    Left { name: ByteString },
    /// The reason why the broker cannot be reached, or none when it can.
    Broker { problem: Option<GapCause> },
    /// A message was not understood.
    Error { message: &'a str },
}

impl Event<'_> {
    pub(super) fn here(members: Vec<Member>) -> Self {
        Self::Here { names: members.into_iter().map(|member| member.data).collect() }
    }

    fn json(&self) -> Value {
        match self {
            Self::Hello { resend } => json!({"type": "hello", "resend": resend}),
            Self::Start { position } => json!({"type": "start", "position": position.to_string()}),
            Self::Line { text, position: Some(position), .. } => {
                json!({"type": "line", "text": text, "position": position.to_string()})
            }
            Self::Line { text, local, .. } => json!({"type": "line", "text": text, "local": local}),
            Self::Gap { cause } => json!({"type": "gap", "cause": cause}),
            Self::Recovered { publications } => json!({"type": "recovered", "lines": publications}),
            Self::Said { key, problem } => json!({"type": "said", "key": key, "problem": problem}),
            Self::Here { names } => {
                json!({"type": "here", "names": names.iter().map(|name| &**name).collect::<Vec<_>>()})
            }
            Self::Joined { name } => json!({"type": "joined", "name": &**name}),
            Self::Left { name } => json!({"type": "left", "name": &**name}),
            Self::Broker { problem } => {
                json!({"type": "broker", "problem": problem.as_ref().map(ToString::to_string)})
            }
            Self::Error { message } => json!({"type": "error", "message": message}),
        }
    }
}

impl From<Event<'_>> for Message {
    fn from(event: Event<'_>) -> Self {
        Self::from(event.json().to_string())
    }
}

/// A message from the page. The key names it, so that it is said once even if it is sent again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Saying {
    pub(super) text: String,
    pub(super) key: String,
}

impl Saying {
    pub(super) fn parse(message: &str) -> Result<Self, String> {
        const EXPECTED: &str = r#"expected {"text":"…","key":"…"} with a key of 1 to 64 bytes"#;
        let value: Value = serde_json::from_str(message).map_err(|error| format!("{EXPECTED}: {error}"))?;
        match (value.get("text").and_then(Value::as_str), value.get("key").and_then(Value::as_str)) {
            (Some(text), Some(key)) if (1..=LONGEST_KEY).contains(&key.len()) => {
                Ok(Self { text: text.to_owned(), key: key.to_owned() })
            }
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_exactly_these_forms() {
        let position: Position = "00c0ffee00c0ffee:18446744073709551615".parse().unwrap();
        for (event, expected) in [
            (Event::Hello { resend: true }, r#"{"resend":true,"type":"hello"}"#),
            (Event::Start { position }, r#"{"position":"00c0ffee00c0ffee:18446744073709551615","type":"start"}"#),
            (
                Event::Line { text: "\"é\"\n", position: Some(position), local: false },
                r#"{"position":"00c0ffee00c0ffee:18446744073709551615","text":"\"é\"\n","type":"line"}"#,
            ),
            (Event::Line { text: "", position: None, local: true }, r#"{"local":true,"text":"","type":"line"}"#),
            (Event::Gap { cause: "lost" }, r#"{"cause":"lost","type":"gap"}"#),
            (Event::Recovered { publications: 3 }, r#"{"lines":3,"type":"recovered"}"#),
            (Event::Said { key: "k", problem: None }, r#"{"key":"k","problem":null,"type":"said"}"#),
            (Event::Broker { problem: None }, r#"{"problem":null,"type":"broker"}"#),
            (
                Event::Broker { problem: Some(GapCause::BrokerSilent) },
                r#"{"problem":"the broker was silent","type":"broker"}"#,
            ),
        ] {
            assert_eq!(Message::from(event).as_text(), Some(expected));
        }
        let members = vec![Member::new("1", "Ada").unwrap(), Member::new("2", "<b>").unwrap()];
        assert_eq!(Event::here(members).json().to_string(), r#"{"names":["Ada","<b>"],"type":"here"}"#);
    }

    #[test]
    fn sayings() {
        let saying = Saying { text: "hi".into(), key: "k".into() };
        assert_eq!(Saying::parse(r#"{"text":"hi","key":"k","more":[]}"#), Ok(saying));
        let long = format!(r#"{{"text":"hi","key":"{}"}}"#, "k".repeat(65));
        for bad in
            ["", "hi", "null", "[]", r#"{"text":"hi"}"#, r#"{"text":"hi","key":""}"#, r#"{"text":1,"key":"k"}"#, &long]
        {
            assert!(Saying::parse(bad).is_err(), "{bad}");
        }
        assert!(Saying::parse(&"[".repeat(100_000)).is_err());
    }
}
