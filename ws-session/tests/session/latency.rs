//! Round-trip times, with a peer that answers before the driver reads next.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ws_session::{Addresses, Runtime, Server, Timer, Timestamp, Transport};
use ws_test_support::frames::{PING, PONG, decode, masked};
use ws_test_support::opening::REQUEST;

/// A client that answers a ping within the write that brings it.
struct Instant(Vec<u8>);

impl Transport for Instant {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.0.is_empty() {
            return Poll::Pending;
        }
        let n = self.0.len();
        buffer[..n].copy_from_slice(&self.0);
        self.0.clear();
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        if let Some(found) = decode(&bytes).filter(|found| found.frame.0 == PING) {
            self.0.extend(masked(PONG, found.frame.1));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock on which a microsecond passes from one look to the next.
struct Ticking(AtomicU64);

impl Timer for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::from_micros(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    fn poll_at(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}

/// That clock, and nothing else of a runtime.
struct ClockOnly;

impl Runtime for ClockOnly {
    type Stream = Instant;
    type Listener = ();
    type Timer = Ticking;

    fn timer() -> Ticking {
        Ticking(AtomicU64::new(0))
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(_: SocketAddr) -> io::Result<(Instant, Addresses)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(_: TcpListener) -> io::Result<()> {
        Ok(())
    }

    fn local_addr((): &()) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_accept((): &(), _: &mut Context<'_>) -> Poll<io::Result<(Instant, Addresses)>> {
        Poll::Pending
    }
}

#[test]
fn a_pong_does_not_come_in_no_time() {
    let mut cx = Context::from_waker(Waker::noop());
    let server = Server::<ClockOnly>::new();
    let accept = server.accept(Instant(REQUEST.to_vec()), Addresses::default());
    let Poll::Ready(Ok((ws, driver))) = pin!(accept).poll(&mut cx) else { panic!("the request was there") };
    let (mut driver, mut ping) = (pin!(driver), pin!(ws.ping()));
    assert!(ping.as_mut().poll(&mut cx).is_pending());
    assert!(driver.as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(Ok(latency)) = ping.poll(&mut cx).map_ok(|pong| pong.time) else { panic!("the pong was there") };
    assert!(latency > Duration::ZERO);
    assert_eq!(ws.latency(), Some(latency));
}
