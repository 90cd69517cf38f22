//! The outgoing queue: the high-water mark and the hard cap.

use ws_proto::{Buf, Config, Limits, Message, Role, SendError, TransportState};

use super::*;
use crate::common::*;

/// A client's frames are longer by the key.
fn overhead(role: Role, len: usize) -> usize {
    header(BINARY, len as u64, (role == Role::Client).then_some(KEY)).len()
}

/// An end that writes nothing and has exactly `queued` bytes queued.
fn filled(role: Role, config: &Config, shape: Shape, queued: usize) -> End {
    let mut end = if shape == Shape::Compressed { agreed_end(role, config) } else { End::new(role, config) };
    end.writable = false;
    if matches!(shape, Shape::Fragments | Shape::Incomplete) {
        end.connection.send_fragment(Message::from(vec![]), false).unwrap();
    }
    while end.connection.queued() < queued {
        let left = queued - end.connection.queued();
        // Frames that end exactly there: none is too short to be one.
        let len = (0..=left).rev().find(|&len| {
            let frame = len + overhead(role, len);
            frame <= left && (frame == left || left - frame > 20)
        });
        // Not compressed, whatever the shape: exactly so long.
        let shape = if shape == Shape::Compressed { Shape::OneFrame } else { shape };
        send(&mut end, shape, vec![7; len.expect("a frame can be that short")]).unwrap();
    }
    assert_eq!(end.connection.queued(), queued);
    end
}

fn send(end: &mut End, shape: Shape, payload: Vec<u8>) -> Result<(), SendError<Message>> {
    match shape {
        Shape::OneFrame => end.connection.send(payload.into()),
        // What counts is how long it is, not what it becomes.
        #[cfg(feature = "deflate")]
        Shape::Compressed => end.connection.send_with(payload.into(), ws_proto::permessage_deflate::Compress::Always),
        #[cfg(not(feature = "deflate"))]
        Shape::Compressed => unreachable!("there is no compression"),
        Shape::Fragments | Shape::Incomplete => end.connection.send_fragment(payload.into(), false),
    }
}

/// The last of `payload` in this shape.
fn send_last(end: &mut End, shape: Shape, payload: Vec<u8>) -> Result<(), SendError<Message>> {
    match shape {
        Shape::Fragments => end.connection.send_fragment(payload.into(), true),
        shape => send(end, shape, payload),
    }
}

#[test]
fn high_water_mark_and_hard_cap() {
    let defaults = Limits::default();
    assert_eq!((defaults.high_water, defaults.hard_cap), (64 << 10, MIB + (64 << 10)));
    /// The most bytes of header there are, counted for every message.
    const HEADER: usize = 14;
    for (high_water, hard_cap) in [(64 << 10, MIB + (64 << 10)), (100, 200), (100, 100), (1000, 0), (0, 1000)] {
        let config = config(|config| {
            config.limits.high_water = high_water;
            config.limits.hard_cap = hard_cap;
        });
        for role in ROLES {
            for shape in SHAPES {
                if shape == Shape::Compressed && COMPRESSED == 0 {
                    continue;
                }
                if high_water > 0 {
                    // One below the mark: no need to wait, and room for anything.
                    let mut end = filled(role, &config, shape, high_water - 1);
                    assert!(!end.connection.is_above_high_water());
                    send_last(&mut end, shape, vec![7; 2 * hard_cap]).unwrap();
                    assert!(end.connection.is_above_high_water());
                    assert!(send_last(&mut end, Shape::OneFrame, vec![7; hard_cap]).is_err());
                }
                if high_water < 20 {
                    continue;
                }
                // At the mark: wait; and what is sent nonetheless must stay below the cap.
                let mut end = filled(role, &config, shape, high_water);
                assert!(end.connection.is_above_high_water());
                let room = hard_cap.checked_sub(high_water + HEADER);
                let over = vec![7; room.map_or(0, |room| room + 1)];
                let refused = send_last(&mut end, shape, over.clone());
                assert_eq!(refused, Err(SendError::Full(Message::from(over))), "{role:?}, {shape:?}");
                assert_eq!(end.connection.queued(), high_water, "nothing was queued");
                if let Some(room) = room {
                    send_last(&mut end, shape, vec![7; room]).unwrap();
                    assert!(end.connection.queued() <= hard_cap);
                }
                // Pings are refused like messages, but not what the protocol owes.
                let queued = end.connection.queued();
                assert_eq!(end.connection.ping(end.now).is_err(), queued + 8 + HEADER > hard_cap);
                end.read_frame(PING, "p");
                end.close(1000, "");
                end.take(usize::MAX);
                assert_eq!((end.payloads(PONG).len(), end.payloads(CLOSE).len()), (1, 1));
                end.read_frame(CLOSE, close_body(1000, ""));
                assert!(end.outcome().is_some_and(|outcome| outcome.is_normal()));
                assert_ne!(end.transport(), TransportState::Closed);
            }
        }
    }
}

#[test]
fn from_an_empty_queue_the_mark_of_zero_leaves_only_the_cap() {
    let config = config(|config| {
        config.limits.high_water = 0;
        config.limits.hard_cap = 1000;
    });
    for role in ROLES {
        let mut end = End::new(role, &config);
        assert!(end.connection.is_above_high_water());
        assert!(matches!(end.connection.send(vec![7; 1000 - 13].into()), Err(SendError::Full(_))));
        end.connection.send(vec![7; 1000 - 14].into()).unwrap();
        assert!(end.connection.outgoing().remaining() <= 1000);
    }
}
