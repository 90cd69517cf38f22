//! Programs as people write them on their first day: each has to compile, and to do what it says.

#![allow(clippy::mutable_key_type, reason = "a sender's ID, which is hashed and compared, never changes")]
#![allow(
    clippy::needless_borrows_for_generic_args,
    clippy::never_loop,
    clippy::redundant_closure,
    reason = "people do"
)]

mod both_ways;
mod handlers;
#[cfg(feature = "json")]
mod json;
mod words;
