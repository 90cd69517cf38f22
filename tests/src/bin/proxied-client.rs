//! A client behind a proxy: `proxied-client RUNTIME URL CA [PROXY]`. Without `PROXY`, the environment names it. It sends a
//! message to an echo server, and prints what comes back, or the error. `tests/interop` runs it through other people's proxies.

use std::process::ExitCode;

use ws_async_std::AsyncStd;
use ws_session::{Client, Runtime};
use ws_tokio::Tokio;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [runtime, url, ca, proxy @ ..] = &*arguments else {
        println!("usage: proxied-client RUNTIME URL CA [PROXY]");
        return ExitCode::from(2);
    };
    let answer = match &**runtime {
        "tokio" => tokio::runtime::Runtime::new().unwrap().block_on(echo::<Tokio>(url, ca, proxy.first())),
        _ => async_std::task::block_on(echo::<AsyncStd>(url, ca, proxy.first())),
    };
    match answer {
        Ok(message) => println!("{message}"),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}

async fn echo<R: Runtime>(url: &str, ca: &str, proxy: Option<&String>) -> Result<String, Box<dyn std::error::Error>> {
    let client = Client::<R>::new(url).ca(std::fs::read(ca)?);
    let client = proxy.into_iter().fold(client, |client, proxy| client.proxy(proxy));
    let mut ws = client.connect_stream().await?;
    let large = "x".repeat(300_000);
    for message in ["hello", &large] {
        ws.send(message).await?;
        let back = ws.recv().await?.ok_or("the end instead of a message")?;
        if back.as_text() != Some(message) {
            return Err("another message came back".into());
        }
    }
    let outcome = ws.close(1000, "").await?;
    Ok(format!("echoed; clean: {}", outcome.is_clean()))
}
