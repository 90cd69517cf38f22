//! The behaviour that a user of an adapter sees: one suite, compiled once for each adapter. A file for each adapter has the
//! differences, and includes the suite at its end. `suite.rs` lists the tests.

// Tests that need a feature leave helpers and imports unused without it.
#![cfg_attr(
    not(all(feature = "auth", feature = "proxies", feature = "redirects", feature = "routes")),
    allow(dead_code, unused_imports)
)]
#![allow(clippy::duplicate_mod, reason = "that is how the suite is compiled for each adapter")]

#[path = "adapters/on_async_std.rs"]
mod on_async_std;
#[path = "adapters/on_tokio.rs"]
mod on_tokio;
#[path = "adapters/wire.rs"]
mod wire;
