//! The hub on virtual time.

mod presence;
mod rules;
mod setup;
mod storm;
