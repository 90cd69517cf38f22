//! WebSockets on the connections of hyper and axum, both roles.

// Tests that need a feature leave helpers and imports unused without it.
#![cfg_attr(not(all(feature = "auth", feature = "proxies")), allow(dead_code, unused_imports))]

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "the other program of tests uses the rest")]
mod common;

mod axums_own;
mod clients;
mod ending;
mod extracting;
mod handing_over;
#[cfg(feature = "http2")]
mod http2;
mod rejecting;
mod settings;
mod setup;
