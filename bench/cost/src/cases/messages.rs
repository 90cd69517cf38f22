//! Frames that are dear.

use ws_deflate::TAIL;
use ws_test_support::frames::masked;

use super::{Case, LEN, repeated, streams, unmasked};
use crate::deflate::Bits;
use crate::subjects::Subject::{self, Client, Endpoint, Server, ServerBytewise, ServerChunks};

const ALL: &[Subject] = &[Server, ServerBytewise, ServerChunks, Endpoint];

/// For what is long: that it may come byte by byte shows in what is short.
const WHOLE: &[Subject] = &[Server, ServerChunks, Endpoint];

pub(super) fn all() -> Vec<Case> {
    plain().into_iter().chain(compressed()).collect()
}

fn plain() -> Vec<Case> {
    let mut cases = vec![];
    let mut add = |name: &str, subjects: &[Subject], input: &[u8]| {
        for &subject in subjects {
            cases.push(Case { name: name.into(), subject, input: repeated(input), deflate: vec![] });
        }
    };
    add("empty messages", ALL, &masked(0x82, b""));
    add("messages of one byte", ALL, &masked(0x81, b"a"));
    add("messages of 16 bytes", WHOLE, &masked(0x82, [7; 16]));
    add("long binary messages", WHOLE, &masked(0x82, [7; LEN]));
    add("long text, two bytes a character", WHOLE, &masked(0x81, "é".repeat(LEN / 2).as_bytes()));
    add("long text, four bytes a character", WHOLE, &masked(0x81, "😀".repeat(LEN / 4).as_bytes()));
    add("messages of two fragments, empty", ALL, &[masked(0x01, b""), masked(0x80, b"")].concat());
    add(
        "fragments of one byte",
        ALL,
        &[masked(0x01, b"a"), masked(0x00, b"b").repeat(500), masked(0x80, b"c")].concat(),
    );
    add("empty fragments", ALL, &[masked(0x02, b""), masked(0x00, b"").repeat(500), masked(0x80, b"")].concat());
    let split: Vec<u8> = "😀".repeat(100).bytes().flat_map(|byte| masked(0x00, [byte])).collect();
    add("characters in fragments of a byte", ALL, &[masked(0x01, b""), split, masked(0x80, b"")].concat());
    add("pings, empty", ALL, &masked(0x89, b""));
    add("pings, long", WHOLE, &masked(0x89, [7; 125]));
    add("pongs", ALL, &masked(0x8a, b"abcd"));
    add("pings among fragments", ALL, &[masked(0x01, b"a"), masked(0x89, b"b"), masked(0x80, b"c")].concat());
    add("messages of one byte", &[Client], &unmasked(0x81, b"a"));
    add("empty pings", &[Client], &unmasked(0x89, b""));
    cases
}

fn compressed() -> Vec<Case> {
    let mut cases = vec![];
    let mut add = |name: &str, subjects: &[Subject], payload: &[u8]| {
        for &subject in subjects {
            let message = if subject == Client { unmasked(0xc2, payload) } else { masked(0xc2, payload) };
            let times = LEN.div_ceil(message.len());
            // Without a payload there is nothing to inflate.
            let deflate = if payload.is_empty() { vec![] } else { [payload, &TAIL].concat().repeat(times) };
            cases.push(Case { name: name.into(), subject, input: message.repeat(times), deflate });
        }
    };
    let all = &[Server, ServerBytewise, ServerChunks, Endpoint, Client];
    add("compressed messages, no payload", all, b"");
    add("compressed messages, an empty block", all, &[0]);
    let one = Bits::default().fixed().fixed_literal(b'a').fixed_end().put(0, 3).finish();
    add("compressed messages of one byte", all, &one);
    add("compressed messages, a dynamic block", all, &streams::shallow());
    let mut bomb = Bits::default();
    bomb.fixed().fixed_literal(b'a');
    for _ in 0..1000 {
        bomb.fixed_match(true);
    }
    add("bombs of 258 KB", WHOLE, &bomb.fixed_end().put(0, 3).finish());
    for (name, deflate) in streams::all() {
        let tail = Bits::default().put(0, 3).finish();
        add(&format!("compressed: {name}"), &[Server, Endpoint], &[deflate, tail].concat());
    }
    for subject in ALL {
        let input = repeated(&[masked(0x41, b""), masked(0x80, [0])].concat());
        cases.push(Case {
            name: "compressed messages in two fragments".into(),
            subject: *subject,
            input,
            deflate: vec![],
        });
    }
    cases
}
