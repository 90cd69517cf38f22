//! The hub on virtual time.

mod access;
mod names;
mod presence;
mod promises;
mod rules;
mod setup;
mod stats;
mod storm;
mod threads;
