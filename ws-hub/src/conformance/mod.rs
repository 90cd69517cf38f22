//! The checks of a backplane, and a [broker with faults](Broker) to check the hub with. [`audit()`] checks what subscribers of any
//! broker got.
//!
//! Time is [virtual](World): nothing waits, and a seed repeats a run.

mod audit;
mod broker;
mod log;
mod names;
mod rng;
mod scenario;
mod world;

pub use self::audit::{Accepted, Outcome, Seen, Transcript, Violation, audit};
pub use self::broker::Broker;
pub use self::names::{hard_topics, invalid_topics};
pub use self::scenario::storm;
pub use self::world::{NoStream, Virtual, VirtualTimer, World};
