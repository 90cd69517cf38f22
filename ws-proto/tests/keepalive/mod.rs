//! Keepalive (RFC 6455 §5.5.2, §5.5.3): pings of our own, and how long their pongs may take.

mod application;
mod fragments;
mod intervals;
mod life;

const DAY: u64 = 24 * 60 * 60;
