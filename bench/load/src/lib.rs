//! The load generator: one thread, epoll, frames encoded beforehand, so that the program measured is the bottleneck.
//!
//! It parses next to nothing: the length of what comes back is known, so received bytes divided by it are messages.
//! What the bytes are is checked at the beginning and at the end, not while time is taken.

mod client;
mod connect;
mod cycle;
mod echo;
mod fan_out;
mod idle;
mod keepalive;
mod row;
mod upgrades;

use std::time::Duration;

use anyhow::Result;

pub use crate::client::{Client, Direction};
pub use crate::cycle::Wire;
pub use crate::echo::Echo;
pub use crate::fan_out::FanOut;
pub use crate::idle::Idle;
pub use crate::keepalive::Keepalive;
pub use crate::row::{Payload, Row};
pub use crate::upgrades::Upgrades;

/// Something to do with a program for as long as time is taken.
pub trait Load {
    /// Does it for a time, and counts.
    fn run(&mut self, time: Duration) -> Result<Counted>;

    /// Brings it to an end, and checks what came back last.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What was done while time was taken: messages, upgrades, deliveries, pings.
pub struct Counted {
    pub each: f64,
    pub elapsed: Duration,
}

/// A program that does nothing for this long is stuck.
const STALL: Duration = Duration::from_secs(5);
