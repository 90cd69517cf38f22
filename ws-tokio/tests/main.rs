//! Behaviour particular to tokio. `tests/adapters` tests the behaviour of every adapter.

mod common;

mod deadlines;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod logging;
mod stream;
