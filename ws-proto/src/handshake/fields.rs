//! Parsing of header fields: tokens, comma-separated lists, and fields that appear once (RFC 9110 §5.3, §5.6).

use alloc::collections::BinaryHeap;
use alloc::string::String;
use core::net::Ipv6Addr;

use http::header::{
    AUTHORIZATION, AsHeaderName, CONNECTION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;

/// The fields an application cannot set: the handshake's own, and those that announce a body.
pub(super) const RESERVED: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Keeps credentials out of `Debug` output.
pub(super) fn mark_secret(name: &HeaderName, value: &mut HeaderValue) {
    if name == AUTHORIZATION || name == PROXY_AUTHORIZATION || name == COOKIE {
        value.set_sensitive(true);
    }
}

/// Whether `byte` is allowed in a token (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES.get(usize::from(byte)).is_some_and(|&is_token_byte| is_token_byte)
}

/// A table, because every byte of a field's name is looked up.
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut left: &mut [bool] = &mut table;
    let mut byte = 0_u8;
    while let Some((is_token_byte, rest)) = left.split_first_mut() {
        *is_token_byte = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            );
        byte = byte.wrapping_add(1);
        left = rest;
    }
    table
};

/// Whether `text` is a token (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_byte)
}

/// The elements of a comma-separated list, over all lines of that name in order, without the white space around them.
/// Empty ones are skipped (RFC 9110 §5.6.1.2). Not for fields with quoted strings.
pub(super) fn elements(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let elements = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty())
}

/// Whether a list holds `token`, in upper or lower case.
pub(super) fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    let is_it = |element: &[u8]| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes());
    headers.get_all(name).iter().any(|line| line.as_bytes().split(|&byte| byte == b',').any(is_it))
}

/// The error of a duplicate field that must appear once.
#[derive(Debug, PartialEq)]
pub(super) struct Duplicate;

/// The value of a field that must appear once.
pub(super) fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&HeaderValue>, Duplicate> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next();
    if lines.next().is_some() { Err(Duplicate) } else { Ok(first) }
}

/// The first duplicate name in a list. It takes n log n time, because a peer chooses the list.
pub(super) fn first_duplicate(names: &[String]) -> Option<&str> {
    // A heap is a third of the code of a sorted set.
    let mut heap: BinaryHeap<(&str, usize)> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut first: Option<(&str, usize)> = None;
    while let Some((name, at)) = heap.pop() {
        // Equal names come one after the other, the last one of the list first.
        let is_duplicate = heap.peek().is_some_and(|(earlier, _)| *earlier == name);
        if is_duplicate && first.is_none_or(|(_, before)| at < before) {
            first = Some((name, at));
        }
    }
    first.map(|(name, _)| name)
}

/// Parses a host with an optional port, as in a Host field (RFC 9110 §7.2) or an origin: no user information,
/// no empty host.
pub(super) fn host_and_port(text: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host)?;
    let port_is_valid = match port.strip_prefix(':') {
        Some(digits) => digits.is_empty() || authority.port_u16().is_some(),
        None => port.is_empty(),
    };
    (port_is_valid && !host.is_empty()).then_some(authority)
}

/// Whether a text that is no host is an IPv6 address, with or without a port, that lacks its brackets (RFC 3986 §3.2.2).
/// Some clients send such a Host.
pub(super) fn is_ipv6_without_brackets(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
    let with_port = |(address, port): (&str, &str)| is_address(address) && port.parse::<u16>().is_ok();
    is_address(text) || text.rsplit_once(':').is_some_and(with_port)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    fn headers(lines: &[&'static [u8]]) -> HeaderMap {
        lines.iter().map(|line| (http::header::CONNECTION, HeaderValue::from_bytes(line).unwrap())).collect()
    }

    #[test]
    fn tokens() {
        assert!(is_token(b"graphql-ws"));
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for text in [&b""[..], b"a b", b"a,b", b"a/b", b"\"a\"", b"a\0", b"\xFF", b"a=b", b"(", b"\x7F"] {
            assert!(!is_token(text), "{text:?}");
        }
    }

    #[test]
    fn lists() {
        let headers = headers(&[b"keep-alive,\t Upgrade ", b"", b"a,,\xFF"]);
        let found: Vec<_> = elements(&headers, "connection").collect();
        assert_eq!(found, [&b"keep-alive"[..], b"Upgrade", b"a", b"\xFF"]);
        assert!(has_token(&headers, "connection", "upgrade"));
        assert!(!has_token(&headers, "connection", "keep"));
        assert!(!has_token(&headers, "upgrade", "upgrade"));
    }

    #[test]
    fn once() {
        assert_eq!(single(&headers(&[]), "connection"), Ok(None));
        assert_eq!(single(&headers(&[b"a"]), "connection").unwrap().unwrap(), "a");
        assert_eq!(single(&headers(&[b"a", b"a"]), "connection"), Err(Duplicate));
    }

    #[test]
    fn duplicates() {
        let duplicate = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            first_duplicate(&names).map(ToString::to_string)
        };
        assert_eq!(duplicate(&[]), None);
        assert_eq!(duplicate(&["a", "A", "b"]), None);
        assert_eq!(duplicate(&["a", "b", "b", "a"]).as_deref(), Some("b"));
        assert_eq!(duplicate(&["c", "a", "c", "b", "b", "a", "a"]).as_deref(), Some("c"));
    }

    #[test]
    fn hosts() {
        for host in ["example.com", "example.com:8080", "example.com:", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b"] {
            assert!(host_and_port(host.as_bytes()).is_some(), "{host}");
        }
        for host in ["", ":80", "a:65536", "a:b", "u@a", "u:p@a:1", "a/b", "a b", "[::1]x", "[::1", "\u{e9}"] {
            assert!(host_and_port(host.as_bytes()).is_none(), "{host}");
        }
    }
}
