//! Endpoints in a world of their own: links in memory, a virtual clock, and an executor that polls a task only when it
//! has been woken, in an order that a seed decides. What hangs is told as a deadlock, with everything that waits.

// Tests that need a feature leave helpers and imports unused without it.
#![cfg_attr(
    not(all(feature = "auth", feature = "proxies", feature = "redirects", feature = "routes")),
    allow(dead_code, unused_imports)
)]

mod bytes;
mod cancellation;
mod chaos;
mod closing;
#[cfg(feature = "deflate")]
mod compression;
mod connecting;
mod dialling;
mod escaping;
mod extended_connect;
mod farewell;
mod faults;
mod handler;
mod handover;
mod latency;
mod leaving;
mod listening;
mod messages;
mod parts;
mod pressure;
#[cfg(feature = "proxies")]
mod proxies;
mod rates;
mod reconnecting;
#[cfg(feature = "redirects")]
mod redirects;
mod resets;
mod sim;
mod slow;
mod stopped;
mod stream;
mod streaming;
mod unwanted;
mod upgrade;
mod waiting;
mod wakeups;
