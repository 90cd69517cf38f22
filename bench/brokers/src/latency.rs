//! The time from the beginning of a publication until its arrival.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

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
/// due.
pub(crate) async fn at_rate(broker: &Broker, way: Way, rate: f64, time: Duration) -> Result<Latency> {
    let (received, mut arrivals) = Received::new(1);
    let _receiver = Receiver::open(broker, way, &received).await?;
    let publisher = Publisher::open(broker, way).await?;
    let (began, every) = (Instant::now(), Duration::from_secs_f64(1.0 / rate));
    let due = |number: u64| began + every.mul_f64(number as f64);
    let most = (rate * time.as_secs_f64()) as u64;
    let (mut sent, mut times) = (0, Vec::new());
    let mut publishing = FuturesUnordered::new();
    while (times.len() as u64) < most {
        while sent < most && due(sent) <= Instant::now() {
            publishing.push(publisher.publish(payload(sent)));
            sent += 1;
        }
        while let Some(Some(published)) = publishing.next().now_or_never() {
            published?;
        }
        while let Ok((at, payload)) = arrivals.try_recv() {
            let number =
                payload.first_chunk().map(|number| u64::from_be_bytes(*number)).context("a payload of ours")?;
            times.push(at.saturating_duration_since(due(number)));
        }
        // Other tasks of this thread run, and the system is asked for what has come.
        tokio::task::yield_now().await;
    }
    received.check()?;
    Ok(Latency::of(times))
}
