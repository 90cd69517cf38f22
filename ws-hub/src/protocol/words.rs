//! The messages of the protocol as JSON: [`CommandFrame`] from clients, [`ServerFrame`] from servers. `docs/hub-protocol.md` says
//! what they mean.
//!
//! Each is one flat object with all the fields that there are. A field that is absent and `null` are the same, except for `data`.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use ws_session::Prepared;

use super::payload::Payload;
use crate::presence::{Member, PresenceEvent};
use crate::publication::{Delivery, GapCause, Publication, Unrecoverable};

/// The largest number that is exact in every JSON parser.
const MAX_ID: u64 = (1 << 53) - 1;

/// A command.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct CommandFrame<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<u64>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<MemberFrame<'a>>,
}

/// An answer or a push.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct ServerFrame<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) local: Option<bool>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Cow<'a, str>>,
    /// A payload, or an explanation for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) publications: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<MemberFrame<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<Vec<MemberFrame<'a>>>,
}

/// A member.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct MemberFrame<'a> {
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Cow<'a, str>>,
}

/// `data` may be `null`, which is a value and not an absent field.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl CommandFrame<'_> {
    /// Reads a command. `Err` if its fields are not what they must be; then with the ID to answer to, if there is one.
    pub(crate) fn parse(text: &str) -> Result<CommandFrame<'_>, Unreadable> {
        /// A command of which nothing but its ID is understood.
        #[derive(Deserialize)]
        struct Known {
            id: Option<u64>,
        }
        let is_id = |id: &u64| *id <= MAX_ID;
        match serde_json::from_str::<CommandFrame<'_>>(text) {
            Ok(frame) if frame.id.as_ref().is_some_and(is_id) => Ok(frame),
            Ok(_) => Err(Unreadable { id: None, text: "a command has an id, a number from 0 to 2^53-1".into() }),
            Err(error) => {
                let id = serde_json::from_str::<Known>(text).ok().and_then(|known| known.id).filter(is_id);
                Err(Unreadable { id, text: error.to_string() })
            }
        }
    }
}

/// A message that is no command.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Option<u64>,
    pub(crate) text: String,
}

impl<'a> ServerFrame<'a> {
    pub(crate) fn ok(id: u64) -> Self {
        Self { kind: "ok".into(), id: Some(id), ..Self::default() }
    }

    pub(crate) fn error(id: u64, code: &'a str, text: String) -> Self {
        Self { kind: "error".into(), id: Some(id), code: Some(code.into()), text: Some(text.into()), ..Self::default() }
    }

    fn push(kind: &'a str, topic: &'a str) -> Self {
        Self { kind: kind.into(), topic: Some(topic.into()), ..Self::default() }
    }

    /// The push of a change of a topic's members.
    pub(crate) fn presence(topic: &'a str, event: &'a PresenceEvent) -> Self {
        let one = |kind, member| Self { member: Some(MemberFrame::of(member)), ..Self::push(kind, topic) };
        match event {
            PresenceEvent::Members(members) => {
                let members = members.iter().map(MemberFrame::of).collect();
                Self { members: Some(members), ..Self::push("members", topic) }
            }
            PresenceEvent::Joined(member) => one("joined", member),
            PresenceEvent::Changed(member) => one("changed", member),
            PresenceEvent::Left(member) => one("left", member),
        }
    }

    fn publication(publication: &'a Publication) -> Self {
        let Payload { data, text, binary } = Payload::of(&publication.message);
        Self {
            position: publication.position.map(|position| position.to_string().into()),
            key: publication.key.as_ref().map(|key| Cow::Borrowed(&**key)),
            local: publication.is_local.then_some(true),
            data,
            text: text.map(Cow::Borrowed),
            binary: binary.map(Cow::Owned),
            ..Self::push("publication", publication.topic.as_str())
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings, numbers and JSON that was parsed can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl<'a> MemberFrame<'a> {
    pub(crate) fn of(member: &'a Member) -> Self {
        let (data, text) = if member.data.is_empty() { (None, None) } else { Payload::of_text(&member.data) };
        Self { id: (&*member.id).into(), data, text: text.map(Cow::Borrowed) }
    }

    /// `None` if its ID or data are too long.
    #[cfg(feature = "client")]
    pub(crate) fn to_member(&self) -> Option<Member> {
        let data = self.data.map(|data| data.get()).or(self.text.as_deref()).unwrap_or_default();
        Member::new(&*self.id, data).ok()
    }
}

/// A delivery of a topic as a push. A publication is encoded once for all connections.
pub(crate) fn push(topic: &str, delivery: &Delivery) -> Prepared {
    let frame = match delivery {
        Delivery::Publication(publication) => {
            let make = |publication: &Publication| ServerFrame::publication(publication).to_json().into();
            return publication.envelope(make).clone();
        }
        Delivery::Gap(gap) => ServerFrame {
            cause: Some(cause_word(gap.cause).into()),
            text: Some(gap.to_string().into()),
            ..ServerFrame::push("gap", topic)
        },
        Delivery::Recovered { publications } => {
            ServerFrame { publications: u64::try_from(*publications).ok(), ..ServerFrame::push("recovered", topic) }
        }
        Delivery::Unrecoverable(reason) => ServerFrame {
            reason: Some(reason_word(*reason).into()),
            text: Some(reason.to_string().into()),
            ..ServerFrame::push("unrecoverable", topic)
        },
    };
    frame.to_json().into()
}

/// The causes that a server tells.
const CAUSES: [(GapCause, &str); 7] = [
    (GapCause::BrokerLost, "broker_lost"),
    (GapCause::BrokerSilent, "broker_silent"),
    (GapCause::BrokerOverflow, "broker_overflow"),
    (GapCause::Unsubscribed, "unsubscribed"),
    (GapCause::Missed, "missed"),
    (GapCause::EpochChanged, "epoch_changed"),
    (GapCause::SlowSubscriber, "slow_subscriber"),
];

const REASONS: [(Unrecoverable, &str); 6] = [
    (Unrecoverable::NoHistory, "no_history"),
    (Unrecoverable::Epoch { current: None }, "epoch"),
    (Unrecoverable::Expired, "expired"),
    (Unrecoverable::TooMany, "too_many"),
    (Unrecoverable::Unknown, "unknown"),
    (Unrecoverable::Unavailable, "unavailable"),
];

fn cause_word(cause: GapCause) -> &'static str {
    CAUSES.iter().find(|(own, _)| *own == cause).map_or("missed", |(_, word)| word)
}

fn reason_word(reason: Unrecoverable) -> &'static str {
    let is_same = |own: &Unrecoverable| std::mem::discriminant(own) == std::mem::discriminant(&reason);
    REASONS.iter().find(|(own, _)| is_same(own)).map_or("unavailable", |(_, word)| word)
}

/// The cause of a word, also of one that a later version has.
#[cfg(feature = "client")]
pub(crate) fn cause_of(word: &str) -> GapCause {
    CAUSES.iter().find(|(_, own)| *own == word).map_or(GapCause::Missed, |(cause, _)| *cause)
}

/// The reason of a word, also of one that a later version has.
#[cfg(feature = "client")]
pub(crate) fn reason_of(word: &str) -> Unrecoverable {
    REASONS.iter().find(|(_, own)| *own == word).map_or(Unrecoverable::Unavailable, |(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of a kind in the specification.
    fn examples(kind: &str) -> Vec<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hub-protocol.md");
        let page = std::fs::read_to_string(path).unwrap();
        let fence = format!("```json {kind}\n");
        let blocks = page.split(&fence).skip(1);
        let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        assert!(lines.len() > 3, "no examples of {kind}");
        lines
    }

    /// The same value, whatever the order of the fields.
    fn value(json: &str) -> serde_json::Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_specifications_examples_are_read_and_written_as_they_are() {
        for example in examples("command") {
            let frame = CommandFrame::parse(&example).unwrap();
            assert_eq!(value(&serde_json::to_string(&frame).unwrap()), value(&example));
        }
        for example in [examples("answer"), examples("push")].concat() {
            let frame: ServerFrame<'_> = serde_json::from_str(&example).unwrap();
            assert_eq!(value(&frame.to_json()), value(&example));
        }
    }

    #[test]
    fn the_specification_names_all_causes_and_reasons() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/hub-protocol.md")).unwrap();
        for word in CAUSES.iter().map(|(_, word)| word).chain(REASONS.iter().map(|(_, word)| word)) {
            assert!(page.contains(&format!("| `{word}` |")), "{word}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_answered_if_it_has_an_id() {
        for (text, id) in [
            ("", None),
            ("null", None),
            ("[]", None),
            ("{}", None),
            ("{\"id\": 1", None),
            ("{\"id\": -1, \"type\": \"watch\"}", None),
            ("{\"id\": 1.5}", None),
            ("{\"id\": \"1\"}", None),
            ("{\"id\": 9007199254740992}", None),
            ("{\"id\": 7, \"type\": 3}", Some(7)),
            ("{\"id\": 7, \"topic\": [\"a\"]}", Some(7)),
            ("{\"id\": 7, \"topic\": \"a\", \"topic\": \"b\"}", Some(7)),
            ("{\"id\": 7, \"last\": -1}", Some(7)),
            ("{\"id\": 7, \"member\": {}}", Some(7)),
            ("{\"id\": 7, \"id\": 8}", None),
        ] {
            assert_eq!(CommandFrame::parse(text).unwrap_err().id, id, "{text}");
        }
        let unknown =
            CommandFrame::parse("{\"id\": 9007199254740991, \"type\": \"dance\", \"with\": {\"a\": []}}").unwrap();
        assert_eq!((unknown.id, unknown.kind.as_deref()), (Some(MAX_ID), Some("dance")));
    }

    #[test]
    fn null_is_data() {
        let frame = CommandFrame::parse("{\"id\": 1, \"data\": null, \"topic\": null}").unwrap();
        assert_eq!(frame.data.unwrap().get(), "null");
        assert_eq!(frame.topic, None);
    }
}
