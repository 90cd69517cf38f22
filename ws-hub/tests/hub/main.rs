//! The hub on virtual time.

mod presence;
mod storm;
