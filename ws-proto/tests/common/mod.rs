//! Helpers of the scenario tests: frames built by hand, a virtual clock, and an end of a connection with a driver as every
//! adapter needs it.

#![allow(dead_code, unused_imports)] // every test file uses a part of it

mod bytes;
mod end;
mod events;
mod pair;
mod ways;
mod wire;

use std::time::Duration;

use ws_proto::{Config, Delivery, Role, Timestamp};

pub(crate) use self::bytes::*;
pub(crate) use self::end::*;
pub(crate) use self::events::*;
pub(crate) use self::pair::*;
pub(crate) use self::ways::*;
pub(crate) use self::wire::*;
pub(crate) use ws_test_support::random::Random;

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];
pub(crate) const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

/// The smallest step of the virtual clock that the tests take.
pub(crate) const TICK: Duration = Duration::from_millis(1);

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The time `n` seconds after the origin.
pub(crate) fn at(n: u64) -> Timestamp {
    Timestamp::new(secs(n))
}

/// The last moment before `n` seconds after the origin.
pub(crate) fn just_before(n: u64) -> Timestamp {
    Timestamp::new(secs(n) - TICK)
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

pub(crate) fn chunks() -> Config {
    config(|config| config.delivery = Delivery::Chunks)
}

/// No deadline but those that `change` sets; the two that cannot be off stay.
pub(crate) fn deadlines(change: impl FnOnce(&mut Config)) -> Config {
    config(|config| {
        config.deadlines.ping_interval = None;
        config.deadlines.pong = None;
        config.deadlines.message_progress = None;
        config.deadlines.write_stall = None;
        change(config);
    })
}

/// Keepalive and no other deadline, in seconds.
pub(crate) fn keepalive(interval: u64, pong: Option<u64>) -> Config {
    deadlines(|config| {
        config.deadlines.ping_interval = Some(secs(interval));
        config.deadlines.pong = pong.map(secs);
    })
}
