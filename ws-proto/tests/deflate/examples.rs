//! The examples of RFC 7692 §7.2.3, and what is sent in their place.

use ws_proto::{Config, Violation};

use super::ends::*;
use super::samples::*;
use crate::common::*;

/// RFC 7692 §7.2.3.1.
#[test]
fn one_compressed_block() {
    delivered(WIDE, &[(TEXT | RSV1, HELLO)], &[text("Hello")]);
    // In two frames, of which only the first says so.
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &HELLO[..3]), (LAST, &HELLO[3..])], &[text("Hello")]);
    delivered(
        WIDE,
        &[(TEXT_BEGINS | RSV1, &HELLO[..3]), (PING, b"amid"), (CONTINUES, &[]), (LAST, &HELLO[3..])],
        &[ping("amid"), text("Hello")],
    );
}

/// RFC 7692 §7.2.3.2.
#[test]
fn sharing_the_window() {
    let again: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    delivered(WIDE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, HELLO)], &[text("Hello"), text("Hello")]);
    // Messages that are not compressed are not looked back on.
    delivered(
        WIDE,
        &[(TEXT | RSV1, HELLO), (BINARY, b"plain, and not looked at"), (TEXT | RSV1, again)],
        &[text("Hello"), binary("plain, and not looked at"), text("Hello")],
    );
    // Without context takeover there is nothing to look back on.
    each(ALONE, &[(TEXT | RSV1, HELLO), (TEXT | RSV1, again)], |end| {
        assert_eq!(end.before_closed(), [text("Hello")]);
        end.assert_violated(1007, Violation::CorruptData);
    });
}

/// RFC 7692 §7.2.3.3.
#[test]
fn a_block_without_compression() {
    let stored = &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, stored)], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.4.
#[test]
fn a_block_that_says_it_is_the_last() {
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00];
    let again: &[u8] = &[0xF2, 0x00, 0x11, 0x00, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, &last), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    // Some leave the empty block out, and some go on after it.
    delivered(WIDE, &[(TEXT | RSV1, &last[..7]), (TEXT | RSV1, again)], &[text("Hello"), text("Hello")]);
    delivered(WIDE, &[(TEXT | RSV1, &[&last[..7], HELLO].concat())], &[text("HelloHello")]);
}

/// RFC 7692 §7.2.3.5.
#[test]
fn two_blocks() {
    let blocks = [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00];
    delivered(WIDE, &[(TEXT | RSV1, &blocks)], &[text("Hello")]);
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &blocks[..8]), (LAST, &blocks[8..])], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.6.
#[test]
fn an_empty_message() {
    delivered(WIDE, &[(TEXT | RSV1, &[0x00])], &[text("")]);
    delivered(ALONE, &[(BINARY | RSV1, &[0x00]), (TEXT | RSV1, HELLO)], &[binary(""), text("Hello")]);
    // And with nothing at all in it, which some send.
    delivered(WIDE, &[(TEXT | RSV1, &[]), (TEXT | RSV1, HELLO)], &[text(""), text("Hello")]);
    delivered(WIDE, &[(TEXT_BEGINS | RSV1, &[]), (CONTINUES, HELLO), (LAST, &[])], &[text("Hello")]);
}

/// RFC 7692 §7.2.3.1 to §7.2.3.6, as we send them.
#[test]
fn sent_messages_match_the_examples() {
    for role in ROLES {
        let mut end = End::compressing(role, &Config::default(), WIDE);
        for _ in 0..2 {
            end.connection.send_text("Hello").unwrap();
        }
        end.connection.send_binary(b"").unwrap();
        end.settle();
        let sent: Vec<_> = end.frames().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        // The example sends the first letter once more; the whole word is there already, which takes a byte less.
        let again = vec![0x02, 0x13, 0x00, 0x00];
        assert_eq!(sent, [(TEXT | RSV1, HELLO.to_vec()), (TEXT | RSV1, again), (BINARY | RSV1, vec![0x00])]);
    }
}
