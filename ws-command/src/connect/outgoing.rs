//! What is sent for a line of the input.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::Value;
use ws_tokio::{CloseCode, Message};

/// How lines of the input are read, and how binary messages are shown.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(super) struct Encoding {
    /// Send each line as a binary message
    #[arg(long)]
    binary: bool,

    /// Send each line, which is hexadecimal, as a binary message: `00 ff` or `00ff`
    #[arg(long)]
    hex: bool,

    /// Send each line, which is base64, as a binary message. Binary messages are shown in base64, too
    #[arg(long)]
    base64: bool,

    /// Read and write JSON, one object a line: see below
    #[arg(long)]
    json: bool,
}

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Outgoing {
    Message(Message),
    Ping,
    Close(CloseCode, String),
}

impl Encoding {
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether lines are text messages, as they are.
    pub(super) fn is_text(self) -> bool {
        !(self.binary || self.hex || self.base64 || self.json)
    }

    pub(super) fn is_base64(self) -> bool {
        self.base64
    }

    /// Reads a line, without its line end. The error says what was expected.
    pub(super) fn read(self, line: Vec<u8>) -> Result<Outgoing, String> {
        if self.binary {
            return Ok(Outgoing::Message(line.into()));
        }
        let text = String::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
        match self {
            Self { hex: true, .. } => from_hex(&text).map(Message::from).map(Outgoing::Message),
            Self { base64: true, .. } => from_base64(&text).map(Outgoing::Message),
            Self { json: true, .. } => from_json(&text),
            _ => Ok(Outgoing::Message(text.into())),
        }
    }
}

/// Bytes from hexadecimal digits, with spaces anywhere between two bytes.
pub(super) fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    const EXPECTED: &str = "is not hexadecimal: expected two digits for each byte, such as 00 ff";
    let words = text.split_ascii_whitespace();
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for word in words {
        for pair in word.as_bytes().chunks(2) {
            let digits = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2 && !pair.starts_with('+'));
            bytes.push(digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(EXPECTED)?);
        }
    }
    Ok(bytes)
}

fn from_base64(text: &str) -> Result<Message, String> {
    STANDARD.decode(text.trim()).map(Message::from).map_err(|error| format!("is not base64: {error}"))
}

fn from_json(text: &str) -> Result<Outgoing, String> {
    const EXPECTED: &str =
        r#"expected {"text":"…"}, {"binary":"BASE64"}, {"ping":true} or {"close":CODE,"reason":"…"}"#;
    let value = Value::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    let is_one =
        |names: &[&str]| value.as_object().is_some_and(|object| object.keys().all(|key| names.contains(&&**key)));
    if let (Some(text), true) = (value["text"].as_str(), is_one(&["text", "type"])) {
        return Ok(Outgoing::Message(text.into()));
    }
    if let (Some(binary), true) = (value["binary"].as_str(), is_one(&["binary", "type"])) {
        return from_base64(binary).map(Outgoing::Message);
    }
    if value["ping"].as_bool() == Some(true) && is_one(&["ping"]) {
        return Ok(Outgoing::Ping);
    }
    if let (Some(code), true) = (value["close"].as_u64(), is_one(&["close", "reason"])) {
        let reason = value["reason"].as_str().unwrap_or_default();
        return close(code, reason).map_err(|why| format!("cannot close: {why}"));
    }
    Err(EXPECTED.to_owned())
}

/// A Close with a code and a reason that may be sent (RFC 6455 §5.5.1, §7.4).
pub(super) fn close(code: u64, reason: &str) -> Result<Outgoing, String> {
    /// What a Close has room for beside its code.
    const LONGEST: usize = 123;
    let valid = u16::try_from(code).ok().map(CloseCode::from).filter(|code| code.may_be_sent());
    let code = valid.ok_or_else(|| format!("{code} is no code that may be sent, such as 1000 or 4000"))?;
    match reason.len() {
        ..=LONGEST => Ok(Outgoing::Close(code, reason.to_owned())),
        len => Err(format!("the reason has {len} bytes, and {LONGEST} is the most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Encoding = Encoding { binary: false, hex: false, base64: false, json: false };

    fn message(message: impl Into<Message>) -> Result<Outgoing, String> {
        Ok(Outgoing::Message(message.into()))
    }

    #[test]
    fn lines_are_read_as_they_are_encoded() {
        assert_eq!(TEXT.read(b" a ".to_vec()), message(" a "));
        assert!(TEXT.read(vec![0xff]).is_err());
        assert_eq!(Encoding { binary: true, ..TEXT }.read(vec![0xff, 10]), message(vec![0xff, 10]));
        let hex = Encoding { hex: true, ..TEXT };
        for (line, bytes) in [("", vec![]), ("00fF", vec![0, 255]), (" 00 ff 0a0b ", vec![0, 255, 10, 11])] {
            assert_eq!(hex.read(line.into()), message(bytes));
        }
        for bad in ["0", "0 0", "xx", "+1", "0x00", "é"] {
            assert!(hex.read(bad.into()).unwrap_err().starts_with("is not hexadecimal"), "{bad}");
        }
        let base64 = Encoding { base64: true, ..TEXT };
        assert_eq!(base64.read("AP8=".into()), message(vec![0, 255]));
        assert!(base64.read("A".into()).unwrap_err().starts_with("is not base64: "));
    }

    #[test]
    fn objects_say_what_is_sent() {
        let json = Encoding { json: true, ..TEXT };
        let read = |line: &str| json.read(line.into());
        assert_eq!(read(r#"{"text":"a\n"}"#), message("a\n"));
        assert_eq!(read(r#"{"type":"message","text":""}"#), message(""));
        assert_eq!(read(r#"{"binary":"AP8="}"#), message(vec![0, 255]));
        assert_eq!(read(r#"{"ping":true}"#), Ok(Outgoing::Ping));
        assert_eq!(read(r#"{"close":4000,"reason":"x"}"#), Ok(Outgoing::Close(4000.into(), "x".into())));
        assert_eq!(read(r#"{"close":1000}"#), Ok(Outgoing::Close(1000.into(), String::new())));
        for (bad, why) in [
            ("", "is not JSON: "),
            ("hi", "is not JSON: "),
            ("[]", "expected {"),
            ("1", "expected {"),
            (r#"{"text":1}"#, "expected {"),
            (r#"{"text":"a","binary":"AP8="}"#, "expected {"),
            (r#"{"binary":"A"}"#, "is not base64: "),
            (r#"{"ping":false}"#, "expected {"),
            (r#"{"close":1006}"#, "cannot close: 1006 is no code"),
            (r#"{"close":70000}"#, "cannot close: 70000 is no code"),
            (&format!(r#"{{"close":1000,"reason":"{}"}}"#, "x".repeat(124)), "cannot close: the reason has 124 bytes"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.starts_with(why), "{bad}: {error}");
        }
    }
}
