//! What is shown of a connection: one line each, with control characters escaped.

use std::fmt::Write as _;

use ws_tokio::{CloseCode, Escaped, Message};

/// A message as a line, without the newline: `< text`, or `< (binary) 00ff`.
pub(crate) fn message(message: &Message) -> String {
    match message.as_text() {
        Some(text) => format!("< {}", Escaped(text)),
        None => format!("< (binary) {}", hex(message.as_bytes())),
    }
}

/// The end of the connection: `Connection closed: 4001 (private use) kicked.`
pub(crate) fn closed(code: CloseCode, reason: &str) -> String {
    match reason {
        "" => format!("Connection closed: {code}."),
        _ => format!("Connection closed: {code} {}.", Escaped(reason)),
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
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
    fn nothing_a_terminal_obeys_is_left() {
        let all: String = (0..=0x2fff).filter_map(char::from_u32).collect();
        let closed = closed(CloseCode::from(1000), &all);
        for line in [message(&Message::from(all)), closed] {
            assert!(!line.contains(|c| Escaped(c).is_unsafe()));
        }
        assert_eq!(message(&Message::from("a\nb\u{1b}[2J\u{202e}")), "< a\\nb\\x1b[2J\\u{202e}");
    }

    #[test]
    fn the_end_of_a_connection_is_told_with_code_name_and_reason() {
        assert_eq!(closed(CloseCode::from(1000), ""), "Connection closed: 1000 (OK).");
        assert_eq!(closed(CloseCode::from(4001), "kicked"), "Connection closed: 4001 (private use) kicked.");
        assert_eq!(closed(CloseCode::from(1001), "bye\u{1b}c"), "Connection closed: 1001 (going away) bye\\x1bc.");
    }
}
