//! Every limit there is, as a table: exactly at it all is well, one over it is refused; in one frame, in many
//! fragments, compressed, and incomplete; by default, set to something else, and off; for both roles and both ways to
//! hand messages out. (How each limit is found, and what it says, is in `limits_10_4`.)
//!
//! | limit | one frame | fragments | compressed | incomplete |
//! | --- | --- | --- | --- | --- |
//! | `limits.message` | a whole message | two frames and a ping | one frame, two frames | never ends: one frame, two frames |
//! | `limits.frame` | a whole message | the second frame | one frame | never ends: first frame, second frame |
//! | `limits.fragments` | counts as one | empty frames and others | empty frames | never ends |
//! | `limits.pending_pongs` | pings in one read | among fragments | among compressed fragments | cut into bytes, one never ends |
//! | a close reason: 123 bytes | alone | amid a message | is never compressed | the header alone |
//! | `limits.high_water`, `limits.hard_cap` | `send` | `send_fragment`, last | `send_with` | `send_fragment`, not last |
//!
//! The other limits live elsewhere; `elsewhere` names the tests that cover them, and their being there is a test.

mod close_reasons;
mod elsewhere;
mod incoming;
mod outgoing;
mod pings;
mod rows;

use crate::common::*;
use ws_proto::{Config, Role};

const MIB: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OneFrame,
    Fragments,
    Compressed,
    Incomplete,
}

const SHAPES: [Shape; 4] = [Shape::OneFrame, Shape::Fragments, Shape::Compressed, Shape::Incomplete];

/// An end with which compression was agreed on, where there is any.
fn agreed_end(role: Role, config: &Config) -> End {
    #[cfg(feature = "deflate")]
    let end = {
        use ws_proto::permessage_deflate::{Deflate, DeflateParams};
        let mut agreed = DeflateParams::new(Deflate::client());
        (agreed.send_context_takeover, agreed.receive_context_takeover) = (false, false);
        agreed.threshold = usize::MAX;
        End::compressing(role, config, agreed)
    };
    #[cfg(not(feature = "deflate"))]
    let end = End::new(role, config);
    end
}

/// How many cases the compressed column has for a limit.
const COMPRESSED: usize = if cfg!(feature = "deflate") { 1 } else { 0 };

/// Bytes as DEFLATE that does not make them shorter (RFC 1951 §3.2.4), and the end of a message. So it is known which byte
/// inflates to which.
fn stored(payload: &[u8]) -> Vec<u8> {
    let mut data = vec![];
    for block in payload.chunks(0xFFFF) {
        let len = block.len() as u16;
        data.push(0x00);
        data.extend(len.to_le_bytes());
        data.extend((!len).to_le_bytes());
        data.extend(block);
    }
    data.push(0x00);
    data
}
