//! The sizes from which on payload is received in another way. All of them stand here.
//!
//! | payload of a message | how it is received |
//! | --- | --- |
//! | up to 125 bytes, whole | the short path: no state machine, lent out of the input |
//! | whole | unmasked in place, lent out of the input |
//! | binary, from 4 KiB on | copied as it is unmasked, where messages are kept (there is [`Memory`](crate::Memory)) |
//! | binary, from 16 KiB on | in supplied memory; what has not come yet is read there, 16 to 256 KiB at a time |
//! | binary, from 16 to 256 KiB | the next message is expected to be as long: it is read into memory that it keeps, with its header |
//! | binary, above 64 KiB | the next is read so even if the last read brought more than one message |

use core::ops::RangeInclusive;

/// The longest payload on the short path: the longest whose length needs no more than two bytes of header
/// (RFC 6455 §5.2).
pub(crate) const SHORT_UP_TO: usize = 125;

/// Payloads from this size on are copied as they are unmasked, where messages are kept: one pass over them, not two.
pub(crate) const COPIED_FROM: usize = 4 << 10;

/// The smallest memory that is asked of the embedder. An allocator returns memory of this size to the system, which clears
/// it page by page when it is asked for again.
pub(crate) const SUPPLIED_FROM: usize = 16 << 10;

/// How many times as much memory as asked for is accepted beyond that: it is held for as long as the message is kept.
pub(crate) const MOST_SURPLUS: usize = 1;

/// From this many received bytes on, a message is taken to become as long as its headers declare. Below it, memory is only
/// twice what was received.
pub(crate) const DECLARED_FROM: usize = 64 << 10;

/// How many times as much as was received a message from [`DECLARED_FROM`] on may reserve.
pub(crate) const DECLARED_TIMES: usize = 16;

/// How much of a long message is read into its own memory at once. Less is not worth a read of its own. More than that would
/// have left the nearer caches by the time it is unmasked.
pub(crate) const AT_ONCE: RangeInclusive<usize> = 16 << 10..=256 << 10;

/// The messages that are expected to be followed by one of the same length, which is read into memory of its own. Below
/// that, a copy costs no more than a read of its own. Above it, the bound is that of [`AT_ONCE`].
pub(crate) const EXPECTED: RangeInclusive<u64> = SUPPLIED_FROM as u64..=256 << 10;

/// Expected messages above this size are read alone. Shorter ones are only when the last read brought one and nothing
/// else: it is better to answer several at once than to save each a copy.
pub(crate) const ALONE_ABOVE: usize = 64 << 10;

/// Memory that was read into and not kept is cleared again behind what was received. Where that would be more than so many
/// times what was received, it would cost more than the copy that it might save: the memory is left as it is.
pub(crate) const MOST_CLEARED: usize = 8;
