//! The rules of the hub, one by one, on virtual time.

mod brokers_lost;
mod gaps;
mod latest;
mod publishing;
mod recovery;
mod slow;
