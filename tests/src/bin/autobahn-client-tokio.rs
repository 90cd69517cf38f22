//! The Autobahn suite's client on tokio: [`ws_tests::autobahn::connect`].

use std::error::Error;

use ws_tests::autobahn::connect;
use ws_tokio::Tokio;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    connect::<Tokio>(|client| client).await
}
