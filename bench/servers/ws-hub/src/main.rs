//! A topic of ws-hub, over connections of ws-tokio, with default settings.

use std::future::IntoFuture;
use std::io;

use futures_util::FutureExt;
use host::Task;
use ws_hub::{Delivery, Hub};
use ws_tokio::{HandlerResult, Server, Tokio, WebSocket};

const TOPIC: &str = "news";

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::FanOut => {
            let hub = Hub::builder().start::<Tokio>();
            let publisher = hub.clone();
            // In memory, nothing waits.
            let publish = move |message| drop(publisher.publish(TOPIC, message).into_future().now_or_never());
            host::publications(&job, publish).await?;
            let listening = Server::new().bind(host::LOOPBACK).await?;
            host::announce(listening.local_addr()?)?;
            listening.serve(move |ws| subscriber(ws, hub.clone())).await
        }
        _ => Err(io::Error::other("a hub has topics, and nothing else")),
    })
}

async fn subscriber(mut ws: WebSocket, hub: Hub) -> HandlerResult {
    let encode = |delivery: &Delivery| match delivery {
        Delivery::Publication(publication) => Some(publication.prepared().clone()),
        _ => None,
    };
    let _membership = hub.subscribe(TOPIC).forward(&ws.sender(), encode).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}
