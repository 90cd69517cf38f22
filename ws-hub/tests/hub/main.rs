//! The hub on virtual time.

mod storm;
