//! What a connection costs when there are many: memory, a keepalive ping, a publication, a timer. Everything is in one process
//! and one thread, time is virtual, and a peer is a few lines within the transport, so nothing but the library is measured,
//! with tokio's scheduler and its timers.

mod peer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use nix::time::{ClockId, clock_gettime};
use peak_alloc::PeakAlloc;
use tokio::time::Instant;
use ws_session::{HandlerResult, Parts, Prepared, Sender, WebSocket};
use ws_tokio::TokioTimer;

use crate::peer::{Counts, Peer};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The interval of keepalive pings, and the one in which all connections open: their pings are spread over it.
const INTERVAL: Duration = Duration::from_secs(20);

/// The rounds of pings, of publications and of timers.
const ROUNDS: u64 = 5;

/// A million connections in one process, without sockets and in virtual time.
#[derive(Parser)]
struct Args {
    /// Numbers of connections, each measured on its own.
    #[arg(default_values_t = [10_000, 100_000, 1_000_000])]
    connections: Vec<u64>,
    /// The size of a publication, in bytes; at most 125.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=125))]
    size: u64,
}

/// What one connection costs.
struct Figures {
    /// In bytes, without the peer.
    memory: f64,
    /// In seconds of CPU time.
    open: f64,
    ping: f64,
    delivery: f64,
    timer: f64,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(!cfg!(debug_assertions), "figures of a debug build mean nothing: run with --release");
    println!(
        "| connections |  memory | opening | a ping and its pong | a delivery of {:>3} B | a bare timer |",
        args.size
    );
    println!("|------------:|--------:|--------:|--------------------:|--------------------:|-------------:|");
    for connections in args.connections {
        let figures = measure(connections, args.size)?;
        let micros = |seconds: f64| format!("{:.2} µs", seconds * 1e6);
        println!(
            "| {connections:>11} | {:>5.0} B | {:>7} | {:>19} | {:>19} | {:>12} |",
            figures.memory,
            micros(figures.open),
            micros(figures.ping),
            micros(figures.delivery),
            micros(figures.timer)
        );
    }
    Ok(())
}

fn measure(connections: u64, size: u64) -> Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(async {
        let timer = timers(connections).await;
        let counts = Arc::new(Counts::default());
        let mut senders = Vec::with_capacity(connections as usize);
        let (before, begun) = (ALLOCATOR.current_usage(), cpu_time());
        open(connections, &counts, &mut senders).await;
        let open = cpu_time() - begun;
        let held = (ALLOCATOR.current_usage() - before) as f64 / connections as f64;

        let begun = cpu_time();
        let pings = counts.pings.load(Ordering::Relaxed);
        tokio::time::sleep(INTERVAL * ROUNDS as u32).await;
        let pings = counts.pings.load(Ordering::Relaxed) - pings;
        ensure!(pings == ROUNDS * connections, "{pings} pings of {connections} connections in {ROUNDS} intervals");
        let ping = (cpu_time() - begun) / pings as f64;

        let begun = cpu_time();
        for _ in 0..ROUNDS {
            let message = Prepared::new(vec![b'x'; size as usize]);
            let queued = senders.iter().filter(|sender| sender.try_send_prepared(&message).is_ok()).count();
            ensure!(queued as u64 == connections, "{queued} of {connections} took the publication");
            // All are written before virtual time goes on.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let messages = counts.messages.load(Ordering::Relaxed);
        ensure!(messages == ROUNDS * connections, "{messages} deliveries to {connections} connections");
        let delivery = (cpu_time() - begun) / messages as f64;
        Ok(Figures { memory: held - size_of::<Peer>() as f64, open: open / connections as f64, ping, delivery, timer })
    })
}

/// Opens connections, spread over an interval, and keeps their senders.
async fn open(connections: u64, counts: &Arc<Counts>, senders: &mut Vec<Sender>) {
    let begun = Instant::now();
    for index in 0..connections {
        let parts = Parts::server(Peer::new(Arc::clone(counts)), TokioTimer::new());
        let (ws, driver) = parts.open();
        senders.push(ws.sender());
        tokio::spawn(driver.run(handler(ws)));
        let due = begun + INTERVAL.mul_f64((index + 1) as f64 / connections as f64);
        // tokio's timers have a resolution of a millisecond.
        if due.duration_since(Instant::now()) >= Duration::from_millis(1) {
            tokio::time::sleep_until(due).await;
        }
    }
    tokio::time::sleep_until(begun + INTERVAL).await;
}

async fn handler(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}

/// The CPU time of a timer alone, in a task of its own, that is set again each time it has gone off.
async fn timers(count: u64) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|index| {
            tokio::spawn(async move {
                let first = begun + INTERVAL.mul_f64((index + 1) as f64 / count as f64);
                for round in 0..=ROUNDS as u32 {
                    tokio::time::sleep_until(first + INTERVAL * round).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(INTERVAL).await;
    let before = cpu_time();
    tokio::time::sleep(INTERVAL * ROUNDS as u32).await;
    let taken = cpu_time() - before;
    drop(tasks);
    taken / (ROUNDS * count) as f64
}

/// The CPU time of this process, in seconds.
fn cpu_time() -> f64 {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_among_many_holds_what_one_among_few_does() {
        let few = measure(2000, 100).unwrap().memory;
        let many = measure(40_000, 100).unwrap().memory;
        assert!((many / few - 1.0).abs() < 0.05, "{few} bytes each of 2,000, {many} of 40,000");
    }
}
