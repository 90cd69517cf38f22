//! The client of `hello_client` over TLS. It trusts the certificate in a file, and those that the system trusts.
//!
//! Run: `cargo run -p ws-tokio --example hello_client_tls [URL] [CERTIFICATE]`, by default `wss://localhost:8765` and the file
//! `localhost.pem`, which `hello_server_tls` writes.

use std::error::Error;
use std::io::{Write, stdin, stdout};

use ws_tokio::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "wss://localhost:8765".to_owned());
    let file = arguments.next().unwrap_or_else(|| "localhost.pem".to_owned());
    // For a server with a certificate from a public authority, `ws_tokio::connect(url)` is enough.
    let certificate = std::fs::read(&file).map_err(|error| format!("cannot read {file}: {error}"))?;

    print!("What's your name? ");
    stdout().flush()?;
    let mut name = String::new();
    stdin().read_line(&mut name)?;
    let name = name.trim_end();

    let mut ws = Client::new(url).ca(certificate).connect().await?;
    ws.send(name).await?;
    println!("> {name}");
    let greeting = ws.recv().await?.ok_or("the server closed the connection without a greeting")?;
    println!("< {greeting}");
    ws.close(1000, "").await?;
    Ok(())
}
