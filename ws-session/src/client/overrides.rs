//! How a client reaches its server: the URL's host and port, or others in their place.

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use super::Client;
use super::dial::{AddressFamily, Deadline, dial};
#[cfg(feature = "proxies")]
use super::proxy::{Proxies, Reached};
use super::url::{Host, Target};
use crate::error::{ConnectError, Stage, TimedOut};
use crate::runtime::Runtime;
use crate::sync::{Mutex, PoisonError};
#[cfg(all(feature = "tls", feature = "proxies"))]
use crate::tls::ClientTls;
use crate::transport::{Addresses, MaybeTls, Transport};

/// A transport that somebody else has connected.
type Connected = (Box<dyn Transport + Send>, Addresses);

type Connecting = Pin<Box<dyn Future<Output = io::Result<Connected>> + Send>>;

/// How to reach the server.
#[derive(Clone, Default)]
pub(super) struct Dialling {
    #[cfg(feature = "proxies")]
    pub(super) proxies: Proxies,
    host: Option<String>,
    port: Option<u16>,
    family: Option<AddressFamily>,
    via: Via,
}

/// The kind of transport.
#[derive(Clone, Default)]
enum Via {
    #[default]
    Tcp,
    #[cfg(unix)]
    Unix(Arc<Path>),
    Connector(Arc<dyn Fn(Destination) -> Connecting + Send + Sync>),
    /// It can be used once.
    Given(Arc<Mutex<Option<Connected>>>),
}

/// The server that a [`Client::connector`] is asked to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The host of the URL: a name in ASCII, or an address without brackets. An IPv6 address may have a zone
    /// (`fe80::1%eth0`). [`Client::dial_host`] replaces it.
    pub host: String,
    /// The port of the URL, or its scheme's default. [`Client::dial_port`] replaces it.
    pub port: u16,
    /// Whether TLS will be done on the transport (`wss`).
    pub tls: bool,
}

impl<R: Runtime> Client<R> {
    /// Connects to this host, a name or an IP address, in place of the URL's. The `Host` header and the name in the
    /// certificate stay those of the URL. An invalid host is reported when connecting.
    ///
    /// A redirect to another origin is not followed then.
    #[must_use]
    pub fn dial_host(mut self, host: impl Into<String>) -> Self {
        self.dialling.host = Some(host.into());
        self
    }

    /// Connects to this port in place of the URL's. The `Host` header stays that of the URL.
    ///
    /// A redirect to another origin is not followed then.
    #[must_use]
    pub fn dial_port(mut self, port: u16) -> Self {
        self.dialling.port = Some(port);
        self
    }

    /// Connects to addresses of this version of IP only. `None`, the default, tries those of both (RFC 8305). A host without such
    /// an address is a [`ConnectError::Resolve`]. With a proxy, this concerns the proxy's own addresses, and those of a name that
    /// is resolved here for a SOCKS proxy.
    #[must_use]
    pub fn address_family(mut self, family: impl Into<Option<AddressFamily>>) -> Self {
        self.dialling.family = family.into();
        self
    }

    /// Connects to this Unix socket in place of the URL's host and port, without a proxy. The `Host` header and the name in
    /// the certificate stay those of the URL.
    ///
    /// A redirect to another origin is not followed then.
    #[cfg(unix)]
    #[must_use]
    pub fn unix_socket(mut self, path: impl AsRef<Path>) -> Self {
        self.dialling.via = Via::Unix(path.as_ref().into());
        self
    }

    /// Uses a transport that is connected already, in place of dialling, without a proxy. For a `wss://` URL, TLS is done on
    /// it, in contrast to [`handshake`](Self::handshake).
    ///
    /// It serves one connection. Another attempt, such as a redirect, fails with [`ConnectError::Connector`]. HTTP/1.1 is spoken
    /// on it, whatever `Client::http2` is: going back from HTTP/2 would need another transport, and connections of HTTP/2 are
    /// shared. Use [`connector`](Self::connector) for those.
    #[must_use]
    pub fn transport<T>(mut self, transport: T, addresses: Addresses) -> Self
    where
        T: Transport + Send + 'static,
    {
        self.dialling.via = Via::Given(Arc::new(Mutex::new(Some((Box::new(transport), addresses)))));
        self
    }

    /// Connects with a function of your own, in place of dialling, without a proxy. TLS for a `wss://` URL and the opening
    /// handshake are done on the transport that it returns. The addresses may be unknown ([`Addresses::default`]).
    ///
    /// It is called for each attempt, after a redirect with another destination, and within
    /// [`connect_timeout`](Self::connect_timeout). Its error is [`ConnectError::Connector`].
    #[must_use]
    pub fn connector<F, C, T>(mut self, connect: F) -> Self
    where
        F: Fn(Destination) -> C + Send + Sync + 'static,
        C: Future<Output = io::Result<(T, Addresses)>> + Send + 'static,
        T: Transport + Send + 'static,
    {
        self.dialling.via = Via::Connector(Arc::new(move |destination| {
            let connecting = connect(destination);
            Box::pin(async move {
                let (transport, addresses) = connecting.await?;
                Ok((Box::new(transport) as Box<dyn Transport + Send>, addresses))
            })
        }));
        self
    }
}

impl Dialling {
    /// Whether the server is at another place than the URL says, so that another URL means another place.
    #[cfg(feature = "redirects")]
    pub(super) fn overrides_the_url(&self) -> bool {
        let elsewhere = match self.via {
            Via::Tcp | Via::Connector(_) => false,
            #[cfg(unix)]
            Via::Unix(_) => true,
            Via::Given(_) => true,
        };
        elsewhere || self.host.is_some() || self.port.is_some()
    }

    /// Whether there is only one transport, so that nothing can be tried on it first.
    #[cfg(feature = "http2")]
    pub(super) fn is_given(&self) -> bool {
        matches!(self.via, Via::Given(_))
    }

    /// Decides how to reach a target, before anything is sent.
    pub(super) fn route(
        &self,
        target: &Target,
        #[cfg(all(feature = "tls", feature = "proxies"))] tls: &ClientTls,
    ) -> Result<Route, ConnectError> {
        let host = match &self.host {
            Some(host) => Host::dialled(host).map_err(ConnectError::Url)?,
            None => target.host.clone(),
        };
        let port = self.port.unwrap_or(target.port);
        #[cfg(feature = "proxies")]
        let proxy = match self.via {
            #[cfg(feature = "tls")]
            Via::Tcp => self.proxies.choose(target.secure, &host, port, tls)?,
            #[cfg(not(feature = "tls"))]
            Via::Tcp => self.proxies.choose(target.secure, &host, port)?,
            _ => None,
        };
        Ok(Route {
            via: self.via.clone(),
            host,
            port,
            family: self.family,
            secure: target.secure,
            #[cfg(feature = "proxies")]
            proxy,
        })
    }
}

/// The way to a server, with nothing left to decide.
pub(super) struct Route {
    via: Via,
    host: Host,
    port: u16,
    family: Option<AddressFamily>,
    secure: bool,
    #[cfg(feature = "proxies")]
    proxy: Option<Reached>,
}

impl Route {
    /// Whether the server is dialled itself, over TCP.
    fn is_direct(&self) -> bool {
        #[cfg(feature = "proxies")]
        if self.proxy.is_some() {
            return false;
        }
        matches!(self.via, Via::Tcp)
    }

    /// Connects, up to the transport on which TLS for `wss` is done.
    pub(super) async fn connect<R: Runtime>(
        self,
        deadline: &mut Deadline<R::Timer>,
    ) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
        if self.is_direct() {
            let (stream, addresses) = dial::<R>(&self.host, self.port, self.family, deadline).await?;
            return Ok((MaybeTls::plain(stream), addresses));
        }
        // Boxed, so that dialling a server needs no memory for it.
        Box::pin(self.connect_otherwise::<R>(deadline)).await
    }

    async fn connect_otherwise<R: Runtime>(
        self,
        deadline: &mut Deadline<R::Timer>,
    ) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
        #[cfg(feature = "proxies")]
        if let Some(proxy) = self.proxy {
            return proxy.connect::<R>(&self.host, self.port, self.family, deadline).await;
        }
        let timed_out = |timeout, peer| TimedOut::new(Stage::Tcp, timeout, peer).into();
        let (transport, addresses) = match self.via {
            Via::Tcp => {
                let (stream, addresses) = dial::<R>(&self.host, self.port, self.family, deadline).await?;
                return Ok((MaybeTls::plain(stream), addresses));
            }
            #[cfg(unix)]
            Via::Unix(path) => match deadline.wait_for(R::connect_unix(&path)).await {
                Some(Ok(transport)) => (transport, Addresses::default()),
                Some(Err(error)) => return Err(ConnectError::UnixSocket { path: path.to_path_buf(), error }),
                None => return Err(timed_out(deadline.timeout, path.display().to_string())),
            },
            Via::Connector(connect) => {
                let destination = Destination { host: self.host.to_string(), port: self.port, tls: self.secure };
                match deadline.wait_for(connect(destination)).await {
                    Some(connected) => connected.map_err(ConnectError::Connector)?,
                    None => return Err(timed_out(deadline.timeout, self.host.to_string())),
                }
            }
            Via::Given(given) => {
                let given = given.lock().unwrap_or_else(PoisonError::into_inner).take();
                given.ok_or_else(|| {
                    let error = "the given transport serves one connection, and was used";
                    ConnectError::Connector(io::Error::new(io::ErrorKind::InvalidInput, error))
                })?
            }
        };
        Ok((MaybeTls::other(transport, false), addresses))
    }
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialling").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}
