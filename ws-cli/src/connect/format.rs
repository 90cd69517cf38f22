//! How things received are shown: one event, one line, nothing a terminal would obey.

use std::borrow::Cow;
use std::fmt::Write as _;

use ws_tokio::{CloseCode, Message};

/// A message, as its line without the newline: `< text`, or `< (binary) 00ff`.
pub(super) fn message(message: &Message) -> String {
    match message.as_text() {
        Some(text) => format!("< {}", escape(text)),
        None => format!("< (binary) {}", hex(message.as_bytes())),
    }
}

/// The end of the connection: `Connection closed: 4001 (private use) kicked.`
pub(super) fn closed(code: CloseCode, reason: &str) -> String {
    match reason {
        "" => format!("Connection closed: {code}."),
        _ => format!("Connection closed: {code} {}.", escape(reason)),
    }
}

/// Text with everything that could steer a terminal or split the line made visible: control characters
/// (C0, DEL, C1) and the invisible ones that reorder or break lines.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_unsafe) else {
        return Cow::Borrowed(text);
    };
    let (safe, rest) = text.split_at(first);
    let mut escaped = String::with_capacity(text.len() + 16);
    escaped.push_str(safe);
    for c in rest.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_ascii_control() => push(&mut escaped, format_args!("\\x{:02x}", u32::from(c))),
            c if is_unsafe(c) => push(&mut escaped, format_args!("\\u{{{:x}}}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Bidirectional marks, embeddings, overrides and isolates; line and paragraph separators.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push(&mut digits, format_args!("{byte:02x}"));
    }
    digits
}

fn push(to: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = to.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        assert_eq!(message(&Message::from("hello")), "< hello");
        assert_eq!(message(&Message::from("")), "< ");
        assert_eq!(message(&Message::from("naïve ☃ 👩‍🚀 \\ {\"a\":1}")), "< naïve ☃ 👩‍🚀 \\ {\"a\":1}");
    }

    #[test]
    fn binary_is_shown_in_hexadecimal() {
        assert_eq!(message(&Message::from(vec![0x00, 0xff, 0x0a])), "< (binary) 00ff0a");
        assert_eq!(message(&Message::from(Vec::new())), "< (binary) ");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(escape("a\nb\r\tc"), "a\\nb\\r\\tc");
        assert_eq!(escape("\u{1b}[2J\u{7}\0\u{7f}"), "\\x1b[2J\\x07\\x00\\x7f");
        assert_eq!(escape("\u{9b}31m\u{85}"), "\\u{9b}31m\\u{85}");
        assert_eq!(escape("abc\u{202e}def\u{2066}"), "abc\\u{202e}def\\u{2066}");
        assert_eq!(escape("\u{2028}"), "\\u{2028}");
    }

    #[test]
    fn no_character_a_terminal_obeys_is_left() {
        let all: String = (0..=0x2fff).filter_map(char::from_u32).collect();
        assert!(!escape(&all).chars().any(char::is_control));
    }

    #[test]
    fn the_end_of_a_connection_is_told_with_code_name_and_reason() {
        assert_eq!(closed(CloseCode::from(1000), ""), "Connection closed: 1000 (OK).");
        assert_eq!(closed(CloseCode::from(4001), "kicked"), "Connection closed: 4001 (private use) kicked.");
        assert_eq!(closed(CloseCode::from(1001), "bye\u{1b}c"), "Connection closed: 1001 (going away) bye\\x1bc.");
    }
}
