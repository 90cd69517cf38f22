//! A client that connects again whenever its connection ends, and subscribes anew on each connection.
//!
//! Run: `cargo run -p ws-async-std --example async_std_reconnecting_client [URL]`. The default URL is `ws://127.0.0.1:8765`. Stop the server
//! and start it again to see it. A message `enough` from the server ends the program.

use std::ops::ControlFlow;

use ws_async_std::{Client, RunError};

fn main() -> Result<(), RunError> {
    async_std::task::block_on(follow())
}

async fn follow() -> Result<(), RunError> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());
    let last = Client::new(url)
        .reconnect()
        .on_failure(|failed| eprintln!("{failed}"))
        .run(|mut ws| async move {
            ws.send("subscribe").await?;
            // `?` on the end of the connection leads to the next one.
            while let Some(message) = ws.recv().await? {
                println!("{message:?}");
                if message.as_text() == Some("enough") {
                    return Ok(ControlFlow::Break(message));
                }
            }
            println!("the server has closed the connection");
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    println!("the last message was {last:?}");
    Ok(())
}
