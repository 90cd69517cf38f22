//! A server that sends back each message, without a log: `plain-server RUNTIME`. It prints its address. `tests/descriptors.rs`
//! runs it with few file descriptors.

use ws_async_std::AsyncStd;
use ws_session::{HandlerResult, Runtime, Server, WebSocket};
use ws_tokio::Tokio;

fn main() -> HandlerResult {
    match std::env::args().nth(1).as_deref() {
        Some("tokio") => tokio::runtime::Runtime::new()?.block_on(run::<Tokio>()),
        Some("async-std") => async_std::task::block_on(run::<AsyncStd>()),
        _ => Err("usage: plain-server tokio|async-std".into()),
    }
}

async fn run<R: Runtime>() -> HandlerResult {
    let listening = Server::<R>::new().bind("127.0.0.1:0").await?;
    println!("{}", listening.local_addr()?);
    Ok(listening.serve(echo).await?)
}

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
