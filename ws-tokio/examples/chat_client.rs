//! A chat client for the terminal: it prints what arrives while it reads lines to send. `exit`, the end of the input or Ctrl-C
//! closes the connection with 1000.
//!
//! Run: `cargo run -p ws-tokio --example chat_client [URL]`. The default URL is `ws://127.0.0.1:8765`. The servers
//! `chat_json`, `chat_timestamps` and `broadcast` listen there.

use std::error::Error;
use std::io::stdin;
use std::pin::pin;

use tokio::signal::ctrl_c;
use tokio::sync::mpsc;

/// The lines of standard input. Reading blocks, so a thread does it. The program can end while the thread waits.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:8765".to_owned());
    let mut ws = ws_tokio::connect(&url).await?;
    println!("Connected to {url}. Type a line to send it, or `exit`.");
    let (mut lines, mut interrupt) = (lines(), pin!(ctrl_c()));
    loop {
        // Each is cancel-safe: a branch that is dropped loses no message, and no line.
        tokio::select! {
            biased; // In this order, so a flood of messages does not delay the user.
            _ = &mut interrupt => break,
            line = lines.recv() => match line.as_deref() {
                Some("exit") | None => break,
                Some(line) => ws.send(line).await?,
            },
            received = ws.recv() => match received? {
                Some(message) => println!("< {message}"),
                None => {
                    println!("The server has left: {}", ws.closed().await);
                    return Ok(());
                }
            },
        }
    }
    println!("{}", ws.close(1000, "").await?);
    Ok(())
}
