//! What the tests compress, and what both ends agree on.

use ws_proto::permessage_deflate::Agreed;

use crate::common::Random;

#[path = "../../../ws-deflate/tests/codec/samples.rs"]
mod shared;

pub(crate) use self::shared::*;

/// Windows of 15 bits both ways, with context takeover.
pub(crate) const WIDE: Agreed = Agreed {
    send_window_bits: 15,
    receive_window_bits: 15,
    send_context_takeover: true,
    receive_context_takeover: true,
    level: 6,
    mem_level: 8,
    threshold: 0,
};

/// The same without context takeover.
pub(crate) const ALONE: Agreed = Agreed { send_context_takeover: false, receive_context_takeover: false, ..WIDE };
