//! Long messages that keep the memory they were read into (`Connection::receive_whole`).

use crate::common::*;
use ws_proto::{Config, Connection, Delivery, Event, Incoming, Role, Timestamp};

fn connection(role: Role, config: Config) -> Connection {
    let mut connection = match role {
        Role::Server => Connection::server(config, Timestamp::ZERO),
        Role::Client => Connection::client(config, || KEY, Timestamp::ZERO),
    };
    connection.set_buffers(Some(Vec::with_capacity));
    connection
}

fn letters(len: usize) -> Vec<u8> {
    (0..len).map(|n| b'a' + (n % 23) as u8).collect()
}

/// Memory as it comes from a read, with as much room as was asked for.
fn came(bytes: &[u8], room: usize) -> Vec<u8> {
    let mut input = Vec::with_capacity(room.max(bytes.len()));
    input.extend_from_slice(bytes);
    input
}

/// What the reads bring, each at most `size` bytes and, where that is wanted, as much as the connection asks for; how many
/// messages lay where they were read; and how many reads it took.
fn read(connection: &mut Connection, mut input: &[u8], size: usize) -> (Vec<Seen>, usize, usize) {
    let (mut events, mut kept, mut reads) = (vec![], 0, 0);
    while !input.is_empty() {
        reads += 1;
        if let Some(buffer) = connection.payload_buffer() {
            let n = size.min(buffer.len()).min(input.len());
            buffer[..n].copy_from_slice(&input[..n]);
            events.extend(connection.payload_received(n, Timestamp::ZERO).map(Seen::from));
            input = &input[n..];
            continue;
        }
        let wanted = connection.whole_message_size();
        let n = size.min(wanted.unwrap_or(size)).min(input.len());
        let mut piece = came(&input[..n], wanted.unwrap_or(n));
        if wanted.is_some() {
            let memory = piece.as_ptr();
            let event = connection.receive_whole(&mut piece, Timestamp::ZERO);
            if let Some(Event::Message(message)) = &event {
                assert!(matches!(message, Incoming::Binary(_)));
                assert_eq!(message.as_bytes().as_ptr(), memory, "no copy");
                kept += 1;
            }
            events.extend(event.map(Seen::from));
        }
        let mut piece = piece.as_mut_slice();
        while let Some(event) = connection.receive(&mut piece, Timestamp::ZERO) {
            events.push(event.into());
        }
        input = &input[n..];
    }
    (events, kept, reads)
}

#[test]
fn the_next_message_is_expected_to_be_as_long_as_the_last() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        assert_eq!(connection.whole_message_size(), None);
        for len in [20_000, 65_535, 65_536, 256 << 10] {
            let frame = to(role, BINARY, letters(len));
            read(&mut connection, &frame, usize::MAX);
            assert_eq!(connection.whole_message_size(), Some(frame.len() + 1), "{role:?}, {len}");
            let (events, kept, reads) = read(&mut connection, &frame, usize::MAX);
            assert_eq!((events, kept, reads), (vec![binary(letters(len))], 1, 1));
        }
        for (first, len) in [(BINARY, 10_000), (BINARY, (256 << 10) + 1), (TEXT, 20_000)] {
            read(&mut connection, &to(role, first, letters(len)), usize::MAX);
            assert_eq!(connection.whole_message_size(), None, "{first:#x}, {len}");
        }
        read(&mut connection, &to(role, BINARY, letters(20_000)), usize::MAX);
        connection.set_buffers(None);
        assert_eq!(connection.whole_message_size(), None, "for who keeps messages");
    }
}

/// With one byte of the next frame behind each message, and whatever a read brings, the events are the same.
#[test]
fn messages_come_whole_one_behind_the_other_in_reads_of_any_size() {
    for role in ROLES {
        let (mut input, mut expected) = (vec![], vec![]);
        for n in 0..40 {
            let payload = letters(if n % 11 == 10 { 17_000 + 997 * n } else { 30_000 });
            input.extend(to(role, BINARY, &payload));
            expected.push(binary(payload));
            if n % 7 == 6 {
                input.extend(to(role, PING, "between"));
                input.extend(to(role, TEXT, "text"));
                expected.extend([ping("between"), text("text")]);
            }
        }
        for size in [13, 1000, 8_000, 15_003, 29_990, 40_000, 100_000, usize::MAX] {
            let mut connection = connection(role, Config::default());
            read(&mut connection, &to(role, BINARY, letters(30_000)), size);
            let same = to(role, BINARY, letters(30_000)).repeat(20);
            let (events, kept, _) = read(&mut connection, &same, size);
            assert!(events == vec![binary(letters(30_000)); 20], "{role:?} in reads of {size}");
            assert_eq!(kept, if size > 31_000 { 20 } else { 0 }, "in reads of {size}");
            let (events, ..) = read(&mut connection, &input, size);
            assert!(events == expected, "{role:?} in reads of {size}");
        }
    }
}

#[test]
fn what_has_come_of_a_message_keeps_its_memory_if_that_is_most_of_it() {
    for role in ROLES {
        for (len, first, keeps) in [(100_000, 60_000, true), (100_000, 40_000, false), (250_000, 70_000, true)] {
            let mut connection = connection(role, Config::default());
            let frame = to(role, BINARY, letters(len));
            read(&mut connection, &frame, usize::MAX);
            let mut piece = came(&frame[..first], connection.whole_message_size().unwrap());
            assert!(connection.receive_whole(&mut piece, Timestamp::ZERO).is_none());
            assert_eq!(piece.is_empty(), keeps, "{first} of {len}");
            assert!(connection.receive(&mut piece.as_mut_slice(), Timestamp::ZERO).is_none());
            assert_eq!(connection.whole_message_size(), None, "there is a message to go on with");
            let (events, ..) = read(&mut connection, &frame[first..], 20_000);
            assert_eq!(events, [binary(letters(len))]);
        }
    }
}

/// However long it is: what comes first is held for as long as the application keeps the message.
#[test]
fn no_message_keeps_memory_for_much_more_than_itself() {
    for role in ROLES {
        for (len, came_of_it) in [(20_000, 20_000), (70_000, 70_000), (200_000, 200_000), (80_000, 70_000)] {
            let frame = to(role, BINARY, letters(len));
            for (room, keeps) in [(2 * frame.len(), true), (2 * len + 100, false), (4 * len, false)] {
                let mut input = came(&frame[..frame.len() - (len - came_of_it)], room);
                let before = input.len();
                let mut connection = connection(role, Config::default());
                let event = connection.receive_whole(&mut input, Timestamp::ZERO);
                assert_eq!(event.is_some(), keeps && came_of_it == len, "{came_of_it} of {len} in {room}");
                assert_eq!(input.len(), if keeps { 0 } else { before }, "{came_of_it} of {len} in {room}");
            }
        }
    }
}

#[test]
fn anything_else_is_left_to_be_received() {
    for role in ROLES {
        let long = letters(30_000);
        for frame in [
            to(role, TEXT, &long),
            to(role, BINARY_BEGINS, &long),
            to(role, BINARY | 0x40, &long),
            to(role, BINARY, letters(10_000)),
            to(role, PING, "ping"),
            to(role, CONTINUES, &long),
            header_to(role, BINARY, 2 << 20),
            vec![0xFF; 100],
            vec![0x82],
            vec![],
        ] {
            let mut input = came(&frame, frame.len());
            let mut connection = connection(role, Config::default());
            assert!(connection.receive_whole(&mut input, Timestamp::ZERO).is_none());
            assert!(input == frame, "{role:?}, {:x?}", &frame[..frame.len().min(10)]);
        }
        let frame = to(role, BINARY, &long);
        let mut connection = connection(role, Config::default());
        let mut ping = to(role, PING, letters(125));
        connection.receive(&mut &mut ping[..10], Timestamp::ZERO);
        let mut input = frame.clone();
        assert!(connection.receive_whole(&mut input, Timestamp::ZERO).is_none());
        assert!(input == frame, "what looks like a frame is a part of another");
    }
}

#[test]
fn memory_is_not_kept_when_most_of_it_is_unused_nor_after_the_end() {
    for role in ROLES {
        let frame = to(role, BINARY, letters(30_000));
        let mut spacious = came(&frame, 100_000);
        let mut connection = connection(role, Config::default());
        assert!(
            connection.receive_whole(&mut spacious, Timestamp::ZERO).is_none(),
            "it would hold three times as much"
        );
        assert!(spacious == frame);
        connection.receive_eof(Timestamp::ZERO);
        let mut input = frame.clone();
        assert!(connection.receive_whole(&mut input, Timestamp::ZERO).is_none(), "it is over");
        assert_eq!(connection.whole_message_size(), None);
    }
}

#[test]
fn who_does_not_keep_messages_gets_them_as_ever() {
    for role in ROLES {
        let mut in_chunks = Config::default();
        in_chunks.delivery = Delivery::Chunks;
        let mut borrowing = connection(role, Config::default());
        borrowing.set_buffers(None);
        for mut connection in [connection(role, in_chunks), borrowing] {
            let frame = to(role, BINARY, letters(30_000));
            let mut input = frame.clone();
            assert!(connection.receive_whole(&mut input, Timestamp::ZERO).is_none());
            assert!(input == frame, "{role:?}");
            assert!(connection.receive(&mut input.as_mut_slice(), Timestamp::ZERO).is_some());
            assert_eq!(connection.whole_message_size(), None, "{role:?}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_frame_behind_it_is_seen_at_its_first_byte() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        let mut input = to(role, BINARY, letters(20_000));
        input.push(0xFF);
        let mut input = came(&input, input.len());
        assert!(matches!(connection.receive_whole(&mut input, Timestamp::ZERO), Some(Event::Message(_))));
        assert_eq!(input, [0xFF]);
        connection.receive(&mut input.as_mut_slice(), Timestamp::ZERO);
        assert!(!connection.is_open());
    }
}
