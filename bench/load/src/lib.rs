//! The load generator: one thread, epoll, frames encoded beforehand, so that the program measured is the bottleneck.
//!
//! It parses next to nothing: the length of what comes back is known, so received bytes divided by it are messages.
//! The contents of the bytes are checked at the beginning and at the end, not while time is measured.

mod client;
mod connect;
mod cycle;
mod deflate;
mod deflated;
mod echo;
mod fan_out;
mod idle;
mod json;
mod keepalive;
mod replies;
mod row;
mod upgrades;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

pub use crate::client::{Client, Direction};
pub use crate::cycle::Wire;
pub use crate::deflate::Deflate;
pub use crate::deflated::Deflated;
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

    /// How many bytes a message took on its way back, where that is not known beforehand.
    fn reply_len(&self) -> Option<f64> {
        None
    }

    /// What the server answered to the extension that was offered.
    fn agreed(&self) -> Option<&str> {
        None
    }
}

/// What was done while time was taken: messages, upgrades, deliveries, pings.
pub struct Counted {
    pub each: f64,
    pub elapsed: Duration,
}

/// A program that does nothing for this long is stuck.
const STALL: Duration = Duration::from_secs(5);

/// Tries what would block until it does not.
fn patiently<T>(mut attempt: impl FnMut() -> std::io::Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(start.elapsed() < STALL, "nothing for {STALL:?}");
            }
            result => return Ok(result?),
        }
    }
}
