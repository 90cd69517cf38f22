//! At which byte what is invalid is refused: the first one that shows it. Limits wait for the end of the header, and what
//! a Close frame says for the end of the frame (SECURITY.md, "What is promised").

use crate::common::*;
use ws_proto::{Config, Role};

/// What comes first and is fine, then what is refused at its last byte, and with which code.
struct Row {
    row: &'static str,
    fine: Vec<u8>,
    refused: Vec<u8>,
    code: u16,
}

fn rows(role: Role) -> Vec<Row> {
    let masked = if role == Role::Server { 0x80 } else { 0 };
    let header = |first, len| header_to(role, first, len);
    let frame = |first, payload: &[u8]| to(role, first, payload);
    let part = |first, len, payload: &[u8]| {
        let key = key_to(role).unwrap_or_default();
        let payload = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
        header(first, len).into_iter().chain(payload).collect()
    };
    let row = |row, fine: &[u8], refused: Vec<u8>, code| Row { row, fine: fine.to_vec(), refused, code };
    let begun = &frame(TEXT_BEGINS, b"a")[..];
    let mib = || frame(BINARY_BEGINS, &vec![0; 1 << 20]);
    let many = || [begun, &frame(CONTINUES, b"").repeat(16_383)].concat();
    vec![
        row("F1, whoever must mask", &[], vec![TEXT, masked ^ 0x80], 1002),
        row("F1, in a later frame", begun, vec![LAST, masked ^ 0x80], 1002),
        row("F2", &[], vec![0xA1], 1002),
        row("F2, a compressed message nobody agreed on", &[], vec![TEXT | RSV1], 1002),
        row("F3, opcode 3", &[], vec![0x83], 1002),
        row("F3, opcode 15", begun, vec![0x8F], 1002),
        row("F4, length", &[], vec![PING, masked | 126], 1002),
        row("F4, FIN", &[], vec![0x09], 1002),
        row("F5, nothing to go on with", &[], vec![CONTINUES], 1002),
        row("F5, another message first", begun, vec![TEXT], 1002),
        row("F6, two bytes", &[], vec![BINARY, masked | 126, 0, 125], 1002),
        row("F6, eight bytes", &[], vec![BINARY, masked | 127, 0, 0, 0, 0, 0, 0], 1002),
        row("F7", &[], vec![BINARY, masked | 127, 0x80], 1002),
        row("F8", &[], header(BINARY, (1 << 20) + 1), 1009),
        row("F9", &mib(), header(CONTINUES, 1), 1009),
        row("F10", &many(), header(CONTINUES, 0), 1009),
        row("F11, the end in a character", &[], frame(TEXT, b"a\xF0\x9F\x98"), 1007),
        row("F11, the end of a later frame", &frame(TEXT_BEGINS, b"\xE2\x82"), header(LAST, 0), 1007),
        row("F12, a partial frame", &[], part(TEXT, 100, b"ab\xFF"), 1007),
        row("F12, a frame that is not the last", begun, part(CONTINUES, 9, b"\xC3\x28"), 1007),
        row("F14, overlong", &[], part(TEXT, 9, b"\xC0"), 1007),
        row("F14, overlong by its second byte", &[], part(TEXT, 9, b"\xE0\x9F"), 1007),
        row("F14, a surrogate", &[], part(TEXT, 9, b"\xED\xA0"), 1007),
        row("F14, above U+10FFFF", &[], part(TEXT, 9, b"\xF4\x90"), 1007),
        row("F16", &[], frame(CLOSE, b"\x03"), 1002),
        row("F17", &[], frame(CLOSE, b"\x03\xED and why"), 1002),
        row("F19", &[], frame(CLOSE, b"\x03\xE8 and why\xFF "), 1007),
    ]
}

#[test]
fn f1_to_f19_invalid_input_is_refused_at_the_first_byte_that_shows_it() {
    for role in ROLES {
        for Row { row, fine, refused, code } in rows(role) {
            let mut end = End::new(role, &Config::default());
            end.read(&fine);
            end.assert_open();
            let (last, before) = refused.split_last().unwrap();
            for byte in before {
                end.read([*byte]);
                assert!(end.outcome().is_none(), "{role:?}, {row}: refused before its last byte");
            }
            end.read([*last]);
            let sent = end.outcome().unwrap_or_else(|| panic!("{role:?}, {row}: not refused")).sent.clone();
            assert_eq!(sent.map(|frame| u16::from(frame.code)), Some(code), "{role:?}, {row}");
        }
    }
}
