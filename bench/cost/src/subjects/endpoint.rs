//! Frames for a handle and its driver. There is no socket: what is read is there.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use ws_session::{Addresses, Runtime, Server, Timer, Timestamp, Transport};

use super::{Job, handshake};

/// Bytes to read, a part at a time when they are to come so, and whether something was answered.
#[derive(Clone, Default)]
pub(super) struct Link(Rc<RefCell<Traffic>>);

#[derive(Default)]
struct Traffic {
    input: Vec<u8>,
    at: usize,
    /// How much a read brings at most; 0 means all.
    read: usize,
}

impl Link {
    pub(super) fn push(&self, input: &[u8], read: usize) {
        let mut traffic = self.0.borrow_mut();
        traffic.input = input.to_vec();
        (traffic.at, traffic.read) = (0, read);
    }
}

impl Transport for Link {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut traffic = self.0.borrow_mut();
        let Traffic { input, at, read } = &mut *traffic;
        let n = (input.len() - *at).min(buffer.len()).min(if *read == 0 { usize::MAX } else { *read });
        if n == 0 {
            return Poll::Pending;
        }
        buffer[..n].copy_from_slice(&input[*at..*at + n]);
        *at += n;
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffers.iter().map(|buffer| black_box(buffer).len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Time stands still, and nothing is dialled or listened on.
pub(super) struct Still;

impl Timer for Still {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }

    fn poll_at(&mut self, _: &mut Context<'_>, _: Timestamp) -> Poll<()> {
        Poll::Pending
    }
}

/// What there is none of.
pub(super) enum Nothing {}

impl Transport for Nothing {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}

impl Runtime for Still {
    type Stream = Nothing;
    type Listener = ();
    type Timer = Still;

    fn timer() -> Self {
        Still
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(_: SocketAddr) -> io::Result<(Nothing, Addresses)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(_: TcpListener) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn local_addr((): &()) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_accept((): &(), _: &mut Context<'_>) -> Poll<io::Result<(Nothing, Addresses)>> {
        Poll::Pending
    }
}

/// Whether a task wants to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A context that wakes nobody.
pub(super) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

pub(super) fn frames(input: &[u8]) -> Job {
    let link = Link::default();
    link.push(handshake::REQUEST.as_bytes(), 0);
    let transport = link.clone();
    let mut connection: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
        let accepted = Server::<Still>::new().accept(transport, Addresses::default()).await;
        let (mut socket, driver) = accepted.expect("a request that is as it should be");
        let handler = async move {
            while let Some(message) = socket.recv().await? {
                black_box(message);
            }
            Ok(())
        };
        let _ = driver.run(handler).await;
    });
    // The handshake is over when the frames come, and what is allocated once has been.
    let _ = connection.as_mut().poll(&mut context());
    link.push(input, 0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    Box::new(move || {
        // Poll by poll until nothing is left to do, as a scheduler would.
        woken.0.store(true, Ordering::Relaxed);
        while woken.0.swap(false, Ordering::Relaxed) {
            if connection.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                break;
            }
        }
    })
}
