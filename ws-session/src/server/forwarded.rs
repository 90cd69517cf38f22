//! The header `Forwarded` (RFC 7239), read from the right.

use std::borrow::Cow;
use std::net::IpAddr;

use http::HeaderValue;

use super::proxies::parse_address;

/// The clients that `Forwarded` names, from the right: the last proxy has added the last. `None` for an element without a
/// valid address. Fields are in their order.
pub(super) fn from_the_right<'h>(
    fields: impl DoubleEndedIterator<Item = &'h HeaderValue>,
) -> impl Iterator<Item = Option<IpAddr>> {
    let elements = fields.rev().flat_map(|field| Parts { rest: Some(field.as_bytes()), separator: b',' });
    // Lists may have empty elements (RFC 9110 §5.6.1.2).
    elements.filter(|element| !element.trim_ascii().is_empty()).map(address_in)
}

/// The address in `for` of an element (RFC 7239 §4). A parameter occurs once at most.
fn address_in(element: &[u8]) -> Option<IpAddr> {
    let mut named = Parts { rest: Some(element), separator: b';' }.filter_map(|pair| {
        let (name, value) = pair.split_at(pair.iter().position(|&byte| byte == b'=')?);
        name.trim_ascii().eq_ignore_ascii_case(b"for").then(|| value.get(1..).unwrap_or_default().trim_ascii())
    });
    match (named.next(), named.next()) {
        (Some(value), None) => parse_address(without_hidden_port(&unquoted(value)?)),
        _ => None,
    }
}

/// The content of a quoted string (RFC 9110 §5.6.4), or a token as it is.
fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = value.strip_prefix(b"\"") else { return Some(value.into()) };
    let mut content = Vec::new();
    let mut bytes = quoted.strip_suffix(b"\"")?.iter();
    while let Some(&byte) = bytes.next() {
        content.push(if byte == b'\\' { *bytes.next()? } else { byte });
    }
    Some(content.into())
}

/// A node without a port that stands for another: `192.0.2.1:_http` (RFC 7239 §6).
fn without_hidden_port(node: &[u8]) -> &[u8] {
    let Some(at) = node.windows(2).rposition(|pair| pair == b":_") else { return node };
    let (address, port) = node.split_at(at);
    let is_hidden = |port: &[u8]| port.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if is_hidden(port.get(2..).unwrap_or_default()) { address } else { node }
}

/// The parts of a list, from the right. A separator within quotes does not separate.
///
/// Reading begins at the right, outside quotes. So a quote to the left of an element, from another sender, does not change
/// it.
struct Parts<'h> {
    rest: Option<&'h [u8]>,
    separator: u8,
}

impl<'h> Iterator for Parts<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let rest = self.rest.take()?;
        let mut is_quoted = false;
        for (at, &byte) in rest.iter().enumerate().rev() {
            let (before, after) = (rest.get(..at)?, rest.get(at + 1..)?);
            if byte == b'"' {
                let escapes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
                // Within quotes, an escaped quote is content.
                if !is_quoted || escapes % 2 == 0 {
                    is_quoted = !is_quoted;
                }
            } else if byte == self.separator && !is_quoted {
                self.rest = Some(before);
                return Some(after);
            }
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of fields, from the right; `-` for none.
    fn read(fields: &[&str]) -> Vec<String> {
        let fields: Vec<_> = fields.iter().map(|field| HeaderValue::from_bytes(field.as_bytes()).unwrap()).collect();
        let told = from_the_right(fields.iter());
        told.map(|address| address.map_or("-".to_owned(), |address| address.to_string())).collect()
    }

    #[test]
    fn nodes() {
        for (field, expected) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
            ("for=\"2001:db8:cafe::17\"", "2001:db8:cafe::17"),
            ("for=192.0.2.43:47011", "192.0.2.43"),
            ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=\"192.0.2.43:_http.1\"", "192.0.2.43"),
            ("for=\"[2001:db8::17]:_x\"", "2001:db8::17"),
            ("for=\"::ffff:192.0.2.43\"", "192.0.2.43"),
            ("proto=https;host=\"a;b,c\\\"d\";FOR = \"192.0.2.43\" ; by=_x", "192.0.2.43"),
            ("for=\"\\1\\9\\2.0.2.43\"", "192.0.2.43"),
            // Not addresses.
            ("for=unknown", "-"),
            ("for=_hidden", "-"),
            ("for=\"_SEVKISEK\"", "-"),
            ("for=\"192.0.2.43:_h/\"", "-"),
            ("for=", "-"),
            ("for=\"\"", "-"),
            ("for", "-"),
            ("by=192.0.2.43", "-"),
            ("for=192.0.2.43;for=192.0.2.44", "-"),
            ("for=192.0.2.43;For=unknown", "-"),
            ("for=\"192.0.2.43", "-"),
            ("for=192.0.2.43\"", "-"),
            ("for=\"192.0.2.43\\\"", "-"),
            ("for=\"[2001:db8::17\"", "-"),
            ("192.0.2.43", "-"),
            ("\u{e9}", "-"),
        ] {
            assert_eq!(read(&[field]), [expected], "{field}");
        }
    }

    #[test]
    fn lists_are_read_from_the_right() {
        assert_eq!(read(&["for=192.0.2.1, for=192.0.2.2", "for=192.0.2.3"]), ["192.0.2.3", "192.0.2.2", "192.0.2.1"]);
        assert_eq!(read(&["for=unknown,for=_a , for=192.0.2.3"]), ["192.0.2.3", "-", "-"]);
        assert_eq!(read(&["", ",, ,\t", " for=192.0.2.3 ,"]), ["192.0.2.3"]);
        assert_eq!(read(&["for=\"192.0.2.1\";host=\"a, for=6.6.6.6\", for=192.0.2.2"]), ["192.0.2.2", "192.0.2.1"]);
    }

    /// What the client sends stands to the left, in the same field or in another.
    #[test]
    fn an_element_does_not_depend_on_what_stands_to_its_left() {
        for left in [
            "\"",
            "for=\"",
            "for=\"x",
            "for=\"\\",
            "x\\",
            "\\\"",
            "for=6.6.6.6;host=\"",
            "\"\"\"",
            ";",
            "for=\"a\\\\\"",
        ] {
            for proxy in ["for=192.0.2.2", "for=\"192.0.2.2\";host=\"h, x\"", "proto=http;for=\"192.0.2.2:80\""] {
                assert_eq!(read(&[&format!("{left}, {proxy}")]).first().unwrap(), "192.0.2.2", "{left}, {proxy}");
                assert_eq!(read(&[left, proxy]).first().unwrap(), "192.0.2.2", "{left} | {proxy}");
            }
        }
    }

    #[test]
    fn long_fields_take_time_in_proportion() {
        for part in ["\"", "\\\"", ",", ";", "for=1,", "\\"] {
            let field = part.repeat(1 << 18);
            assert!(read(&[&field]).iter().all(|address| address == "-" || address == "0.0.0.1"));
        }
    }
}
