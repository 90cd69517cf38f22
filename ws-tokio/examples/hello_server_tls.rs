//! The server of `hello_server` over TLS. It makes a certificate for `localhost` at each start, and writes it to a file that
//! the client trusts. The key stays in memory.
//!
//! Run: `cargo run -p ws-tokio --example hello_server_tls [ADDRESS] [CERTIFICATE]`, by default at `127.0.0.1:8765` with the
//! file `localhost.pem`. Then run the client in the same folder: `cargo run -p ws-tokio --example hello_client_tls`.

use std::error::Error;

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, WebSocket};

async fn hello(mut ws: WebSocket) -> HandlerResult {
    if let Some(name) = ws.recv().await? {
        println!("< {name}");
        let greeting = format!("Hello {name}!");
        println!("> {greeting}");
        ws.send(greeting).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let file = arguments.next().unwrap_or_else(|| "localhost.pem".to_owned());

    // A public server reads both from files that a certificate authority has issued: `.tls(fs::read(…)?, fs::read(…)?)`.
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    std::fs::write(&file, &certificate).map_err(|error| format!("cannot write {file}: {error}"))?;

    let listening = Server::new().tls(certificate, key).bind(address).await?;
    let port = listening.local_addr()?.port();
    println!("Listening at wss://localhost:{port} with the certificate in {file}; Ctrl-C stops it.");
    listening.serve_until(hello, ctrl_c()).await?;
    Ok(())
}
