//! Log events for the heads of the opening handshake, without credentials.

use std::fmt;

use tracing::debug;
use ws_proto::{Escaped, EscapedBytes};

use super::TARGET;

/// Parts of the names of headers with secret values: `Proxy-Authorization`, `Set-Cookie`, `X-Auth-Token`, …
const SECRET: [&str; 6] = ["authorization", "cookie", "token", "secret", "password", "api-key"];

/// Logs the head of a request or a response, one line for each header, without secret values.
#[inline]
pub(crate) fn log_head(direction: &str, bytes: &[u8]) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        log_lines(direction, bytes);
    }
}

#[cold]
fn log_lines(direction: &str, bytes: &[u8]) {
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return;
        }
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(0);
        let (name, _) = line.split_at(colon);
        match std::str::from_utf8(line) {
            _ if is_secret(name) => debug!(target: TARGET, "{direction} {}: …", EscapedBytes(name)),
            Ok(line) => debug!(target: TARGET, "{direction} {}", Redacted(line)),
            // Without the text of a URL, nothing can be left out of it.
            Err(_) if line.iter().any(|byte| b"?@".contains(byte)) => {
                debug!(target: TARGET, "{direction} {}: …", EscapedBytes(name));
            }
            Err(_) => debug!(target: TARGET, "{direction} {}", EscapedBytes(line)),
        }
    }
}

fn is_secret(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.windows(part.len()).any(|window| window == part.as_bytes()))
}

/// A line with URLs or request targets, without the parts that may be credentials: user and password, and the values of the
/// query. `GET /chat?token=1&room=2 HTTP/1.1` is `GET /chat?token=…&room=… HTTP/1.1`.
pub(crate) struct Redacted<'a>(pub(crate) &'a str);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.0.split(' ').enumerate() {
            f.write_str(if n > 0 { " " } else { "" })?;
            redact_word(word, f)?;
        }
        Ok(())
    }
}

/// A URL has no spaces.
fn redact_word(word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (before, rest) = match word.find("//").map(|slashes| word.split_at(slashes + 2)) {
        Some((before, rest)) => (before, without_user_info(rest)),
        None => ("", Ok(word)),
    };
    write!(f, "{}", Escaped(before))?;
    let rest = match rest {
        Ok(rest) => rest,
        Err(rest) => {
            f.write_str("…@")?;
            rest
        }
    };
    let Some((path, query)) = rest.split_once('?') else { return write!(f, "{}", Escaped(rest)) };
    write!(f, "{}", Escaped(path))?;
    for (n, parameter) in query.split('&').enumerate() {
        f.write_str(if n > 0 { "&" } else { "?" })?;
        match parameter.split_once('=') {
            Some((name, _)) => write!(f, "{}=…", Escaped(name))?,
            None if parameter.is_empty() => {}
            None => f.write_str("…")?,
        }
    }
    Ok(())
}

/// What follows the slashes of a URL, or as the error what is left of it without user and password. A password may contain
/// characters that should be percent-encoded: then the port in front of them is not a number.
fn without_user_info(rest: &str) -> Result<&str, &str> {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let is_odd = || match authority.rsplit_once(':') {
        Some((_, port)) => !port.ends_with(']') && port.bytes().any(|byte| !byte.is_ascii_digit()),
        None => false,
    };
    let within = if !authority.contains('@') && is_odd() { rest } else { authority };
    match within.rfind('@').and_then(|at| rest.get(at + 1..)) {
        Some(rest) => Err(rest),
        None => Ok(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_credentials() {
        for (line, shown) in [
            ("GET /chat HTTP/1.1", "GET /chat HTTP/1.1"),
            ("GET /chat?token=1&room=a%20b HTTP/1.1", "GET /chat?token=…&room=… HTTP/1.1"),
            ("GET /chat?secret HTTP/1.1", "GET /chat?… HTTP/1.1"),
            ("GET /?&a=?b=c&& HTTP/1.1", "GET /?&a=…&& HTTP/1.1"),
            ("Location: wss://u:secret@example.com/x?y=secret", "Location: wss://…@example.com/x?y=…"),
            ("Location: //secret@example.com:80/@me", "Location: //…@example.com:80/@me"),
            ("Location: /relative?secret", "Location: /relative?…"),
            ("Location: http://u:sec/ret@example.com/", "Location: http://…@example.com/"),
            ("Location: http://u:sec?ret=@example.com/", "Location: http://…@example.com/"),
            ("Location: http://[::1]:8080/@me", "Location: http://[::1]:8080/@me"),
            ("Location: http://[::1]/@me", "Location: http://[::1]/@me"),
            ("Host: example.com:8080", "Host: example.com:8080"),
            ("Origin: https://example.com", "Origin: https://example.com"),
            ("X: a\u{1b}b", "X: a\\x1bb"),
        ] {
            assert_eq!(Redacted(line).to_string(), shown);
        }
    }

    #[test]
    fn secret_headers_are_known_by_their_names() {
        for name in ["Authorization", "Proxy-Authorization", "COOKIE", "Set-Cookie", "X-Auth-Token", "X-Api-Key"] {
            assert!(is_secret(name.as_bytes()), "{name}");
        }
        for name in ["", "Host", "WWW-Authenticate", "Sec-WebSocket-Key", "Location"] {
            assert!(!is_secret(name.as_bytes()), "{name}");
        }
    }
}
