//! Threads that each run one task, and choices, both in the hands of the schedule.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use ws_test_support::cut_off::cut_off;

/// A task on a thread of its own. Let go of without a [`join`](Self::join), it still has to end.
#[must_use]
pub(crate) struct Running<R>(thread::JoinHandle<R>);

impl<R> Running<R> {
    pub(crate) fn join(self) -> R {
        self.0.join().unwrap()
    }
}

pub(crate) fn spawn<F>(task: F) -> Running<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Running(thread::spawn(move || block_on(task)))
}

pub(crate) fn join_all(tasks: impl IntoIterator<Item = Running<()>>) {
    tasks.into_iter().for_each(Running::join);
}

/// Polls a task whenever it is woken. When that never happens and nobody else can go on either, shuttle calls it a
/// deadlock.
pub(crate) fn block_on<F: Future>(task: F) -> F::Output {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(task);
    loop {
        if let Poll::Ready(result) = task.as_mut().poll(&mut cx) {
            return result;
        }
        bell.wait();
    }
}

/// Rung to wake a task. Its lock makes of each wake-up a step of its own: shuttle's own wakers come in one step with
/// what was done before.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.rings.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.rings.notify_one();
    }
}

/// Opened once, from any thread.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<GateState>>);

#[derive(Default)]
struct GateState {
    is_open: bool,
    waiting: Option<Waker>,
}

impl Gate {
    pub(crate) fn open(&self) {
        let mut state = self.0.lock().unwrap();
        state.is_open = true;
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Polls `task` until the gate is open, and drops it then. It must not end before.
    pub(crate) async fn run_until_open(self, task: impl Future) {
        let mut task = pin!(task);
        poll_fn(|cx| {
            let mut state = self.0.lock().unwrap();
            if state.is_open {
                return Poll::Ready(());
            }
            state.waiting = Some(cx.waker().clone());
            drop(state);
            assert!(task.as_mut().poll(cx).is_pending(), "ended before the gate was open");
            Poll::Pending
        })
        .await;
    }
}

/// A number below `n`; a replay finds the same.
pub(crate) fn below(n: usize) -> usize {
    thread_rng().gen_range(0..n)
}

/// Polls `future` a few times at most and drops it then: right after it said that it is not ready, or when it has been
/// woken and would be polled again. `None` when that was before it was ready.
pub(crate) async fn impatient<F: Future>(future: F) -> Option<F::Output> {
    let (polls, when_woken) = (below(4), below(2) == 0);
    cut_off(future, polls, when_woken).await
}
