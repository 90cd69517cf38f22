//! `Delivery::Chunks`: messages piece by piece as the bytes come, never put together.

use crate::common::*;
use ws_proto::MessageKind::{self, Binary, Text};
use ws_proto::{Cause, Role, Violation};

fn chunk(kind: MessageKind, payload: impl AsRef<[u8]>, first: bool, last: bool) -> Seen {
    Seen::Chunk { kind, payload: payload.as_ref().into(), first, last }
}

#[test]
fn a_frame_in_one_read_is_one_chunk() {
    for role in ROLES {
        let mut end = End::new(role, &chunks());
        end.read(all_to(role, &[(TEXT, b"text"), (BINARY, b"\xFF"), (TEXT, b""), (BINARY, b"")]));
        assert_eq!(
            end.seen,
            [
                chunk(Text, "text", true, true),
                chunk(Binary, b"\xFF", true, true),
                chunk(Text, "", true, true),
                chunk(Binary, "", true, true),
            ]
        );
    }
}

#[test]
fn each_read_gives_what_came() {
    for role in ROLES {
        let frame = to(role, BINARY, "0123456789");
        let header = frame.len() - 10;
        let mut end = End::new(role, &chunks());
        end.read(&frame[..header]);
        assert_eq!(end.seen, []);
        end.read(&frame[header..header + 3]);
        end.read(&frame[header + 3..header + 4]);
        end.read(&frame[header + 4..]);
        assert_eq!(
            end.seen,
            [chunk(Binary, "012", true, false), chunk(Binary, "3", false, false), chunk(Binary, "456789", false, true),]
        );
    }
}

#[test]
fn fragments_are_chunks_and_empty_ones_say_nothing_unless_they_end_the_message() {
    for role in ROLES {
        let mut end = End::new(role, &chunks());
        end.read(all_to(
            role,
            &[
                (TEXT_BEGINS, b""),
                (CONTINUES, b"a"),
                (PING, b"p"),
                (CONTINUES, b""),
                (CONTINUES, b"b"),
                (LAST, b""),
                (BINARY_BEGINS, b""),
                (LAST, b""),
                (TEXT, b"c"),
            ],
        ));
        assert_eq!(
            end.seen,
            [
                chunk(Text, "a", true, false),
                ping("p"),
                chunk(Text, "b", false, false),
                chunk(Text, "", false, true),
                chunk(Binary, "", true, true),
                chunk(Text, "c", true, true),
            ]
        );
    }
}

#[test]
fn chunks_put_together_are_the_messages_whatever_the_reads() {
    let word = "κόσμε 😀 日本語";
    let (front, back) = word.as_bytes().split_at(5); // inside a character
    for role in ROLES {
        let input = all_to(
            role,
            &[
                (TEXT, word.as_bytes()),
                (TEXT_BEGINS, front),
                (PONG, b"p"),
                (CONTINUES, b""),
                (LAST, back),
                (BINARY_BEGINS, &[0xFF; 200]),
                (LAST, b""),
                (CLOSE, b"\x03\xE8"),
            ],
        );
        for size in [1, 2, 3, 5, 8, 50, 1000] {
            let mut end = End::new(role, &chunks());
            input.chunks(size).for_each(|piece| end.read(piece));
            let events = put_together(end.before_closed());
            assert_eq!(events, [text(word), pong("p"), text(word), binary([0xFF; 200])], "in reads of {size}");
            assert_eq!(end.outcome().map(|outcome| outcome.is_normal()), Some(true));
        }
    }
}

#[test]
fn a_chunk_may_end_inside_a_character() {
    for role in ROLES {
        let mut end = End::new(role, &chunks());
        let euro = to(role, TEXT, "€");
        euro.chunks(1).for_each(|byte| end.read(byte));
        assert_eq!(
            end.seen,
            [chunk(Text, b"\xE2", true, false), chunk(Text, b"\x82", false, false), chunk(Text, b"\xAC", false, true),]
        );
    }
}

#[test]
fn f12_bad_text_is_never_handed_out() {
    for role in ROLES {
        let mut end = End::new(role, &chunks());
        end.read_frame(TEXT_BEGINS, "good");
        end.read_frame(CONTINUES, b"\xE2\x82");
        end.read_frame(CONTINUES, b"\xFF");
        assert_eq!(end.before_closed(), [chunk(Text, "good", true, false), chunk(Text, b"\xE2\x82", false, false)]);
        end.assert_violated(1007, Violation::InvalidUtf8);
    }
}

#[test]
fn f11_text_cut_by_its_end_does_not_end() {
    for role in ROLES {
        each_way(role, &chunks(), &all_to(role, &[(TEXT_BEGINS, b"a\xE2\x82"), (LAST, b"")]), |end| {
            assert!(end.before_closed().iter().all(|event| matches!(event, Seen::Chunk { last: false, .. })));
            end.assert_violated(1007, Violation::InvalidUtf8);
        });
    }
}

#[test]
fn a_message_larger_than_the_default_limits_passes_once_they_are_raised() {
    let config = config(|config| {
        config.delivery = ws_proto::Delivery::Chunks;
        config.limits.message = None;
        config.limits.frame = None;
    });
    for role in ROLES {
        let mut end = End::new(role, &config);
        end.read(header_to(role, BINARY, 1 << 40));
        for _ in 0..1000 {
            end.read([0x55; 4096]);
        }
        let handed_out: usize = end
            .seen
            .iter()
            .map(|event| match event {
                Seen::Chunk { payload, last: false, .. } => payload.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(handed_out, 1000 * 4096);
        end.assert_open();
    }
}

#[test]
fn chunks_borrow_the_callers_buffer_and_are_unmasked() {
    let mut end = End::new(Role::Server, &chunks());
    let mut bytes = to(Role::Server, BINARY, "payload");
    let place = bytes[6..].as_ptr();
    let mut input = bytes.as_mut_slice();
    let Some(ws_proto::Event::Chunk(chunk)) = end.connection.receive(&mut input, end.now) else { panic!("no chunk") };
    assert_eq!((&*chunk.payload, chunk.payload.as_ptr()), (&b"payload"[..], place));
}

#[test]
fn f24_eof_inside_a_message_ends_it_without_a_last_chunk() {
    for role in ROLES {
        let mut end = End::new(role, &chunks());
        end.read_frame(TEXT_BEGINS, "part");
        end.eof();
        assert_eq!(end.before_closed(), [chunk(Text, "part", true, false)]);
        assert_eq!(end.cause(), Some(&Cause::Eof));
        end.assert_over();
    }
}

#[test]
fn the_peers_pause_between_fragments_has_no_deadline() {
    // Nothing is kept meanwhile, so nothing needs to be dropped.
    let mut config = deadlines(|config| config.deadlines.message_progress = Some(secs(60)));
    config.delivery = ws_proto::Delivery::Chunks;
    for role in ROLES {
        let mut end = End::new(role, &config);
        end.read_frame(TEXT_BEGINS, "tick");
        assert_eq!(end.deadline(), None);
        end.wait(secs(3600));
        end.read_frame(CONTINUES, "tock");
        end.wait(secs(3600));
        end.read_frame(LAST, "");
        assert_eq!(put_together(&end.seen), [text("ticktock")]);
        end.assert_open();
    }
}
