//! The Autobahn suite's server on tokio: [`ws_tests::autobahn::serve`].

use std::error::Error;

use ws_tests::autobahn::serve;
use ws_tokio::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    serve(Server::new()).await
}
