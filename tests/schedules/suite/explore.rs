//! Runs a scenario under many schedules and counts them.

use std::collections::BTreeSet;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};

/// Schedules for each scenario, unless `SCHEDULES` says otherwise.
const SCHEDULES: usize = 4000;

/// The depth of a mistake that the second strategy looks for: it takes the turn away from the thread that would go on in
/// one place less.
const DEPTH: usize = 4;

/// A schedule of this many steps goes round in a circle.
const MOST_STEPS: usize = 50_000;

/// A scenario needs more stack than shuttle gives.
const STACK: usize = 256 << 10;

/// All schedules of all scenarios in this process so far.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Runs `scenario` under as many schedules as `SCHEDULES` says: half of them choose among all threads at each step, half
/// let one thread run as long as it can and change that in a few places (PCT). `SEED` decides which; what fails prints
/// its schedule, and `REPLAY` runs that one again.
pub(crate) fn explore(scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(MOST_STEPS);
    config.silence_warnings = true;

    let current = thread::current();
    let name = current.name().unwrap_or("scenario");
    if let Ok(schedule) = env::var("REPLAY") {
        let scheduler = shuttle::scheduler::ReplayScheduler::new_from_encoded(schedule.trim());
        Runner::new(scheduler, config).run(scenario);
        println!("{name}: the schedule was replayed");
        return;
    }

    let schedules = setting("SCHEDULES", SCHEDULES);
    let seed = setting("SEED", 1);
    let on_failure = OnFailure { name, seed };
    let began = Instant::now();
    let seen = Arc::<Mutex<Seen>>::default();
    let random = RandomScheduler::new_from_seed(seed, schedules.div_ceil(2));
    let changing = PctScheduler::new_from_seed(seed, DEPTH, schedules / 2);
    let ran = Runner::new(Watched::new(random, &seen), config.clone()).run(scenario)
        + Runner::new(Watched::new(changing, &seen), config).run(scenario);
    drop(on_failure);

    let (distinct, steps) = {
        let seen = seen.lock().unwrap();
        (seen.schedules.len(), seen.steps)
    };
    // A scenario whose threads never meet proves nothing.
    assert!(distinct > ran / 4, "only {distinct} of {ran} schedules differ");
    let total = TOTAL.fetch_add(ran, Ordering::Relaxed) + ran;
    let took = began.elapsed().as_secs_f32();
    println!(
        "{name}: {ran} schedules, {distinct} of them distinct, {} steps each, {took:.1} s; {total} so far",
        steps / ran
    );
}

fn setting<T: FromStr>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")),
        Err(_) => default,
    }
}

/// Says how to run what failed again.
struct OnFailure<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for OnFailure<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self { name, seed } = self;
            eprintln!("{name} failed with SEED={seed}; run it alone with REPLAY=<the failing schedule above>");
        }
    }
}

/// Which schedules there were.
#[derive(Default)]
struct Seen {
    schedules: BTreeSet<u64>,
    steps: usize,
}

/// A scheduler, watched.
struct Watched<S> {
    scheduler: S,
    seen: Arc<Mutex<Seen>>,
    /// The schedule under way, told from others by its choices.
    choices: DefaultHasher,
    steps: usize,
}

impl<S> Watched<S> {
    fn new(scheduler: S, seen: &Arc<Mutex<Seen>>) -> Self {
        Self { scheduler, seen: Arc::clone(seen), choices: DefaultHasher::new(), steps: 0 }
    }

    fn end_schedule(&mut self) {
        if self.steps > 0 {
            let mut seen = self.seen.lock().unwrap();
            seen.schedules.insert(std::mem::take(&mut self.choices).finish());
            seen.steps += std::mem::take(&mut self.steps);
        }
    }
}

impl<S: Scheduler> Scheduler for Watched<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.end_schedule();
        self.scheduler.new_execution()
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let next = self.scheduler.next_task(runnable, current, is_yielding);
        self.steps += 1;
        if runnable.len() > 1 {
            next.map(usize::from).hash(&mut self.choices);
        }
        next
    }

    fn next_u64(&mut self) -> u64 {
        let number = self.scheduler.next_u64();
        number.hash(&mut self.choices);
        number
    }
}
