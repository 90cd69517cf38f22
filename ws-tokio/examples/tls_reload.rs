//! A server over TLS whose certificate is renewed while it runs. At SIGHUP it reads both files again. Open connections go on.
//!
//! Run: `cargo run -p ws-tokio --example tls_reload [ADDRESS] [CERTIFICATE] [KEY]`, by default at `127.0.0.1:8765` with the
//! files `localhost.pem` and `localhost.key`, which it makes if they are missing. Then remove both, run the example again at
//! another address to make new ones, and tell this one: `kill -HUP PID`. On Windows, it looks at the files every 10 s.

use std::error::Error;
use std::path::Path;

use tokio::signal::ctrl_c;
use ws_tokio::{HandlerResult, Server, ServerTls, WebSocket};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let certificate = arguments.next().unwrap_or_else(|| "localhost.pem".to_owned());
    let key = arguments.next().unwrap_or_else(|| "localhost.key".to_owned());
    if !Path::new(&certificate).exists() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        std::fs::write(&certificate, made.cert.pem())?;
    }

    let tls = ServerTls::new().certificate_files(&certificate, key);
    #[cfg(not(unix))]
    let tls = tls.reload_every(std::time::Duration::from_secs(10));
    let listening = Server::new().tls_with(tls.clone()).bind(address).await?;
    #[cfg(unix)]
    tokio::spawn(reload_at_hangup(tls)?);
    let port = listening.local_addr()?.port();
    println!("Listening at wss://localhost:{port} with the certificate in {certificate}; Ctrl-C stops it.");
    listening.serve_until(echo, ctrl_c()).await?;
    Ok(())
}

#[cfg(unix)]
fn reload_at_hangup(tls: ServerTls) -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(true) => println!("The certificate was renewed."),
                Ok(false) => println!("The certificate is the same."),
                Err(error) => println!("The old certificate stays in use: {error}"),
            }
        }
    })
}
