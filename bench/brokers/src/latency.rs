//! The time from the beginning of a publication until its arrival.

use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::route::{Broker, Publisher, Received, Receiver, SIZE, Way};

/// In microseconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Latency {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |part: f64| {
            times.get((times.len() as f64 * part) as usize).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        Self { p50: at(0.5), p99: at(0.99) }
    }
}

/// A publication, which begins with a number.
fn payload(number: u64) -> Bytes {
    let mut payload = vec![b'.'; SIZE];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    payload.into()
}

/// One publication at a time, with one subscriber.
pub(crate) async fn one_at_a_time(broker: &Broker, way: Way, time: Duration) -> Result<Latency> {
    let (received, mut arrivals) = Received::new(1);
    let _receiver = Receiver::open(broker, way, &received).await?;
    let publisher = Publisher::open(broker, way).await?;
    let (began, mut times) = (Instant::now(), Vec::new());
    // The first ones warm up.
    while began.elapsed() < time + time / 4 {
        let sent = Instant::now();
        let (published, arrived) = tokio::join!(publisher.publish(payload(0)), arrivals.recv());
        published?;
        let (at, _) = arrived.context("the receiver has ended")?;
        if began.elapsed() > time / 4 {
            times.push(at - sent);
        }
    }
    received.check()?;
    Ok(Latency::of(times))
}

/// As many publications a second, evenly, whether the ones before have arrived or not: each counts from the time at which it was
/// due. The publisher has a thread of its own, as an instance has a process.
pub(crate) async fn at_rate(broker: &Broker, way: Way, rate: f64, time: Duration) -> Result<Latency> {
    let (received, mut arrivals) = Received::new(1);
    let _receiver = Receiver::open(broker, way, &received).await?;
    let (count, every) = ((rate * time.as_secs_f64()) as u64, Duration::from_secs_f64(1.0 / rate));
    let (begin, begins) = tokio::sync::oneshot::channel();
    let publishing = thread::spawn({
        let broker = broker.clone();
        move || publish(&broker, way, every, count, begin)
    });
    let mut times = Vec::new();
    if let Ok(began) = begins.await {
        while (times.len() as u64) < count {
            let next = tokio::time::timeout(PATIENCE, arrivals.recv()).await.context("a publication is missing")?;
            let (at, payload) = next.context("the receiver has ended")?;
            let number =
                payload.first_chunk().map(|number| u64::from_be_bytes(*number)).context("a payload of ours")?;
            times.push(at.saturating_duration_since(began + every.mul_f64(number as f64)));
        }
    }
    publishing.join().map_err(|_| anyhow!("the publisher has panicked"))??;
    received.check()?;
    Ok(Latency::of(times))
}

/// So long after the publication before, one is lost.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn publish(
    broker: &Broker,
    way: Way,
    every: Duration,
    count: u64,
    begin: tokio::sync::oneshot::Sender<Instant>,
) -> Result<()> {
    let publisher = Publisher::open(broker, way).await?;
    let began = Instant::now();
    let _ = begin.send(began);
    let (mut sent, mut publishing) = (0, FuturesUnordered::new());
    while sent < count || !publishing.is_empty() {
        while sent < count && began + every.mul_f64(sent as f64) <= Instant::now() {
            publishing.push(publisher.publish(payload(sent)));
            sent += 1;
        }
        // The cores are for the broker and the receiver, too. Timers are as coarse as a millisecond, so those of one are sent
        // together.
        let mut tick = pin!(tokio::time::sleep(Duration::from_millis(1)));
        loop {
            tokio::select! {
                biased;
                () = &mut tick => break,
                Some(published) = publishing.next(), if !publishing.is_empty() => published?,
            }
        }
    }
    Ok(())
}
