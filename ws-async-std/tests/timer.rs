//! `AsyncTimer`: one alarm, set when it is needed, and gone with the timer.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ws_async_std::AsyncTimer;
use ws_async_std::session::{Timer, Timestamp};

/// Longer than a loaded machine takes from one line to the next.
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

/// Counts how often it was woken.
#[derive(Default)]
struct Bell {
    rings: AtomicUsize,
}

impl Bell {
    fn rings(&self) -> usize {
        self.rings.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::SeqCst);
    }
}

fn bell() -> (Arc<Bell>, Waker) {
    let bell = Arc::<Bell>::default();
    (Arc::clone(&bell), bell.into())
}

#[test]
fn rings_at_the_deadline_and_not_before() {
    let (began, mut timer) = (Instant::now(), AsyncTimer::new());
    let deadline = timer.now() + SHORT;
    smol::block_on(poll_fn(|cx| timer.poll_at(cx, deadline)));
    assert!(began.elapsed() >= SHORT);
    assert!(timer.now() >= deadline);
}

#[test]
fn a_deadline_that_has_passed_has_passed_for_whoever_asks() {
    let mut timer = AsyncTimer::new();
    let (_, waker) = bell();
    let mut cx = Context::from_waker(&waker);
    let deadline = timer.now();
    for _ in 0..3 {
        assert_eq!(timer.poll_at(&mut cx, deadline), Poll::Ready(()));
    }
    // And another one can be waited for.
    assert_eq!(timer.poll_at(&mut cx, deadline + LONG), Poll::Pending);
    assert_eq!(timer.poll_at(&mut cx, deadline), Poll::Ready(()));
}

#[test]
fn another_deadline_replaces_the_one_before() {
    let mut timer = AsyncTimer::new();
    let (bell, waker) = bell();
    let mut cx = Context::from_waker(&waker);
    let sooner = timer.now() + SHORT;
    assert_eq!(timer.poll_at(&mut cx, sooner), Poll::Pending);
    assert_eq!(timer.poll_at(&mut cx, sooner + LONG), Poll::Pending);
    thread::sleep(SHORT * 2);
    assert_eq!(bell.rings(), 0, "woken for a deadline that was replaced");

    // The other way round, it comes sooner.
    let sooner = timer.now() + SHORT;
    let began = Instant::now();
    smol::block_on(poll_fn(|cx| timer.poll_at(cx, sooner)));
    assert!(began.elapsed() < LONG);
}

#[test]
fn wakes_the_task_that_asked_last() {
    let mut timer = AsyncTimer::new();
    let deadline = timer.now() + SHORT;
    let ((first, first_waker), (last, last_waker)) = (bell(), bell());
    assert_eq!(timer.poll_at(&mut Context::from_waker(&first_waker), deadline), Poll::Pending);
    assert_eq!(timer.poll_at(&mut Context::from_waker(&last_waker), deadline), Poll::Pending);
    let began = Instant::now();
    while last.rings() == 0 && began.elapsed() < Duration::from_secs(10) {
        thread::sleep(SHORT / 20);
    }
    assert_eq!((first.rings(), last.rings()), (0, 1));
}

#[test]
fn a_dropped_timer_wakes_nobody() {
    let (bell, waker) = bell();
    let mut timer = AsyncTimer::new();
    let deadline = timer.now() + SHORT;
    assert_eq!(timer.poll_at(&mut Context::from_waker(&waker), deadline), Poll::Pending);
    drop(timer);
    thread::sleep(SHORT * 2);
    assert_eq!(bell.rings(), 0);
    assert_eq!(Arc::strong_count(&bell), 2, "the reactor still holds a waker"); // ours, and the one in `waker`
}

#[test]
fn a_deadline_beyond_all_time_never_comes_and_replaces_the_last_one() {
    let (bell, waker) = bell();
    let mut cx = Context::from_waker(&waker);
    let mut timer = AsyncTimer::new();
    let soon = timer.now() + SHORT;
    let never = Timestamp::new(Duration::MAX);
    assert_eq!(timer.poll_at(&mut cx, soon), Poll::Pending);
    assert_eq!(timer.poll_at(&mut cx, never), Poll::Pending);
    thread::sleep(SHORT * 2);
    assert_eq!(bell.rings(), 0);
}
