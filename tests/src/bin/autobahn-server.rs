//! An echo server for the Autobahn test suite's fuzzing client; see `tests/autobahn`.
//!
//! usage: autobahn-server --listen ADDRESS
//!
//! Prints the address it listens on, which tells the port when ADDRESS leaves it open (127.0.0.1:0).

use std::{error::Error, net::SocketAddr, process};

use ws_tokio::{Config, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["--listen", address] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        eprintln!("usage: autobahn-server --listen ADDRESS");
        process::exit(2);
    };
    let listening = Server::new().config(config()).bind(address.parse::<SocketAddr>()?).await?;
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

/// The suite sends 16 MiB in a frame (9.1.6, 9.2.6) and 65,536 fragments and an empty last one in a
/// message (9.3.1, 9.4.1).
fn config() -> Config {
    let mut config = Config::default();
    config.limits.message = Some((16 << 20) + 1024);
    config.limits.frame = config.limits.message;
    config.limits.fragments = Some(65_537);
    config
}
