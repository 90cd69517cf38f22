//! A program that sends and ends: `send-and-exit RUNTIME URL COUNT HOW [CA]`. `tests/leaving.rs` counts what arrives.

use std::error::Error;

use ws_async_std::{AsyncStd, Reactor};
use ws_session::{Client, Runtime};
use ws_tests::Smol;
use ws_tokio::Tokio;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [runtime, url, count, how, ca @ ..] = &*arguments else {
        return Err("usage: send-and-exit RUNTIME URL COUNT HOW [CA]".into());
    };
    let (count, ca) = (count.parse()?, ca.first());
    match &**runtime {
        "tokio-current-thread" => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run::<
            Tokio,
        >(
            url, count, how, ca,
        )),
        "tokio-multi-thread" => tokio::runtime::Runtime::new()?.block_on(run::<Tokio>(url, count, how, ca)),
        "async-std" => async_std::task::block_on(run::<AsyncStd>(url, count, how, ca)),
        "smol" => smol::block_on(run::<Reactor<Smol>>(url, count, how, ca)),
        other => Err(format!("no runtime is called {other}").into()),
    }
}

async fn run<R: Runtime>(url: &str, count: usize, how: &str, ca: Option<&String>) -> Result<(), Box<dyn Error>> {
    let client = Client::<R>::new(url);
    #[cfg(feature = "tls")]
    let client = match ca {
        Some(path) => client.ca(std::fs::read(path)?),
        None => client,
    };
    #[cfg(not(feature = "tls"))]
    let _ = ca;
    let mut ws = client.connect().await?;
    let sender = ws.sender();
    match how {
        // The handle is dropped at the end of this function.
        "socket" => {}
        // Somebody else receives, in a task that waits when the program ends.
        "sender" => R::spawn(async move { while let Ok(Some(_)) = ws.recv().await {} }),
        other => return Err(format!("nothing is sent {other}").into()),
    }
    for n in 0..count {
        sender.send(format!("line {n}")).await?;
    }
    Ok(())
}
