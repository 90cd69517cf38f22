//! Behaviour particular to tokio. `tests/adapters` tests the behaviour of every adapter.

mod common;

mod deadlines;
mod io;
mod logging;
mod stream;
