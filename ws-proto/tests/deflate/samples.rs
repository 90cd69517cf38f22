//! Payloads to compress, and negotiated parameters.

use ws_proto::permessage_deflate::{Deflate, DeflateParams};
pub(crate) use ws_test_support::deflate::{alone, compressed, other, other_compressed, other_inflated, settings};
pub(crate) use ws_test_support::samples::{json, samples};

/// Windows of 15 bits both ways, with context takeover.
pub(crate) const WIDE: DeflateParams = {
    let mut agreed = DeflateParams::new(Deflate::client());
    (agreed.level, agreed.mem_level, agreed.threshold) = (6, 8, 0);
    agreed
};

/// The same without context takeover.
pub(crate) const ALONE: DeflateParams = {
    let mut agreed = WIDE;
    (agreed.send_context_takeover, agreed.receive_context_takeover) = (false, false);
    agreed
};

/// [`WIDE`] with a change.
pub(crate) fn wide(change: impl FnOnce(&mut DeflateParams)) -> DeflateParams {
    let mut agreed = WIDE;
    change(&mut agreed);
    agreed
}
