//! A client over HTTP/2 (RFC 8441): connections that clients share, and when HTTP/1.1 is used instead.

mod connections;
mod opening;

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tracing::debug;

pub use self::connections::Http2Connections;
use self::connections::{Found, Origin, Requested, Shared};
use self::opening::Ended;
use super::Client;
use super::connect::{self, Way, failure, peer};
use super::dial::Deadline;
use super::url::Target;
use crate::error::{ConnectError, Stage, TimedOut};
use crate::http2::{Http2Failure, Http2Opened};
use crate::info::Caller;
use crate::logging::TARGET;
use crate::opening::Parts;
use crate::opening::exchange::Exchange;
use crate::runtime::Runtime;
use crate::transport::{Addresses, MaybeTls, Transport};

/// The most bytes of a refusal's body that are kept.
const MOST_BODY: usize = 64 << 10;

/// The result of connecting.
enum Connected<R: Runtime> {
    /// A connection of HTTP/2, and a stream on it.
    Http2(Requested),
    /// A server that chose HTTP/1.1 in ALPN.
    Http1(MaybeTls<R::Stream>, Addresses),
    /// A server that does not offer WebSocket over HTTP/2.
    NotOffered,
}

impl<R: Runtime> Client<R> {
    /// Uses HTTP/2 (RFC 8441) where the server offers it: a WebSocket is one stream of a connection, which clients with the same
    /// [`Http2Connections`] share. `Http2Connections::new()` is for one client alone.
    ///
    /// For `wss://` URLs, ALPN offers `h2` before `http/1.1`. After the server's SETTINGS, the client uses HTTP/1.1 over another
    /// connection if they lack `SETTINGS_ENABLE_CONNECT_PROTOCOL`, or if the server resets the stream with `HTTP_1_1_REQUIRED`. For
    /// `ws://` URLs see [`Http2Connections::prior_knowledge`]. Without this setting, clients speak HTTP/1.1.
    ///
    /// [`WebSocket::response`](crate::WebSocket::response) tells the version. The response is a 200 then.
    /// [`handshake`](Self::handshake) always uses HTTP/1.1, and so does a client with a [`transport`](Self::transport). On a runtime without HTTP/2 this setting has no effect.
    #[must_use]
    pub fn http2(mut self, connections: &Http2Connections) -> Self {
        self.http2 = Some(connections.clone());
        self
    }
}

/// Connects over HTTP/2, or over HTTP/1.1 where HTTP/2 is not offered.
pub(super) async fn open<R: Runtime>(
    client: Client<R>,
    connections: Http2Connections,
    mut deadline: Deadline<R::Timer>,
) -> Result<Parts<MaybeTls<R::Stream>, R::Timer>, ConnectError> {
    let target = match &client.request {
        Ok((target, _)) => target.clone(),
        Err(_) => return connect::open_over_http1(client, deadline).await,
    };
    if !R::HTTP2 || client.dialling.is_given() || !(target.secure || connections.prior_knowledge) {
        return connect::open_over_http1(client, deadline).await;
    }
    let upgrade = client.clone().extended_connect()?;
    #[cfg(feature = "tls")]
    let anonymous = client.tls.has_forgotten_identity();
    #[cfg(not(feature = "tls"))]
    let anonymous = false;
    let origin = Origin { secure: target.secure, host: target.host.to_string(), port: target.port, anonymous };
    // Whether it opens a connection without a look at the shared ones.
    let mut alone = false;
    loop {
        let found = if alone { Found::Nothing(None) } else { connections.find(&origin, upgrade.request()) };
        let (requested, is_reused) = match found {
            Found::Requested(requested) => (requested, true),
            Found::Wait(opening) => {
                match deadline.wait_for(opening.ended()).await {
                    Some(ended) => alone = ended == Ended::Failed,
                    None => return Err(TimedOut::new(Stage::Tcp, deadline.timeout, origin.host).into()),
                }
                continue;
            }
            Found::Nothing(opener) => {
                let share = |shared| connections.add(&origin, shared, upgrade.request());
                let connected = connect_session(&client, &target, share, &mut deadline).await;
                if let Some(opener) = opener {
                    opener.end(matches!(connected, Ok(Connected::Http2(_))));
                }
                match connected? {
                    Connected::Http2(requested) => (requested, false),
                    Connected::Http1(transport, addresses) => {
                        return connect::open_on(client, transport, addresses, deadline).await;
                    }
                    Connected::NotOffered => return connect::open_over_http1(client, deadline).await,
                }
            }
        };
        let Requested { opened, server } = requested;
        let addresses = server.addresses;
        let opened = match deadline.wait_for(opened).await {
            Some(opened) => opened,
            None => return Err(TimedOut::new(Stage::Handshake, deadline.timeout, peer(addresses)).into()),
        };
        match opened {
            Ok(Http2Opened { response, transport }) => {
                let transport = MaybeTls::other(transport, target.secure);
                return match upgrade.confirm(&response) {
                    Ok(completed) => Ok(Parts { caller: server, ..completed.parts(transport) }),
                    Err(ConnectError::Rejected(response)) => {
                        Err(ConnectError::Rejected(Box::new(read_body(*response, transport, deadline).await)))
                    }
                    Err(error) => Err(error),
                };
            }
            Err(Http2Failure::Http1Required) => return connect::open_over_http1(client, deadline).await,
            // The connection was about to end, or has ended.
            Err(Http2Failure::Refused(_)) if is_reused => alone = true,
            Err(Http2Failure::Refused(error) | Http2Failure::Io(error)) => return Err(failure(error)),
        }
    }
}

/// Opens a connection of HTTP/2. `share` makes it known to others, and requests a stream.
async fn connect_session<R: Runtime>(
    client: &Client<R>,
    target: &Target,
    share: impl FnOnce(Shared) -> Requested,
    deadline: &mut Deadline<R::Timer>,
) -> Result<Connected<R>, ConnectError> {
    let way = Way::new(client, target)?.with_http2(true);
    let (transport, addresses) = way.connect::<R>(deadline).await?;
    if target.secure && transport.negotiated_protocol() != Some(&b"h2"[..]) {
        debug!(target: TARGET, peer = peer(addresses), "the server chose HTTP/1.1");
        return Ok(Connected::Http1(transport, addresses));
    }
    #[cfg_attr(not(feature = "tls"), expect(unused_mut))]
    let mut server = Caller::new(addresses);
    #[cfg(feature = "tls")]
    server.note_tls(connect::tls_of(&transport, connect::sent_name(target)));
    match deadline.wait_for(R::connect_http2(transport)).await {
        Some(Ok(Some(session))) => Ok(Connected::Http2(share(Shared { session, server }))),
        Some(Ok(None)) => {
            debug!(target: TARGET, peer = peer(addresses), "the server does not offer WebSocket over HTTP/2");
            Ok(Connected::NotOffered)
        }
        Some(Err(error)) => {
            debug!(target: TARGET, peer = peer(addresses), "HTTP/2 failed: {error}");
            Ok(Connected::NotOffered)
        }
        None => Err(TimedOut::new(Stage::Handshake, deadline.timeout, peer(addresses)).into()),
    }
}

/// Reads the body of a refusal, as far as it arrives in half a second.
async fn read_body<T: Transport, C: crate::transport::Timer>(
    head: Response<Bytes>,
    transport: T,
    deadline: Deadline<C>,
) -> Response<Bytes> {
    const TIME: Duration = Duration::from_millis(500);
    let until = deadline.at.min(deadline.timer.now() + TIME);
    let mut exchange = Exchange { transport, timer: deadline.timer, deadline: until, received: Vec::new() };
    while exchange.received.len() < MOST_BODY && matches!(exchange.read().await, Ok(n) if n > 0) {}
    exchange.received.truncate(MOST_BODY);
    head.map(|_| exchange.received.into())
}
