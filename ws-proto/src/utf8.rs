//! Incremental validation of UTF-8 (RFC 6455 §8.1). An error is reported at the first invalid byte, however the text is split.

use core::str;

/// An incremental validator for text that arrives in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8Stream {
    /// The beginning of a character whose end has not come.
    partial: [u8; 4],
    len: u8,
}

/// The text is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8Stream {
    /// Takes the next piece and returns the completed text: the character that the previous pieces left incomplete, if this
    /// piece completes it, and the text after it. An incomplete character at the end is kept for the next call.
    ///
    /// # Errors
    ///
    /// As soon as no continuation could make the text valid.
    #[inline]
    pub fn push<'a>(&mut self, piece: &'a [u8]) -> Result<(Option<char>, &'a str), InvalidUtf8> {
        let (head, rest) = match self.len {
            0 => (None, piece),
            _ => self.complete(piece)?,
        };
        let (body, tail) = rest.split_at(complete_prefix(rest));
        let body = simdutf8::basic::from_utf8(body).map_err(|_| InvalidUtf8)?;
        if !tail.is_empty() {
            self.keep(tail)?;
        }
        Ok((head, body))
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// When it ends inside a character.
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        if self.len == 0 { Ok(()) } else { Err(InvalidUtf8) }
    }

    /// The beginning of a character at the end of the text so far.
    pub(crate) fn partial(&self) -> &[u8] {
        self.partial.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Adds bytes of `piece` to the open character until it is complete or the piece is used up.
    fn complete<'a>(&mut self, mut piece: &'a [u8]) -> Result<(Option<char>, &'a [u8]), InvalidUtf8> {
        while let Some((&byte, rest)) = piece.split_first() {
            piece = rest;
            let slot = self.partial.get_mut(usize::from(self.len)).ok_or(InvalidUtf8)?;
            *slot = byte;
            self.len += 1;
            if let Some(text) = valid_prefix(self.partial.get(..usize::from(self.len)).unwrap_or_default())? {
                self.len = 0;
                return Ok((text.chars().next(), piece));
            }
        }
        Ok((None, piece))
    }

    /// Keeps the beginning of a character, when it can be one.
    fn keep(&mut self, tail: &[u8]) -> Result<(), InvalidUtf8> {
        valid_prefix(tail)?;
        for (slot, byte) in self.partial.iter_mut().zip(tail) {
            *slot = *byte;
        }
        self.len = tail.len() as u8;
        Ok(())
    }
}

/// The text, when the bytes are complete; `None` when they can still become valid.
fn valid_prefix(bytes: &[u8]) -> Result<Option<&str>, InvalidUtf8> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.error_len().is_none() => Ok(None),
        Err(_) => Err(InvalidUtf8),
    }
}

/// How many bytes lie before a character that `bytes` cuts off at its end.
#[inline]
fn complete_prefix(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let size = match byte {
            0x80..=0xBF => continue,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if size > back + 1 { bytes.len() - back - 1 } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// Feeds `text` byte by byte; the text, or the index of the byte at which it was refused.
    fn bytewise(text: &[u8]) -> Result<String, usize> {
        let mut stream = Utf8Stream::default();
        let mut out = String::new();
        for (i, byte) in text.iter().enumerate() {
            let (head, body) = stream.push(core::slice::from_ref(byte)).map_err(|_| i)?;
            out.extend(head);
            out.push_str(body);
        }
        stream.finish().map_err(|_| text.len())?;
        Ok(out)
    }

    #[test]
    fn every_scalar_value_passes() {
        for code in (0..=0x10FFFF).step_by(7).chain(0..0x3000) {
            let Some(c) = char::from_u32(code) else { continue };
            let text = String::from(c);
            assert_eq!(bytewise(text.as_bytes()).as_deref(), Ok(text.as_str()));
        }
    }

    #[test]
    fn invalid_text_is_refused_at_its_first_wrong_byte() {
        for (bytes, at) in [
            (&b"\xC0\xAF"[..], 0),    // overlong
            (b"\xC1", 0),             // overlong
            (b"\xE0\x9F\xBF", 1),     // overlong
            (b"\xF0\x8F\xBF\xBF", 1), // overlong
            (b"\xED\xA0\x80", 1),     // surrogate
            (b"\xED\xBF\xBF", 1),     // surrogate
            (b"\xF4\x90\x80\x80", 1), // over U+10FFFF
            (b"\xF5", 0),             // over U+10FFFF
            (b"\xFF", 0),             // never valid
            (b"a\x80", 1),            // continuation alone
            (b"\xE2\x82a", 2),        // cut short by a letter
            (b"\xE2\x82", 2),         // cut short by the end
            (b"ab\xF0\x9F\x98", 5),   // cut short by the end
        ] {
            assert_eq!(bytewise(bytes), Err(at), "{bytes:x?}");
        }
    }

    #[test]
    fn every_split_agrees_with_the_whole() {
        let samples: [&[u8]; 6] = [
            "κόσμε 😀 naïve 日本語".as_bytes(),
            b"plain ASCII that is a little longer than one vector of sixty-four bytes, or so one hopes",
            b"\xCE\xBA\xED\xA0\x80edited",
            b"\xF0\x9F\x98\x80\xF0\x9F\x98",
            b"\x80\x80\x80\x80\x80",
            b"\xF4\x8F\xBF\xBF\xF4\x90",
        ];
        for text in samples {
            let whole = str::from_utf8(text).map(String::from).map_err(|_| ());
            for a in 0..=text.len() {
                for b in a..=text.len() {
                    let mut stream = Utf8Stream::default();
                    let mut out = String::new();
                    let pieces = [&text[..a], &text[a..b], &text[b..]];
                    let done: Result<Vec<()>, InvalidUtf8> = pieces
                        .iter()
                        .map(|piece| {
                            let (head, body) = stream.push(piece)?;
                            out.extend(head);
                            out.push_str(body);
                            Ok(())
                        })
                        .collect();
                    let got = done.and_then(|_| stream.finish()).map(|()| out).map_err(|_| ());
                    assert_eq!(got, whole, "{text:x?} split at {a} and {b}");
                }
            }
        }
    }
}
