//! The client's side of the opening handshake, over a transport.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http::Response;
#[cfg(feature = "tls")]
use rustls::pki_types::ServerName;
use tracing::debug;
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{Error as HandshakeError, Handshake};
use ws_proto::{Config, Connection, Timestamp};

use super::Client;
use super::error::ConnectError;
#[cfg(feature = "tls")]
use super::url::UrlError;
use crate::compression::Compression;
use crate::driver::Driver;
use crate::exchange::{Exchange, Interrupted};
use crate::head::Heads;
use crate::runtime::Runtime;
use crate::sender::Sender;
use crate::shared::{Addresses, Caller, Opening, Shared};
use crate::tls::{self, TlsError};
use crate::transport::{Timer, Transport};
use crate::websocket::WebSocket;

/// Dials and does the handshake, all within one deadline.
pub(super) async fn connect<R: Runtime>(client: Client<R>) -> Result<WebSocket, ConnectError> {
    #[cfg(feature = "tls")]
    let tls = client.tls;
    let Client { request, config, inbound, compression, connect_timeout, .. } = client;
    let (target, builder) = request.map_err(ConnectError::Url)?;
    #[cfg(not(feature = "tls"))]
    if target.secure {
        return Err(ConnectError::TlsUnsupported);
    }
    #[cfg(feature = "tls")]
    let secured = match target.secure {
        true => Some((server_name(&target.host)?, tls.config().map_err(ConnectError::TlsConfig)?)),
        false => None,
    };
    // The request is built first: what is wrong with it is told before anything is dialled.
    let handshake = compression.offer(builder).build(rand::random()).map_err(ConnectError::Request)?;
    let mut timer = R::timer();
    let deadline = timer.now() + connect_timeout;
    let (stream, addresses) = or_timeout(R::dial(&target.host, target.port), &mut timer, deadline).await?;
    #[cfg(feature = "tls")]
    if let Some((name, tls)) = secured {
        let connected = or_timeout(Box::pin(R::tls_connect(stream, name, tls)), &mut timer, deadline).await;
        let transport = connected.map_err(|error| match error {
            ConnectError::Io(error) if error.kind() == io::ErrorKind::Unsupported => ConnectError::TlsUnsupported,
            error => error,
        })?;
        let exchange = Exchange { transport, timer, deadline, received: Vec::new() };
        let (socket, driver) = open(exchange, handshake, compression, config, inbound, addresses).await?;
        R::spawn(driver);
        return Ok(socket);
    }
    let exchange = Exchange { transport: stream, timer, deadline, received: Vec::new() };
    let (socket, driver) = open(exchange, handshake, compression, config, inbound, addresses).await?;
    R::spawn(driver);
    Ok(socket)
}

/// Whom the certificate has to be for.
#[cfg(feature = "tls")]
fn server_name(host: &str) -> Result<ServerName<'static>, ConnectError> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| ConnectError::Url(UrlError::Invalid(format!("no certificate can be for the host name {host}"))))
}

/// Does the handshake on a transport from elsewhere.
pub(super) async fn handshake_alone<R: Runtime, T: Transport>(
    client: Client<R>,
    transport: T,
    addresses: Addresses,
) -> Result<(WebSocket, Driver<T, R::Timer>), ConnectError> {
    let Client { request, config, inbound, compression, connect_timeout, .. } = client;
    let (_, builder) = request.map_err(ConnectError::Url)?;
    let handshake = compression.offer(builder).build(rand::random()).map_err(ConnectError::Request)?;
    let timer = R::timer();
    let deadline = timer.now() + connect_timeout;
    let exchange = Exchange { transport, timer, deadline, received: Vec::new() };
    open(exchange, handshake, compression, config, inbound, addresses).await
}

async fn open<T: Transport, C: Timer>(
    mut exchange: Exchange<T, C>,
    mut handshake: Handshake,
    compression: Compression,
    config: Arc<Config>,
    inbound: usize,
    addresses: Addresses,
) -> Result<(WebSocket, Driver<T, C>), ConnectError> {
    debug!(target = %handshake.request().uri(), "> request");
    if let Err(failed) = exchange.write(&handshake.request_bytes()).await {
        return Err(refusal(&mut exchange).await.unwrap_or(failed.into()));
    }
    let established = loop {
        let ended = exchange.read().await? == 0;
        if tls::is_alert(&exchange.received) {
            return Err(ConnectError::Tls(TlsError::Unexpected));
        }
        if ended {
            return Err(ConnectError::Eof);
        }
        match handshake.receive(&exchange.received) {
            Ok(None) => {}
            Ok(Some(established)) => break established,
            Err(HandshakeError::Rejected { response, consumed }) => {
                exchange.received.drain(..consumed);
                return Err(ConnectError::Rejected(Box::new(read_body(exchange, *response).await)));
            }
            Err(error) => return Err(ConnectError::Handshake(error)),
        }
    };

    let agreement = compression.confirm(&established.extensions)?;
    let Exchange { transport, timer, mut received, .. } = exchange;
    received.drain(..established.consumed);
    let mut connection = Connection::client(config, rand::random::<[u8; 4]>, timer.now());
    agreement.apply(&mut connection);
    let opening = Opening {
        heads: Heads::parsed(handshake.into_request(), established.response),
        subprotocol: established.subprotocol.map(Into::into),
    };
    let shared = Shared::new(connection, inbound, opening, None, Caller::new(addresses));
    let socket = WebSocket::new(Sender { shared: Arc::clone(&shared) });
    Ok((socket, Driver::new(transport, timer, shared, received)))
}

/// What a server that takes no request has said of it in TLS: it may look at our certificate only after we have begun
/// to speak (RFC 8446 §4.4.2).
async fn refusal<T: Transport, C: Timer>(exchange: &mut Exchange<T, C>) -> Option<ConnectError> {
    let error = ConnectError::from(exchange.read().await.err()?);
    matches!(error, ConnectError::Tls(_)).then_some(error)
}

/// Reads the body of a refusal, as much of it as comes before the deadline.
async fn read_body<T: Transport, C: Timer>(mut exchange: Exchange<T, C>, head: Response<()>) -> Response<Bytes> {
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

/// Waits for `future`, but not past the deadline.
async fn or_timeout<O>(
    future: impl Future<Output = io::Result<O>>,
    timer: &mut impl Timer,
    deadline: Timestamp,
) -> Result<O, ConnectError> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result.map_err(|error| Interrupted::Io(error).into())),
        Poll::Pending => timer.poll_at(cx, deadline).map(|()| Err(ConnectError::Timeout)),
    })
    .await
}
