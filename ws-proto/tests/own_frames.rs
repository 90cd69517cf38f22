//! Hooks for APIs that promise more than RFC 6455 asks for: frames of the embedder's own, frames that are not masked, the size
//! of what was refused, and input that stays in the read buffer.

use ws_proto::frame::{FrameHeader, OpCode};
use ws_proto::{Bytes, Cause, Config, ReadBuffer, Role, SendError, Violation};

use crate::common::*;

#[test]
fn own_frames_are_written_as_they_are() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        let own = |end: &mut End, header: FrameHeader, payload: &'static [u8]| {
            end.connection.hooks().send_frame(&header, Bytes::from_static(payload)).unwrap();
        };
        own(&mut end, FrameHeader::new(OpCode::Ping, 0), b"own");
        own(&mut end, FrameHeader { fin: false, mask: Some([9; 4]), ..FrameHeader::new(OpCode::Text, 77) }, b"be");
        own(&mut end, FrameHeader::new(OpCode::Pong, 0), b"");
        own(&mut end, FrameHeader::new(OpCode::Continuation, 0), b"gun");
        own(&mut end, FrameHeader { rsv: 0b010, ..FrameHeader::new(OpCode::Binary, 0) }, &[7; 5000]);
        end.settle();
        let frame = |first: u8, payload: &[u8]| (first, payload.to_vec());
        let expected = vec![
            frame(PING, b"own"),
            frame(TEXT_BEGINS, b"be"),
            frame(PONG, b""),
            frame(LAST, b"gun"),
            frame(BINARY | 0x20, &[7; 5000]),
        ];
        let written: Vec<_> = end.frames().into_iter().map(|frame| (frame.first, frame.payload)).collect();
        assert_eq!(written, expected, "{role:?}");
    }
}

#[test]
fn own_frames_are_refused_when_no_frame_may_follow_or_fits() {
    let mut end =
        End::new(Role::Server, &config(|config| (config.limits.high_water, config.limits.hard_cap) = (1, 30)));
    let ping = FrameHeader::new(OpCode::Ping, 0);
    end.connection.hooks().send_frame(&ping, Bytes::from_static(b"1")).unwrap();
    let long = Bytes::from_static(&[1; 20]);
    assert_eq!(end.connection.hooks().send_frame(&ping, long), Err(SendError::Full(())));
    end.close(1000, "");
    assert_eq!(end.connection.hooks().send_frame(&ping, Bytes::new()), Err(SendError::Closed(())));
}

#[test]
fn unmasked_frames_are_accepted_where_that_is_set() {
    for accepts in [true, false] {
        let mut end = End::new(Role::Server, &Config::default());
        end.connection.hooks().set_accept_unmasked(accepts);
        end.read(frame(TEXT, "a", None));
        match accepts {
            true => assert_eq!(end.seen, [text("a")]),
            false => end.assert_violated(1002, Violation::Unmasked),
        }
        if accepts {
            end.read(frame(TEXT, "b", Some(KEY)));
            end.read(frame(BINARY, [7; 300], None));
            assert_eq!(end.seen, [text("a"), text("b"), binary([7; 300])]);
        }
    }
}

#[test]
fn the_size_of_what_was_refused_is_told() {
    let limits = config(|config| (config.limits.message, config.limits.frame) = (Some(10), Some(9)));
    for role in ROLES {
        for (input, violation, size) in [
            (vec![(BINARY, 10)], Violation::FrameTooBig { limit: 9 }, 10),
            (vec![(BINARY_BEGINS, 7), (LAST, 6)], Violation::MessageTooBig { limit: 10 }, 13),
            (vec![(BINARY_BEGINS, 7), (LAST, 60)], Violation::FrameTooBig { limit: 9 }, 60),
        ] {
            let mut end = End::new(role, &limits);
            assert_eq!(end.connection.hooks().refused_size(), 0);
            for (first, len) in input {
                end.read(to(role, first, vec![1; len]));
            }
            assert_eq!(end.cause(), Some(&Cause::Violation(violation)));
            assert_eq!(end.connection.hooks().refused_size(), size, "{role:?}");
        }
    }
}

#[test]
fn limits_can_be_changed_while_messages_come() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(to(role, BINARY, [1; 20]));
        end.connection.hooks().set_config(config(|config| config.limits.message = Some(10)));
        end.read(to(role, BINARY, [2; 10]));
        end.read(to(role, BINARY, [3; 11]));
        assert_eq!(end.before_closed(), [binary([1; 20]), binary([2; 10])]);
        end.assert_violated(1009, Violation::MessageTooBig { limit: 10 });
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_shows_that_compression_is_agreed_on() {
    use ws_proto::permessage_deflate::{Deflate, DeflateParams};

    let limits = config(|config| config.limits.message = Some(1000));
    let mut end = End::compressing(Role::Server, &limits, DeflateParams::new(Deflate::server()));
    end.read(to(Role::Server, TEXT, "plain"));
    assert!(!end.connection.hooks().has_inflated());
    // "Hello", as in RFC 7692 §7.2.3.1.
    end.read(to(Role::Server, TEXT | RSV1, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]));
    assert_eq!(end.seen, [text("plain"), text("Hello")]);
    assert!(end.connection.hooks().has_inflated());
    // 1,290 zeros, in a block with fixed codes: a zero, and five times 258 of them at distance 1.
    end.read(to(Role::Server, BINARY | RSV1, [0x63, 0x18, 0x05, 0xA3, 0x60, 0x14, 0x8C, 0x82, 0x51, 0x30, 0x00]));
    assert_eq!(end.cause(), Some(&Cause::Violation(Violation::MessageTooBig { limit: 1000 })));
    assert!(end.connection.hooks().refused_size() > 1000);
}

#[test]
fn input_can_stay_in_the_read_buffer() {
    let mut end = End::new(Role::Client, &Config::default());
    let mut buffer = ReadBuffer::new(100);
    let bytes = [frame(TEXT, "one", None), frame(TEXT, "two", None), frame(PING, "3", None)].concat();
    end.connection.read_buffer(&mut buffer)[..bytes.len()].copy_from_slice(&bytes);
    let mut left = end.connection.received(bytes.len(), &mut buffer).len();
    let mut seen: Vec<Seen> = vec![];
    loop {
        let mut input = buffer.unread(left);
        let Some(event) = end.connection.receive(&mut input, end.now) else { break };
        left = input.len();
        seen.push(event.into());
    }
    assert_eq!(seen, [text("one"), text("two"), ping("3")]);
    assert_eq!((left, buffer.unread(0).len()), (0, 0));
    assert_eq!(buffer.unread(usize::MAX).len(), bytes.len(), "no more than was received");
}
