//! The client's side of the opening handshake, over a transport.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
#[cfg(feature = "tls")]
use rustls::ClientConfig;
#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;
use ws_proto::Config;
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{Builder, ClientHandshake, HandshakeError};

use super::Client;
use super::dial::Deadline;
#[cfg(feature = "http2")]
use super::http2;
use super::overrides::Route;
#[cfg(feature = "redirects")]
use super::redirect::Redirects;
use super::response::OnInformational;
#[cfg(feature = "tls")]
use super::url::Host;
use super::url::Target;
#[cfg(feature = "tls")]
use crate::error::UrlError;
use crate::error::{ConnectError, Stage, TimedOut};
use crate::handle::WebSocket;
use crate::logging::log_head;
use crate::opening::Parts;
use crate::opening::compression::Compression;
use crate::opening::exchange::{Exchange, Interrupted};
use crate::random::nonce;
use crate::runtime::Runtime;
use crate::shared::inbound::InboundLimits;
#[cfg(feature = "tls")]
use crate::tls::TlsInfo;
use crate::tls::{self, TlsError};
use crate::transport::Addresses;
use crate::transport::MaybeTls;
use crate::transport::{Timer, Transport};

/// Connects, with a driver in a task of its own.
pub(super) async fn connect<R: Runtime>(client: Client<R>) -> Result<WebSocket, ConnectError> {
    let (socket, driver) = open(client).await?.open();
    driver.spawn::<R>();
    Ok(socket)
}

/// Dials and does the handshake, within a deadline.
#[cfg(not(feature = "redirects"))]
pub(super) async fn open<R: Runtime>(client: Client<R>) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
    let deadline = Deadline::new(R::timer(), client.connect_timeout);
    // Boxed, so that the future of a connection is not as large as that of opening it.
    Box::pin(open_once(client, deadline)).await
}

/// Dials and does the handshake, and those after redirects, all within one deadline.
#[cfg(feature = "redirects")]
pub(super) async fn open<R: Runtime>(
    mut client: Client<R>,
) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
    let timeout = client.connect_timeout;
    let clock = R::timer();
    let end = clock.now() + timeout;
    let mut redirects = Redirects::default();
    loop {
        let again = (client.max_redirects > 0).then(|| Box::new(client.clone()));
        let remaining = end.since_origin().saturating_sub(clock.now().since_origin());
        let deadline = Deadline { timeout, ..Deadline::new(R::timer(), remaining) };
        // Boxed, so that the future of a connection is not as large as that of opening it.
        match (Box::pin(open_once(client, deadline)).await, again) {
            (Err(error), Some(again)) => client = redirects.follow(*again, error)?,
            (opened, _) => return opened,
        }
    }
}

/// Dials and does one handshake.
async fn open_once<R: Runtime>(
    client: Client<R>,
    deadline: Deadline<R::Timer>,
) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
    #[cfg(feature = "http2")]
    if let Some(connections) = client.http2.clone() {
        // Boxed, so that connecting over HTTP/1.1 needs no memory for it.
        return Box::pin(http2::open(client, connections, deadline)).await;
    }
    open_over_http1(client, deadline).await
}

/// Dials and does the handshake over HTTP/1.1.
pub(super) async fn open_over_http1<R: Runtime>(
    client: Client<R>,
    mut deadline: Deadline<R::Timer>,
) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
    // The request is built first, so that its errors are reported before any address is dialled.
    let way = match &client.request {
        Ok((target, _)) => Way::new(&client, target)?,
        Err(error) => return Err(ConnectError::Url(error.clone())),
    };
    let opening = ClientOpening::new(client)?;
    #[cfg(feature = "http2")]
    let way = way.with_http2(false);
    let (transport, addresses) = way.connect::<R>(&mut deadline).await?;
    opening.open(transport, addresses, deadline).await
}

/// Does the handshake over HTTP/1.1 on a transport that is connected.
pub(super) async fn open_on<R: Runtime, T: Transport>(
    client: Client<R>,
    transport: T,
    addresses: Addresses,
    deadline: Deadline<R::Timer>,
) -> Result<Parts<T, R::Timer>, ConnectError> {
    let opening = ClientOpening::new(client)?;
    opening.open(transport, addresses, deadline).await
}

/// The way to a server: how it is reached, and TLS if its URL says so.
pub(super) struct Way {
    route: Route,
    #[cfg(feature = "tls")]
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
}

impl Way {
    pub(super) fn new<R>(client: &Client<R>, target: &Target) -> Result<Self, ConnectError> {
        #[cfg(not(feature = "tls"))]
        if target.secure {
            return Err(ConnectError::TlsUnsupported);
        }
        #[cfg(feature = "tls")]
        let tls = match target.secure {
            true => {
                let config = client.tls.config().map_err(ConnectError::TlsConfig)?;
                Some((server_name(&target.host)?, config))
            }
            false => None,
        };
        Ok(Self {
            #[cfg(all(feature = "tls", feature = "proxies"))]
            route: client.dialling.route(target, &client.tls)?,
            #[cfg(not(all(feature = "tls", feature = "proxies")))]
            route: client.dialling.route(target)?,
            #[cfg(feature = "tls")]
            tls,
        })
    }

    /// Offers HTTP/2 in ALPN, or not.
    #[cfg(feature = "http2")]
    pub(super) fn with_http2(self, offered: bool) -> Self {
        #[cfg(feature = "tls")]
        return Self { tls: self.tls.map(|(name, config)| (name, tls::client_with_http2(config, offered))), ..self };
        #[cfg(not(feature = "tls"))]
        {
            let _ = offered;
            self
        }
    }

    /// Dials, and does the TLS handshake if there is TLS.
    pub(super) async fn connect<R: Runtime>(
        self,
        deadline: &mut Deadline<R::Timer>,
    ) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
        let (transport, addresses) = self.route.connect::<R>(deadline).await?;
        #[cfg(feature = "tls")]
        if let Some((name, tls)) = self.tls {
            return match deadline.wait_for(Box::pin(R::tls_connect(transport, name, tls))).await {
                Some(Ok(transport)) => Ok((MaybeTls::tls(transport), addresses)),
                Some(Err(error)) if error.kind() == io::ErrorKind::Unsupported => Err(ConnectError::TlsUnsupported),
                Some(Err(error)) => Err(failure(error)),
                None => Err(TimedOut::new(Stage::Tls, deadline.timeout, peer(addresses)).into()),
            };
        }
        Ok((transport, addresses))
    }
}

/// The request, with its offers and a fresh key.
pub(super) fn build(builder: Builder, compression: &Compression) -> Result<ClientHandshake, ConnectError> {
    compression.offer(builder).build(nonce()).map_err(ConnectError::Request)
}

/// The name that TLS asks the server for (SNI). There is none for an address.
#[cfg(feature = "tls")]
pub(super) fn sent_name(target: &Target) -> Option<&str> {
    match &target.host {
        Host::Name(name) if target.secure => Some(name),
        _ => None,
    }
}

/// The result of the TLS handshake on a transport.
#[cfg(feature = "tls")]
pub(super) fn tls_of(transport: &impl Transport, name: Option<&str>) -> Option<TlsInfo> {
    let tls = transport.tls()?;
    Some(match name {
        Some(name) => tls.with_server_name(name),
        None => tls,
    })
}

/// The name that the certificate must be for.
#[cfg(feature = "tls")]
pub(super) fn server_name(host: &Host) -> Result<ServerName<'static>, ConnectError> {
    match host {
        Host::Address { ip, .. } => Ok(ServerName::from(*ip)),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| {
            ConnectError::Url(UrlError::Invalid(format!("no certificate can be for the host name {name}")))
        }),
    }
}

/// Does the handshake on a transport that the caller has connected.
pub(super) async fn handshake_alone<R: Runtime, T: Transport>(
    client: Client<R>,
    transport: T,
    addresses: Addresses,
) -> Result<Parts<T, R::Timer>, ConnectError> {
    let deadline = Deadline::new(R::timer(), client.connect_timeout);
    open_on(client, transport, addresses, deadline).await
}

/// An opening handshake, and the settings of the connection.
struct ClientOpening {
    handshake: ClientHandshake,
    compression: Compression,
    config: Arc<Config>,
    inbound: InboundLimits,
    notsent_lowat: Option<u32>,
    on_informational: Option<OnInformational>,
    /// The name that TLS asks the server for.
    #[cfg(feature = "tls")]
    server_name: Option<String>,
}

impl ClientOpening {
    fn new<R>(client: Client<R>) -> Result<Self, ConnectError> {
        let Client { request, config, inbound, notsent_lowat, compression, on_informational, .. } = client;
        #[cfg_attr(not(feature = "tls"), expect(unused_variables))]
        let (target, builder) = request.map_err(ConnectError::Url)?;
        let handshake = build(builder, &compression)?;
        Ok(Self {
            handshake,
            compression,
            config,
            inbound,
            notsent_lowat,
            on_informational,
            #[cfg(feature = "tls")]
            server_name: sent_name(&target).map(str::to_owned),
        })
    }

    async fn open<T: Transport, C: Timer>(
        self,
        transport: T,
        addresses: Addresses,
        deadline: Deadline<C>,
    ) -> Result<Parts<T, C>, ConnectError> {
        let Self { mut handshake, compression, config, inbound, notsent_lowat, on_informational, .. } = self;
        let show = |response: &Response<()>| on_informational.iter().for_each(|hook| hook(response));
        let Deadline { timer, at, timeout } = deadline;
        let mut exchange = Exchange { transport, timer, deadline: at, received: Vec::new() };
        let failed = |interrupted| match interrupted {
            Interrupted::Timeout => TimedOut::new(Stage::Handshake, timeout, peer(addresses)).into(),
            Interrupted::Io(error) => failure(error),
        };
        let request = handshake.request_bytes();
        log_head(">", &request);
        if let Err(interrupted) = exchange.write(&request).await {
            return Err(refusal(&mut exchange).await.unwrap_or_else(|| failed(interrupted)));
        }
        let established = loop {
            let ended = exchange.read().await.map_err(failed)? == 0;
            if tls::is_alert(&exchange.received) {
                return Err(ConnectError::Tls(TlsError::Unexpected));
            }
            if ended {
                return Err(ConnectError::Eof);
            }
            match handshake.receive_with(&exchange.received, show) {
                Ok(None) => {}
                Ok(Some(established)) => {
                    log_head("<", &exchange.received);
                    break established;
                }
                Err(HandshakeError::Rejected { response, consumed }) => {
                    log_head("<", &exchange.received);
                    exchange.received.drain(..consumed);
                    return Err(ConnectError::Rejected(Box::new(read_body(exchange, *response).await)));
                }
                Err(_) if !speaks_http(&exchange.received) => {
                    return Err(ConnectError::NotHttp(read_line(exchange).await));
                }
                Err(error) => return Err(ConnectError::Handshake(error)),
            }
        };

        let agreement = compression.confirm(&established.extensions)?;
        let Exchange { transport, timer, mut received, .. } = exchange;
        received.drain(..established.consumed);
        let parts = Parts::client(transport, timer).config(config).addresses(addresses).received(received);
        #[cfg_attr(not(feature = "tls"), expect(unused_mut))]
        let mut parts = parts.heads(handshake.into_request(), established.response);
        #[cfg(feature = "tls")]
        parts.caller.note_tls(tls_of(&parts.transport, self.server_name.as_deref()));
        let subprotocol = established.subprotocol.map(Into::into);
        Ok(Parts { inbound, notsent_lowat, agreement, subprotocol, ..parts })
    }
}

/// The server's address, for errors.
pub(super) fn peer(addresses: Addresses) -> String {
    addresses.peer.map(|peer| peer.to_string()).unwrap_or_default()
}

/// The meaning of an error of the transport.
pub(super) fn failure(error: io::Error) -> ConnectError {
    match error.kind() {
        // TLS reports the end of TCP in an error of its own.
        io::ErrorKind::UnexpectedEof => ConnectError::Eof,
        _ => tls::from_io(error).map_or_else(ConnectError::Io, ConnectError::Tls),
    }
}

/// The TLS alert of a server that does not take the request. A server may check our certificate only after we have begun to
/// send (RFC 8446 §4.4.2).
async fn refusal<T: Transport, C: Timer>(exchange: &mut Exchange<T, C>) -> Option<ConnectError> {
    match exchange.read().await {
        Err(Interrupted::Io(error)) => tls::from_io(error).ok().map(ConnectError::Tls),
        _ => None,
    }
}

/// The time for the body of a refusal. Some servers send without end.
const EXPLANATION_TIME: Duration = Duration::from_millis(500);

/// Reads the body of a refusal, as far as it arrives in that time.
pub(super) async fn read_body<T: Transport, C: Timer>(
    mut exchange: Exchange<T, C>,
    head: Response<()>,
) -> Response<Bytes> {
    exchange.deadline = exchange.deadline.min(exchange.timer.now() + EXPLANATION_TIME);
    let mut reader = BodyReader::new(&head);
    while !reader.read(&exchange.received) {
        exchange.received.clear();
        match exchange.read().await {
            Ok(n) if n > 0 => {}
            _ => break,
        }
    }
    head.map(|()| reader.into_body().bytes)
}

/// Whether this can be the beginning of a response of any version (RFC 9112 §4).
fn speaks_http(received: &[u8]) -> bool {
    let protocol = b"HTTP/";
    received.starts_with(protocol) || protocol.starts_with(received)
}

/// The first line of a server that does not speak HTTP, as far as it arrives in that time.
async fn read_line<T: Transport, C: Timer>(mut exchange: Exchange<T, C>) -> Bytes {
    /// The most bytes that are kept.
    const MOST: usize = 256;
    exchange.deadline = exchange.deadline.min(exchange.timer.now() + EXPLANATION_TIME);
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    while exchange.received.len() < MOST && !exchange.received.iter().any(is_end) {
        match exchange.read().await {
            Ok(n) if n > 0 => {}
            _ => break,
        }
    }
    let mut line = exchange.received;
    line.truncate(line.iter().position(is_end).unwrap_or(line.len()).min(MOST));
    line.into()
}
