//! Numbers that nobody misses without knowing: kill the client, or the broker, while it runs.
//!
//! Run: `cargo run -p ws-hub --example recover [ADDRESS]`, by default at `127.0.0.1:8765`. It publishes the numbers from 1 on,
//! five a second, and prints what becomes of each. `ws connect ws://127.0.0.1:8765` shows them, each after its position. Stop it,
//! and go on from there: `ws connect 'ws://127.0.0.1:8765?since=POSITION'`.
//!
//! With a broker to kill, start again, or freeze (`kill -STOP`):
//! `BACKPLANE=redis://127.0.0.1 cargo run -p ws-hub --features redis --example recover`

use std::error::Error;
use std::time::Duration;

use tokio::signal::ctrl_c;
use ws_hub::{Delivery, Hub, HubBuilder, TopicOptions};
use ws_tokio::{HandlerResult, Server, Tokio, WebSocket};

const TOPIC: &str = "numbers";

/// Publishes the numbers. One that is not accepted is published again, with the same key, so that it is never there twice.
async fn count(hub: Hub) {
    // A broker can still have the numbers of an earlier run, and would take ours for theirs.
    let run = rand::random::<u64>();
    for number in 1_u64.. {
        let publish = || hub.publish(TOPIC, number.to_string()).idempotency_key(format!("{run:016x}-{number}"));
        loop {
            match publish().await {
                Ok(_) => break println!("{number}: accepted"),
                Err(error) => println!("{number}: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn read(hub: Hub, ws: WebSocket) -> HandlerResult {
    let since = ws.query("since").and_then(|position| position.parse().ok());
    let ws = ws.send_only();
    let mut numbers = hub.subscribe(TOPIC).since(since).await?;
    loop {
        let delivery = tokio::select! {
            delivery = numbers.next() => delivery,
            _ = ws.closed() => return Ok(()),
        };
        ws.send(match delivery {
            // `local` when the broker is away: these will come again, with their positions.
            Some(Delivery::Publication(publication)) => {
                let number = publication.message.as_text().unwrap_or_default();
                match publication.position {
                    Some(position) => format!("{position} {number}"),
                    None => format!("local {number}"),
                }
            }
            Some(Delivery::Gap(gap)) => format!("gap: {gap}"),
            Some(Delivery::Recovered { publications }) => format!("recovered: {publications}"),
            Some(Delivery::Unrecoverable(reason)) => format!("unrecoverable: {reason}"),
            Some(_) => continue,
            // It was too slow: the topic's policy could be `Close`.
            None => return Ok(()),
        })
        .await?;
    }
}

/// A hub over the broker that `BACKPLANE` names, or over memory.
fn start(hub: HubBuilder) -> Result<Hub, Box<dyn Error>> {
    let hub = match std::env::var("BACKPLANE") {
        #[cfg(feature = "redis")]
        Ok(url) => hub.backplane(ws_hub::Redis::new(&url)?),
        #[cfg(not(feature = "redis"))]
        Ok(_) => return Err("BACKPLANE needs --features redis".into()),
        Err(_) => hub,
    };
    Ok(hub.start::<Tokio>())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let history = TopicOptions::new().history(1000, Duration::from_secs(600));
    let hub = start(Hub::builder().topics(TOPIC, history))?;
    let listening = Server::new().bind(address).await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
    let counting = tokio::spawn(count(hub.clone()));
    listening.serve_until(move |ws| read(hub.clone(), ws), ctrl_c()).await?;
    counting.abort();
    Ok(())
}
