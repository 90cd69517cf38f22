//! The entry of ws-tokio for the board HttpArena, profiles `echo-ws` and `echo-ws-pipeline`: what a client sends at `/ws` comes
//! back. It is the loop of the README with the defaults, and a thread for each core.
//!
//! usage: httparena [PORT [THREADS]]. Without them, port 8080 of all addresses and as many threads as there are cores. With a
//! port, loopback only, and the program prints the port and ends with its standard input, as those of `compare` do.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};

use ws_tokio::{HandlerResult, Routes, Server, WebSocket};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map(|port| port.parse()).transpose()?;
    let threads: Option<usize> = arguments.next().map(|threads| threads.parse()).transpose()?;
    let host = if port.is_some() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let routes = Routes::new().websocket("/ws", echo).websocket("/", echo);
    let workers = Server::new().routes(routes).workers(threads).bind((IpAddr::from(host), port.unwrap_or(8080)))?;
    if port.is_some() {
        println!("{}", workers.local_addrs()[0].port());
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    Ok(workers.serve_routes().await?)
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
