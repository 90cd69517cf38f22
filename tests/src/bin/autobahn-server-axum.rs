//! The Autobahn suite's server through the axum extractor: the tokio adapter's arguments and limits.

use std::error::Error;

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use ws_tests::autobahn::{address, config};
use ws_tokio::axum::WebSocketUpgrade;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address()).await?;
    println!("{}", listener.local_addr()?);
    let echo = async |ws: WebSocketUpgrade| {
        ws.config(config()).on_upgrade(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            ws_tokio::HandlerResult::Ok(())
        })
    };
    axum::serve(listener, Router::new().fallback(any(echo))).await?;
    Ok(())
}
