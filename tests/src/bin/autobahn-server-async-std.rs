//! The Autobahn suite's server on async-std: [`ws_tests::autobahn::serve`].

use std::error::Error;

use ws_async_std::Server;
use ws_tests::autobahn::serve;

fn main() -> Result<(), Box<dyn Error>> {
    async_std::task::block_on(serve(Server::new()))
}
