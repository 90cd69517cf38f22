//! The opening handshake, as far as both ends do the same.

mod accepted;
pub(crate) mod compression;
pub(crate) mod exchange;
mod open;

pub use self::accepted::Accepted;
pub use self::open::Parts;
