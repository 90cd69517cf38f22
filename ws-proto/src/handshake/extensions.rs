//! The syntax of the `Sec-WebSocket-Extensions` header (RFC 6455 §9.1), in requests and responses.
//!
//! Each extension interprets its own name and parameters.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

use super::fields::{is_token, is_token_byte};

/// An extension with its parameters, as offered or accepted. [`Display`](fmt::Display) writes the form in the header:
/// `permessage-deflate; client_max_window_bits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The name: a token (RFC 9110 §5.6.2).
    pub name: String,
    /// The parameters in order. A peer may repeat one.
    pub params: Vec<Param>,
}

/// A parameter of an [`Extension`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name: a token (RFC 9110 §5.6.2).
    pub name: String,
    /// The value, if any: a token, without quotes (RFC 6455 §9.1).
    pub value: Option<String>,
}

/// A `Sec-WebSocket-Extensions` header that cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedExtensions;

/// Parses all `Sec-WebSocket-Extensions` headers as one list, in the order of the lines (RFC 6455 §9.1).
///
/// Empty elements are skipped (RFC 9110 §5.6.1.2). Without a header, or with empty ones only, the list is empty.
///
/// # Errors
///
/// When a header does not match the grammar, or the value of a parameter is not a token after its quotes are removed.
pub fn parse(headers: &HeaderMap) -> Result<Vec<Extension>, MalformedExtensions> {
    let mut extensions = Vec::new();
    for line in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let mut parser = Parser { rest: line.as_bytes() };
        loop {
            parser.skip_white_space();
            if !parser.rest.is_empty() && !parser.starts_with(b',') {
                extensions.push(parser.extension()?);
            }
            if parser.rest.is_empty() {
                break;
            }
            parser.expect(b',')?;
        }
    }
    Ok(extensions)
}

/// The value of a header that lists `extensions`.
pub fn format(extensions: &[Extension]) -> String {
    let mut value = String::new();
    for extension in extensions {
        if !value.is_empty() {
            value.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut value, format_args!("{extension}"));
    }
    value
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for param in &self.params {
            write!(f, "; {}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed Sec-WebSocket-Extensions header")
    }
}

impl core::error::Error for MalformedExtensions {}

struct Parser<'a> {
    rest: &'a [u8],
}

impl Parser<'_> {
    /// An extension and the white space after it.
    fn extension(&mut self) -> Result<Extension, MalformedExtensions> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') { Some(self.value()?) } else { None };
            params.push(Param { name, value });
        }
        Ok(Extension { name, params })
    }

    fn value(&mut self) -> Result<String, MalformedExtensions> {
        if !self.starts_with(b'"') {
            return self.token();
        }
        let mut value = Vec::new();
        let mut bytes = self.rest.iter().copied().skip(1);
        loop {
            match bytes.next().ok_or(MalformedExtensions)? {
                b'"' => break,
                b'\\' => value.push(bytes.next().ok_or(MalformedExtensions)?),
                byte => value.push(byte),
            }
        }
        let read = self.rest.len() - bytes.len();
        self.skip(read);
        if !is_token(&value) {
            return Err(MalformedExtensions);
        }
        String::from_utf8(value).map_err(|_| MalformedExtensions)
    }

    fn token(&mut self) -> Result<String, MalformedExtensions> {
        let len = self.rest.iter().take_while(|&&byte| is_token_byte(byte)).count();
        let (token, _) = self.rest.split_at_checked(len).ok_or(MalformedExtensions)?;
        let token = str::from_utf8(token).map_err(|_| MalformedExtensions)?.to_owned();
        self.skip(len);
        if token.is_empty() { Err(MalformedExtensions) } else { Ok(token) }
    }

    fn expect(&mut self, delimiter: u8) -> Result<(), MalformedExtensions> {
        if self.take(delimiter) { Ok(()) } else { Err(MalformedExtensions) }
    }

    /// Takes the delimiter and the white space after it.
    fn take(&mut self, delimiter: u8) -> bool {
        let found = self.starts_with(delimiter);
        if found {
            self.skip(1);
        }
        found
    }

    fn starts_with(&self, byte: u8) -> bool {
        self.rest.first() == Some(&byte)
    }

    fn skip(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
        self.skip_white_space();
    }

    fn skip_white_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use http::HeaderValue;

    use super::*;

    fn parse_lines(lines: &[&[u8]]) -> Result<Vec<Extension>, MalformedExtensions> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_bytes(line).unwrap());
        }
        parse(&headers)
    }

    fn extension(name: &str, params: &[(&str, Option<&str>)]) -> Extension {
        let params =
            params.iter().map(|(name, value)| Param { name: name.to_string(), value: value.map(ToString::to_string) });
        Extension { name: name.to_string(), params: params.collect() }
    }

    #[test]
    fn parses_names_and_parameters() {
        assert_eq!(parse_lines(&[]), Ok(vec![]));
        assert_eq!(parse_lines(&[b"foo"]), Ok(vec![extension("foo", &[])]));
        assert_eq!(
            parse_lines(&[b"foo; bar; baz=2 , qux"]),
            Ok(vec![extension("foo", &[("bar", None), ("baz", Some("2"))]), extension("qux", &[])])
        );
        let expected = extension("a", &[("b", Some("c")), ("b", None)]);
        assert_eq!(parse_lines(&[b" a \t;\tb = c;b\t"]), Ok(vec![expected]));
    }

    #[test]
    fn parses_quoted_values() {
        let expected = Ok(vec![extension("foo", &[("bar", Some("10")), ("baz", None)])]);
        assert_eq!(parse_lines(&[b"foo; bar=\"10\"; baz"]), expected);
        assert_eq!(parse_lines(&[br#"foo; bar="\1\0" ; baz"#]), expected);
    }

    #[test]
    fn joins_lines_in_order() {
        let expected = Ok(vec![extension("a", &[]), extension("b", &[]), extension("c", &[])]);
        assert_eq!(parse_lines(&[b"a, b", b"c"]), expected);
        assert_eq!(parse_lines(&[b",a,, b ,", b"", b",c"]), expected);
        assert_eq!(parse_lines(&[b" , ,", b""]), Ok(Vec::new()));
    }

    #[test]
    fn refuses_malformed_values() {
        for line in [
            &b";"[..],
            b"=",
            b"foo bar",
            b"foo;",
            b"foo;;bar",
            b"foo; =1",
            b"foo; bar=",
            b"foo; bar=,",
            b"foo; bar==1",
            b"foo; bar=1 2",
            b"foo=1",
            b"\"foo\"",
            b"foo; \"bar\"",
            b"foo; bar=\"",
            b"foo; bar=\"1",
            b"foo; bar=\"\\",
            b"foo; bar=\"1\\\"",
            b"foo; bar=\"\"",
            b"foo; bar=\"1 0\"",
            b"foo; bar=\"a,b\"",
            b"foo; bar=\"1\"2",
            b"f\xF8o",
            b"foo; bar=\"\xFF\"",
            b"foo/1",
        ] {
            assert_eq!(parse_lines(&[line]), Err(MalformedExtensions), "{line:?}");
        }
        assert_eq!(parse_lines(&[b"foo", b"bar;"]), Err(MalformedExtensions));
    }

    #[test]
    fn formats_what_it_parses() {
        let line = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10, foo";
        let extensions = parse_lines(&[line.as_bytes()]).unwrap();
        assert_eq!(format(&extensions), line);
        assert_eq!(extensions[1].to_string(), "foo");
        assert_eq!(format(&[]), "");
    }
}
