//! The Autobahn suite's client on async-std: [`ws_tests::autobahn::connect`].

use std::error::Error;

use ws_async_std::AsyncStd;
use ws_tests::autobahn::connect;

fn main() -> Result<(), Box<dyn Error>> {
    async_std::task::block_on(connect::<AsyncStd>(|client| client))
}
