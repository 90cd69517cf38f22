//! A chat on async-std: every message goes to every member, and whoever connects again gets what was missed.
//!
//! Run: `cargo run -p ws-async-std --example async_std_hub [ADDRESS]`, by default at `127.0.0.1:8765`. Then run
//! `ws connect ws://127.0.0.1:8765` twice. Each line begins with its position; `ws connect 'ws://127.0.0.1:8765?since=POSITION'`
//! gets all lines after it.

use std::error::Error;
use std::time::Duration;

use async_signal::{Signal, Signals};
use async_std::prelude::*;
use async_std::task;
use ws_async_std::{AsyncStd, HandlerResult, Prepared, Server, WebSocket};
use ws_hub::{Delivery, Hub, TopicOptions};

const ROOM: &str = "chat/lobby";

async fn chat(hub: Hub, mut ws: WebSocket) -> HandlerResult {
    // What the client has seen, or the last 10 lines.
    let since = ws.query("since").and_then(|position| position.parse().ok());
    let _membership = hub.subscribe(ROOM).since(since).last(10).forward(&ws.sender(), line).await?;
    while let Some(message) = ws.recv().await? {
        hub.publish(ROOM, message).await?;
    }
    Ok(())
}

/// The message for a delivery.
fn line(delivery: &Delivery) -> Option<Prepared> {
    match delivery {
        Delivery::Publication(publication) => {
            let (position, text) = (publication.position?, publication.message.as_text()?);
            Some(format!("{position} {text}").into())
        }
        Delivery::Gap(gap) => Some(format!("({gap})").into()),
        Delivery::Unrecoverable(reason) => Some(format!("(not everything since then can be had: {reason})").into()),
        _ => None,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    task::block_on(async {
        let mut ctrl_c = Signals::new([Signal::Int])?;
        let history = TopicOptions::new().history(100, Duration::from_secs(3600));
        let hub = Hub::builder().topics("chat/", history).start::<AsyncStd>();
        let listening = Server::new().bind(address).await?;
        println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
        listening.serve_until(move |ws| chat(hub.clone(), ws), ctrl_c.next()).await?;
        Ok(())
    })
}
