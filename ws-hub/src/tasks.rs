//! [`Tasks`]: spawns tasks from any thread, because some runtimes spawn only from their own.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use ws_session::Runtime;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns tasks on a runtime, by one task of it that was spawned at the beginning. That one ends when this is dropped.
pub(crate) struct Tasks {
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// To be spawned.
    waiting: Vec<Task>,
    /// The task that spawns them.
    waker: Option<Waker>,
    /// There is nothing more to spawn, or nobody who spawns it.
    is_over: bool,
}

impl Tasks {
    /// Must be called within the runtime.
    pub(crate) fn new<R: Runtime>() -> Self {
        let queue = Arc::<Queue>::default();
        let spawner = Spawner(Arc::clone(&queue));
        R::spawn(async move {
            while let Some(tasks) = spawner.next().await {
                tasks.into_iter().for_each(R::spawn);
            }
        });
        Self { queue }
    }

    /// Spawns a task. It is dropped, if the runtime has ended.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.queue.lock();
        if !state.is_over {
            state.waiting.push(Box::pin(task));
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.queue.end();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        let (waiting, waker) = (mem::take(&mut state.waiting), state.waker.take());
        // Destructors run without the lock: they can spawn.
        drop(state);
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The other end of the queue.
struct Spawner(Arc<Queue>);

impl Spawner {
    /// Waits for tasks to spawn. `None` when there are no more.
    async fn next(&self) -> Option<Vec<Task>> {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            if !state.waiting.is_empty() {
                return Poll::Ready(Some(mem::take(&mut state.waiting)));
            }
            if state.is_over {
                return Poll::Ready(None);
            }
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// The runtime has dropped its tasks.
impl Drop for Spawner {
    fn drop(&mut self) {
        self.0.end();
    }
}
