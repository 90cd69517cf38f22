//! Behaviour particular to tokio. `tests/adapters` tests the behaviour of every adapter.

// Tests that need a feature leave helpers and imports unused without it.
#![cfg_attr(not(all(feature = "auth", feature = "proxies", feature = "routes")), allow(dead_code, unused_imports))]

mod common;

mod deadlines;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "http2")]
mod http2;
mod io;
mod logging;
mod stream;
