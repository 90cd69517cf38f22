//! [`Payload`]: the payload of a message in the words of the protocol, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use ws_session::Message;

/// The levels of arrays and objects that a JSON value may have: as many as common parsers accept.
const MAX_DEPTH: usize = 128;

/// A payload: one of the three.
#[derive(Debug, Default)]
pub(crate) struct Payload<'a> {
    pub(crate) data: Option<&'a RawValue>,
    pub(crate) text: Option<&'a str>,
    pub(crate) binary: Option<String>,
}

impl<'a> Payload<'a> {
    pub(crate) fn of(message: &'a Message) -> Self {
        match message {
            Message::Text(text) => {
                let (data, text) = Self::of_text(text);
                Self { data, text, binary: None }
            }
            Message::Binary(bytes) => Self { binary: Some(STANDARD.encode(bytes)), ..Self::default() },
        }
    }

    /// Text as `data` if it is JSON, else as `text`.
    pub(crate) fn of_text(text: &'a str) -> (Option<&'a RawValue>, Option<&'a str>) {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(value) if is_shallow(value.get()) => (Some(value), None),
            _ => (None, Some(text)),
        }
    }

    /// The message with one of these payloads. `Err` says what is wrong.
    pub(crate) fn into_message(
        data: Option<&RawValue>,
        text: Option<&str>,
        binary: Option<&str>,
    ) -> Result<Message, &'static str> {
        match (data, text, binary) {
            (Some(value), None, None) if is_shallow(value.get()) => Ok(value.get().to_owned().into()),
            (Some(_), None, None) => Err("data has more than 128 levels of arrays and objects"),
            (None, Some(text), None) => Ok(text.to_owned().into()),
            (None, None, Some(binary)) => {
                STANDARD.decode(binary).map(Message::from).map_err(|_| "binary is not base64 with padding")
            }
            (None, None, None) => Err("a payload is missing: data, text or binary"),
            _ => Err("there is more than one of data, text and binary"),
        }
    }
}

/// Whether JSON has no more levels than [`MAX_DEPTH`].
fn is_shallow(json: &str) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> Option<String> {
        Payload::of(&Message::from(text)).data.map(|value| value.get().to_owned())
    }

    #[test]
    fn text_that_is_json_is_data() {
        for json in ["1", "null", "\"a\"", "{\"a\": [1, 2e400]}", "\"\\ud800\"", "\"]]]\\\"\""] {
            assert_eq!(data(json).as_deref(), Some(json));
        }
        for text in ["", "hello", "1 2", "{", "{'a': 1}", "NaN", "\u{feff}1"] {
            assert_eq!(data(text), None, "{text}");
            assert_eq!(Payload::of(&Message::from(text)).text, Some(text));
        }
        assert_eq!(data(" [1] ").as_deref(), Some("[1]"));
    }

    #[test]
    fn levels_are_counted_outside_of_strings() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(data(&deep(128)), Some(deep(128)));
        assert_eq!(data(&deep(129)), None);
        let many = format!("[{}[]]", "[],".repeat(1000));
        assert_eq!(data(&many), Some(many));
        let text = format!("\"\\\"{}\"", "[".repeat(1000));
        assert_eq!(data(&text), Some(text));
        // An error, and no overflow of the stack.
        let value: &RawValue = serde_json::from_str(Box::leak(deep(1_000_000).into_boxed_str())).unwrap();
        assert!(Payload::into_message(Some(value), None, None).is_err());
    }

    #[test]
    fn a_payload_comes_back_as_it_was() {
        let every: Vec<u8> = (0..=255).collect();
        for message in
            [Message::from("{\"a\": 1}"), Message::from("hello"), Message::from(every), Message::from(Vec::new())]
        {
            let payload = Payload::of(&message);
            let back = Payload::into_message(payload.data, payload.text, payload.binary.as_deref());
            assert_eq!(back, Ok(message));
        }
        for (text, binary) in [(None, Some("AAE")), (None, Some("?")), (None, None), (Some("a"), Some(""))] {
            assert!(Payload::into_message(None, text, binary).is_err(), "{text:?} {binary:?}");
        }
    }
}
