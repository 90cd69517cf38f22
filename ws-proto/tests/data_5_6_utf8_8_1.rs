//! RFC 6455 §5.6 and §8.1: text is UTF-8, and what is not fails the connection as early as it can be told.

use crate::common::*;
use ws_proto::utf8::Utf8Stream;
use ws_proto::{Config, Incoming, Message, MessageKind, Violation};

/// Text that is not UTF-8, and how many of its bytes it takes to tell. One more than there are: only the end tells.
const INVALID: [(&[u8], usize); 32] = [
    // Continuation bytes alone.
    (b"\x80", 1),
    (b"\xBF", 1),
    (b"a\x80b", 2),
    // Never valid.
    (b"\xFE", 1),
    (b"\xFF", 1),
    (b"abc\xFFdef", 4),
    // Overlong (F14).
    (b"\xC0\x80", 1),
    (b"\xC0\xAF", 1),
    (b"\xC1\xBF", 1),
    (b"\xE0\x80\x80", 2),
    (b"\xE0\x80\xAF", 2),
    (b"\xE0\x9F\xBF", 2),
    (b"\xF0\x80\x80\xAF", 2),
    (b"\xF0\x8F\xBF\xBF", 2),
    (b"\xF8\x80\x80\x80\xAF", 1),
    (b"\xFC\x80\x80\x80\x80\xAF", 1),
    // Surrogates (F14).
    (b"\xED\xA0\x80", 2),
    (b"\xED\xBF\xBF", 2),
    (b"\xED\xA0\xBD\xED\xB8\x80", 2),
    (b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited", 13),
    // Over U+10FFFF (F14).
    (b"\xF4\x90\x80\x80", 2),
    (b"\xF5\x80\x80\x80", 1),
    (b"\xF7\xBF\xBF\xBF", 1),
    // Cut short by another character.
    (b"\xC3a", 2),
    (b"\xE2\x82a", 3),
    (b"\xE2a", 2),
    (b"\xF0\x9F\x98\x41", 4),
    (b"\xF0\x9F\xC3\xA9", 3),
    (b"\xE2\x82\xE2\x82\xAC", 3),
    // Cut short by the end.
    (b"\xC3", 2),
    (b"\xE2\x82", 3),
    (b"abc\xF0\x9F\x98", 7),
];

#[test]
fn the_table_is_right() {
    for (bytes, tells) in INVALID {
        let is_hopeless = |len: &usize| std::str::from_utf8(&bytes[..*len]).is_err_and(|e| e.error_len().is_some());
        assert_eq!((1..=bytes.len()).find(is_hopeless).unwrap_or(bytes.len() + 1), tells, "{bytes:02x?}");
        assert!(std::str::from_utf8(bytes).is_err());
    }
}

#[test]
fn text_is_utf8_and_binary_is_anything() {
    for valid in [
        "",
        "plain",
        "κόσμε",
        "\0",
        "\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}",
        "\u{D7FF}\u{E000}\u{FFFD}\u{FFFE}",
        "\u{FEFF}with a byte order mark",
        "日本語 😀 naïve",
    ] {
        each_role(
            |role| all_to(role, &[(TEXT, valid.as_bytes()), (BINARY, valid.as_bytes())]),
            |end| assert_eq!(end.seen, [text(valid), binary(valid)]),
        );
    }
    for (bytes, _) in INVALID {
        each_role(
            |role| to(role, BINARY, bytes),
            |end| {
                assert_eq!(end.seen, [binary(bytes)]);
                end.assert_open();
            },
        );
    }
}

#[test]
fn f11_f14_bad_text_in_one_frame_fails_the_connection() {
    for (bad, _) in INVALID {
        each_role(
            |role| all_to(role, &[(TEXT, b"before"), (TEXT, bad), (TEXT, b"after")]),
            |end| {
                assert_eq!(end.before_closed(), [text("before")]);
                end.assert_violated(1007, Violation::InvalidUtf8);
            },
        );
    }
}

#[test]
fn f11_bad_text_in_the_last_fragment_fails_the_connection() {
    for (bad, _) in INVALID {
        each_role(
            |role| all_to(role, &[(TEXT_BEGINS, b"begins "), (LAST, bad)]),
            |end| {
                assert_eq!(end.before_closed(), []);
                end.assert_violated(1007, Violation::InvalidUtf8);
            },
        );
    }
}

#[test]
fn f11_text_that_ends_inside_a_character_fails_the_connection_at_its_end() {
    for cut in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
        for role in ROLES {
            for config in [Config::default(), chunks()] {
                // The end may come in a frame of its own, and that frame may be empty.
                let fragments = all_to(role, &[(TEXT_BEGINS, cut), (CONTINUES, b""), (LAST, b"")]);
                assert_eq!(bytes_until_closed(role, &config, &fragments), Some(fragments.len()));
                each_way(role, &config, &fragments, |end| end.assert_violated(1007, Violation::InvalidUtf8));
            }
        }
    }
}

#[test]
fn f12_bad_text_in_a_partial_frame_fails_the_connection_at_the_very_byte() {
    for (bad, tells) in INVALID {
        for role in ROLES {
            for config in [Config::default(), chunks()] {
                for before in ["", "é", "some text before it, longer than a vector register of sixty-four bytes "] {
                    let mut payload = before.as_bytes().to_vec();
                    payload.extend(bad);
                    let in_header = header_to(role, TEXT, payload.len() as u64).len();
                    let input = to(role, TEXT, &payload);
                    let expected = (in_header + before.len() + tells).min(input.len());
                    assert_eq!(bytes_until_closed(role, &config, &input), Some(expected), "{role:?}: {payload:02x?}");
                }
            }
        }
    }
}

#[test]
fn f12_bad_text_in_a_fragment_that_is_not_the_last_fails_the_connection_at_the_very_byte() {
    for (bad, tells) in INVALID.into_iter().filter(|(bad, tells)| *tells <= bad.len()) {
        for role in ROLES {
            for config in [Config::default(), chunks()] {
                let start = [to(role, TEXT_BEGINS, "ok"), header_to(role, CONTINUES, bad.len() as u64)].concat();
                let input = [to(role, TEXT_BEGINS, "ok"), to(role, CONTINUES, bad)].concat();
                assert_eq!(bytes_until_closed(role, &config, &input), Some(start.len() + tells), "{bad:02x?}");
                each_way(role, &config, &input, |end| end.assert_violated(1007, Violation::InvalidUtf8));
            }
        }
    }
}

#[test]
fn f12_the_rest_of_a_long_frame_need_not_come() {
    for role in ROLES {
        let input = [header_to(role, TEXT, 1 << 20), vec![0xFF ^ key_to(role).map_or(0, |key| key[0])]].concat();
        each_way(role, &Config::default(), &input, |end| end.assert_violated(1007, Violation::InvalidUtf8));
    }
}

#[test]
fn f13_a_character_may_be_cut_by_frames() {
    let word = "κόσμε😀€";
    for role in ROLES {
        for a in 0..=word.len() {
            for b in a..=word.len() {
                let (front, middle, back) = (&word.as_bytes()[..a], &word.as_bytes()[a..b], &word.as_bytes()[b..]);
                let input = all_to(role, &[(TEXT_BEGINS, front), (CONTINUES, middle), (LAST, back)]);
                let mut end = End::new(role, &Config::default());
                end.read(&input);
                assert_eq!(end.seen, [text(word)], "{role:?}, cut at {a} and {b}");
            }
        }
        // One byte to a frame, pings in between.
        let frames: Vec<(u8, &[u8])> = word
            .as_bytes()
            .chunks(1)
            .enumerate()
            .flat_map(|(i, byte)| [(if i == 0 { TEXT_BEGINS } else { CONTINUES }, byte), (PING, &b"p"[..])])
            .chain([(LAST, &b""[..])])
            .collect();
        each_way(role, &Config::default(), &all_to(role, &frames), |end| {
            assert_eq!(end.seen.last(), Some(&text(word)));
            assert_eq!(end.seen.len(), word.len() + 1);
        });
    }
}

#[test]
fn f14_every_pair_of_first_and_second_byte_is_judged_as_the_standard_library_does() {
    for role in ROLES {
        for first in 0x80..=0xFF {
            for second in 0..=0xFF {
                let bytes = [first, second];
                let is_prefix = std::str::from_utf8(&bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
                let mut end = End::new(role, &Config::default());
                end.read(to(role, TEXT_BEGINS, bytes));
                assert_eq!(end.outcome().is_none(), is_prefix, "{bytes:02x?}");
            }
        }
    }
}

#[test]
fn text_is_checked_across_reads_of_any_size() {
    let long = "naïve 😀 日本語 ".repeat(200);
    let mut bad = long.clone().into_bytes();
    bad.truncate(bad.len() - 2); // inside a character
    bad.extend(b"more text");
    for role in ROLES {
        for size in [1, 2, 3, 7, 64, 65, 1000] {
            let mut end = End::new(role, &Config::default());
            to(role, TEXT, &long).chunks(size).for_each(|piece| end.read(piece));
            assert_eq!(end.seen, [text(&long)]);
            to(role, TEXT, &bad).chunks(size).for_each(|piece| end.read(piece));
            end.assert_violated(1007, Violation::InvalidUtf8);
        }
    }
}

#[test]
fn a_piece_of_text_comes_back_whole_but_for_the_character_that_is_open() {
    let mut stream = Utf8Stream::default();
    assert_eq!(stream.push("né".as_bytes()), Ok((None, "né")));
    assert_eq!(stream.push(b"a\xE2\x82"), Ok((None, "a")));
    assert_eq!(stream.push(b""), Ok((None, "")));
    assert_eq!(stream.push(b"\xACb\xC3"), Ok((Some('€'), "b")));
    assert!(stream.finish().is_err());
    assert_eq!(stream.push(b"\xA9"), Ok((Some('é'), "")));
    assert_eq!(stream.push(b"c"), Ok((None, "c")));
    assert!(stream.finish().is_ok());
}

// ---- messages as values ----

#[test]
fn a_message_knows_its_kind_and_its_payload() {
    let text = Message::from("né");
    assert!(text.is_text() && !text.is_binary() && !text.is_empty());
    assert_eq!((text.kind(), text.len(), text.as_text()), (MessageKind::Text, 3, Some("né")));
    assert_eq!(text.as_bytes(), "né".as_bytes());
    assert_eq!(text.into_bytes(), "né".as_bytes());

    let binary = Message::from(b"\xFF\0");
    assert!(binary.is_binary() && !binary.is_text() && !binary.is_empty());
    assert_eq!((binary.kind(), binary.len(), binary.as_text()), (MessageKind::Binary, 2, None));
    assert_eq!(binary.as_bytes(), b"\xFF\0");
    assert_eq!(binary.into_bytes(), &b"\xFF\0"[..]);

    for empty in [Message::from(""), Message::from(vec![])] {
        assert!(empty.is_empty());
        assert_eq!((empty.len(), empty.as_bytes()), (0, &[][..]));
    }
}

#[test]
fn all_there_is_to_make_a_message_from() {
    let text = Message::Text("Hi".into());
    for same in [Message::from("Hi"), String::from("Hi").into(), ws_proto::ByteString::from("Hi").into()] {
        assert_eq!(same, text);
    }
    let binary = Message::Binary(vec![1, 2].into());
    for same in
        [Message::from(vec![1, 2]), [1, 2][..].into(), (&[1, 2]).into(), ws_proto::Bytes::from_static(&[1, 2]).into()]
    {
        assert_eq!(same, binary);
    }
    for (incoming, message) in [
        (Incoming::Text("Hi".into()), &text),
        (Incoming::Text(String::from("Hi").into()), &text),
        (Incoming::Binary((&[1, 2][..]).into()), &binary),
        (Incoming::Binary(vec![1, 2].into()), &binary),
    ] {
        assert_eq!(incoming.as_bytes(), message.as_bytes());
        assert_eq!(&Message::from(incoming), message);
    }
}
