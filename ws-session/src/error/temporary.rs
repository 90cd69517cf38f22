//! Which errors of connecting may pass, and how long a server asks to wait.

use std::io;
use std::time::{Duration, SystemTime};

use http::header::{DATE, HeaderName, RETRY_AFTER};
use http::{Response, StatusCode};

use super::{ConnectError, ProxyCause, SocksReply};

/// The longest wish of a server that is respected.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

impl ConnectError {
    /// Whether another attempt may succeed: after errors of I/O, name resolution and deadlines, and the statuses 429, 500,
    /// 502, 503 and 504, of a server or of a proxy. [`Reconnect`](crate::Reconnect) tries again then.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Dial(_)
            | Self::UnixSocket { .. }
            | Self::Timeout(_)
            | Self::Io(_)
            | Self::Eof => true,
            // A mistake of the program.
            Self::Connector(error) => error.kind() != io::ErrorKind::InvalidInput,
            Self::Rejected(response) => is_temporary(response.status()),
            Self::Proxy(error) => match error.cause() {
                ProxyCause::Connect(error) => error.is_temporary(),
                ProxyCause::Io(_) | ProxyCause::Eof => true,
                ProxyCause::Refused { response, .. } => is_temporary(response.status()),
                ProxyCause::Socks { reply, .. } => matches!(
                    reply,
                    SocksReply::GeneralFailure
                        | SocksReply::NetworkUnreachable
                        | SocksReply::HostUnreachable
                        | SocksReply::ConnectionRefused
                        | SocksReply::TtlExpired
                ),
                _ => false,
            },
            _ => false,
        }
    }

    /// The time for which the server or the proxy asks not to be asked again (`Retry-After`, RFC 9110 §10.2.3), in seconds or
    /// as a date. At most an hour.
    pub fn retry_after(&self) -> Option<Duration> {
        let response = match self {
            Self::Rejected(response) => response,
            Self::Proxy(error) => error.response()?,
            _ => return None,
        };
        let after = text(response, RETRY_AFTER)?;
        let wish = match after.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            // A number that is too large for any clock.
            Err(_) if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST_WISH,
            Err(_) => {
                let at = httpdate::parse_http_date(after).ok()?;
                // The server's own clock, if it tells the time.
                let date = text(response, DATE).and_then(|date| httpdate::parse_http_date(date).ok());
                at.duration_since(date.unwrap_or_else(SystemTime::now)).unwrap_or_default()
            }
        };
        Some(wish.min(LONGEST_WISH))
    }
}

fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn text<B>(response: &Response<B>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(status: u16, headers: &[(&str, &str)]) -> ConnectError {
        let response =
            headers.iter().fold(Response::builder().status(status), |all, (name, value)| all.header(*name, *value));
        ConnectError::Rejected(Box::new(response.body(Default::default()).unwrap()))
    }

    #[test]
    fn some_statuses_are_temporary() {
        for status in [429, 500, 502, 503, 504] {
            assert!(rejected(status, &[]).is_temporary(), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 407, 408, 426, 431, 501, 505] {
            assert!(!rejected(status, &[]).is_temporary(), "{status}");
        }
    }

    #[test]
    fn a_wish_is_seconds_or_a_date() {
        let date = ("date", "Thu, 01 Jan 2026 00:00:00 GMT");
        for (headers, seconds) in [
            (&[("retry-after", "7")][..], Some(7)),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", "Thu, 01 Jan 2026 00:01:30 GMT"), date], Some(90)),
            (&[("retry-after", "Wed, 31 Dec 2025 23:59:59 GMT"), date], Some(0)),
            (&[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(0)),
            (&[("retry-after", "99999999999999")], Some(3600)),
            (&[("retry-after", "Fri, 02 Jan 2026 00:00:00 GMT"), date], Some(3600)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "99999999999999999999999")], Some(3600)),
            (&[("retry-after", "")], None),
            (&[], None),
        ] {
            assert_eq!(rejected(503, headers).retry_after(), seconds.map(Duration::from_secs), "{headers:?}");
        }
        let in_an_hour = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1800));
        let wish = rejected(503, &[("retry-after", &in_an_hour)]).retry_after().unwrap();
        assert!(wish > Duration::from_secs(1700) && wish <= Duration::from_secs(1800), "{wish:?}");
    }
}
