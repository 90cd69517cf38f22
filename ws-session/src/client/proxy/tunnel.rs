//! A tunnel through an HTTP proxy: CONNECT, and its response.

use http::header::USER_AGENT;
use tracing::debug;
use ws_proto::handshake::client::BuildError;
use ws_proto::handshake::tunnel::{Tunnel, TunnelError, authority};

use super::{Host, Proxy, authorization};
use crate::client::connect::read_body;
use crate::client::dial::Deadline;
use crate::error::{ConnectError, ProxyCause, Stage, TimedOut};
use crate::logging::{TARGET, log_head};
use crate::opening::exchange::{Exchange, Interrupted};
use crate::transport::{Timer, Transport};

/// Asks the proxy at the other end of `transport` for a connection to `host`.
pub(super) async fn open<T: Transport, C: Timer>(
    proxy: &Proxy,
    transport: T,
    host: &Host,
    port: u16,
    user_agent: &str,
    deadline: &mut Deadline<C>,
) -> Result<T, ConnectError> {
    let mut tunnel = request(proxy, host, port, user_agent).map_err(ConnectError::Request)?;
    debug!(target: TARGET, %proxy, server = tunnel.authority(), "asking a proxy for a tunnel");
    let timed_out = TimedOut::new(Stage::Proxy, deadline.timeout, proxy.to_string());
    let mut exchange = Exchange { transport, timer: &mut deadline.timer, deadline: deadline.at, received: Vec::new() };
    let failed = |interrupted| match interrupted {
        Interrupted::Timeout => ConnectError::Timeout(timed_out),
        Interrupted::Io(error) => proxy.failed(ProxyCause::Io(error)),
    };
    let bytes = tunnel.request_bytes();
    log_head(">", &bytes);
    if let Err(interrupted) = exchange.write(&bytes).await {
        return Err(failed(interrupted));
    }
    loop {
        match exchange.read().await {
            Ok(0) => return Err(proxy.failed(ProxyCause::Eof)),
            Ok(_) => {}
            Err(interrupted) => return Err(failed(interrupted)),
        }
        match tunnel.receive(&exchange.received) {
            Ok(None) => {}
            Ok(Some(opened)) => {
                log_head("<", &exchange.received);
                // The client speaks first, so whatever follows is not the server's.
                return match opened.consumed == exchange.received.len() {
                    true => Ok(exchange.transport),
                    false => Err(proxy.failed(ProxyCause::UnexpectedBytes)),
                };
            }
            Err(TunnelError::Refused { response, consumed }) => {
                log_head("<", &exchange.received);
                exchange.received.drain(..consumed);
                let response = read_body(exchange, *response).await;
                return Err(proxy.failed(ProxyCause::Refused {
                    server: tunnel.authority().to_owned(),
                    response: Box::new(response),
                }));
            }
            Err(error) => return Err(proxy.failed(ProxyCause::Response(error.to_string()))),
        }
    }
}

fn request(proxy: &Proxy, host: &Host, port: u16, user_agent: &str) -> Result<Tunnel, BuildError> {
    // The zone of an address means nothing to another machine.
    let host = match host {
        Host::Name(name) => name.clone(),
        Host::Address { ip, .. } => ip.to_string(),
    };
    let tunnel = Tunnel::new(&authority(&host, port))?.header(USER_AGENT, user_agent)?;
    match authorization(&proxy.user_info) {
        Some(credentials) => tunnel.authorization(&credentials),
        None => Ok(tunnel),
    }
}
