//! The hub on virtual time.

mod access;
mod presence;
mod rules;
mod setup;
mod storm;
mod threads;
