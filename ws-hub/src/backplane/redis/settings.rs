//! [`Settings`]: where the broker is, and how it is used.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};

/// The port of a Sentinel.
const SENTINEL_PORT: u16 = 26379;

#[derive(Clone)]
pub(super) struct Settings {
    /// Credentials, database, TLS; and the address, if there are no Sentinels.
    base: ConnectionInfo,
    pub(super) sentinels: Option<Sentinels>,
    pub(super) prefix: String,
    pub(super) connect_timeout: Duration,
    pub(super) ping: Duration,
}

#[derive(Clone)]
pub(super) struct Sentinels {
    pub(super) addresses: Vec<(String, u16)>,
    pub(super) service: String,
    pub(super) password: Option<String>,
}

impl Settings {
    pub(super) fn parse(url: &str) -> Result<Self, InvalidRedisUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidRedisUrl("it has no scheme"))?;
        let (base, sentinels) = match scheme {
            "redis+sentinel" => sentinels("redis", rest)?,
            "rediss+sentinel" => sentinels("rediss", rest)?,
            _ => (parse(url)?, None),
        };
        if cfg!(not(feature = "redis-tls")) && matches!(base.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(InvalidRedisUrl("TLS needs the feature redis-tls"));
        }
        let redis = base.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let redis = redis.set_lib_name("ws-hub", env!("CARGO_PKG_VERSION"));
        let tcp = base.tcp_settings().clone().set_nodelay(true);
        Ok(Self {
            base: base.set_redis_settings(redis).set_tcp_settings(tcp),
            sentinels,
            prefix: "ws-hub".to_owned(),
            connect_timeout: Duration::from_secs(5),
            ping: Duration::from_secs(2),
        })
    }

    /// A client of the broker, where there are no Sentinels.
    pub(super) fn broker(&self) -> ::redis::RedisResult<Client> {
        Client::open(self.base.clone())
    }

    /// A client of the broker that a Sentinel named.
    pub(super) fn broker_at(&self, host: &str, port: u16) -> ::redis::RedisResult<Client> {
        Client::open(self.base.clone().set_addr(self.at(host, port)))
    }

    /// A client of a Sentinel.
    pub(super) fn sentinel(&self, host: &str, port: u16, password: Option<&str>) -> ::redis::RedisResult<Client> {
        let mut redis = RedisConnectionInfo::default();
        if let Some(password) = password {
            redis = redis.set_password(password);
        }
        Client::open(self.base.clone().set_addr(self.at(host, port)).set_redis_settings(redis))
    }

    fn at(&self, host: &str, port: u16) -> ConnectionAddr {
        match self.base.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: host.to_owned(),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host.to_owned(), port),
        }
    }

    /// The channel of a topic. The database is in it, because channels belong to no database.
    pub(super) fn channel(&self, topic: &str) -> String {
        format!("{}{topic}", self.channel_prefix())
    }

    pub(super) fn channel_prefix(&self) -> String {
        format!("{}:{}:", self.prefix, self.base.redis_settings().db())
    }

    /// The key of a topic's stream.
    pub(super) fn stream(&self, topic: &str) -> String {
        format!("{}:stream:{topic}", self.prefix)
    }

    /// The key that remembers an idempotency key.
    pub(super) fn once(&self, topic: &str, key: &str) -> String {
        format!("{}:once:{}:{topic}:{key}", self.prefix, topic.len())
    }
}

fn parse(url: &str) -> Result<ConnectionInfo, InvalidRedisUrl> {
    // The library's words can repeat a part of the URL, with a password in it.
    url.into_connection_info()
        .map_err(|_| InvalidRedisUrl("redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE] is expected"))
}

/// Reads what follows `redis+sentinel://`.
fn sentinels(scheme: &str, rest: &str) -> Result<(ConnectionInfo, Option<Sentinels>), InvalidRedisUrl> {
    const EXPECTED: InvalidRedisUrl =
        InvalidRedisUrl("redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/SERVICE[/DATABASE] is expected");
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (format!("{credentials}@"), rest),
        None => (String::new(), rest),
    };
    let mut parts = rest.split('/');
    let (Some(hosts), Some(service)) = (parts.next(), parts.next()) else { return Err(EXPECTED) };
    let database = parts.next().unwrap_or("0");
    if parts.next().is_some() || service.is_empty() {
        return Err(EXPECTED);
    }
    let mut addresses = Vec::new();
    for host in hosts.split(',') {
        // An IPv6 address stands in brackets.
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| EXPECTED)?),
            _ => (host, SENTINEL_PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(EXPECTED);
        }
        addresses.push((host.to_owned(), port));
    }
    let base = parse(&format!("{scheme}://{credentials}localhost/{database}")).map_err(|_| EXPECTED)?;
    Ok((base, Some(Sentinels { addresses, service: service.to_owned(), password: None })))
}

/// Without credentials.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Redis");
        match &self.sentinels {
            Some(sentinels) => debug.field("sentinels", &sentinels.addresses).field("service", &sentinels.service),
            None => debug.field("address", &format_args!("{}", self.base.addr())),
        };
        debug.field("database", &self.base.redis_settings().db()).field("prefix", &self.prefix).finish()
    }
}

/// A URL that is none of a Redis or Valkey. The text does not repeat it, because it can hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRedisUrl(&'static str);

impl fmt::Display for InvalidRedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not the URL of a Redis: {}", self.0)
    }
}

impl Error for InvalidRedisUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_credential_is_printed() {
        for url in ["redis://ann:s3cret@localhost:7000/2", "redis+sentinel://ann:s3cret@h1:1,[::1]:2,h3/main/2"] {
            let settings = Settings::parse(url).unwrap();
            let text = format!("{settings:?}");
            assert!(!text.contains("s3cret") && !text.contains("ann"), "{text}");
            assert_eq!(settings.base.redis_settings().password(), Some("s3cret"));
            assert_eq!(settings.base.redis_settings().username(), Some("ann"));
            assert_eq!(settings.channel("a"), "ws-hub:2:a");
        }
        for url in ["redis://ann:s3cret@localhost:port", "redis+sentinel://ann:s3cret@h1", "s3cret", "s3cret://x"] {
            let error = Settings::parse(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn sentinels_are_read() {
        let settings = Settings::parse("redis+sentinel://:p%40ss@h1:1,[::1]:2,h3/main").unwrap();
        let sentinels = settings.sentinels.unwrap();
        assert_eq!(sentinels.addresses, [("h1".to_owned(), 1), ("::1".to_owned(), 2), ("h3".to_owned(), 26379)]);
        assert_eq!(sentinels.service, "main");
        assert_eq!(settings.base.redis_settings().password(), Some("p@ss"));
        for url in ["h1", "h1/", "/main", "h1:x/main", "h1,/main", "h1/main/x", "h1/main/0/0"] {
            assert!(Settings::parse(&format!("redis+sentinel://{url}")).is_err(), "{url}");
        }
    }
}
