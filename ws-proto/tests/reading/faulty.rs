//! Memory that is not what was asked for: the same messages, and none holds much more than it needs.

use std::sync::Mutex;

use super::*;

/// Gives this capacity for the one that is asked for, with that much in it; and keeps count of what is given back.
#[derive(Clone, Debug)]
struct Gives {
    capacity: fn(usize) -> usize,
    used: fn(usize) -> usize,
    given_back: Arc<Mutex<Vec<usize>>>,
}

impl Memory for Gives {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        let capacity = (self.capacity)(capacity);
        let mut memory = Vec::with_capacity(capacity);
        memory.resize((self.used)(capacity), 0xEE);
        memory
    }

    fn give_message(&self, memory: Vec<u8>) {
        self.given_back.lock().unwrap().push(memory.capacity());
    }

    fn take_queue(&self) -> Vec<u8> {
        self.take_message(1000)
    }
}

/// Memory of each size, empty, half used and full.
fn all() -> Vec<(&'static str, Gives)> {
    let with = |name, capacity| {
        let uses: [fn(usize) -> usize; 3] = [|_| 0, |capacity| capacity / 2, |capacity| capacity];
        uses.map(|used| (name, Gives { capacity, used, given_back: Arc::default() }))
    };
    [
        with("refused", |_| 0),
        with("one byte", |_| 1),
        with("half", |asked| asked / 2),
        with("one too few", |asked| asked - 1),
        with("as asked", |asked| asked),
        with("one more", |asked| asked + 1),
        with("half as much again", |asked| asked + asked / 2),
        with("twice", |asked| 2 * asked),
        with("twice and one", |asked| 2 * asked + 1),
        with("huge", |asked| 20 * asked),
    ]
    .concat()
}

fn stream(role: Role) -> (Vec<u8>, Vec<Seen>) {
    let (mut input, mut expected) = (vec![], vec![]);
    for len in [20_000, 20_000, 20_001, 70_000, 70_000, 150_000, 70_000, 3, 5_000, 300_000, 16_384] {
        input.extend(to(role, BINARY, letters(len)));
        expected.push(binary(letters(len)));
    }
    input.extend(to(role, BINARY_BEGINS, letters(40_000)));
    input.extend(to(role, PING, "between"));
    input.extend(to(role, LAST, letters(40_000)));
    expected.extend([ping("between"), binary([letters(40_000), letters(40_000)].concat())]);
    // Room is made for twice what has come, and hardly any of it comes.
    input.extend(to(role, BINARY_BEGINS, letters(18_982)));
    input.extend(to(role, LAST, letters(10)));
    expected.push(binary([letters(18_982), letters(10)].concat()));
    (input, expected)
}

/// None is in more than about twice the memory that it needs: `read` looks at each.
#[test]
fn messages_are_the_same_whatever_memory_is_supplied() {
    for role in ROLES {
        let (input, expected) = stream(role);
        for (name, gives) in all() {
            for size in [9001, 60_000, input.len()] {
                let mut connection = keeping(role, Config::default(), gives.clone());
                let read = read(&mut connection, &input, size);
                assert!(read.events == expected, "{name}, {role:?} in reads of {size}");
                connection.send_binary(&letters(3000)).unwrap();
                connection.send(letters(10).into()).unwrap();
                assert_eq!(connection.outgoing().len(), connection.queued());
            }
        }
    }
}

#[test]
fn memory_of_the_wrong_size_goes_back() {
    for role in ROLES {
        for (name, gives) in all() {
            let mut connection = keeping(role, Config::default(), gives.clone());
            let mut input = to(role, BINARY, letters(50_000));
            assert!(connection.receive(&mut input.as_mut_slice(), NOW).is_some());
            let capacity = (gives.capacity)(50_000);
            let fits = (50_000..=100_000).contains(&capacity) || capacity == 0;
            let expected = if fits { vec![] } else { vec![capacity] };
            assert_eq!(*gives.given_back.lock().unwrap(), expected, "{name}");
        }
    }
}

/// A buffer is never empty: reading to nothing looks like the end of the stream.
#[test]
fn a_buffer_of_no_size_takes_a_byte() {
    for role in ROLES {
        let mut connection = connection(role, Config::default());
        let input = to(role, TEXT, "hello");
        let read = read_with(&mut connection, &mut ReadBuffer::new(0), &input, 100);
        assert_eq!((read.events, read.reads), (vec![text("hello")], input.len()));
    }
}

#[test]
fn more_than_there_was_room_for_is_never_taken() {
    for role in ROLES {
        let mut buffer = ReadBuffer::new(10);
        let mut connection = keeping(role, Config::default(), Fresh);
        assert_eq!(connection.received(1000, &mut buffer).len(), 0, "nothing was offered yet");
        let n = connection.read_buffer(&mut buffer).len();
        assert_eq!((n, connection.received(usize::MAX, &mut buffer).len()), (10, 10));
        let mut connection = keeping(role, Config::default(), Fresh);
        let frame = to(role, BINARY, letters(100_000));
        read(&mut connection, &frame, 200_000);
        let room = connection.read_buffer(&mut buffer);
        room[..frame.len()].copy_from_slice(&frame);
        room[frame.len()] = 0xFF;
        let mut came = connection.received(usize::MAX, &mut buffer);
        assert_eq!(came, [0xFF], "the byte behind the message");
        assert!(matches!(connection.receive(&mut came, NOW), Some(Event::Message(_))));
    }
}
