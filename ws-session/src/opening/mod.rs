//! The opening handshake, as far as both ends do the same.

pub(crate) mod compression;
pub(crate) mod exchange;
mod open;

pub use self::open::Parts;
