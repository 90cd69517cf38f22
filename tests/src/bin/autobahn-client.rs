//! An echo client for the Autobahn test suite's fuzzing server; see `tests/autobahn`.
//!
//! usage: autobahn-client ws://HOST:PORT AGENT
//!
//! Runs every case the server has, has the report for AGENT written, and ends the server.

use std::{error::Error, process, time::Duration};

use ws_tokio::{Client, Config, ConnectError, WebSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, agent] = &arguments[..] else {
        eprintln!("usage: autobahn-client ws://HOST:PORT AGENT");
        process::exit(2);
    };
    for case in 1..=case_count(server).await? {
        let mut ws = open(format!("{server}/runCase?case={case}&agent={agent}")).await?;
        // How the connection ends is for the suite to judge. A send that comes too late is no reason to stop
        // receiving: the end is still to come.
        while let Ok(Some(message)) = ws.recv().await {
            let _ = ws.send(message).await;
        }
    }
    // The server stops as soon as the report is written; its answer may be lost.
    if let Ok(mut ws) = open(format!("{server}/updateReports?agent={agent}&shutdownOnComplete=true")).await {
        while let Ok(Some(_)) = ws.recv().await {}
    }
    Ok(())
}

async fn case_count(server: &str) -> Result<u32, Box<dyn Error>> {
    let mut ws = open(format!("{server}/getCaseCount")).await?;
    let message = ws.recv().await?.ok_or("the server did not tell how many cases it has")?;
    let count = message.as_text().ok_or("the number of cases is not text")?.parse()?;
    ws.closed().await;
    Ok(count)
}

async fn open(url: String) -> Result<WebSocket, ConnectError> {
    // The report is written before the handshake for it is answered.
    Client::new(&url).config(config()).connect_timeout(Duration::from_secs(60)).connect().await
}

/// The suite sends 16 MiB in a frame (9.1.6, 9.2.6) and 65,536 fragments and an empty last one in a
/// message (9.3.1, 9.4.1).
fn config() -> Config {
    let mut config = Config::default();
    config.limits.message = Some((16 << 20) + 1024);
    config.limits.frame = config.limits.message;
    config.limits.fragments = Some(65_537);
    config
}
