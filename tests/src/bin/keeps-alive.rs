//! A program that pings often and only listens: `keeps-alive RUNTIME server`, which prints its address, or
//! `keeps-alive RUNTIME URL`. `tests/stopped.rs` stops its process for a while.

use std::time::Duration;

use ws_async_std::{AsyncStd, Reactor};
use ws_session::{Client, HandlerResult, Runtime, Server, WebSocket};
use ws_tests::Smol;
use ws_tokio::Tokio;

const PING_INTERVAL: Duration = Duration::from_millis(200);
const PONG_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> HandlerResult {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [runtime, role] = &*arguments else { return Err("usage: keeps-alive RUNTIME server|URL".into()) };
    match &**runtime {
        "tokio-current-thread" => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run::<Tokio>(role))
        }
        "tokio-multi-thread" => tokio::runtime::Runtime::new()?.block_on(run::<Tokio>(role)),
        "async-std" => async_std::task::block_on(run::<AsyncStd>(role)),
        "smol" => smol::block_on(run::<Reactor<Smol>>(role)),
        other => Err(format!("no runtime is called {other}").into()),
    }
}

async fn run<R: Runtime>(role: &str) -> HandlerResult {
    if role != "server" {
        let client = Client::<R>::new(role).ping_interval(PING_INTERVAL).pong_timeout(PONG_TIMEOUT);
        return listen(client.connect().await?).await;
    }
    let server = Server::<R>::new().ping_interval(PING_INTERVAL).pong_timeout(PONG_TIMEOUT);
    let listening = server.bind("127.0.0.1:0").await?;
    println!("{}", listening.local_addr()?);
    Ok(listening.serve(listen).await?)
}

async fn listen(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}
