//! Prices for readers of any speed: a slow one gets the newest price of each metal when it reads again, and none that is old.
//!
//! Run: `cargo run -p ws-hub --example price_feed [ADDRESS] [MILLISECONDS]`, by default at `127.0.0.1:8765` with a new price of
//! each metal every 10 ms. Then `ws connect ws://127.0.0.1:8765`.
//!
//! The system holds about 3 MB for a connection on one machine. A reader is slow after that.

use std::error::Error;
use std::time::Duration;

use tokio::signal::ctrl_c;
use ws_hub::{Delivery, Hub, SlowPolicy, TopicOptions};
use ws_tokio::{HandlerResult, Server, Tokio, WebSocket};

const TOPIC: &str = "prices/metals";
const METALS: [&str; 5] = ["gold", "silver", "platinum", "palladium", "rhodium"];

/// Publishes new prices: the best one and 40 more offers of each metal.
async fn trade(hub: Hub, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    for tick in 1_u64.. {
        ticks.tick().await;
        for metal in METALS {
            let price: u32 = rand::random_range(1000..9000);
            let offers: Vec<_> = (1..=40).map(|n| price + n).collect();
            let text = format!(r#"{{"metal":"{metal}","tick":{tick},"price":{price},"offers":{offers:?}}}"#);
            // The key says which older publication it replaces where one still waits.
            if let Err(error) = hub.publish(TOPIC, text).key(metal).await {
                eprintln!("{error}");
            }
        }
    }
}

async fn feed(hub: Hub, ws: WebSocket) -> HandlerResult {
    let ws = ws.send_only();
    let _membership = hub
        .subscribe(TOPIC)
        .forward(&ws, |delivery| match delivery {
            Delivery::Publication(publication) => Some(publication.prepared().clone()),
            // The next price of each metal is all that a reader needs.
            _ => None,
        })
        .await?;
    ws.closed().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let interval = std::env::args().nth(2).map_or(Ok(10), |milliseconds| milliseconds.parse())?;
    let newest = TopicOptions::new().slow(SlowPolicy::Newest);
    let hub = Hub::builder().topics("prices/", newest).start::<Tokio>();
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    let trading = tokio::spawn(trade(hub.clone(), Duration::from_millis(interval)));
    listening.serve_until(move |ws| feed(hub.clone(), ws), ctrl_c()).await?;
    trading.abort();
    Ok(())
}
