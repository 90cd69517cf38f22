//! The checks of a backplane, and a [broker with faults](Broker) to check the hub with.
//!
//! Time is [virtual](World): nothing waits, and a seed repeats a run.

mod broker;
mod log;
mod rng;
mod scenario;
mod world;

pub use self::broker::Broker;
pub use self::scenario::{Outcome, Violation, storm};
pub use self::world::{NoStream, Virtual, VirtualTimer, World};
