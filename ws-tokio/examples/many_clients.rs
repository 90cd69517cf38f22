//! Many clients in one process: they connect, all send a message at once, and close. The server must be one that sends back
//! each message.
//!
//! Run: `cargo run -p ws-tokio --example many_clients [URL] [COUNT]`, by default 5,000 clients of `ws://127.0.0.1:8765`, where
//! `echo_server` listens. Both processes need a file descriptor for each connection: run `ulimit -n 6000` before each.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use ws_tokio::WebSocket;

type Failure = Box<dyn Error + Send + Sync>;

/// The most clients that connect at the same time. With more, a server's queue of new connections overflows.
const CONNECTING: usize = 100;

async fn connect_all(url: &str, count: usize) -> Result<Vec<WebSocket>, Failure> {
    let places = Arc::new(Semaphore::new(CONNECTING));
    let mut connecting = JoinSet::new();
    for _ in 0..count {
        let (url, places) = (url.to_owned(), Arc::clone(&places));
        connecting.spawn(async move {
            let _place = places.acquire().await?;
            Ok::<_, Failure>(ws_tokio::connect(url).await?)
        });
    }
    let mut clients = Vec::with_capacity(count);
    while let Some(connected) = connecting.join_next().await {
        let open = clients.len();
        clients.push(connected?.map_err(|error| format!("after {open} connections: {error}"))?);
    }
    Ok(clients)
}

/// Sends the client's own number, and expects it back.
async fn talk(mut ws: WebSocket, number: usize) -> Result<(), Failure> {
    ws.send(number.to_string()).await?;
    let echo = ws.recv().await?.ok_or("the server has closed a connection")?;
    if echo != number.to_string() {
        return Err(format!("client {number} got {echo}").into());
    }
    ws.close(1000, "").await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());
    let count = arguments.next().map_or(Ok(5000), |count| count.parse()).map_err(|_| "COUNT must be a whole number")?;

    let start = Instant::now();
    let clients = connect_all(&url, count).await?;
    println!("{} connections are open after {:.1?}.", clients.len(), start.elapsed());

    let start = Instant::now();
    let talks: JoinSet<_> = clients.into_iter().enumerate().map(|(number, ws)| talk(ws, number)).collect();
    for result in talks.join_all().await {
        result?;
    }
    println!("{count} messages came back, and all connections are closed, after {:.1?}.", start.elapsed());
    Ok(())
}
