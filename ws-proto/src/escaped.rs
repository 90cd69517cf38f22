//! Text from a peer, made safe to show.

use core::fmt::{self, Write as _};

/// Shows text from a peer on one line and without terminal control sequences. Text without unsafe characters is unchanged.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and invisible characters that change the order of the text
/// after them (bidirectional marks, embeddings, overrides, isolates) are written as `\n`, `\r`, `\t`, `\x1b` or
/// `\u{202e}`; see [`is_unsafe`](Self::is_unsafe). A backslash is left as it is, so escaping twice changes nothing more.
///
/// Every error and outcome of these crates escapes the text that it quotes from a peer. An application that logs or prints a
/// close reason, a header or a message needs this too: a line feed in a close reason can forge a line of a log.
///
/// The `Debug` form is the same between quotation marks, with a backslash before quotation marks and backslashes.
///
/// ```
/// use ws_proto::{Escaped, EscapedBytes};
///
/// assert_eq!(Escaped("bye\n2026-01-01 INFO all is well").to_string(), r"bye\n2026-01-01 INFO all is well");
/// assert_eq!(format!("{:?}", Escaped("a \"b\"\u{1b}[2J")), r#""a \"b\"\x1b[2J""#);
/// assert_eq!(EscapedBytes(b"caf\xC3\xA9 \xFF").to_string(), r"café \xff");
/// ```
#[derive(Clone, Copy)]
pub struct Escaped<T>(pub T);

/// Shows bytes that should be text, such as the value of a header, as [`Escaped`] does. Bytes that are not UTF-8 are shown as
/// `\xff`.
#[derive(Clone, Copy)]
pub struct EscapedBytes<'a>(pub &'a [u8]);

impl Escaped<char> {
    /// Whether this character is escaped.
    pub const fn is_unsafe(self) -> bool {
        matches!(
            self.0,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
            // Bidirectional marks, embeddings, overrides and isolates; line and paragraph separators.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
    }
}

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { to: f, quoted: false }, "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Debug for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaping { to: f, quoted: true }, "{}", self.0)?;
        f.write_char('"')
    }
}

impl fmt::Display for EscapedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaping { to: f, quoted: false }.write_bytes(self.0)
    }
}

impl fmt::Debug for EscapedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        Escaping { to: f, quoted: true }.write_bytes(self.0)?;
        f.write_char('"')
    }
}

/// Escapes what is written to it.
struct Escaping<'a, 'f> {
    to: &'a mut fmt::Formatter<'f>,
    quoted: bool,
}

impl Escaping<'_, '_> {
    fn write_bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        for chunk in bytes.utf8_chunks() {
            self.write_str(chunk.valid())?;
            chunk.invalid().iter().try_for_each(|byte| write!(self.to, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| Escaped(c).is_unsafe() || (self.quoted && matches!(c, '"' | '\\'))) {
            let (safe, found) = rest.split_at(at);
            self.to.write_str(safe)?;
            let mut chars = found.chars();
            match chars.next() {
                Some('\n') => self.to.write_str("\\n")?,
                Some('\r') => self.to.write_str("\\r")?,
                Some('\t') => self.to.write_str("\\t")?,
                Some(c @ ('"' | '\\')) => write!(self.to, "\\{c}")?,
                Some(c) if c.is_ascii() => write!(self.to, "\\x{:02x}", u32::from(c))?,
                Some(c) => write!(self.to, "\\u{{{:x}}}", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        self.to.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString};

    use super::*;

    #[test]
    fn text_is_shown_as_it_is() {
        for text in ["", "hello", "naïve ☃ 👩‍🚀 \\ {\"a\":1}", "日本語", "\u{a0}"] {
            assert_eq!(Escaped(text).to_string(), text);
        }
        assert_eq!(format!("{:?}", Escaped("a \"b\" \\")), r#""a \"b\" \\""#);
    }

    #[test]
    fn control_characters_are_escaped() {
        for (text, shown) in [
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\u{1b}[2J\u{7}\0\u{7f}", r"\x1b[2J\x07\x00\x7f"),
            ("\u{9b}31m\u{85}", r"\u{9b}31m\u{85}"),
            ("abc\u{202e}def\u{2066}", r"abc\u{202e}def\u{2066}"),
            ("\u{2028}\u{2029}\u{61c}\u{200e}", r"\u{2028}\u{2029}\u{61c}\u{200e}"),
        ] {
            assert_eq!(Escaped(text).to_string(), shown);
            assert_eq!(Escaped(Escaped(text)).to_string(), shown, "escaped twice");
            assert_eq!(EscapedBytes(text.as_bytes()).to_string(), shown);
        }
    }

    #[test]
    fn every_control_character_is() {
        let all: String = ('\0'..='\u{10ffff}').collect();
        let shown = Escaped(&all).to_string();
        assert!(!shown.chars().any(char::is_control));
        assert!(!shown.contains(|c| Escaped(c).is_unsafe()));
    }

    #[test]
    fn bytes_need_not_be_utf_8() {
        assert_eq!(EscapedBytes(b"a\xFF\n\xC3").to_string(), r"a\xff\n\xc3");
        assert_eq!(format!("{:?}", EscapedBytes(b"\"\xFF")), r#""\"\xff""#);
    }
}
