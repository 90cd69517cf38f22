//! Single fields of a request: its path, a query parameter, a header, a cookie. Nothing is kept.

use std::borrow::Cow;
use std::str;

use percent_encoding::percent_decode;

/// The request line's target and the header lines of a head of HTTP/1.1 that was accepted, if the target is a path.
///
/// A target in absolute form names a host, which replaces the Host header. Such a head must be parsed.
pub(super) fn split_head(head: &[u8]) -> Option<(&str, &[u8])> {
    // Empty lines may come first (RFC 9112 §2.2).
    let head = head.trim_ascii_start();
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let (line, lines) = head.split_at_checked(end + 1)?;
    let target = line.split(|&byte| byte == b' ').nth(1)?;
    let target = str::from_utf8(target).ok().filter(|target| target.starts_with('/'))?;
    Some((target, lines))
}

/// The values of a header, in order, from the header lines of an accepted head.
pub(super) fn values<'a>(lines: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    lines.split(|&byte| byte == b'\n').filter_map(move |line| {
        let (found, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(value.trim_ascii())
    })
}

/// A value as text.
pub(super) fn as_text(value: &[u8]) -> Option<&str> {
    str::from_utf8(value).ok()
}

/// The first parameter of this name in a query, decoded as browsers encode forms: `%41` is `A`, and `+` a space. Bytes that
/// are not UTF-8 become U+FFFD.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(found) == name).then(|| decoded(value))
    })
}

fn decoded(text: &str) -> Cow<'_, str> {
    match text.contains('+') {
        true => percent_decode(text.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned().into(),
        false => percent_decode(text.as_bytes()).decode_utf8_lossy(),
    }
}

/// The first cookie of this name in a Cookie header (RFC 6265 §4.2.1). Quotes are part of its value.
pub(super) fn cookie<'a>(value: &'a [u8], name: &str) -> Option<&'a str> {
    value.split(|&byte| byte == b';').find_map(|pair| {
        let pair = as_text(pair)?;
        let (found, value) = pair.split_once('=')?;
        (found.trim_matches([' ', '\t']) == name).then(|| value.trim_matches([' ', '\t']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = "a=1&b=x%20y+z&a=2&flag&%63=%C3%A9&bad=%ff&e==&plus=1%2B1";
        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y z")),
            ("flag", Some("")),
            ("c", Some("é")),
            ("bad", Some("\u{fffd}")),
            ("e", Some("=")),
            ("plus", Some("1+1")),
            ("A", None),
            ("x", None),
        ] {
            assert_eq!(parameter(query, name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let value = b"xid=0; id=a=b;  q=\"w\" ;empty=; flag; id=later; \xff=1";
        for (name, expected) in [
            ("id", Some("a=b")),
            ("xid", Some("0")),
            ("q", Some("\"w\"")),
            ("empty", Some("")),
            ("flag", None),
            ("ID", None),
        ] {
            assert_eq!(cookie(value, name), expected, "{name}");
        }
    }

    #[test]
    fn a_head_is_split_unless_its_target_names_a_host() {
        let (target, lines) = split_head(b"\r\nGET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-A:  1 \r\nx-a: 2\r\n\r\n").unwrap();
        assert_eq!(target, "/a?b=1");
        assert_eq!(values(lines, "x-A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(values(lines, "x").count() + values(lines, "x-a:").count() + values(lines, "").count(), 0);
        assert!(split_head(b"GET http://x/a HTTP/1.1\r\nHost: y\r\n\r\n").is_none());
        assert!(split_head(b"").is_none());
    }
}
