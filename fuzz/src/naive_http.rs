//! As much of HTTP/1.1 (RFC 9112) and of the opening handshake (RFC 6455 §4) as it takes to say what a head and a body
//! hold, read in the plainest way over the whole input at once. Like [`naive`](crate::naive) it shares nothing with what
//! it checks, and needs `std` alone.

use std::str;

/// A head: its first line, and its fields in order, names in lower case, values without the white space around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub first: Vec<u8>,
    pub fields: Vec<(String, Vec<u8>)>,
}

/// Whether a request must be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    Refuse,
    /// It depends on what this file does not know, such as which targets are URIs.
    Unknown,
}

/// What there is of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub bytes: Vec<u8>,
    /// Whether it is all of it, should the stream end here.
    pub complete: bool,
    /// Whether nothing more is to be read.
    pub ended: bool,
}

/// Reads `input`, which is a whole head up to its empty line and nothing else; `None` when something in it is wrong
/// (RFC 9112 §2.2, §5).
pub fn head(input: &[u8]) -> Option<Head> {
    let lines = input.strip_suffix(b"\r\n\r\n")?;
    // Nothing but the tab is a control character, once the line ends are gone.
    let lines: Vec<&[u8]> = split(lines, b"\r\n");
    if lines.iter().any(|line| line.iter().any(|&byte| byte != b'\t' && (byte < 0x20 || byte == 0x7F))) {
        return None;
    }
    let (first, fields) = lines.split_first()?;
    let field = |line: &&[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        is_token(name).then(|| (String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
    };
    Some(Head { first: first.to_vec(), fields: fields.iter().map(field).collect::<Option<_>>()? })
}

impl Head {
    /// The values of all fields of that name.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| &value[..]).collect()
    }

    /// The value of the only field of that name.
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        match self.all(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The elements of a list, over all fields of that name; empty ones do not count (RFC 9110 §5.6.1.2).
    pub fn list(&self, name: &str) -> Vec<&[u8]> {
        let elements = self.all(name).into_iter().flat_map(|value| split(value, b",")).map(trim);
        elements.filter(|element| !element.is_empty()).collect()
    }

    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.list(name).iter().any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Whether this head can be one of a request without a body, whatever it asks for (RFC 9112 §3.2, §6).
    pub fn stands_alone(&self) -> bool {
        let zero = |length: &[u8]| !length.is_empty() && length.iter().all(|&digit| digit == b'0');
        let hosts = self.all("host").len();
        (self.is_1_1() && hosts == 1 || self.first.ends_with(b" HTTP/1.0") && hosts <= 1)
            && self.all("transfer-encoding").is_empty()
            && (self.all("content-length").is_empty() || self.only("content-length").is_some_and(zero))
    }

    /// Whether a request is in HTTP/1.1, as which later minor versions count (RFC 9110 §2.5).
    pub fn is_1_1(&self) -> bool {
        (b'1'..=b'9').any(|minor| self.first.ends_with(&[b" HTTP/1.", &[minor][..]].concat()))
    }

    /// The host that a request's target names, if it does (RFC 9112 §3.2.2).
    pub fn host_of_target(&self) -> Option<&[u8]> {
        let target = split(&self.first, b" ").get(1).copied()?;
        target.first().filter(|first| first.is_ascii_alphabetic())?;
        let begin = target.windows(3).position(|bytes| bytes == b"://")? + 3;
        let rest = &target[begin..];
        let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
        Some(&rest[..end])
    }

    /// Whether this head, of a request, opens a WebSocket connection (RFC 6455 §4.2.1).
    pub fn opens(&self) -> Verdict {
        let protocols = self.list("sec-websocket-protocol");
        let repeated = protocols.iter().enumerate().any(|(i, name)| protocols[..i].contains(name));
        let must = [
            self.stands_alone() && self.is_1_1(),
            self.first.starts_with(b"GET "),
            self.lists("upgrade", "websocket"),
            self.lists("connection", "upgrade"),
            self.only("sec-websocket-version") == Some(b"13"),
            self.only("sec-websocket-key").is_some_and(|key| nonce(key).is_some()),
            protocols.iter().all(|name| is_token(name)) && !repeated,
        ];
        if must.contains(&false) {
            return Verdict::Refuse;
        }
        let target = split(&self.first, b" ").get(1).copied();
        let is_plain = |text: &[u8], marks: &[u8]| {
            !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(byte))
        };
        let known = target.is_some_and(|target| target.starts_with(b"/") && is_plain(target, b"/?=&._-"))
            && self.only("host").is_some_and(|host| is_plain(host, b".-"))
            && self.list("sec-websocket-extensions").is_empty();
        if known { Verdict::Accept } else { Verdict::Unknown }
    }
}

/// The nonce that `key` stands for (RFC 6455 §4.1, RFC 4648 §4): 16 bytes, whatever the four bits that belong to none.
pub fn nonce(key: &[u8]) -> Option<[u8; 16]> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = key.strip_suffix(b"==").filter(|digits| digits.len() == 22)?;
    let mut bits = vec![];
    for digit in digits {
        let value = ALPHABET.iter().position(|letter| letter == digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let mut nonce = [0; 16];
    for (byte, bits) in nonce.iter_mut().zip(bits.chunks(8)) {
        *byte = bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
    }
    Some(nonce)
}

/// The body in `input`, the beginning or all of what follows a response's head (RFC 9112 §6.3), up to `limit` bytes.
pub fn body(status: u16, head: &Head, input: &[u8], limit: usize) -> Body {
    if matches!(status, 100..=199 | 204 | 304) {
        return Body { bytes: vec![], complete: true, ended: true };
    }
    if let Some(coding) = head.list("transfer-encoding").last() {
        return match coding.eq_ignore_ascii_case(b"chunked") {
            true => chunked(input, limit),
            false => up_to(input, None, limit),
        };
    }
    let lengths = head.list("content-length");
    let is_one = lengths.iter().all(|length| *length == lengths[0] && length.iter().all(u8::is_ascii_digit));
    let length = lengths.first().filter(|_| is_one).and_then(|length| str::from_utf8(length).ok()?.parse::<u64>().ok());
    up_to(input, length, limit)
}

fn up_to(input: &[u8], length: Option<u64>, limit: usize) -> Body {
    let all = length.is_some_and(|length| input.len() as u64 >= length);
    let input = if all { &input[..length.unwrap_or(0) as usize] } else { input };
    let kept = &input[..input.len().min(limit)];
    let is_over = input.len() > limit;
    Body { bytes: kept.to_vec(), complete: !is_over && (all || length.is_none()), ended: all || is_over }
}

/// RFC 9112 §7.1. Trailers are not waited for.
fn chunked(input: &[u8], limit: usize) -> Body {
    let mut bytes = vec![];
    let mut rest = input;
    let (complete, ended) = loop {
        // A size in hexadecimal digits, perhaps an extension.
        let (line, end) = match rest.iter().position(|&byte| byte == b'\r') {
            Some(at) => rest.split_at(at),
            None => (rest, &[][..]),
        };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = str::from_utf8(&line[..digits]).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let (Some(size), None | Some(b';' | b' ' | b'\t'), false) = (size, line.get(digits), line.contains(&b'\n'))
        else {
            // Only nothing at all may still become a line.
            break (false, !(line.is_empty() && end.is_empty()));
        };
        match end {
            [] | [b'\r'] => break (false, false),
            [b'\r', b'\n', ..] => {}
            _ => break (false, true),
        }
        if size == 0 {
            break (true, true);
        }
        let data = &end[2..];
        let there = usize::try_from(size).unwrap_or(usize::MAX).min(data.len());
        bytes.extend(&data[..there]);
        if bytes.len() > limit {
            break (false, true);
        }
        match &data[there..] {
            after if (there as u64) < size || after.is_empty() => break (false, false),
            [b'\r'] => break (false, false),
            [b'\r', b'\n', after @ ..] => rest = after,
            _ => break (false, true),
        }
    };
    bytes.truncate(limit);
    Body { bytes, complete, ended }
}

pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(begin, |last| last + 1);
    &text[begin..end]
}

fn split<'a>(text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut begin, mut at) = (vec![], 0, 0);
    while at + separator.len() <= text.len() {
        if text[at..].starts_with(separator) {
            parts.push(&text[begin..at]);
            at += separator.len();
            begin = at;
        } else {
            at += 1;
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let found = head(b"GET / HTTP/1.1\r\nA: b, \tc \r\na:\r\n\r\n").unwrap();
        assert_eq!(found.first, b"GET / HTTP/1.1");
        assert_eq!(found.all("a"), [&b"b, \tc"[..], b""]);
        assert_eq!(found.list("a"), [&b"b"[..], b"c"]);
        for wrong in ["\r\n", "a\r\nb\n\r\n\r\n", "a\r\nb: c\r\n d\r\n\r\n", "a\r\nb : c\r\n\r\n", "a\r\nb: \0\r\n\r\n"]
        {
            assert_eq!(head(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(nonce(b"dGhlIHNhbXBsZSBub25jZQ=="), Some(*b"the sample nonce"));
        assert_eq!(nonce(b"dGhlIHNhbXBsZSBub25jZR=="), Some(*b"the sample nonce"));
        assert_eq!(nonce(b"dGhlIHNhbXBsZSBub25j_Q=="), None);
    }

    #[test]
    fn bodies() {
        let with = |field: &str| head(format!("HTTP/1.1 403 No\r\n{field}\r\n\r\n").as_bytes()).unwrap();
        let read = |field: &str, input: &str| {
            let Body { bytes, complete, ended } = body(403, &with(field), input.as_bytes(), 5);
            (String::from_utf8(bytes).unwrap(), complete, ended)
        };
        let is = |bytes: &str, complete, ended| (String::from(bytes), complete, ended);
        assert_eq!(read("content-length: 3", "abcd"), is("abc", true, true));
        assert_eq!(read("content-length: 3", "ab"), is("ab", false, false));
        assert_eq!(read("content-length: 9", "abcdef"), is("abcde", false, true));
        assert_eq!(read("content-length: 3, 4", "abcd"), is("abcd", true, false));
        assert_eq!(read("transfer-encoding: chunked", "2;x\r\nab\r\n1\r\nc\r\n0\r\n"), is("abc", true, true));
        assert_eq!(read("transfer-encoding: chunked", "2\r\nab\r"), is("ab", false, false));
        assert_eq!(read("transfer-encoding: chunked", "2\r\nabc"), is("ab", false, true));
    }
}
