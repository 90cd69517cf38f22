//! A server on a Unix socket, and a client that connects to it: no other machine can, and the file's permissions decide who may.
//!
//! Run: `cargo run -p ws-async-std --example async_std_unix_socket [PATH]`, by default at `/tmp/unix_socket.sock`. Ctrl-C stops
//! it.
//!
//! With `client` before the path it is a client: `cargo run -p ws-async-std --example async_std_unix_socket client [PATH]`.

#[cfg(unix)]
use std::error::Error;

#[cfg(unix)]
use async_signal::{Signal, Signals};
#[cfg(unix)]
use async_std::prelude::*;
#[cfg(unix)]
use ws_async_std::{Client, HandlerResult, Server, UnixSocket, WebSocket};

#[cfg(unix)]
async fn echo(mut ws: WebSocket) -> HandlerResult {
    println!("a client has connected: {:?}", ws.client_ip());
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let is_client = arguments.first().is_some_and(|first| first == "client");
    let path = arguments.drain(usize::from(is_client)..).next().unwrap_or_else(|| "/tmp/unix_socket.sock".to_owned());
    async_std::task::block_on(async {
        if is_client {
            // The host of the URL is for the request. Nothing is looked up.
            let mut ws = Client::new("ws://localhost/").unix_socket(&path).connect().await?;
            ws.send("Hello").await?;
            println!("< {}", ws.recv().await?.ok_or("no answer")?);
            ws.close(1000, "").await?;
            return Ok(());
        }
        let mut ctrl_c = Signals::new([Signal::Int])?;
        let server = Server::new().trusted_proxies(["unix:"]);
        // The owner and the group may connect. A socket that a killed server has left there is replaced.
        let listening = server.bind_unix(UnixSocket::new(&path).mode(0o660)).await?;
        println!("Listening at {path}; Ctrl-C stops it.");
        listening.serve_until(echo, ctrl_c.next()).await?;
        Ok(())
    })
}

#[cfg(not(unix))]
fn main() {
    println!("This system has no Unix sockets for this example.");
}
