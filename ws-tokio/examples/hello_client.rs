//! A client that sends a name and prints the server's greeting.
//!
//! Run: `cargo run -p ws-tokio --example hello_client [URL]`. The default URL is `ws://127.0.0.1:8765`, where `hello_server`
//! listens.

use std::error::Error;
use std::io::{Write, stdin, stdout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());

    // A question blocks the thread, so it comes before the connection. `chat_client` reads input beside one.
    print!("What's your name? ");
    stdout().flush()?;
    let mut name = String::new();
    stdin().read_line(&mut name)?;
    let name = name.trim_end();

    let mut ws = ws_tokio::connect(url).await?;
    ws.send(name).await?;
    println!("> {name}");
    let greeting = ws.recv().await?.ok_or("the server closed the connection without a greeting")?;
    println!("< {greeting}");
    ws.close(1000, "").await?;
    Ok(())
}
