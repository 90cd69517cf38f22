//! The hub over a broker, beside the broker's client crate, in turns: how long a publication takes, and how many arrive at an
//! instance. Figures of one run can be compared with each other, and with nothing else.

mod latency;
mod rate;
mod route;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::latency::Latency;
use crate::rate::By;
use crate::route::{Broker, Way};

/// Compares the hub over a broker with the broker's client crate.
///
/// All of one line's figures come from the same rounds, in which the ways take turns. Publications have 125 bytes.
#[derive(Parser)]
struct Args {
    /// The broker, `redis://HOST:PORT` or `nats://HOST:PORT`. It must be empty and unused.
    broker: String,
    /// Rounds, of which the median counts.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measures nothing, and leaves so many topics with history in the broker, with one publication each.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "subscribers"])]
    topics: Option<usize>,
    /// Subscribers at the instance that receives.
    #[arg(long, default_value_t = 250)]
    subscribers: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let broker = Broker::new(&args.broker)?;
    if let Some(topics) = args.topics {
        return broker.fill(topics).await;
    }
    let time = Duration::from_secs_f64(args.seconds);
    let ways = [Way::Crate, Way::Hub, Way::HubWithHistory];
    let (mut alone, mut loaded) = ([const { vec![] }; 3], [const { vec![] }; 3]);
    let (mut rates, mut published) = ([const { vec![] }; 3], [const { vec![] }; 3]);
    for _ in 0..args.rounds {
        for (n, way) in ways.into_iter().enumerate() {
            rates[n].push(rate::measure(&broker, way, By::Cheapest, args.subscribers, time).await?);
            published[n].push(rate::measure(&broker, way, By::Own, args.subscribers, time).await?);
        }
        for (n, way) in ways.into_iter().enumerate() {
            // The crate async-nats does not wait until the server has a publication, and publishes more than the server and a
            // receiver can take beside each other on two cores. So each way has half of its own.
            let half = published[n].last().copied().unwrap_or_default() / 2.0;
            alone[n].push(latency::one_at_a_time(&broker, way, time).await?);
            loaded[n].push(
                latency::at_rate(&broker, way, half, time)
                    .await
                    .with_context(|| format!("{}, at {half:.0} a second", way.name(&broker, 1)))?,
            );
        }
    }
    println!(
        "| 125 bytes | p50 alone | p99 alone | published a second | p50 at half of that | p99 | received a second | ratio |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (n, way) in ways.into_iter().enumerate() {
        let part = |of: &[Latency], part: fn(&Latency) -> f64| median(&of.iter().map(part).collect::<Vec<_>>());
        let ratio =
            |own: &[f64], base: &[f64]| median(&own.iter().zip(base).map(|(own, base)| own / base).collect::<Vec<_>>());
        let p50s = |of: &[Latency]| of.iter().map(|latency| latency.p50).collect::<Vec<_>>();
        println!(
            "| {} | {:.0} µs ({:.2}) | {:.0} µs | {:.0} | {:.0} µs | {:.2} ms | {:.0} | {:.2} |",
            way.name(&broker, args.subscribers),
            part(&alone[n], |latency| latency.p50),
            ratio(&p50s(&alone[n]), &p50s(&alone[0])),
            part(&alone[n], |latency| latency.p99),
            median(&published[n]),
            part(&loaded[n], |latency| latency.p50),
            part(&loaded[n], |latency| latency.p99) / 1000.0,
            median(&rates[n]),
            ratio(&rates[n], &rates[0]),
        );
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
