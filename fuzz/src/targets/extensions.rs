//! `Sec-WebSocket-Extensions`: what is parsed is formatted and parsed to the same; quotes, white space and empty
//! elements change nothing; what is put together from tokens survives.

use arbitrary::Arbitrary;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};
use ws_proto::handshake::extensions::{Extension, Param, format, parse};

use crate::naive_http::is_token;

#[derive(Arbitrary, Debug)]
pub struct Extensions<'a> {
    /// The lines of the header, ended by line feeds.
    pub lines: &'a [u8],
}

pub fn extensions(input: Extensions<'_>) {
    let mut headers = HeaderMap::new();
    for line in input.lines.split(|&byte| byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append(SEC_WEBSOCKET_EXTENSIONS, value);
    }
    if let Ok(parsed) = parse(&headers) {
        let is_blank = |line: &HeaderValue| line.as_bytes().iter().all(|byte| b" \t,".contains(byte));
        assert_eq!(parsed.is_empty(), headers.values().all(is_blank), "empty elements are none");
        check(&parsed);
    }
    check(&made_of_tokens(input.lines));
}

fn check(extensions: &[Extension]) {
    for extension in extensions {
        assert!(is_token(extension.name.as_bytes()));
        for Param { name, value } in &extension.params {
            assert!(is_token(name.as_bytes()) && value.as_ref().is_none_or(|value| is_token(value.as_bytes())));
        }
    }
    let formatted = format(extensions);
    let joined: Vec<_> = extensions.iter().map(ToString::to_string).collect();
    assert_eq!(formatted, joined.join(", "));
    assert_eq!(reparse(&formatted), extensions);
    assert_eq!(reparse(&verbose(extensions)), extensions);
}

/// Parses one line.
fn reparse(line: &str) -> Vec<Extension> {
    let mut headers = HeaderMap::new();
    headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_str(line).expect("a valid value"));
    parse(&headers).expect("what was formatted can be parsed")
}

/// The same with every value in quotes and its characters escaped, white space wherever it may stand, and empty elements
/// (RFC 6455 §9.1, RFC 9110 §5.6).
fn verbose(extensions: &[Extension]) -> String {
    let mut line = String::from(" ,\t");
    for extension in extensions {
        line += &extension.name;
        for Param { name, value } in &extension.params {
            line += &format!("\t ; {name}");
            if let Some(value) = value {
                let escaped: String = value.chars().flat_map(|c| ['\\', c]).collect();
                line += &format!(" =\t\"{escaped}\" ");
            }
        }
        line += " , ,";
    }
    line
}

/// Extensions whose names and values are tokens made of `bytes`.
fn made_of_tokens(bytes: &[u8]) -> Vec<Extension> {
    const LETTERS: &[u8] = b"!#$%&'*+-.^_`|~09azAZ";
    let token = |bytes: &[u8]| -> String {
        bytes.iter().map(|&byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect()
    };
    let mut extensions: Vec<Extension> = vec![];
    for part in bytes.chunks(5) {
        let name = token(&part[..part.len().min(2)]);
        let value = part.get(2..4).map(token);
        match extensions.last_mut() {
            Some(last) if part[0] & 3 != 0 => last.params.push(Param { name, value }),
            _ => extensions.push(Extension { name, params: vec![] }),
        }
    }
    extensions
}
