//! What a user of an adapter sees: one suite, compiled once for each. What differs between them is in a file each, which
//! ends by including the suite; `suite.rs` lists what is tested.

#![allow(clippy::duplicate_mod, reason = "that is how the suite is compiled for each adapter")]

#[path = "adapters/on_async_std.rs"]
mod on_async_std;
#[path = "adapters/on_tokio.rs"]
mod on_tokio;
#[path = "adapters/wire.rs"]
mod wire;
