//! A world of its own: tasks that run when they are woken and never otherwise, in an order that a seed decides, and a
//! clock that moves when nobody has anything left to do.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ws_session::{Timer, Timestamp};

use super::rng::Rng;
use super::silence::silence;

/// More polls than this without a step of the clock is a loop that does nothing.
const POLLS_AT_ONE_INSTANT: u64 = 1_000_000;

/// A test that waits for longer than this waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

type BoxFuture = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The world that this thread's test lives in.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// What code finds that has no world in its hands.
struct Here {
    clock: Arc<Clock>,
    spawned: Vec<(String, BoxFuture)>,
    /// What to print when everything stands still.
    witnesses: Vec<Rc<dyn Fn() -> String>>,
}

pub(crate) struct World {
    seed: u64,
    rng: RefCell<Rng>,
    clock: Arc<Clock>,
    ready: Arc<Ready>,
    tasks: RefCell<BTreeMap<usize, Entry>>,
    next_id: Cell<usize>,
}

struct Entry {
    name: String,
    future: BoxFuture,
    waker: Waker,
    polls: Rc<Cell<u64>>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        silence();
        let clock = Arc::new(Clock::default());
        let here = Here { clock: Arc::clone(&clock), spawned: Vec::new(), witnesses: Vec::new() };
        HERE.with_borrow_mut(|slot| *slot = Some(here));
        Self {
            seed,
            rng: RefCell::new(Rng(seed)),
            clock,
            ready: Arc::default(),
            tasks: RefCell::default(),
            next_id: Cell::new(0),
        }
    }

    /// Another source of randomness that the seed decides.
    pub(crate) fn rng(&self) -> Rng {
        self.rng.borrow_mut().fork()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// How often an alarm has been set or moved.
    pub(crate) fn alarms_set(&self) -> u64 {
        self.clock.lock().set
    }

    pub(crate) fn spawn<T: 'static>(&self, name: &str, future: impl Future<Output = T> + 'static) -> Task<T> {
        let slot = Rc::new(RefCell::new(Slot { result: None, joining: None }));
        let filled = Rc::clone(&slot);
        let (id, polls) = self.add(name.to_owned(), async move {
            let result = future.await;
            let mut slot = filled.borrow_mut();
            slot.result = Some(result);
            if let Some(waker) = slot.joining.take() {
                waker.wake();
            }
        });
        Task { id, slot, polls }
    }

    fn add(&self, name: String, future: impl Future<Output = ()> + 'static) -> (usize, Rc<Cell<u64>>) {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let waker = Waker::from(Arc::new(Token { id, ready: Arc::clone(&self.ready) }));
        let polls = Rc::new(Cell::new(0));
        let entry = Entry { name, future: Box::pin(future), waker: waker.clone(), polls: Rc::clone(&polls) };
        self.tasks.borrow_mut().insert(id, entry);
        waker.wake();
        (id, polls)
    }

    /// Drops a task, wherever it stands.
    pub(crate) fn cancel<T>(&self, task: &Task<T>) {
        let entry = self.tasks.borrow_mut().remove(&task.id);
        drop(entry);
    }

    /// Runs tasks until all of them wait.
    pub(crate) fn run(&self) {
        for _ in 0..POLLS_AT_ONE_INSTANT {
            let Some(id) = self.ready.pick(&mut self.rng.borrow_mut()) else { return };
            // Out of the map meanwhile, so that it can be dropped or others added.
            let Some(mut entry) = self.tasks.borrow_mut().remove(&id) else { continue };
            entry.polls.set(entry.polls.get() + 1);
            let polled = entry.future.as_mut().poll(&mut Context::from_waker(&entry.waker.clone()));
            match polled {
                Poll::Pending => drop(self.tasks.borrow_mut().insert(id, entry)),
                Poll::Ready(()) => drop(entry),
            }
            let spawned = HERE.with_borrow_mut(|here| here.as_mut().map(|here| std::mem::take(&mut here.spawned)));
            for (name, future) in spawned.into_iter().flatten() {
                self.add(name, future);
            }
        }
        panic!("busy loop at {:?}: {}", self.now(), self.report());
    }

    /// Lets so much time pass. Alarms go off in their order, each at its time.
    pub(crate) fn advance(&self, time: Duration) {
        let end = self.now() + time;
        self.run();
        while self.clock.next().is_some_and(|next| next <= end) {
            self.clock.go_to_next();
            self.run();
        }
        self.clock.lock().now = end;
    }

    /// The process is stopped for so long: time passes, and only then what was due is noticed.
    pub(crate) fn stop_for(&self, time: Duration) {
        self.run();
        self.clock.lock().now += time;
        self.advance(Duration::ZERO);
    }

    /// Runs until `task` is finished, letting time pass when nothing else is left to do.
    #[track_caller]
    pub(crate) fn finish<T>(&self, task: &Task<T>) -> T {
        let patience = self.now() + PATIENCE;
        loop {
            self.run();
            if let Some(result) = task.take() {
                return result;
            }
            match self.clock.next() {
                Some(next) if next <= patience => self.clock.go_to_next(),
                Some(_) => panic!("hangs: {}", self.report()),
                None => panic!("deadlock: {}", self.report()),
            }
        }
    }

    /// Runs a future as a task of its own until it is finished.
    #[track_caller]
    pub(crate) fn block_on<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        self.finish(&self.spawn("main", future))
    }

    /// As [`block_on`](Self::block_on), but the future must be ready without a step of the clock.
    #[track_caller]
    pub(crate) fn at_once<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        let task = self.spawn("main", future);
        self.run();
        task.take().unwrap_or_else(|| panic!("not ready at once: {}", self.report()))
    }

    /// How many tasks there are that have not finished.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Everything that is known, for a test that failed.
    pub(crate) fn report(&self) -> String {
        let tasks: Vec<_> = self
            .tasks
            .borrow()
            .values()
            .map(|entry| format!("\n  task {:?} waits, after {} polls", entry.name, entry.polls.get()))
            .collect();
        let witnesses = HERE.with_borrow(|here| here.as_ref().map(|here| here.witnesses.clone()));
        let witnesses: Vec<_> = witnesses.into_iter().flatten().map(|tell| format!("\n  {}", tell())).collect();
        format!("seed {}, at {:?}{}{}", self.seed, self.now(), tasks.concat(), witnesses.concat())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world's seed was {}, its time {:?}", self.seed, self.now());
        }
        let tasks = self.tasks.take();
        drop(tasks);
        HERE.with_borrow_mut(|here| *here = None);
    }
}

/// Spawns a task in this thread's world.
pub(crate) fn spawn_here(name: &str, task: impl Future<Output = ()> + 'static) {
    HERE.with_borrow_mut(|here| {
        here.as_mut().expect("there is a world").spawned.push((name.to_owned(), Box::pin(task)));
    });
}

/// The time in this thread's world.
pub(crate) fn now() -> Duration {
    HERE.with_borrow(|here| here.as_ref().expect("there is a world").clock.now())
}

/// Has `tell` called when everything stands still.
pub(crate) fn add_witness(tell: impl Fn() -> String + 'static) {
    HERE.with_borrow_mut(|here| here.as_mut().expect("there is a world").witnesses.push(Rc::new(tell)));
}

/// What came of a task.
pub(crate) struct Task<T> {
    id: usize,
    slot: Rc<RefCell<Slot<T>>>,
    polls: Rc<Cell<u64>>,
}

struct Slot<T> {
    result: Option<T>,
    joining: Option<Waker>,
}

impl<T> Task<T> {
    /// The result, when it is there.
    pub(crate) fn take(&self) -> Option<T> {
        self.slot.borrow_mut().result.take()
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.slot.borrow().result.is_some()
    }

    /// How often it was polled.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.get()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut slot = self.slot.borrow_mut();
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.joining = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The tasks that have been woken.
#[derive(Default)]
struct Ready {
    ids: Mutex<BTreeSet<usize>>,
}

impl Ready {
    /// Takes one of them, whichever.
    fn pick(&self, rng: &mut Rng) -> Option<usize> {
        let mut ids = self.ids.lock().unwrap();
        let id = match ids.len() {
            0 => return None,
            1 => *ids.first()?,
            n => *ids.iter().nth(rng.below(n))?,
        };
        ids.remove(&id);
        Some(id)
    }
}

struct Token {
    id: usize,
    ready: Arc<Ready>,
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.ids.lock().unwrap().insert(self.id);
    }
}

// ---- time ----

#[derive(Default)]
struct Clock {
    state: Mutex<ClockState>,
}

#[derive(Default)]
struct ClockState {
    now: Duration,
    alarms: BTreeMap<(Duration, u64), Waker>,
    next_id: u64,
    set: u64,
}

impl Clock {
    fn lock(&self) -> std::sync::MutexGuard<'_, ClockState> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Duration {
        self.lock().now
    }

    /// When the next alarm goes off.
    fn next(&self) -> Option<Duration> {
        self.lock().alarms.first_key_value().map(|((at, _), _)| *at)
    }

    fn go_to_next(&self) {
        let mut state = self.lock();
        let Some(((at, _), waker)) = state.alarms.pop_first() else { return };
        state.now = state.now.max(at);
        drop(state);
        waker.wake();
    }
}

/// A clock and an alarm of the virtual time.
pub(crate) struct SimTimer {
    clock: Arc<Clock>,
    origin: Duration,
    id: u64,
    set: Option<Duration>,
}

impl SimTimer {
    pub(crate) fn new() -> Self {
        let clock = HERE.with_borrow(|here| Arc::clone(&here.as_ref().expect("there is a world").clock));
        let mut state = clock.lock();
        let (origin, id) = (state.now, state.next_id);
        state.next_id += 1;
        drop(state);
        Self { clock, origin, id, set: None }
    }
}

impl Timer for SimTimer {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.clock.now() - self.origin)
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        let at = self.origin.saturating_add(deadline.since_origin());
        let mut state = self.clock.lock();
        if let Some(set) = self.set.take() {
            state.alarms.remove(&(set, self.id));
        }
        if at <= state.now {
            return Poll::Ready(());
        }
        state.alarms.insert((at, self.id), cx.waker().clone());
        state.set += 1;
        self.set = Some(at);
        Poll::Pending
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        if let Some(set) = self.set.take() {
            self.clock.lock().alarms.remove(&(set, self.id));
        }
    }
}

/// Waits so long.
pub(crate) async fn sleep(time: Duration) {
    let mut timer = SimTimer::new();
    let deadline = timer.now() + time;
    poll_fn(|cx| timer.poll_at(cx, deadline)).await;
}

/// Lets others run first.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

// ---- what tests pass around between tasks ----

/// Something that happens once, and that others wait for.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    state: Arc<Mutex<(bool, Vec<Waker>)>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        state.1.drain(..).for_each(Waker::wake);
    }

    pub(crate) async fn passed(&self) {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What happened, in order, told by whoever saw it.
pub(crate) struct Log<T> {
    entries: Arc<Mutex<Vec<T>>>,
}

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Self { entries: Arc::default() }
    }

    pub(crate) fn push(&self, entry: T) {
        self.entries.lock().unwrap().push(entry);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.entries.lock().unwrap())
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().unwrap().len()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self { entries: Arc::clone(&self.entries) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Log<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.lock().unwrap().fmt(f)
    }
}
