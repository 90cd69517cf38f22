//! The opening handshake, as far as both ends do the same.

mod completed;
pub(crate) mod compression;
pub(crate) mod exchange;
mod open;

pub use self::completed::CompletedHandshake;
pub use self::open::Parts;
