//! Forward proxies: which one a client uses, and how it asks for a connection to the server.

mod environment;
#[cfg(feature = "socks")]
mod socks;
mod tunnel;

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tls")]
use rustls::ClientConfig;
#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;

use super::Client;
#[cfg(feature = "tls")]
use super::connect::{failure, peer, server_name};
use super::dial::{AddressFamily, Deadline, dial};
use super::url::{Authority, Host, authorization};
use crate::error::{ConnectError, ProxyCause, ProxyError};
#[cfg(feature = "tls")]
use crate::error::{Stage, TimedOut};
use crate::runtime::Runtime;
#[cfg(feature = "tls")]
use crate::tls::ClientTls;
use crate::transport::{Addresses, MaybeTls};

use self::environment::{excludes, trusted_cases, variables};

/// The choice of a proxy.
#[derive(Clone, Default)]
enum Choice {
    #[default]
    Environment,
    /// Variables in place of the environment's.
    Variables(Arc<BTreeMap<String, String>>),
    Never,
    /// This one, whatever the environment says.
    Given(Arc<str>),
}

/// How to speak to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// The name is resolved here, and the proxy gets an address.
    Socks5,
    /// The proxy resolves the name.
    Socks5h,
}

/// A proxy, from its URL.
#[derive(Clone, PartialEq, Eq)]
struct Proxy {
    scheme: Scheme,
    host: Host,
    port: u16,
    /// User name and password as they stand in the URL.
    user_info: String,
}

/// The settings of a client that concern proxies.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    choice: Choice,
    #[cfg(feature = "tls")]
    tls: Option<Arc<ClientConfig>>,
}

/// A proxy, and how it is reached, with nothing left to decide.
pub(super) struct Reached {
    proxy: Proxy,
    #[cfg(feature = "tls")]
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
}

impl<R: Runtime> Client<R> {
    /// Connects through this proxy, whatever the environment says. The URL is `http://`, `https://` (TLS to the proxy),
    /// `socks5://` (names are resolved here) or `socks5h://` (the proxy resolves names). Without a scheme it is `http://`.
    /// The default ports are 80, 443 and 1080. User name and password in it are sent to the proxy: as Basic credentials in
    /// `Proxy-Authorization`, or as RFC 1929 says. They are never shown or logged. An invalid URL is reported when connecting.
    ///
    /// An HTTP proxy is asked for a tunnel with CONNECT (RFC 9110 §9.3.6), for `ws://` URLs too. SOCKS needs the crate
    /// feature `socks`.
    ///
    /// # The environment
    ///
    /// Without this setting, variables of the environment name the proxy, as for other programs. The first that is set and
    /// not empty applies:
    ///
    /// | URL | variables, in this order |
    /// | --- | --- |
    /// | `wss://` | `wss_proxy`, `https_proxy`, `all_proxy` |
    /// | `ws://` | `ws_proxy`, `https_proxy`, `http_proxy`, `all_proxy` |
    ///
    /// Each may also be in upper case; lower case goes first. `HTTP_PROXY` is ignored in a CGI program (`REQUEST_METHOD` is
    /// set), because a client of that program chooses its value. So is `http_proxy` on Windows, where it is the same variable.
    ///
    /// `no_proxy` lists servers that are reached directly, separated by commas: a domain with the names below it
    /// (`example.com`, `.example.com`), an IP address, a network (`10.0.0.0/8`, `fd00::/8`), each with an optional port
    /// (`example.com:8080`, `[::1]:8080`), or `*` for all. Names are not resolved for this: a network excludes URLs with an
    /// address in it. `localhost` is not excluded unless the list has it.
    #[must_use]
    pub fn proxy(mut self, url: impl AsRef<str>) -> Self {
        self.dialling.proxies.choice = Choice::Given(url.as_ref().into());
        self
    }

    /// Connects without a proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.dialling.proxies.choice = Choice::Never;
        self
    }

    /// Uses these variables in place of the environment's: `[("https_proxy", "http://proxy.example:3128")]`. See
    /// [`proxy`](Self::proxy).
    #[must_use]
    pub fn proxy_variables<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.dialling.proxies.choice = Choice::Variables(Arc::new(variables));
        self
    }

    /// Uses this configuration of [`rustls`](crate::rustls) for TLS to an `https://` proxy. Default: the certificates that
    /// the client trusts for its server ([`ca`](Self::ca)) without its client certificate, or
    /// [`tls_config`](Self::tls_config) if that is set.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn proxy_tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.dialling.proxies.tls = Some(config);
        self
    }
}

impl Proxies {
    /// The proxy for this server, if there is one. Nothing is sent.
    pub(super) fn choose(
        &self,
        secure: bool,
        host: &Host,
        port: u16,
        #[cfg(feature = "tls")] client: &ClientTls,
    ) -> Result<Option<Reached>, ConnectError> {
        let Some(proxy) = self.choice.choose(secure, host, port).map_err(ConnectError::Proxy)? else {
            return Ok(None);
        };
        #[cfg(not(feature = "tls"))]
        if proxy.is_secure() {
            return Err(ConnectError::TlsUnsupported);
        }
        #[cfg(feature = "tls")]
        let tls = match proxy.is_secure() {
            true => {
                let config = match &self.tls {
                    Some(config) => Arc::clone(config),
                    None => client.proxy_config().map_err(ConnectError::TlsConfig)?,
                };
                Some((server_name(&proxy.host).map_err(|error| proxy.unreachable(error))?, config))
            }
            false => None,
        };
        Ok(Some(Reached {
            proxy,
            #[cfg(feature = "tls")]
            tls,
        }))
    }
}

impl Choice {
    fn choose(&self, secure: bool, host: &Host, port: u16) -> Result<Option<Proxy>, ProxyError> {
        let given = |name: &str| match self {
            Self::Variables(all) => all.get(name).cloned(),
            // A value that is not UTF-8 names no host.
            _ => env::var(name).ok(),
        };
        let lookup = |name: &str, (lower, upper): (bool, bool)| {
            let given_if = |wanted: bool, name: &str| wanted.then(|| given(name)).flatten();
            given_if(lower, name).or_else(|| given_if(upper, &name.to_ascii_uppercase()))
        };
        match self {
            Self::Never => Ok(None),
            Self::Given(url) => Proxy::parse(url, None).map(Some),
            Self::Environment | Self::Variables(_) => {
                let is_cgi = given("REQUEST_METHOD").is_some();
                // On Windows, a variable has its name in either case.
                let ignores_case = cfg!(windows) && matches!(self, Self::Environment);
                let value = |name: &str| lookup(name, trusted_cases(name, is_cgi, ignores_case));
                let set =
                    variables(secure).iter().find_map(|name| Some((*name, value(name).filter(|url| !url.is_empty())?)));
                let Some((name, url)) = set else { return Ok(None) };
                if lookup("no_proxy", (true, true)).is_some_and(|list| excludes(&list, host, port)) {
                    return Ok(None);
                }
                Proxy::parse(&url, Some(name)).map(Some)
            }
        }
    }
}

impl Proxy {
    /// Parses the URL of a proxy. `variable` is the one that has it, for errors.
    fn parse(url: &str, variable: Option<&str>) -> Result<Self, ProxyError> {
        // Neither the URL nor a part of it is quoted, because it may have a password.
        let invalid = |why: String| {
            let proxy = variable.map_or_else(|| "the given URL".to_owned(), |name| format!("from {name}"));
            ProxyError::new(proxy, ProxyCause::Url(why))
        };
        if url.chars().any(char::is_control) {
            return Err(invalid("it contains a control character".to_owned()));
        }
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("http", url.trim()));
        let (scheme, own_port) = match &*scheme.to_ascii_lowercase() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "socks5" => (Scheme::Socks5, 1080),
            "socks5h" | "socks" => (Scheme::Socks5h, 1080),
            _ => return Err(invalid("its scheme must be http, https, socks5 or socks5h".to_owned())),
        };
        let authority = authority(rest);
        let Authority { user_info, host, port } =
            Authority::parse(authority).map_err(|error| invalid(error.to_string()))?;
        Ok(Self { scheme, host, port: port.unwrap_or(own_port), user_info: user_info.to_owned() })
    }

    /// Whether TLS to the proxy itself is needed.
    fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https
    }

    fn failed(&self, cause: ProxyCause) -> ConnectError {
        ConnectError::Proxy(ProxyError::new(self.to_string(), cause))
    }

    /// Names the proxy in an error of reaching it. A deadline stays one.
    fn unreachable(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::Timeout(_) | ConnectError::TlsUnsupported => error,
            error => self.failed(ProxyCause::Connect(Box::new(error))),
        }
    }
}

/// The user, password, host and port in the rest of a URL. What follows the host means nothing to a proxy. A password may
/// contain characters that should be percent-encoded, such as a slash.
fn authority(rest: &str) -> &str {
    let until = |begin: usize, ends: &[char]| {
        let end = rest.get(begin..).and_then(|behind| behind.find(ends)).map_or(rest.len(), |n| begin + n);
        rest.get(..end).unwrap_or(rest)
    };
    let last_at = |text: &str| text.rfind('@').map(|at| at + 1);
    let host_at = match last_at(until(0, &['?', '#'])) {
        Some(host_at) => host_at,
        None if Authority::parse(until(0, &['/', '?', '#'])).is_ok() => 0,
        None => last_at(rest).unwrap_or(0),
    };
    until(host_at, &['/', '?', '#'])
}

/// The proxy without its credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks5 => "socks5",
            Scheme::Socks5h => "socks5h",
        };
        write!(f, "{scheme}://{}", ws_proto::handshake::tunnel::authority(&self.host.to_string(), self.port))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Reached {
    /// Dials the proxy, and has it connect to the server.
    pub(super) async fn connect<R: Runtime>(
        self,
        host: &Host,
        port: u16,
        family: Option<AddressFamily>,
        deadline: &mut Deadline<R::Timer>,
    ) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
        let proxy = &self.proxy;
        match proxy.scheme {
            Scheme::Http | Scheme::Https => {
                let (stream, addresses) = reach::<R>(proxy, family, deadline).await?;
                let transport = MaybeTls::plain(stream);
                #[cfg(feature = "tls")]
                let transport = match self.tls {
                    Some((name, tls)) => match deadline.wait_for(R::tls_connect(transport, name, tls)).await {
                        Some(Ok(transport)) => MaybeTls::other(transport, false),
                        Some(Err(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                            return Err(ConnectError::TlsUnsupported);
                        }
                        Some(Err(error)) => return Err(proxy.unreachable(failure(error))),
                        None => return Err(TimedOut::new(Stage::Tls, deadline.timeout, peer(addresses)).into()),
                    },
                    None => transport,
                };
                let transport = tunnel::open(proxy, transport, host, port, R::USER_AGENT, deadline).await?;
                Ok((transport, addresses))
            }
            #[cfg(feature = "socks")]
            Scheme::Socks5 | Scheme::Socks5h => socks::connect::<R>(proxy, host, port, family, deadline).await,
            #[cfg(not(feature = "socks"))]
            Scheme::Socks5 | Scheme::Socks5h => Err(proxy.failed(ProxyCause::SocksUnsupported)),
        }
    }
}

/// Dials the proxy.
async fn reach<R: Runtime>(
    proxy: &Proxy,
    family: Option<AddressFamily>,
    deadline: &mut Deadline<R::Timer>,
) -> Result<(R::Stream, Addresses), ConnectError> {
    dial::<R>(&proxy.host, proxy.port, family, deadline).await.map_err(|error| proxy.unreachable(error))
}
