//! Dialling: resolves the host, then races its addresses (RFC 8305).

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::debug;
use ws_proto::Timestamp;

use super::url::Host;
use crate::error::{Attempt, ConnectError, DialError, Stage, TimedOut};
use crate::logging::TARGET;
use crate::runtime::Runtime;
use crate::transport::{Addresses, Timer};

/// The delay from one attempt to the next, unless the first fails earlier (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A clock, and the deadline for the whole opening.
pub(super) struct Deadline<C> {
    pub(super) timer: C,
    pub(super) at: Timestamp,
    /// The total time allowed.
    pub(super) timeout: Duration,
}

impl<C: Timer> Deadline<C> {
    pub(super) fn new(timer: C, timeout: Duration) -> Self {
        let at = timer.now() + timeout;
        Self { timer, at, timeout }
    }

    /// Waits for `future`. `None` if the deadline passes first.
    pub(super) async fn wait_for<O>(&mut self, future: impl Future<Output = O>) -> Option<O> {
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.timer.poll_at(cx, self.at).map(|()| None),
        })
        .await
    }
}

/// A version of IP. [`Client::address_family`](super::Client::address_family) takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl AddressFamily {
    fn has(self, address: &SocketAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Opens a TCP connection to the first of the host's addresses, of this family, that accepts one.
pub(super) async fn dial<R: Runtime>(
    host: &Host,
    port: u16,
    family: Option<AddressFamily>,
    deadline: &mut Deadline<R::Timer>,
) -> Result<(R::Stream, Addresses), ConnectError> {
    let addresses = match deadline.wait_for(resolve::<R>(host, port, family)).await {
        Some(Ok(addresses)) => interleave(addresses),
        Some(Err(error)) => return Err(ConnectError::Resolve { host: host.to_string(), error }),
        None => return Err(TimedOut::new(Stage::Resolving, deadline.timeout, host.to_string()).into()),
    };
    debug!(target: TARGET, host = %host, ?addresses, "dialling");
    let mut race = Race { untried: addresses.into_iter(), running: Vec::new(), failed: Vec::new(), next_at: None };
    let won = poll_fn(|cx| race.poll::<R>(cx, deadline)).await;
    let attempts = match won {
        Some(Ok(connected)) => return Ok(connected),
        Some(Err(())) => race.failed,
        None => {
            let silent = race.running.iter().map(|(address, _)| Attempt::unanswered(*address));
            let attempts = race.failed.into_iter().chain(silent).collect();
            let timed_out = TimedOut::new(Stage::Tcp, deadline.timeout, host.to_string());
            return Err(timed_out.with_attempts(attempts).into());
        }
    };
    Err(ConnectError::Dial(DialError { host: host.to_string(), attempts }))
}

/// The addresses of the host, those of one family or all, in the order in which the system would try them.
pub(super) async fn resolve<R: Runtime>(
    host: &Host,
    port: u16,
    family: Option<AddressFamily>,
) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = match host {
        Host::Address { ip: IpAddr::V6(ip), zone: Some(zone) } => {
            let scope = match zone.parse() {
                Ok(number) => number,
                // Only the system's resolver knows the names of interfaces, and only for link-local addresses.
                Err(_) => R::resolve(&format!("fe80::1%{zone}"), port).await.ok().and_then(scope).ok_or_else(|| {
                    let error = format!("there is no network interface {zone:?}");
                    io::Error::new(io::ErrorKind::AddrNotAvailable, error)
                })?,
            };
            vec![SocketAddrV6::new(*ip, port, 0, scope).into()]
        }
        Host::Address { ip, .. } => vec![SocketAddr::new(*ip, port)],
        Host::Name(name) => R::resolve(name, port).await?,
    };
    addresses.retain(|address| family.is_none_or(|family| family.has(address)));
    let lacking = match family {
        _ if !addresses.is_empty() => return Ok(addresses),
        None => "it has no address",
        Some(AddressFamily::V4) => "it has no IPv4 address",
        Some(AddressFamily::V6) => "it has no IPv6 address",
    };
    Err(io::Error::new(io::ErrorKind::NotFound, lacking))
}

fn scope(addresses: Vec<SocketAddr>) -> Option<u32> {
    addresses.into_iter().find_map(|address| match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => Some(address.scope_id()),
        _ => None,
    })
}

/// Alternates the addresses of both families, beginning with the family of the first (RFC 8305 §4). Duplicates are removed.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    loop {
        let pair = [same.next(), other.next()];
        if pair == [None, None] {
            return ordered;
        }
        for address in pair.into_iter().flatten() {
            if !ordered.contains(&address) {
                ordered.push(address);
            }
        }
    }
}

type Connecting<S> = Pin<Box<dyn Future<Output = io::Result<(S, Addresses)>> + Send>>;

/// Concurrent attempts to connect. The first to succeed is kept.
struct Race<A, S> {
    untried: A,
    running: Vec<(SocketAddr, Connecting<S>)>,
    failed: Vec<Attempt>,
    /// The time at which the next attempt begins, even if the others are still in progress.
    next_at: Option<Timestamp>,
}

impl<A: Iterator<Item = SocketAddr>, S> Race<A, S> {
    /// The connection, an error if all attempts have failed, or `None` at the deadline.
    fn poll<R: Runtime<Stream = S>>(
        &mut self,
        cx: &mut Context<'_>,
        deadline: &mut Deadline<R::Timer>,
    ) -> Poll<Option<Result<(S, Addresses), ()>>> {
        loop {
            if let Some(connected) = self.poll_running(cx) {
                return Poll::Ready(Some(Ok(connected)));
            }
            let is_due = self.running.is_empty() || self.next_at.is_none_or(|at| at <= deadline.timer.now());
            if is_due && let Some(address) = self.untried.next() {
                self.running.push((address, Box::pin(R::connect(address))));
                self.next_at = Some(deadline.timer.now() + ATTEMPT_DELAY);
                continue;
            }
            if self.running.is_empty() {
                return Poll::Ready(Some(Err(())));
            }
            // Without another address, no attempt can begin.
            let next_at = self.next_at.filter(|_| !is_due);
            let alarm = next_at.map_or(deadline.at, |at| at.min(deadline.at));
            match deadline.timer.poll_at(cx, alarm) {
                Poll::Ready(()) if deadline.timer.now() >= deadline.at => return Poll::Ready(None),
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Polls every attempt. If one fails, the next begins at once.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(S, Addresses)> {
        let mut connected = None;
        self.running.retain_mut(|(address, attempt)| {
            if connected.is_some() {
                return false;
            }
            match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    connected = Some(stream);
                    false
                }
                Poll::Ready(Err(error)) => {
                    debug!(target: TARGET, %address, "connecting failed: {error}");
                    self.failed.push(Attempt { address: *address, error });
                    self.next_at = None;
                    false
                }
            }
        });
        connected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for (given, ordered) in [
            (&[][..], &[][..]),
            (&["1.1.1.1:1", "2.2.2.2:1"], &["1.1.1.1:1", "2.2.2.2:1"]),
            (
                &["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"],
                &["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"],
            ),
            (&["1.1.1.1:1", "1.1.1.1:1", "[::1]:1", "[::2]:1"], &["1.1.1.1:1", "[::1]:1", "[::2]:1"]),
        ] {
            assert_eq!(interleave(parse(given)), parse(ordered));
        }
    }
}
