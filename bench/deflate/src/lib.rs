//! DEFLATE on short messages: `ws-deflate` beside other crates.
//!
//! Every message ends with an empty stored block, and its last four bytes are left out, as RFC 7692 §7.2.1 asks for.

pub mod codecs;
pub mod messages;
