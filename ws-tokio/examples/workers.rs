//! A server on several threads, each with a single-threaded runtime of its own. A connection stays on its thread.
//!
//! Run: `cargo run -p ws-tokio --example workers [ADDRESS] [THREADS]`, by default at `127.0.0.1:8765` with a thread for each core.
//! The server sends the name of the thread, and then sends back each message.

use std::error::Error;
use std::thread;

use ws_tokio::{HandlerResult, Server, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    ws.send(thread::current().name().unwrap_or("a thread")).await?;
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

// This runtime only waits.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let threads = arguments.next().map(|threads| threads.parse()).transpose()?;
    let workers = Server::new().workers(threads).bind(address)?;
    println!("Listening at ws://{}; Ctrl-C stops it.", workers.local_addrs()[0]);
    let server = workers.handle();
    workers
        .serve_until(echo, async move {
            let _ = tokio::signal::ctrl_c().await;
            println!("{} connections on all threads", server.connections());
        })
        .await?;
    Ok(())
}
