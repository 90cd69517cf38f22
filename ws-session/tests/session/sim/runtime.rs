//! The world as a runtime.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use ws_session::{Addresses, Runtime};

use super::link::End;
use super::network;
use super::world::{SimTimer, spawn_here};

pub(crate) struct Sim;

pub(crate) type Server = ws_session::Server<Sim>;
pub(crate) type Client = ws_session::Client<Sim>;
pub(crate) type Driver = ws_session::Driver<End, SimTimer>;

impl Runtime for Sim {
    type Stream = End;
    type Listener = SimListener;
    type Timer = SimTimer;

    fn timer() -> SimTimer {
        SimTimer::new()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        spawn_here("spawned", task);
    }

    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        network::resolve(host, port)
    }

    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<(End, Addresses)>> + Send {
        network::connect(address)
    }

    /// The real socket only lends its address; connections come from [`Backlog::connect`].
    fn listen(listener: TcpListener) -> io::Result<SimListener> {
        let address = listener.local_addr()?;
        BACKLOG.with_borrow_mut(|last| {
            let backlog = Backlog::default();
            *last = Some(backlog.clone());
            Ok(SimListener { backlog, address })
        })
    }

    fn local_addr(listener: &SimListener) -> io::Result<SocketAddr> {
        Ok(listener.address)
    }

    fn poll_accept(listener: &SimListener, cx: &mut Context<'_>) -> Poll<io::Result<(End, Addresses)>> {
        let mut queue = listener.backlog.lock();
        queue.calls += 1;
        if let Some(code) = queue.failing {
            return Poll::Ready(Err(io::Error::from_raw_os_error(code)));
        }
        if queue.waiting.is_empty() {
            queue.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        }
        queue.accepted += 1;
        Poll::Ready(queue.waiting.remove(0))
    }
}

thread_local! {
    static BACKLOG: std::cell::RefCell<Option<Backlog>> = const { std::cell::RefCell::new(None) };
}

pub(crate) struct SimListener {
    backlog: Backlog,
    address: SocketAddr,
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.backlog.lock();
            queue.closed = true;
            std::mem::take(&mut queue.waiting)
        };
        drop(waiting);
    }
}

/// Connections that wait to be accepted.
#[derive(Clone, Default)]
pub(crate) struct Backlog {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<io::Result<(End, Addresses)>>,
    acceptor: Option<Waker>,
    /// The number of calls of accept.
    calls: usize,
    /// The error of the system with which each call fails.
    failing: Option<i32>,
    accepted: usize,
    closed: bool,
}

impl Backlog {
    /// Of the listener that this thread made last.
    pub(crate) fn of_last_listener() -> Self {
        BACKLOG.with_borrow(|last| last.clone().expect("somebody listens"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap()
    }

    pub(crate) fn connect(&self, end: End, peer: Option<SocketAddr>) {
        self.push(Ok((end, Addresses::new(None, peer))));
    }

    /// Has one call of accept fail.
    pub(crate) fn fail(&self, error: ErrorKind) {
        self.push(Err(error.into()));
    }

    /// Has each call of accept fail with this error of the system, or work again.
    pub(crate) fn set_failing(&self, code: Option<i32>) {
        let mut queue = self.lock();
        queue.failing = code;
        let acceptor = queue.acceptor.take();
        drop(queue);
        acceptor.into_iter().for_each(Waker::wake);
    }

    /// The number of calls of accept.
    pub(crate) fn calls(&self) -> usize {
        self.lock().calls
    }

    fn push(&self, connection: io::Result<(End, Addresses)>) {
        let mut queue = self.lock();
        queue.waiting.push(connection);
        let acceptor = queue.acceptor.take();
        drop(queue);
        acceptor.into_iter().for_each(Waker::wake);
    }

    /// How many calls of accept returned something.
    pub(crate) fn accepted(&self) -> usize {
        self.lock().accepted
    }

    /// Whether the listener is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}
