//! Ctrl-C ends the server: nobody new comes in, everyone is told with 1001, handlers may finish what they do.
//! `cargo run -p ws-tokio --example graceful_shutdown`

use std::time::Duration;

use ws_tokio::{HandlerResult, Server, WebSocket};

async fn count(mut ws: WebSocket) -> HandlerResult {
    let mut bytes = 0;
    // After a shutdown this ends like after any close: with `None`.
    while let Some(message) = ws.recv().await? {
        bytes += message.len();
    }
    // The connection is gone; what is still to be done is waited for, up to the drain timeout.
    println!("{bytes} bytes from {:?}", ws.peer_addr());
    Ok(())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listening = Server::new().drain_timeout(Duration::from_secs(5)).bind("127.0.0.1:8765").await?;
    println!("Listening at ws://{}; Ctrl-C stops it.", listening.local_addr()?);

    let handle = listening.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            println!("Stopping; {} connections are open.", handle.connections());
            handle.shutdown();
        }
    });

    listening.serve(count).await?;
    println!("Stopped.");
    Ok(())
}
