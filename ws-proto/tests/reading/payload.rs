//! The rest of a long message that is incomplete is read to where it belongs.

use ws_proto::Buf;

use super::*;

const SHARED: usize = 20_011;

#[test]
fn a_long_message_is_read_to_where_it_lies() {
    for role in ROLES {
        for (len, size) in [(1 << 20, 40_000), (1 << 20, 128 << 10), (1 << 20, 1 << 20), (200_001, 33_333)] {
            for mut connection in
                [keeping(role, Config::default(), Fresh), keeping(role, Config::default(), UsedBefore)]
            {
                let payload = letters(len);
                let mut input = to(role, BINARY, &payload);
                input.extend(to(role, PING, "behind"));
                let read = read(&mut connection, &input, size);
                assert_eq!(read.events[0], binary(&payload), "{role:?}, {len} in pieces of {size}");
                assert_eq!(read.events[1..], [ping("behind")]);
                let own = read.own;
                assert!(own >= len.saturating_sub(2 * size) / 2, "{own} of {len} in pieces of {size}");
            }
        }
    }
}

#[test]
fn in_fragments_and_with_control_frames_between_too() {
    for role in ROLES {
        for size in [1000, 20_000, 70_000, 1 << 20] {
            let mut connection = keeping(role, Config::default(), UsedBefore);
            let payload = letters(700_001);
            let mut input = vec![];
            for (n, piece) in payload.chunks(150_003).enumerate() {
                input.extend(to(role, if n == 0 { BINARY_BEGINS } else { CONTINUES }, piece));
                input.extend(to(role, PING, "between"));
            }
            input.extend(to(role, LAST, ""));
            let read = read(&mut connection, &input, size);
            let (message, pings) = read.events.split_last().unwrap();
            assert_eq!(*message, binary(&payload), "{role:?} in pieces of {size}");
            assert_eq!(pings.len(), 5);
            assert!(read.own > 0 || size == 1 << 20, "{}", read.own);
        }
    }
}

#[test]
fn nothing_else_is_read_there() {
    for role in ROLES {
        let long = letters(1 << 20);
        let mut cases = vec![];
        for (first, len) in [(TEXT, 500_000), (BINARY, 30_000), (BINARY, 3)] {
            cases.push((keeping(role, Config::default(), Fresh), to(role, first, &long[..len])));
        }
        cases.push((connection(role, Config::default()), to(role, BINARY, &long)));
        cases.push((keeping(role, chunks(), Fresh), to(role, BINARY, &long)));
        for (mut connection, input) in cases {
            let read = read(&mut connection, &input, SHARED);
            assert_eq!((read.own, read.reads), (0, input.len().div_ceil(SHARED)), "{role:?}");
            assert!(connection.is_open() && !read.events.is_empty());
        }
    }
}

/// A connection that has a part of a long message, and how much of it is missing.
fn begun(role: Role, buffer: &mut ReadBuffer) -> (Connection, usize) {
    let mut connection = keeping(role, Config::default(), UsedBefore);
    let input = to(role, BINARY, letters(300_000));
    let mut head = input[..100_000].to_vec();
    assert!(connection.receive(&mut head.as_mut_slice(), NOW).is_none());
    let missing = input.len() - head.len();
    assert_eq!(connection.read_buffer(buffer).len(), missing, "no further than the frame");
    assert_eq!(connection.read_buffer(buffer).len(), missing, "asking changes nothing");
    (connection, missing)
}

#[test]
fn bytes_outside_the_offered_buffer_are_not_delivered() {
    for role in ROLES {
        let mut buffer = ReadBuffer::new(SHARED);
        let (mut connection, missing) = begun(role, &mut buffer);
        assert_eq!(connection.received(0, &mut buffer), []);
        assert!(connection.receive(&mut &mut [][..], NOW).is_none(), "nothing came");
        connection.read_buffer(&mut buffer).fill(b'x');
        // Too many are reported, but there are no more: what was there is the message, as it is.
        assert_eq!(connection.received(missing + 1000, &mut buffer), []);
        let event = connection.receive(&mut &mut [][..], NOW).unwrap();
        let Event::Message(message) = event else { panic!("{event:?}") };
        assert_eq!(message.as_bytes().len(), 300_000);
        assert!(connection.receive(&mut &mut [][..], NOW).is_none(), "once");
        assert_eq!(connection.read_buffer(&mut buffer).len(), SHARED, "the next frame's header comes first");
    }
}

#[test]
fn nothing_is_read_there_after_the_end() {
    for role in ROLES {
        let mut buffer = ReadBuffer::new(SHARED);
        let (mut connection, missing) = begun(role, &mut buffer);
        assert!(matches!(connection.receive_eof(NOW), Some(Event::Closed(_))));
        assert_eq!(connection.received(missing, &mut buffer), [], "it was offered, and is gone");
        assert!(connection.receive(&mut &mut [][..], NOW).is_none());
        assert_eq!(connection.read_buffer(&mut buffer).len(), SHARED);
    }
}

/// The message is there before anything else is, even if nobody asks for it at once.
#[test]
fn a_message_that_is_complete_waits_until_it_is_received() {
    for role in ROLES {
        let mut buffer = ReadBuffer::new(SHARED);
        let (mut connection, missing) = begun(role, &mut buffer);
        connection.received(missing, &mut buffer);
        let frame = to(role, TEXT, "behind");
        let room = connection.read_buffer(&mut buffer);
        assert_eq!(room.len(), SHARED);
        room[..frame.len()].copy_from_slice(&frame);
        let mut input = connection.received(frame.len(), &mut buffer);
        let Some(Event::Message(message)) = connection.receive(&mut input, NOW) else { panic!("a message") };
        assert_eq!(message.as_bytes().len(), 300_000);
        assert_eq!(connection.receive(&mut input, NOW).map(Seen::from), Some(text("behind")));
        assert!(connection.receive(&mut input, NOW).is_none());
    }
}

#[test]
fn reading_there_counts_as_life_and_as_progress() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let mut buffer = ReadBuffer::new(200_000);
        let input = to(role, BINARY, letters(1 << 20));
        read_with(&mut connection, &mut buffer, &input[..200_000], 200_000);
        let mut now = NOW;
        connection.poll_timeout(now);
        let mut pieces = input[200_000..].chunks(20_000);
        for _ in 0..30 {
            // Without any of this the connection would end at 40 s for want of a pong, at 60 s for want of progress.
            now = now + secs(10);
            let piece = pieces.next().unwrap();
            connection.read_buffer(&mut buffer)[..piece.len()].copy_from_slice(piece);
            let mut came = connection.received(piece.len(), &mut buffer);
            assert!(came.is_empty() && connection.receive(&mut came, now).is_none());
            while connection.poll_timeout(now).is_some_and(|deadline| deadline <= now) {
                assert!(connection.handle_timeout(now).is_none());
            }
            let queued = connection.outgoing().remaining();
            connection.outgoing().advance(queued);
        }
        assert!(connection.is_open());
    }
}
