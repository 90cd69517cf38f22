//! [`Settings`]: what a connection is made with.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};

use super::subject;

#[derive(Clone)]
pub(super) struct Settings {
    /// Without credentials: the client library logs them.
    pub(super) servers: Vec<ServerAddr>,
    pub(super) credentials: Option<Credentials>,
    pub(super) root_certificates: Vec<PathBuf>,
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
    pub(super) tls_required: bool,
    pub(super) name: String,
    pub(super) inbox_prefix: Option<String>,
    pub(super) prefix: String,
    pub(super) stream: String,
    pub(super) replicas: usize,
    pub(super) in_memory: bool,
    pub(super) max_bytes: Option<u64>,
    /// Whether there are streams at all.
    pub(super) has_history: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Token(String),
    User(String, String),
    #[cfg(feature = "nats-credentials")]
    File(PathBuf),
}

impl Settings {
    pub(super) fn new(urls: &str) -> Result<Self, InvalidNats> {
        let (mut servers, mut credentials) = (Vec::new(), None);
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let (server, own) = server(url)?;
            servers.push(server);
            if credentials.as_ref().is_some_and(|other| own.as_ref().is_some_and(|own| own != other)) {
                return Err(InvalidNats::Credentials);
            }
            credentials = credentials.or(own);
        }
        if servers.is_empty() {
            return Err(InvalidNats::NoServer);
        }
        Ok(Self {
            servers,
            credentials,
            root_certificates: Vec::new(),
            client_certificate: None,
            tls_required: false,
            name: "ws-hub".to_owned(),
            inbox_prefix: None,
            prefix: "ws".to_owned(),
            stream: "WS_HUB".to_owned(),
            replicas: 1,
            in_memory: false,
            max_bytes: None,
            has_history: true,
        })
    }

    pub(super) async fn options(&self) -> Result<ConnectOptions, String> {
        let mut options = match &self.credentials {
            None => ConnectOptions::new(),
            Some(Credentials::Token(token)) => ConnectOptions::with_token(token.clone()),
            Some(Credentials::User(user, password)) => {
                ConnectOptions::with_user_and_password(user.clone(), password.clone())
            }
            #[cfg(feature = "nats-credentials")]
            Some(Credentials::File(path)) => ConnectOptions::with_credentials_file(path)
                .await
                .map_err(|error| format!("cannot read the credentials file {}: {error}", path.display()))?,
        };
        for path in &self.root_certificates {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.client_certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if let Some(prefix) = &self.inbox_prefix {
            options = options.custom_inbox_prefix(prefix);
        }
        Ok(options.require_tls(self.tls_required).name(&self.name))
    }
}

/// A server, and the credentials that were in its URL.
fn server(url: &str) -> Result<(ServerAddr, Option<Credentials>), InvalidNats> {
    let server: ServerAddr = url.parse().map_err(|_| InvalidNats::Url)?;
    if !["nats", "tls"].contains(&server.scheme()) {
        return Err(InvalidNats::Scheme(server.scheme().to_owned()));
    }
    let credentials = match (server.username(), server.password()) {
        (None, _) => None,
        (Some(token), None) => Some(Credentials::Token(subject::decode(token))),
        (Some(user), Some(password)) => Some(Credentials::User(subject::decode(user), subject::decode(password))),
    };
    let mut url = server.into_inner();
    if url.host_str().is_none_or(str::is_empty) || url.set_username("").is_err() || url.set_password(None).is_err() {
        return Err(InvalidNats::Url);
    }
    let server = ServerAddr::from_url(url).map_err(|_| InvalidNats::Url)?;
    Ok((server, credentials))
}

/// Settings that no NATS server can be reached with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidNats {
    /// There is no URL.
    NoServer,
    /// It is no URL with a host. It is not shown, because it can hold a password.
    Url,
    /// The scheme is neither `nats` nor `tls`.
    Scheme(String),
    /// Several servers have different credentials.
    Credentials,
}

impl fmt::Display for InvalidNats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("no NATS server is named"),
            Self::Url => f.write_str("not the URL of a NATS server: nats://host:4222 is one"),
            Self::Scheme(scheme) => write!(f, "NATS servers have URLs with nats: or tls:, not {scheme}:"),
            Self::Credentials => f.write_str("the URLs of the NATS servers have different credentials"),
        }
    }
}

impl Error for InvalidNats {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_urls() {
        let settings = Settings::new("nats://me:p%40ss@one:4333, nats://two").unwrap();
        let servers: Vec<_> = settings.servers.iter().map(|server| server.as_url_str()).collect();
        assert_eq!(servers, ["nats://one:4333", "nats://two"]);
        assert!(settings.credentials == Some(Credentials::User("me".to_owned(), "p@ss".to_owned())));
        let settings = Settings::new("tls://secret@one").unwrap();
        assert!(settings.credentials == Some(Credentials::Token("secret".to_owned())));
        assert!(settings.servers[0].tls_required());
    }

    #[test]
    fn urls_that_are_none_are_refused_without_showing_them() {
        let refused = |urls| Settings::new(urls).err();
        assert_eq!(refused(""), Some(InvalidNats::NoServer));
        assert_eq!(refused(" , "), Some(InvalidNats::NoServer));
        assert_eq!(refused("nats://"), Some(InvalidNats::Url));
        assert_eq!(refused("nats://a b"), Some(InvalidNats::Url));
        assert_eq!(refused("ws://one"), Some(InvalidNats::Scheme("ws".to_owned())));
        assert_eq!(refused("http://one"), Some(InvalidNats::Url));
        assert_eq!(refused("nats://a:b@one,nats://c:d@two"), Some(InvalidNats::Credentials));
        assert!(refused("nats://a:b@one,nats://a:b@two,nats://three").is_none());
    }
}
