//! Memory that connections share: each worker thread's buffers, the memory of short messages that arrive together, and reused
//! buffers of long messages.

pub(crate) mod burst;
pub(crate) mod recycle;
pub(crate) mod scratch;
mod supplied;

pub(crate) use self::supplied::supplied;
