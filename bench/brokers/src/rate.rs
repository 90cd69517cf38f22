//! The publications that arrive at an instance in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::route::{Broker, Publisher, Received, Receiver, SIZE, Way};

/// Publications on their way at most, so that the broker does not drop a receiver that cannot follow.
const ON_THEIR_WAY: u64 = 4096;

/// Which publisher is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The one that costs least: what the receiver takes is measured.
    Cheapest,
    /// The one of the way, with one subscriber: what it publishes is measured.
    Own,
}

/// Publications a second, with so many subscribers at the hub that receives. The publisher has a thread of its own.
pub(crate) async fn measure(broker: &Broker, way: Way, by: By, subscribers: usize, time: Duration) -> Result<f64> {
    let subscribers = if way == Way::Crate || by == By::Own { 1 } else { subscribers };
    let (received, mut arrivals) = Received::new(subscribers);
    let receiver = Receiver::open(broker, way, &received).await?;
    let draining = tokio::spawn(async move { while arrivals.recv().await.is_some() {} });
    let stop = Arc::new(AtomicBool::new(false));
    let publishing = thread::Builder::new().name("publisher".to_owned()).spawn({
        let (broker, received, stop) = (broker.clone(), Arc::clone(&received), Arc::clone(&stop));
        move || publish(&broker, way, by, &received, &stop)
    })?;
    tokio::time::sleep(time / 4).await;
    let (began, before) = (Instant::now(), received.publications());
    tokio::time::sleep(time).await;
    let rate = (received.publications() - before) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while !publishing.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    publishing.join().map_err(|_| anyhow!("the publisher has panicked"))??;
    drop(receiver);
    draining.abort();
    received.check()?;
    Ok(rate)
}

fn publish(broker: &Broker, way: Way, by: By, received: &Received, stop: &AtomicBool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let publisher = match by {
            By::Cheapest => Publisher::cheapest(broker, way).await?,
            By::Own => Publisher::open(broker, way).await?,
        };
        let payload = Bytes::from(vec![b'.'; SIZE]);
        let (mut sent, mut publishing) = (received.publications(), FuturesUnordered::new());
        while !stop.load(Ordering::Relaxed) {
            while publishing.len() < 512 && sent < received.publications() + ON_THEIR_WAY {
                publishing.push(publisher.publish(payload.clone()));
                sent += 1;
            }
            match publishing.next().await {
                Some(published) => published?,
                None => tokio::time::sleep(Duration::from_micros(200)).await,
            }
        }
        Ok(())
    })
}
