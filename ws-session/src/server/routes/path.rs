//! Paths in one form: percent-encoded where RFC 3986 asks for it, and nowhere else.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a path never has as it is (RFC 3986 §3.3), but for `%`, which begins an encoded byte, and braces, which `matchit`
/// reads.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'|');

/// The path of a route, as text or encoded, in the form of [`normalized`]. The names of captures stay as they are.
pub(super) fn pattern(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, braced) = rest.split_at(at);
        pattern.push_str(&normalized(&utf8_percent_encode(text, ENCODED).to_string()));
        let end = match braced.get(..2) {
            // A brace itself.
            Some("{{" | "}}") => 2,
            // A capture, or the half of one: the router reports that.
            _ => braced.find('}').map_or(braced.len(), |at| at + 1),
        };
        let (braced, after) = braced.split_at(end);
        pattern.push_str(braced);
        rest = after;
    }
    pattern.push_str(&normalized(&utf8_percent_encode(rest, ENCODED).to_string()));
    pattern
}

/// A path whose encoded bytes are in upper case (RFC 3986 §6.2.2.1). A `%` that encodes nothing stays, and so does an encoded byte
/// that need not be (`%61`): a hook that guards `/admin` does not see `/%61dmin`, so no route may be found there.
pub(super) fn normalized(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut pieces = path.split('%');
    let mut normalized = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(digits) => {
                normalized.push('%');
                normalized.push_str(&digits.to_ascii_uppercase());
            }
            None => {
                normalized.push('%');
                normalized.push_str(piece);
                continue;
            }
        }
        normalized.push_str(piece.get(2..).unwrap_or_default());
    }
    Cow::Owned(normalized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_form() {
        for (path, expected) in [
            ("/a/b-c", "/a/b-c"),
            ("/%61%2D%7e%5F", "/%61%2D%7E%5F"),
            ("/%c3%b6%2f%2F", "/%C3%B6%2F%2F"),
            ("/100%/%zz/%4", "/100%/%zz/%4"),
            ("/%%61%+1", "/%%61%+1"),
            ("/%ö1", "/%ö1"),
        ] {
            assert_eq!(normalized(path), expected, "{path}");
        }
    }

    #[test]
    fn routes_are_written_as_text_or_encoded() {
        for (path, expected) in [
            ("/größe", "/gr%C3%B6%C3%9Fe"),
            ("/gr%c3%b6%C3%9fe", "/gr%C3%B6%C3%9Fe"),
            ("/a b/{größe}/{*rest}", "/a%20b/{größe}/{*rest}"),
            ("/ö{x}ö", "/%C3%B6{x}%C3%B6"),
            ("/{{ö}}", "/{{%C3%B6}}"),
            ("/half {a", "/half%20{a"),
            ("/a}b", "/a}b"),
        ] {
            assert_eq!(pattern(path), expected, "{path}");
        }
    }
}
