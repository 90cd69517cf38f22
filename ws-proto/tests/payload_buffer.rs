//! What is read straight into a long message (`Connection::payload_buffer`).

use crate::common::*;
use ws_proto::{Buf, Config, Connection, Event, Role, Timestamp};

fn connection(role: Role, config: Config) -> Connection {
    let mut connection = match role {
        Role::Server => Connection::server(config, Timestamp::ZERO),
        Role::Client => Connection::client(config, || KEY, Timestamp::ZERO),
    };
    connection.set_buffers(Some(used_before));
    connection
}

fn letters(len: usize) -> Vec<u8> {
    (0..len).map(|n| b'a' + (n % 23) as u8).collect()
}

/// Memory with something in it, which must never be seen.
fn used_before(capacity: usize) -> Vec<u8> {
    let mut memory = vec![0xEE; capacity / 2];
    memory.reserve_exact(capacity + 100 - memory.len());
    memory
}

/// What comes of the input when each read brings at most `size` bytes, to `payload_buffer` where there is one; and how
/// many bytes went there.
fn read(connection: &mut Connection, input: &[u8], size: usize) -> (Vec<Seen>, usize) {
    let (mut events, mut input, mut straight) = (vec![], input, 0);
    while !input.is_empty() {
        if let Some(buffer) = connection.payload_buffer() {
            assert!((16 << 10..=256 << 10).contains(&buffer.len()), "{}", buffer.len());
            let n = size.min(buffer.len()).min(input.len());
            buffer[..n].copy_from_slice(&input[..n]);
            events.extend(connection.payload_received(n, Timestamp::ZERO).map(Seen::from));
            (input, straight) = (&input[n..], straight + n);
        } else {
            let n = size.min(input.len());
            let mut piece = input[..n].to_vec();
            let mut piece = piece.as_mut_slice();
            while let Some(event) = connection.receive(&mut piece, Timestamp::ZERO) {
                events.push(event.into());
            }
            input = &input[n..];
        }
    }
    (events, straight)
}

#[test]
fn a_long_message_is_read_to_where_it_lies() {
    for role in ROLES {
        for buffers in [Vec::with_capacity, used_before] {
            let mut connection = connection(role, Config::default());
            connection.set_buffers(Some(buffers));
            for (len, size) in [(1 << 20, 40_000), (1 << 20, 128 << 10), (1 << 20, 1 << 20), (200_001, 33_333)] {
                let payload = letters(len);
                let mut input = to(role, BINARY, &payload);
                input.extend(to(role, PING, "behind"));
                let (events, straight) = read(&mut connection, &input, size);
                assert_eq!(events[0], binary(&payload), "{role:?}, {len} in pieces of {size}");
                assert_eq!(events[1..], [ping("behind")]);
                assert!(straight >= len.saturating_sub(2 * size) / 2, "{straight} of {len} in pieces of {size}");
            }
        }
    }
}

#[test]
fn in_fragments_and_with_control_frames_between_too() {
    for role in ROLES {
        for size in [1000, 20_000, 70_000, 1 << 20] {
            let mut connection = connection(role, Config::default());
            let payload = letters(700_001);
            let mut input = vec![];
            for (n, piece) in payload.chunks(150_003).enumerate() {
                input.extend(to(role, if n == 0 { BINARY_BEGINS } else { CONTINUES }, piece));
                input.extend(to(role, PING, "between"));
            }
            input.extend(to(role, LAST, ""));
            let (events, straight) = read(&mut connection, &input, size);
            let (message, pings) = events.split_last().unwrap();
            assert_eq!(*message, binary(&payload), "{role:?} in pieces of {size}");
            assert_eq!(pings.len(), 5);
            assert!(straight > 0 || size == 1 << 20, "{straight}");
        }
    }
}

#[test]
fn nothing_else_is_read_there() {
    let mut cases = vec![];
    for role in ROLES {
        let long = letters(1 << 20);
        for (first, len) in [(TEXT, 500_000), (BINARY, 30_000), (BINARY, 3)] {
            cases.push((connection(role, Config::default()), to(role, first, &long[..len])));
        }
        let mut borrowing = connection(role, Config::default());
        borrowing.set_buffers(None);
        cases.push((borrowing, to(role, BINARY, &long)));
        cases.push((connection(role, chunks()), to(role, BINARY, &long)));
    }
    for (mut connection, input) in cases {
        assert!(connection.payload_buffer().is_none());
        for piece in input.chunks(20_011) {
            let mut piece = piece.to_vec();
            let mut piece = piece.as_mut_slice();
            while let Some(event) = connection.receive(&mut piece, Timestamp::ZERO) {
                assert!(matches!(event, Event::Message(_) | Event::Chunk(_)), "{event:?}");
            }
            assert!(connection.payload_buffer().is_none());
            assert!(connection.payload_received(10, Timestamp::ZERO).is_none(), "nothing was offered");
        }
        assert!(connection.is_open());
    }
}

#[test]
fn what_was_not_offered_is_not_taken_and_what_did_not_come_is_not_delivered() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        let payload = letters(300_000);
        let input = to(role, BINARY, &payload);
        let (head, rest) = input.split_at(100_000);
        assert_eq!(read(&mut connection, head, 100_000), (vec![], 0));
        assert!(connection.payload_received(0, Timestamp::ZERO).is_none(), "nothing came");
        let room = connection.payload_buffer().unwrap().len();
        assert_eq!(room, rest.len(), "no further than the frame");
        assert_eq!(connection.payload_buffer().unwrap().len(), room, "asking changes nothing");
        // Too many were reported, but there are no more: what was there is the message, as it is.
        let event = connection.payload_received(room + 1000, Timestamp::ZERO).unwrap();
        let Event::Message(message) = event else { panic!("{event:?}") };
        assert_eq!(message.as_bytes().len(), payload.len());
        assert!(connection.payload_buffer().is_none(), "the next frame's header comes first");

        assert_eq!(read(&mut connection, head, 100_000), (vec![], 0));
        assert!(connection.payload_buffer().is_some());
        assert!(matches!(connection.receive_eof(Timestamp::ZERO), Some(Event::Closed(_))));
        assert!(connection.payload_buffer().is_none());
        assert!(connection.payload_received(10, Timestamp::ZERO).is_none());
    }
}

#[test]
fn reading_there_counts_as_life_and_as_progress() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        let input = to(role, BINARY, letters(1 << 20));
        read(&mut connection, &input[..200_000], 200_000);
        let mut now = Timestamp::ZERO;
        connection.poll_timeout(now);
        let mut pieces = input[200_000..].chunks(20_000);
        for _ in 0..30 {
            // Without any of this the connection would end at 40 s for want of a pong, at 60 s for want of progress.
            now = now + secs(10);
            let piece = pieces.next().unwrap();
            connection.payload_buffer().unwrap()[..piece.len()].copy_from_slice(piece);
            assert!(connection.payload_received(piece.len(), now).is_none());
            while connection.poll_timeout(now).is_some_and(|deadline| deadline <= now) {
                assert!(connection.handle_timeout(now).is_none());
            }
            let queued = connection.outgoing().remaining();
            connection.outgoing().advance(queued);
        }
        assert!(connection.is_open());
    }
}
