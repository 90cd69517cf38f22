//! The parts of the opening handshake that both ends share.

mod completed;
pub(crate) mod compression;
pub(crate) mod exchange;
mod open;

pub use self::completed::CompletedHandshake;
pub use self::open::Parts;
