//! Long messages that are expected, read into memory of their own with their header, and keep it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use ws_proto::Incoming;

use super::*;

/// How much the shared memory of these tests takes: none of the expected messages has this size.
const SHARED: usize = 600_000;

/// Gives this much, whatever it is asked for.
#[derive(Debug)]
struct Gives(usize);

impl Memory for Gives {
    fn take_message(&self, _: usize) -> Vec<u8> {
        Vec::with_capacity(self.0)
    }
}

/// How much is to be read next to memory of a message's own.
fn expects(connection: &mut Connection) -> Option<usize> {
    let size = connection.read_buffer(&mut ReadBuffer::new(SHARED)).len();
    (size != SHARED).then_some(size)
}

#[test]
fn the_next_message_is_expected_to_be_as_long_as_the_last() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        assert_eq!(expects(&mut connection), None);
        for len in [20_000, 65_535, 65_536, 256 << 10] {
            let frame = to(role, BINARY, letters(len));
            read(&mut connection, &frame, SHARED);
            assert_eq!(expects(&mut connection), Some(frame.len() + 1), "{role:?}, {len}");
            let read = read(&mut connection, &frame, SHARED);
            assert_eq!((read.events, read.kept, read.reads), (vec![binary(letters(len))], 1, 1));
        }
        for (first, len) in [(BINARY, 10_000), (BINARY, (256 << 10) + 1), (TEXT, 20_000)] {
            read(&mut connection, &to(role, first, letters(len)), SHARED);
            assert_eq!(expects(&mut connection), None, "{first:#x}, {len}");
        }
        read(&mut connection, &to(role, BINARY, letters(20_000)), SHARED);
        assert!(expects(&mut connection).is_some());
        connection.set_memory(None);
        assert_eq!(expects(&mut connection), None, "for who keeps messages");
    }
}

/// It is better to answer several messages at once than to save each a copy.
#[test]
fn shorter_ones_are_only_read_alone_when_the_last_came_alone() {
    for role in ROLES {
        for (len, many, alone) in [(20_000, 2, false), (20_000, 1, true), (70_000, 2, true), (70_000, 1, true)] {
            let mut connection = keeping(role, Config::default(), Fresh);
            read(&mut connection, &to(role, BINARY, letters(len)).repeat(many), SHARED);
            assert_eq!(expects(&mut connection).is_some(), alone, "{many} of {len}");
        }
    }
}

/// With one byte of the next frame behind each message, and whatever a read brings, the events are the same.
#[test]
fn messages_come_whole_one_behind_the_other_in_reads_of_any_size() {
    for role in ROLES {
        let (mut input, mut expected) = (vec![], vec![]);
        for n in 0..23 {
            let payload = letters(if n % 11 == 10 { 17_000 + 997 * n } else { 70_000 });
            input.extend(to(role, BINARY, &payload));
            expected.push(binary(payload));
            if n % 7 == 6 {
                input.extend(to(role, PING, "between"));
                input.extend(to(role, TEXT, "text"));
                expected.extend([ping("between"), text("text")]);
            }
        }
        for size in [1009, 15_003, 60_000, 100_000, SHARED] {
            let mut connection = keeping(role, Config::default(), UsedBefore);
            read(&mut connection, &to(role, BINARY, letters(70_000)), size);
            let same = to(role, BINARY, letters(70_000)).repeat(5);
            let same = read(&mut connection, &same, size);
            assert!(same.events == vec![binary(letters(70_000)); 5], "{role:?} in reads of {size}");
            assert_eq!(same.kept, if size > 71_000 { 5 } else { 0 }, "in reads of {size}");
            let read = read(&mut connection, &input, size);
            assert!(read.events == expected, "{role:?} in reads of {size}");
        }
    }
}

#[test]
fn an_incomplete_message_keeps_its_memory_if_most_of_it_has_come() {
    for role in ROLES {
        for (len, first, keeps) in [(100_000, 60_000, true), (100_000, 40_000, false), (250_000, 70_000, true)] {
            let mut connection = keeping(role, Config::default(), Fresh);
            let frame = to(role, BINARY, letters(len));
            let mut buffer = ReadBuffer::new(SHARED);
            read_with(&mut connection, &mut buffer, &frame, SHARED);
            let room = connection.read_buffer(&mut buffer);
            room[..first].copy_from_slice(&frame[..first]);
            let mut came = connection.received(first, &mut buffer);
            assert_eq!(came.is_empty(), keeps, "{first} of {len}");
            assert!(connection.receive(&mut came, NOW).is_none());
            let left = frame.len() - first;
            if keeps {
                assert_eq!(expects(&mut connection), Some(left), "it goes on there");
            }
            assert_eq!(read_with(&mut connection, &mut buffer, &frame[first..], 20_000).events, [binary(letters(len))]);
        }
    }
}

/// However long it is: what comes first is held for as long as the application keeps the message.
#[test]
fn no_message_keeps_memory_for_much_more_than_itself() {
    for role in ROLES {
        for (expected, room) in [(140_000, 280_000), (100_000, 150_000), (20_000, 30_000), (200_000, 400_000)] {
            for (len, came_of_it) in [(20_000, 20_000), (70_000, 70_000), (200_000, 200_000), (80_000, 70_000)] {
                let mut connection = keeping(role, Config::default(), Gives(room));
                let mut buffer = ReadBuffer::new(SHARED);
                read_with(&mut connection, &mut buffer, &to(role, BINARY, letters(expected)), SHARED);
                let frame = to(role, BINARY, letters(len));
                let (first, rest) = frame.split_at(frame.len() - (len - came_of_it));
                let mut messages = 0;
                for mut piece in [first, rest] {
                    while !piece.is_empty() {
                        let room = connection.read_buffer(&mut buffer);
                        let n = room.len().min(piece.len());
                        room[..n].copy_from_slice(&piece[..n]);
                        piece = &piece[n..];
                        let mut came = connection.received(n, &mut buffer);
                        while let Some(event) = connection.receive(&mut came, NOW) {
                            let Event::Message(Incoming::Binary(Cow::Owned(bytes))) = event else {
                                panic!("{event:?}")
                            };
                            assert_eq!(bytes, letters(len));
                            let capacity = bytes.capacity();
                            assert!(capacity <= 2 * (len + 14), "{capacity} for {len} after {expected}");
                            messages += 1;
                        }
                    }
                }
                assert_eq!(messages, 1, "{len} after {expected}");
            }
        }
    }
}

#[test]
fn anything_else_is_received_as_ever() {
    for role in ROLES {
        let long = letters(30_000);
        for frames in [
            to(role, TEXT, &long),
            [to(role, BINARY_BEGINS, &long), to(role, LAST, &long)].concat(),
            to(role, BINARY, letters(10_000)),
            to(role, PING, "ping"),
            [to(role, PING, "ping"), to(role, BINARY, &long)].concat(),
            [to(role, BINARY, letters(100)), to(role, BINARY, &long), to(role, BINARY, letters(100))].concat(),
            to(role, BINARY | 0x40, &long),
            to(role, CONTINUES, &long),
            header_to(role, BINARY, 2 << 20),
            vec![0xFF; 100],
            vec![0x82],
        ] {
            let mut plain = connection(role, Config::default());
            let expected = read(&mut plain, &frames, SHARED);
            let mut connection = keeping(role, Config::default(), UsedBefore);
            read(&mut connection, &to(role, BINARY, &long), SHARED);
            assert!(expects(&mut connection).is_some());
            let read = read(&mut connection, &frames, SHARED);
            assert!(read.events == expected.events, "{role:?}, {:x?}", &frames[..frames.len().min(10)]);
            assert_eq!(connection.is_open(), plain.is_open());
        }
    }
}

#[test]
fn the_rest_of_a_header_counts() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let frame = to(role, BINARY, letters(30_000));
        for at in 1..frame.len() - 30_000 {
            read(&mut connection, &frame, SHARED);
            read(&mut connection, &frame[..at], SHARED);
            // The last read brought a few bytes, so that the next goes to the shared memory.
            let read = read(&mut connection, &frame[at..], SHARED);
            assert_eq!(read.events, [binary(letters(30_000))], "{at}");
        }
    }
}

#[test]
fn nothing_is_expected_between_the_beginning_of_a_frame_and_its_end() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let frame = to(role, BINARY, letters(100_000));
        read(&mut connection, &frame, SHARED);
        let ping = to(role, PING, letters(125));
        read(&mut connection, &ping[..20], SHARED);
        assert_eq!(expects(&mut connection), None);
        assert_eq!(read(&mut connection, &ping[20..], SHARED).events, [super::ping(letters(125))]);
        assert!(expects(&mut connection).is_some());
    }
}

#[test]
fn memory_is_not_kept_after_the_end() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let mut buffer = ReadBuffer::new(SHARED);
        let frame = to(role, BINARY, letters(100_000));
        read_with(&mut connection, &mut buffer, &frame, SHARED);
        let room = connection.read_buffer(&mut buffer);
        room[..frame.len()].copy_from_slice(&frame);
        connection.receive_eof(NOW);
        let mut came = connection.received(frame.len(), &mut buffer);
        assert_eq!(came.len(), frame.len(), "it is over");
        assert!(connection.receive(&mut came, NOW).is_none());
        assert_eq!((came.len(), expects(&mut connection)), (0, None));
    }
}

#[test]
fn messages_are_the_same_for_a_caller_that_does_not_keep_them() {
    for role in ROLES {
        let mut in_chunks = chunks();
        in_chunks.limits.frame = None;
        for mut connection in [keeping(role, in_chunks, Fresh), connection(role, Config::default())] {
            let frame = to(role, BINARY, letters(100_000)).repeat(3);
            let read = read(&mut connection, &frame, SHARED);
            assert_eq!((read.own, put_together(&read.events)), (0, vec![binary(letters(100_000)); 3]));
            assert_eq!(expects(&mut connection), None, "{role:?}");
        }
    }
}

#[test]
fn a_fault_in_the_next_frame_is_seen_at_its_first_byte() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let mut input = to(role, BINARY, letters(100_000));
        read(&mut connection, &input, SHARED);
        input.push(0xFF);
        let read = read(&mut connection, &input, SHARED);
        assert_eq!((&read.events[0], read.kept), (&binary(letters(100_000)), 1));
        assert!(matches!(read.events[1], Seen::Closed(_)) && !connection.is_open());
    }
}

/// Takes back what it supplied, and counts it.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<[AtomicUsize; 2]>);

impl Memory for Counting {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        self.0[0].fetch_add(1, Ordering::Relaxed);
        Vec::with_capacity(capacity)
    }

    fn give_message(&self, _: Vec<u8>) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn memory_that_nothing_was_read_to_waits_for_the_next_read_of_any_connection() {
    for role in ROLES {
        let counts = Counting::default();
        let taken = |n: usize| counts.0[n].load(Ordering::Relaxed);
        let mut buffer = ReadBuffer::new(SHARED);
        let frame = to(role, BINARY, letters(100_000));
        let mut connections = [(), ()].map(|()| keeping(role, Config::default(), counts.clone()));
        for connection in &mut connections {
            read_with(connection, &mut buffer, &frame, SHARED);
        }
        let before = taken(0);
        for _ in 0..3 {
            for connection in &mut connections {
                assert_eq!(connection.read_buffer(&mut buffer).len(), frame.len() + 1);
            }
        }
        assert_eq!((taken(0), taken(1)), (before + 1, 0));
        // Another size needs other memory, and the first goes back.
        read(&mut connections[0], &to(role, BINARY, letters(20_000)), SHARED);
        let before = taken(0);
        assert_eq!(connections[0].read_buffer(&mut buffer).len(), frame.len() - 80_000 - 6 + 1);
        assert_eq!((taken(0), taken(1)), (before + 1, 1));
    }
}

/// A thread that reads no more need not hold the memory of the next message.
#[test]
fn the_memory_of_an_expected_message_can_be_taken_back() {
    for role in ROLES {
        let mut connection = keeping(role, Config::default(), Fresh);
        let frame = to(role, BINARY, letters(20_000));
        read(&mut connection, &frame, SHARED);
        let mut buffer = ReadBuffer::new(SHARED);
        assert_eq!(buffer.take_message().capacity(), 0);
        let size = connection.read_buffer(&mut buffer).len();
        assert_eq!(size, frame.len() + 1);
        assert!(connection.received(0, &mut buffer).is_empty());
        assert!(buffer.take_message().capacity() >= size);
        assert_eq!(buffer.take_message().capacity(), 0);
    }
}
