//! Ends with which compression was agreed on, and what they make of frames.

use ws_proto::Violation;
use ws_proto::permessage_deflate::DeflateParams;

use crate::common::*;

/// What an end of each role makes of frames, in whatever pieces they come, in messages and in chunks.
#[track_caller]
pub(crate) fn each(agreed: DeflateParams, frames: &[(u8, &[u8])], check: impl Fn(&mut End)) {
    for role in ROLES {
        let input = all_to(role, frames);
        for delivery in DELIVERIES {
            for (way, pieces) in ways(&input) {
                let mut end = End::compressing(role, &config(|config| config.delivery = delivery), agreed);
                for piece in pieces {
                    end.read(piece);
                }
                end.seen = put_together_so_far(&end.seen);
                println!("{role:?}, {delivery:?}, {way}: {frames:02x?}");
                check(&mut end);
            }
        }
    }
}

/// Messages made of chunks; chunks of one that never ended are left out.
#[track_caller]
pub(crate) fn put_together_so_far(seen: &[Seen]) -> Vec<Seen> {
    let complete = seen.iter().rposition(|event| matches!(event, Seen::Chunk { last: true, .. })).map_or(0, |i| i + 1);
    let (complete, rest) = seen.split_at(complete);
    let rest = rest.iter().filter(|event| !matches!(event, Seen::Chunk { .. }));
    put_together(complete).into_iter().chain(rest.cloned()).collect()
}

#[track_caller]
pub(crate) fn delivered(agreed: DeflateParams, frames: &[(u8, &[u8])], expected: &[Seen]) {
    each(agreed, frames, |end| {
        assert_eq!(end.seen, expected);
        end.assert_open();
    });
}

#[track_caller]
pub(crate) fn refused(agreed: DeflateParams, frames: &[(u8, &[u8])], code: u16, violation: Violation) {
    each(agreed, frames, |end| end.assert_violated(code, violation));
}

pub(crate) const HELLO: &[u8] = &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
