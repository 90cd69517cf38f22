//! Hubs as processes around real brokers, which are killed, frozen and emptied: the rules must hold all the same.

pub mod broker;
pub mod brokers;
pub mod process;
pub mod scenarios;
pub mod world;

/// What went wrong.
pub type Outcome<T = ()> = Result<T, String>;
