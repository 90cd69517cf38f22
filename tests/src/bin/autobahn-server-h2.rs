//! The Autobahn suite's server on tokio, which takes HTTP/2 as well: [`ws_tests::autobahn::serve`].

use std::error::Error;

use ws_tests::autobahn::serve;
use ws_tokio::{Http2, Server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(Server::new().http2(Http2::default())).await
}
