//! Memory that connections share: each worker thread's buffers, short messages that come together, and buffers of long ones
//! that are used again.

pub(crate) mod burst;
pub(crate) mod recycle;
pub(crate) mod scratch;
mod supplied;

pub(crate) use self::supplied::supplied;
