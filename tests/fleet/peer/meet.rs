//! An exchange on a connection of either role.

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use ws_tokio::http::{Response, StatusCode, Version};
use ws_tokio::{Bytes, ConnectError, WebSocket};

use crate::Failure;
use crate::exchange::Exchange;
use crate::settings::Settings;

/// What a refusal says.
pub(crate) const REFUSAL: &str = "not today\n";

pub(crate) async fn connect(name: &str, url: &str, settings: Settings) -> Result<String, Failure> {
    let exchange = Exchange::parse(name)?;
    let mut client = settings.client(url, exchange.is_compressed())?;
    if matches!(exchange, Exchange::PingBetweenFragments) {
        client = client.ping_between_fragments(true);
    }
    if !matches!(exchange, Exchange::Refusal) {
        let mut ws = client.connect().await?;
        if settings.get("http2") == Some("yes") && ws.response().version() != Version::HTTP_2 {
            return Err("the connection is not one of HTTP/2".into());
        }
        return exchange.run(&mut ws, &settings).await;
    }
    match client.connect().await {
        Err(ConnectError::Rejected(response)) if response.status() == StatusCode::FORBIDDEN => {
            let body = String::from_utf8_lossy(response.body());
            if body.contains(REFUSAL.trim_end()) { Ok("403 with its body".to_owned()) } else { Ok("403".to_owned()) }
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err("connected instead of a refusal".into()),
    }
}

/// Takes the first client.
pub(crate) async fn accept(name: &str, settings: Settings) -> Result<String, Failure> {
    let exchange = Exchange::parse(name)?;
    let (refused, mut was_refused) = mpsc::unbounded_channel();
    let mut server = settings.server(exchange.is_compressed())?;
    if matches!(exchange, Exchange::PingBetweenFragments) {
        server = server.ping_between_fragments(true);
    }
    if matches!(exchange, Exchange::Refusal) {
        server = server.on_request(move |_| {
            let _ = refused.send(());
            Some(refusal())
        });
    } else {
        drop(refused);
    }
    let stops = matches!(exchange, Exchange::Shutdown);
    let listening = server.bind("127.0.0.1:0").await?;
    let scheme = if settings.get("tls") == Some("yes") { "wss" } else { "ws" };
    println!("ready {scheme}://127.0.0.1:{}/", listening.local_addr()?.port());

    let handle = listening.handle();
    let (sender, verdict) = oneshot::channel();
    let first = Arc::new(Mutex::new(Some((sender, exchange))));
    let settings = Arc::new(settings);
    let serving = tokio::spawn(listening.serve(move |mut ws: WebSocket| {
        let (first, settings) = (Arc::clone(&first), Arc::clone(&settings));
        async move {
            let taken = first.lock().ok().and_then(|mut first| first.take());
            if let Some((sender, exchange)) = taken {
                let result = match stops {
                    true => stop(&mut ws).await,
                    false => exchange.run(&mut ws, &settings).await,
                };
                let _ = sender.send(result);
            }
            Ok(())
        }
    }));
    if let Some(()) = was_refused.recv().await {
        // Until the response is written.
        handle.shutdown();
        serving.await??;
        return Ok(String::new());
    }
    if stops {
        tokio::spawn(async move {
            // The client has connected when the handler waits for its end.
            while handle.connections() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            handle.shutdown();
        });
        let result = verdict.await?;
        serving.await??;
        return result;
    }
    let result = verdict.await?;
    handle.shutdown();
    serving.await??;
    result
}

/// Waits until the server's shutdown ends the connection.
async fn stop(ws: &mut WebSocket) -> Result<String, Failure> {
    ws.send("before the end").await?;
    while ws.recv().await?.is_some() {}
    crate::exchange::answered(&ws.closed().await)
}

pub(crate) fn refusal() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(REFUSAL.as_bytes()));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
