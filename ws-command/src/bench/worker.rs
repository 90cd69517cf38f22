//! The threads of a benchmark. Each has a runtime, connections and a tally of its own.

use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use http::header::SEC_WEBSOCKET_EXTENSIONS;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};
use ws_tokio::{Client, ConnectError};

use super::connection::{Connection, RESOLUTION};
use super::messages::Messages;
use super::tally::Tally;

/// What is counted for a connection that was not open when the time was up.
const NOT_OPENED: &str = "not open when the time was up";

/// The connections that a thread opens at the same time.
const OPENING: usize = 64;

/// What is done, by all threads together.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) client: Client,
    pub(super) messages: Messages,
    pub(super) connections: u64,
    /// The messages on their way on each connection, without a rate.
    pub(super) in_flight: u32,
    /// The time from one message to the next on a connection, with a rate.
    pub(super) interval: Option<Duration>,
    /// The number of messages of all connections.
    pub(super) most: Option<u64>,
    pub(super) duration: Duration,
    pub(super) ramp: Duration,
    /// Whether the server sends messages back.
    pub(super) echo: bool,
}

impl Load {
    /// The number of messages of a connection: an equal share.
    fn share(&self, index: u64) -> u64 {
        self.most.map_or(u64::MAX, |most| most / self.connections + u64::from(index < most % self.connections))
    }

    /// When the first message of a connection is due: they are spread over an interval.
    fn first(&self, index: u64, begun: Instant, now: Instant) -> Instant {
        let interval = self.interval.unwrap_or_default();
        let first = begun + interval.mul_f64(index as f64 / self.connections as f64);
        // Those before it opened were not due.
        let late = now.saturating_duration_since(first + RESOLUTION).as_secs_f64();
        first + interval.mul_f64((late / interval.as_secs_f64().max(1e-9)).ceil())
    }
}

/// The time in which messages are sent: it begins once, and ends once.
#[derive(Clone)]
pub(super) struct Phase(watch::Receiver<Stage>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Measuring(Instant),
    Over,
}

impl Phase {
    /// Waits until messages are sent. `None` when that time is over.
    async fn begun(&mut self) -> Option<Instant> {
        match self.0.wait_for(|stage| *stage != Stage::Opening).await.map(|stage| *stage) {
            Ok(Stage::Measuring(begun)) => Some(begun),
            _ => None,
        }
    }

    /// Waits until no more are sent.
    pub(super) async fn ended(&mut self) {
        let _ = self.0.wait_for(|stage| *stage == Stage::Over).await;
    }
}

/// All threads.
pub(super) struct Workers {
    tallies: Vec<Arc<Mutex<Tally>>>,
    shared: Arc<Shared>,
}

struct Shared {
    stage: watch::Sender<Stage>,
    /// The connections that have neither opened nor failed yet.
    opening: AtomicU64,
    /// The threads that run, and whoever waits for their end.
    running: AtomicU64,
    ended: Notify,
}

impl Workers {
    /// Starts the threads.
    pub(super) fn start(load: Load, threads: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            stage: watch::Sender::new(Stage::Opening),
            opening: AtomicU64::new(load.connections),
            running: AtomicU64::new(threads),
            ended: Notify::new(),
        });
        let mut workers = Self { tallies: Vec::new(), shared };
        // All of them before the first connection takes descriptors away.
        let runtime = |_| tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtimes = (0..threads).map(runtime).collect::<io::Result<Vec<_>>>()?;
        let begun = Instant::now();
        for (thread, runtime) in (0..threads).zip(runtimes) {
            let tally = Arc::new(Mutex::new(Tally::new()));
            workers.tallies.push(Arc::clone(&tally));
            let (load, shared) = (load.clone(), Arc::clone(&workers.shared));
            let work = move || {
                let _member = Member(Arc::clone(&shared));
                let indices = (thread..load.connections).step_by(usize::try_from(threads).unwrap_or(1)).collect();
                let phase = Phase(shared.stage.subscribe());
                let share = Share { load: Rc::new(load), shared, tally, phase };
                runtime.block_on(LocalSet::new().run_until(share.run(indices, begun)));
            };
            thread::Builder::new().name(format!("ws-bench-{thread}")).spawn(work)?;
        }
        Ok(workers)
    }

    /// Waits until all threads have ended.
    pub(super) async fn ended(&self) {
        while self.shared.running.load(Ordering::Acquire) > 0 {
            self.shared.ended.notified().await;
        }
    }

    /// Ends the time in which messages are sent.
    pub(super) fn stop(&self) {
        self.shared.end();
    }

    /// What all threads have measured so far.
    pub(super) fn tally(&self) -> Tally {
        let mut all = Tally::new();
        for tally in &self.tallies {
            all.add(&tally.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }
}

impl Shared {
    fn begin(&self) {
        self.stage.send_if_modified(|stage| {
            let begins = *stage == Stage::Opening;
            if begins {
                *stage = Stage::Measuring(Instant::now());
            }
            begins
        });
    }

    fn end(&self) {
        self.stage.send_replace(Stage::Over);
    }

    /// Counts a connection that has opened or failed. After the last one, messages are sent.
    fn opened(&self) {
        if self.opening.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.begin();
        }
    }
}

/// A thread, until it ends in whatever way.
struct Member(Arc<Shared>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

/// A thread's share of the work.
#[derive(Clone)]
struct Share {
    load: Rc<Load>,
    shared: Arc<Shared>,
    tally: Arc<Mutex<Tally>>,
    phase: Phase,
}

impl Share {
    /// Runs connections with these numbers to the end.
    async fn run(self, indices: Vec<u64>, started: Instant) {
        if !self.load.ramp.is_zero() {
            self.shared.begin();
        }
        let mut connections = pin!(self.clone().connections(indices, started));
        tokio::select! {
            () = self.measured() => {}
            () = &mut connections => return,
        }
        connections.await;
    }

    /// Ends the time in which messages are sent when it is up.
    async fn measured(&self) {
        let mut phase = self.phase.clone();
        let Some(begun) = phase.begun().await else { return };
        lock(&self.tally).begun = Some(begun.into_std());
        tokio::select! {
            // With a ramp, the last connection opens at its end.
            () = sleep_until(begun + self.load.ramp + self.load.duration) => self.shared.end(),
            () = phase.ended() => {}
        }
        lock(&self.tally).end_at(std::time::Instant::now());
    }

    /// Opens the connections, spread over the ramp.
    async fn connections(self, indices: Vec<u64>, started: Instant) {
        let permits = Arc::new(Semaphore::new(OPENING));
        let mut connections = JoinSet::new();
        let mut over = self.phase.clone();
        for index in indices {
            let at = started + self.load.ramp.mul_f64(index as f64 / self.load.connections as f64);
            let permit = async {
                sleep_until(at).await;
                Arc::clone(&permits).acquire_owned().await
            };
            tokio::select! {
                permit = permit => drop(connections.spawn_local(self.clone().connection(index, permit))),
                () = over.ended() => lock(&self.tally).record_error(NOT_OPENED, 1),
            }
        }
        while connections.join_next().await.is_some() {}
    }

    async fn connection<P>(self, index: u64, permit: P) {
        let Self { load, shared, tally, mut phase } = self;
        let begun = Instant::now();
        let opening = tokio::select! {
            opened = load.client.clone().connect_stream() => opened.map_err(|error| kind(&error)),
            () = phase.ended() => Err(NOT_OPENED.to_owned()),
        };
        drop(permit);
        match &opening {
            Ok(ws) => {
                let extensions = ws.response().headers().get(SEC_WEBSOCKET_EXTENSIONS);
                lock(&tally).record_opening(begun.elapsed(), extensions);
            }
            Err(kind) => lock(&tally).record_error(&**kind, 1),
        }
        shared.opened();
        let Ok(mut ws) = opening else { return };
        // What the server sends before that is no answer, but it must be read, or a Close would not be seen.
        let begun = {
            let mut begun = pin!(phase.begun());
            loop {
                tokio::select! {
                    begun = &mut begun => break begun,
                    received = ws.recv() => if !matches!(received, Ok(Some(_))) {
                        break None;
                    },
                }
            }
        };
        let now = Instant::now();
        let first = load.first(index, begun.unwrap_or(now), now);
        Connection::new(ws, &load, &tally, load.share(index), first).run(&mut phase).await;
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kind of a failure to connect: the same words for the same cause, whatever the address was.
fn kind(error: &ConnectError) -> String {
    match (error, error.io_error()) {
        (ConnectError::Rejected(response), _) => format!("refused with HTTP {}", response.status()),
        (ConnectError::Timeout(_), _) => "timed out while connecting".to_owned(),
        (_, Some(error)) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            "no free port: a machine has some 28,000 for each address of a server".to_owned()
        }
        (_, Some(error)) => format!("cannot connect: {error}"),
        (error, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ws_tokio::Client;

    #[test]
    fn messages_are_shared_out_and_due_one_after_another() {
        let (load, begun) = (load(), Instant::now());
        assert_eq!((0..4).map(|index| load.share(index)).collect::<Vec<_>>(), [3, 3, 2, 2]);
        let ms = Duration::from_millis;
        let first = |index, after| load.first(index, begun, begun + after) - begun;
        assert_eq!((first(0, ms(0)), first(1, ms(1)), first(3, ms(1))), (ms(0), ms(10), ms(30)));
        assert_eq!((first(0, ms(50)), first(1, ms(50)), first(1, ms(53))), (ms(80), ms(50), ms(90)));
    }

    fn load() -> Load {
        Load {
            client: Client::new("ws://127.0.0.1/"),
            messages: Messages::of_text("x"),
            connections: 4,
            in_flight: 1,
            interval: Some(Duration::from_millis(40)),
            most: Some(10),
            duration: Duration::from_secs(1),
            ramp: Duration::ZERO,
            echo: true,
        }
    }
}
