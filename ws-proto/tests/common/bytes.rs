//! Frames built by hand, and the frames in the output of an end.

use ws_proto::Role;
use ws_test_support::frames::decode;
pub(crate) use ws_test_support::frames::{
    BINARY, BINARY_BEGINS, CLOSE, CONTINUES, KEY, LAST, PING, PONG, RSV1, TEXT, TEXT_BEGINS, all_to, close_body, frame,
    from, header, header_to, key_to, to,
};

/// A frame as it was found in what an end wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

/// Takes apart what `role` wrote: whole frames, lengths in their shortest form, masked by a client and by nobody else.
#[track_caller]
pub(crate) fn frames(role: Role, mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = vec![];
    while !bytes.is_empty() {
        let found = decode(bytes).expect("a frame is cut short");
        assert_eq!(found.key.is_some(), role == Role::Client, "clients mask and servers do not");
        frames.push(Frame { first: found.frame.0, key: found.key, payload: found.frame.1 });
        bytes = &bytes[found.size..];
    }
    frames
}

/// Letters, `len` of them, for a payload.
pub(crate) fn alphabet(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}
