//! SOCKS5 proxies (RFC 1928), with user name and password (RFC 1929). `tokio-socks` speaks the protocol, without tokio.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_socks::io::AsyncSocket;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};
use tracing::debug;

use super::{Host, Proxy, Scheme, reach};
use crate::client::dial::{AddressFamily, Deadline, interleave, resolve};
use crate::client::url::credentials;
use crate::error::{ConnectError, ProxyCause, SocksReply, Stage, TimedOut};
use crate::logging::TARGET;
use crate::runtime::Runtime;
use crate::transport::{Addresses, MaybeTls, Transport};

/// Dials the proxy, and has it connect to `host`. If the name is resolved here, its addresses are tried in turn.
pub(super) async fn connect<R: Runtime>(
    proxy: &Proxy,
    host: &Host,
    port: u16,
    family: Option<AddressFamily>,
    deadline: &mut Deadline<R::Timer>,
) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
    let mut targets = match host {
        Host::Name(name) if proxy.scheme == Scheme::Socks5h => vec![TargetAddr::Domain(name.clone().into(), port)],
        Host::Name(_) => match deadline.wait_for(resolve::<R>(host, port, family)).await {
            Some(Ok(addresses)) => interleave(addresses).into_iter().map(TargetAddr::Ip).collect(),
            Some(Err(error)) => return Err(ConnectError::Resolve { host: host.to_string(), error }),
            None => return Err(TimedOut::new(Stage::Resolving, deadline.timeout, host.to_string()).into()),
        },
        Host::Address { ip, .. } => vec![TargetAddr::Ip(SocketAddr::new(*ip, port))],
    }
    .into_iter();
    loop {
        let Some(target) = targets.next() else {
            let error = io::Error::new(io::ErrorKind::NotFound, "it has no address");
            return Err(ConnectError::Resolve { host: host.to_string(), error });
        };
        match attempt::<R>(proxy, target, family, deadline).await {
            Err(ConnectError::Proxy(error)) if error.may_reach_another_address() && targets.len() > 0 => {
                debug!(target: TARGET, "{error}; trying the next address");
            }
            result => return result,
        }
    }
}

async fn attempt<R: Runtime>(
    proxy: &Proxy,
    target: TargetAddr<'static>,
    family: Option<AddressFamily>,
    deadline: &mut Deadline<R::Timer>,
) -> Result<(MaybeTls<R::Stream>, Addresses), ConnectError> {
    debug!(target: TARGET, %proxy, server = %shown(&target), "asking a SOCKS proxy for a connection");
    let server = shown(&target);
    let (mut stream, addresses) = reach::<R>(proxy, family, deadline).await?;
    let socket = Socket(&mut stream);
    let answered = match credentials(&proxy.user_info) {
        Some((user, password)) => {
            let (Ok(user), Ok(password)) = (String::from_utf8(user), String::from_utf8(password)) else {
                return Err(proxy.failed(ProxyCause::Credentials));
            };
            let asking = Socks5Stream::connect_with_password_and_socket(socket, target, &user, &password);
            deadline.wait_for(asking).await.map(|result| result.map(drop))
        }
        None => {
            deadline.wait_for(Socks5Stream::connect_with_socket(socket, target)).await.map(|result| result.map(drop))
        }
    };
    match answered {
        Some(Ok(())) => Ok((MaybeTls::plain(stream), addresses)),
        Some(Err(error)) => Err(proxy.failed(cause(error, server))),
        None => Err(TimedOut::new(Stage::Proxy, deadline.timeout, proxy.to_string()).into()),
    }
}

fn shown(target: &TargetAddr<'_>) -> String {
    match target {
        TargetAddr::Ip(address) => address.to_string(),
        TargetAddr::Domain(name, port) => format!("{name}:{port}"),
    }
}

fn cause(error: Error, server: String) -> ProxyCause {
    let reply = match error {
        Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => return ProxyCause::Eof,
        Error::Io(error) => return ProxyCause::Io(error),
        // The library refuses lengths that the protocol cannot express.
        Error::InvalidAuthValues(_) => return ProxyCause::Credentials,
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired | Error::PasswordAuthFailure(_) => {
            SocksReply::Authentication
        }
        Error::GeneralSocksServerFailure => SocksReply::GeneralFailure,
        Error::ConnectionNotAllowedByRuleset => SocksReply::NotAllowed,
        Error::NetworkUnreachable => SocksReply::NetworkUnreachable,
        Error::HostUnreachable => SocksReply::HostUnreachable,
        Error::ConnectionRefused => SocksReply::ConnectionRefused,
        Error::TtlExpired => SocksReply::TtlExpired,
        Error::CommandNotSupported => SocksReply::CommandNotSupported,
        Error::AddressTypeNotSupported => SocksReply::AddressTypeNotSupported,
        error => return ProxyCause::Response(error.to_string()),
    };
    ProxyCause::Socks { server, reply }
}

/// A transport for the library. It reads no further than a message of the protocol goes.
struct Socket<'s, S>(&'s mut S);

impl<S: Transport> AsyncSocket for Socket<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }
}
