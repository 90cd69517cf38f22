//! The peers that the Autobahn test suite talks to, on any runtime; see `tests/autobahn`.

use std::{error::Error, net::SocketAddr, process, time::Duration};

use ws_session::{Client, Config, Runtime, Server, WebSocket};

/// An echo server for the suite's fuzzing client, with these settings besides its limits. Takes the program's arguments:
/// `--listen ADDRESS`.
///
/// Prints the address it listens on, which tells the port when ADDRESS leaves it open (127.0.0.1:0).
///
/// # Errors
///
/// When it cannot listen there.
pub async fn serve<R: Runtime>(server: Server<R>) -> Result<(), Box<dyn Error>> {
    let listening = server.config(config()).bind(address()).await?;
    println!("{}", listening.local_addr()?);
    listening
        .serve(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// The address in a server's arguments: `--listen ADDRESS`. Without it, the program ends.
pub fn address() -> SocketAddr {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--listen", address] => address.parse().ok(),
        _ => None,
    }
    .unwrap_or_else(|| {
        eprintln!("usage: PROGRAM --listen ADDRESS");
        process::exit(2);
    })
}

/// An echo client for the suite's fuzzing server. `set` makes its settings, besides the limits. Takes the program's arguments:
/// `ws://HOST:PORT AGENT`.
///
/// Runs every case the server has, has the report for AGENT written, and ends the server.
///
/// # Errors
///
/// When a connection does not open. How it ends is for the suite to judge.
pub async fn connect<R: Runtime>(set: impl Fn(Client<R>) -> Client<R>) -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, agent] = &arguments[..] else {
        eprintln!("usage: PROGRAM ws://HOST:PORT AGENT");
        process::exit(2);
    };
    let open = async |url: String| {
        // The report is written before the handshake for it is answered.
        set(Client::new(&url)).config(config()).connect_timeout(Duration::from_secs(60)).connect().await
    };
    for case in 1..=case_count(open(format!("{server}/getCaseCount")).await?).await? {
        let mut ws = open(format!("{server}/runCase?case={case}&agent={agent}")).await?;
        // A send that comes too late is no reason to stop receiving: the end is still to come.
        while let Ok(Some(message)) = ws.recv().await {
            let _ = ws.send(message).await;
        }
        // The suite notes the result when the transport has ended. Over HTTP/2 the request for the report could come first.
        ws.closed().await;
    }
    // The server stops as soon as the report is written; its answer may be lost.
    if let Ok(mut ws) = open(format!("{server}/updateReports?agent={agent}&shutdownOnComplete=true")).await {
        while let Ok(Some(_)) = ws.recv().await {}
    }
    Ok(())
}

async fn case_count(mut ws: WebSocket) -> Result<u32, Box<dyn Error>> {
    let message = ws.recv().await?.ok_or("the server did not tell how many cases it has")?;
    let count = message.as_text().ok_or("the number of cases is not text")?.parse()?;
    ws.closed().await;
    Ok(count)
}

/// The suite sends 16 MiB in a frame (9.1.6, 9.2.6) and 65,536 fragments and an empty last one in a
/// message (9.3.1, 9.4.1).
pub fn config() -> Config {
    let mut config = Config::default();
    config.limits.message = Some((16 << 20) + 1024);
    config.limits.frame = config.limits.message;
    config.limits.fragments = Some(65_537);
    config
}
