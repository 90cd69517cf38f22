//! Cookies that are set on the way of one connect (RFC 6265 §5), for the same host only.

use std::time::SystemTime;

use http::header::{HeaderMap, HeaderValue, SET_COOKIE};

use super::url::Target;

/// The cookies of one connect.
#[derive(Default)]
pub(super) struct Cookies(Vec<Cookie>);

#[derive(Debug)]
struct Cookie {
    name: Vec<u8>,
    value: Vec<u8>,
    host: String,
    path: Vec<u8>,
    secure: bool,
}

impl Cookies {
    /// Stores the cookies that a response to a request for `target` sets. Another value replaces the previous one.
    pub(super) fn store(&mut self, target: &Target, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let Some((cookie, is_over)) = Cookie::parse(line.as_bytes(), target) else { continue };
            self.0
                .retain(|other| (&other.name, &other.host, &other.path) != (&cookie.name, &cookie.host, &cookie.path));
            if !is_over {
                self.0.push(cookie);
            }
        }
    }

    /// The `Cookie` header of a request to `target`: the stored cookies, and those given that are not among them. `None` if
    /// nothing is stored for it.
    pub(super) fn header(&self, target: &Target, given: Option<&HeaderValue>) -> Option<HeaderValue> {
        let stored: Vec<_> = self.0.iter().filter(|cookie| cookie.is_for(target)).collect();
        if stored.is_empty() {
            return None;
        }
        let given =
            given.map(HeaderValue::as_bytes).unwrap_or_default().split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let mut pairs = Vec::new();
        for pair in given.filter(|pair| !pair.is_empty()) {
            let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii_end();
            if !stored.iter().any(|cookie| cookie.name == name) {
                pairs.push(pair.to_vec());
            }
        }
        pairs.extend(stored.iter().map(|cookie| [&cookie.name, &b"="[..], &cookie.value].concat()));
        HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()
    }
}

impl Cookie {
    /// Parses a `Set-Cookie` line, and whether the cookie has expired (RFC 6265 §5.2). `None` if it is to be ignored.
    fn parse(line: &[u8], target: &Target) -> Option<(Self, bool)> {
        let mut parts = line.split(|&byte| byte == b';');
        let (name, value) = split_once(parts.next()?, b'=')?;
        let (mut path, mut secure, mut expires, mut max_age) = (None, false, None, None);
        for part in parts {
            let (name, value) = split_once(part, b'=').unwrap_or((part.trim_ascii(), b""));
            match &*name.to_ascii_lowercase() {
                b"path" => path = Some(value).filter(|path| path.starts_with(b"/")),
                b"secure" => secure = true,
                // A date that cannot be parsed is ignored.
                b"expires" => {
                    let date = str::from_utf8(value).ok().and_then(|date| httpdate::parse_http_date(date).ok());
                    expires = date.map(|date| date <= SystemTime::now()).or(expires);
                }
                b"max-age" => {
                    let seconds = str::from_utf8(value).ok().and_then(|seconds| seconds.parse::<i64>().ok());
                    max_age = seconds.map(|seconds| seconds <= 0).or(max_age);
                }
                _ => {}
            }
        }
        if name.is_empty() || (secure && !target.secure) {
            return None;
        }
        let path = path.map_or_else(|| default_path(target.path()), <[u8]>::to_vec);
        let host = target.host.to_string();
        // `Max-Age` goes before `Expires`.
        let is_over = max_age.or(expires).unwrap_or(false);
        Some((Self { name: name.to_vec(), value: value.to_vec(), host, path, secure }, is_over))
    }

    /// Whether it is sent in a request to `target` (RFC 6265 §5.4).
    fn is_for(&self, target: &Target) -> bool {
        let path = target.path().as_bytes();
        // The path itself, or one below it (RFC 6265 §5.1.4).
        let is_below = path
            .strip_prefix(&*self.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/") || self.path.ends_with(b"/"));
        is_below && (target.secure || !self.secure) && target.host.to_string() == self.host
    }
}

/// The path of a cookie that names none (RFC 6265 §5.1.4).
fn default_path(path: &str) -> Vec<u8> {
    match path.rfind('/') {
        None | Some(0) => b"/".to_vec(),
        Some(at) => path.as_bytes().get(..at).unwrap_or(b"/").to_vec(),
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let n = text.iter().position(|&byte| byte == at)?;
    Some((text.get(..n)?.trim_ascii(), text.get(n + 1..)?.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(set: &[&str], from: &str, to: &str, given: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in set {
            headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
        }
        let mut cookies = Cookies::default();
        cookies.store(&Target::parse(from).unwrap(), &headers);
        let given = given.map(HeaderValue::from_static);
        let header = cookies.header(&Target::parse(to).unwrap(), given.as_ref());
        header.map(|header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_path() {
        let a = "ws://a.test/x/y";
        for (set, to, expected) in [
            (&["s=1"][..], "ws://a.test/x/z", Some("s=1")),
            (&["s=1"], "ws://a.test:81/x", Some("s=1")),
            (&["s=1"], "wss://A.test/x/?q", Some("s=1")),
            (&["s=1"], "ws://a.test/xy", None),
            (&["s=1"], "ws://a.test/", None),
            (&["s=1; Path=/"], "ws://a.test/", Some("s=1")),
            (&["s=1; path=relative"], "ws://a.test/x/z", Some("s=1")),
            (&["s=1; Path=/; Domain=test"], "ws://b.test/", None),
            (&["s=1; Path=/; Domain=a.test"], "ws://b.a.test/", None),
            (&[" s = a=b ; HttpOnly; SameSite=Lax", "t=2"], "ws://a.test/x/", Some("s=a=b; t=2")),
            (&["s=1", "s=2"], "ws://a.test/x/", Some("s=2")),
            (&["s=1; Secure; Path=/"], "wss://a.test/", None),
            (&["nonsense", "=1", ""], "ws://a.test/x/", None),
            (&["s=1; Max-Age=0"], "ws://a.test/x/", None),
            (&["s=1", "s=; Max-Age=-1"], "ws://a.test/x/", None),
            (&["s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "ws://a.test/x/", None),
            (&["s=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9"], "ws://a.test/x/", Some("s=1")),
            (&["s=1; Expires=soon; Max-Age=x"], "ws://a.test/x/", Some("s=1")),
        ] {
            assert_eq!(sent(set, a, to, None).as_deref(), expected, "{set:?} {to}");
        }
        let secure = ["s=1; Secure; Path=/"];
        assert_eq!(sent(&secure, "wss://a.test/", "wss://a.test/", None).as_deref(), Some("s=1"));
        assert_eq!(sent(&secure, "wss://a.test/", "ws://a.test/", None), None);
    }

    #[test]
    fn cookies_of_the_application_stay_unless_they_are_set_anew() {
        let given = Some("a=1; s=old;b=2; ");
        assert_eq!(sent(&["s=new"], "ws://a/", "ws://a/", given).as_deref(), Some("a=1; b=2; s=new"));
        assert_eq!(sent(&[], "ws://a/", "ws://a/", given), None, "as they were");
    }
}
