//! [`World`]: tasks and time without threads and without waiting. A seed decides the order in which tasks run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ws_session::{Addresses, Runtime, Timer, Timestamp, Transport};

use super::rng::Rng;

/// A task that is polled more often than this without time passing never waits.
const POLLS: usize = 10_000_000;

thread_local! {
    static HERE: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

/// Virtual time and the tasks that live in it. Only one at a time for each thread.
pub struct World {
    shared: Arc<Shared>,
    tasks: BTreeMap<usize, Task>,
    next_id: usize,
    rng: Rng,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    now: Duration,
    spawned: Vec<Task>,
    woken: Vec<usize>,
    /// Alarms by time, then by the order of their setting.
    alarms: BTreeMap<(Duration, u64), Waker>,
    alarms_set: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// A world at time zero. It becomes the one of this thread.
    pub fn new(seed: u64) -> Self {
        let shared = Arc::<Shared>::default();
        HERE.set(Some(Arc::clone(&shared)));
        Self { shared, tasks: BTreeMap::new(), next_id: 0, rng: Rng::new(seed) }
    }

    /// The time since its beginning.
    pub fn now(&self) -> Duration {
        self.shared.lock().now
    }

    /// Spawns a task.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.lock().spawned.push(Box::pin(task));
    }

    /// Runs a future to its end, and lets as much time pass as it needs.
    ///
    /// # Panics
    ///
    /// If it has not ended after a day.
    pub fn block_on<T: Send + 'static>(&mut self, future: impl Future<Output = T> + Send + 'static) -> T {
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        self.spawn(async move {
            let output = future.await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(output);
        });
        let end = self.now() + Duration::from_secs(86400);
        while self.now() < end {
            self.run();
            if let Some(output) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return output;
            }
            let next = self.shared.lock().alarms.keys().next().map(|(at, _)| *at);
            self.advance(next.unwrap_or(end).min(end).saturating_sub(self.now()));
        }
        panic!("not ready after a day");
    }

    /// Runs tasks until all of them wait, without time passing.
    pub fn run(&mut self) {
        for _ in 0..POLLS {
            let mut state = self.shared.lock();
            let spawned = std::mem::take(&mut state.spawned);
            for task in spawned {
                self.tasks.insert(self.next_id, task);
                state.woken.push(self.next_id);
                self.next_id += 1;
            }
            if state.woken.is_empty() {
                return;
            }
            let index = self.rng.below(state.woken.len());
            let id = state.woken.swap_remove(index);
            state.woken.retain(|other| *other != id);
            drop(state);
            let Some(mut task) = self.tasks.remove(&id) else { continue };
            let waker = Waker::from(Arc::new(Token { id, shared: Arc::clone(&self.shared) }));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                self.tasks.insert(id, task);
            }
        }
        panic!("a task never waits");
    }

    /// Lets time pass. Alarms go off in their order, each at its time.
    pub fn advance(&mut self, time: Duration) {
        let end = self.now() + time;
        loop {
            self.run();
            let mut state = self.shared.lock();
            match state.alarms.first_entry() {
                Some(first) if first.key().0 <= end => {
                    let ((at, _), waker) = first.remove_entry();
                    state.now = state.now.max(at);
                    drop(state);
                    waker.wake();
                }
                _ => {
                    state.now = end;
                    return;
                }
            }
        }
    }
}

struct Token {
    id: usize,
    shared: Arc<Shared>,
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.shared.lock().woken.push(self.id);
    }
}

/// The runtime of the [`World`] of the thread: time and tasks, no sockets.
#[derive(Debug)]
pub enum Virtual {}

/// A clock and an alarm of a [`World`].
pub struct VirtualTimer {
    shared: Arc<Shared>,
    alarm: Option<(Duration, u64)>,
}

impl Timer for VirtualTimer {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.shared.lock().now)
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let mut state = self.shared.lock();
        if let Some(alarm) = self.alarm.take() {
            state.alarms.remove(&alarm);
        }
        let at = deadline.since_origin();
        if at <= state.now {
            return Poll::Ready(());
        }
        state.alarms_set += 1;
        let alarm = (at, state.alarms_set);
        state.alarms.insert(alarm, cx.waker().clone());
        self.alarm = Some(alarm);
        Poll::Pending
    }
}

impl Drop for VirtualTimer {
    fn drop(&mut self) {
        if let Some(alarm) = self.alarm.take() {
            self.shared.lock().alarms.remove(&alarm);
        }
    }
}

fn here() -> Arc<Shared> {
    HERE.with_borrow(|here| here.clone()).expect("a world lives on this thread")
}

impl Runtime for Virtual {
    type Stream = NoStream;
    type Listener = NoStream;
    type Timer = VirtualTimer;

    fn timer() -> VirtualTimer {
        VirtualTimer { shared: here(), alarm: None }
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        here().lock().spawned.push(Box::pin(task));
    }

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn connect(_: SocketAddr) -> io::Result<(NoStream, Addresses)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn listen(_: TcpListener) -> io::Result<NoStream> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn local_addr(listener: &NoStream) -> io::Result<SocketAddr> {
        match *listener {}
    }

    fn poll_accept(listener: &NoStream, _: &mut Context<'_>) -> Poll<io::Result<(NoStream, Addresses)>> {
        match *listener {}
    }
}

/// [`Virtual`] has no sockets.
#[derive(Debug)]
pub enum NoStream {}

impl Transport for NoStream {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, _: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match *self {}
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
