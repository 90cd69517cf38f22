//! A chat at several instances of a server. Members at all of them read each message, in one order. A member whose connection is
//! lost connects again, to any instance, and gets what it missed.
//!
//! Run: `cargo run -p ws-hub --example chat_many_instances [ADDRESS...]`: an instance at each address, by default at
//! `127.0.0.1:8765` and `127.0.0.1:8766`, all in this process.
//!
//! With a broker, each process can be an instance. `BACKPLANE` names it:
//! `BACKPLANE=redis://127.0.0.1 cargo run -p ws-hub --features redis --example chat_many_instances 127.0.0.1:8765`
//!
//! Connect with `ws connect ws://127.0.0.1:8765` and `ws connect ws://127.0.0.1:8766`. Each line begins with its position;
//! `ws connect 'ws://127.0.0.1:8766?since=POSITION'` gets all lines after it.

use std::error::Error;
use std::time::Duration;

use tokio::signal::ctrl_c;
use tokio::task::JoinSet;
use ws_hub::{Delivery, Hub, HubBuilder, Memory, TopicOptions};
use ws_tokio::{HandlerResult, Prepared, Server, Tokio, WebSocket};

const ROOM: &str = "chat/lobby";

async fn chat(hub: Hub, mut ws: WebSocket) -> HandlerResult {
    // What the client has seen, or the last 10 lines.
    let since = ws.query("since").and_then(|position| position.parse().ok());
    let _membership = hub.subscribe(ROOM).since(since).last(10).forward(&ws.sender(), line).await?;
    while let Some(message) = ws.recv().await? {
        // The broker has accepted it, has not, or has not answered. The connection stays.
        if let Err(error) = hub.publish(ROOM, message).await {
            ws.send(format!("({error})")).await?;
        }
    }
    Ok(())
}

/// The message for a delivery.
fn line(delivery: &Delivery) -> Option<Prepared> {
    match delivery {
        Delivery::Publication(publication) => {
            let text = publication.message.as_text()?;
            // Without the broker, members at this instance hear each other.
            let position = publication.position.map_or("(here only)".to_owned(), |position| position.to_string());
            Some(format!("{position} {text}").into())
        }
        Delivery::Gap(gap) => Some(format!("({gap})").into()),
        Delivery::Unrecoverable(reason) => Some(format!("(not everything since then can be had: {reason})").into()),
        _ => None,
    }
}

/// A hub over the broker that `BACKPLANE` names, or over memory.
fn start(hub: HubBuilder, memory: &Memory) -> Result<Hub, Box<dyn Error>> {
    let hub = match std::env::var("BACKPLANE") {
        #[cfg(feature = "redis")]
        Ok(url) => hub.backplane(ws_hub::Redis::new(&url)?),
        #[cfg(not(feature = "redis"))]
        Ok(_) => return Err("BACKPLANE needs --features redis".into()),
        Err(_) => hub.backplane(memory.clone()),
    };
    Ok(hub.start::<Tokio>())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses: Vec<String> = std::env::args().skip(1).collect();
    if addresses.is_empty() {
        addresses = ["127.0.0.1:8765", "127.0.0.1:8766"].map(str::to_owned).into();
    }
    let memory = Memory::new();
    let mut instances = JoinSet::new();
    for address in addresses {
        let history = TopicOptions::new().history(100, Duration::from_secs(3600));
        let hub = start(Hub::builder().topics("chat/", history), &memory)?;
        let listening = Server::new().bind(address).await?;
        println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);
        instances.spawn(listening.serve_until(move |ws| chat(hub.clone(), ws), ctrl_c()));
    }
    while let Some(ended) = instances.join_next().await {
        ended??;
    }
    Ok(())
}
