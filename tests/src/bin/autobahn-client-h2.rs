//! The Autobahn suite's client on tokio, over one connection of HTTP/2: [`ws_tests::autobahn::connect`].

use std::error::Error;

use ws_tests::autobahn::connect;
use ws_tokio::Http2Connections;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let connections = Http2Connections::new().prior_knowledge(true);
    connect::<ws_tokio::Tokio>(|client| client.http2(&connections)).await
}
