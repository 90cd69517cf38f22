//! Where reads go and whose memory messages lie in: `Connection::read_buffer`, `received`, and `Memory`.

mod faulty;
mod message;
mod payload;
mod queue;
mod supplied;

use std::borrow::Cow;
use std::sync::Arc;

use ws_proto::{Config, Connection, Event, Incoming, Memory, ReadBuffer, Role, Timestamp};

use crate::common::*;

const NOW: Timestamp = Timestamp::ZERO;

fn connection(role: Role, config: Config) -> Connection {
    match role {
        Role::Server => Connection::server(config, NOW),
        Role::Client => Connection::client(config, || KEY, NOW),
    }
}

fn keeping(role: Role, config: Config, memory: impl Memory + 'static) -> Connection {
    let mut connection = connection(role, config);
    connection.set_memory(Some(Arc::new(memory)));
    connection
}

fn letters(len: usize) -> Vec<u8> {
    (0..len).map(|n| b'a' + (n % 23) as u8).collect()
}

/// The allocator's memory.
#[derive(Debug)]
struct Fresh;

impl Memory for Fresh {}

/// Memory with something in it, which must never be seen.
#[derive(Debug)]
struct UsedBefore;

impl Memory for UsedBefore {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        let mut memory = vec![0xEE; capacity / 2];
        memory.reserve_exact(capacity + 100 - memory.len());
        memory
    }

    fn take_queue(&self) -> Vec<u8> {
        vec![0xEE; 77]
    }
}

/// What reads brought.
#[derive(Debug, Default)]
struct Read {
    events: Vec<Seen>,
    reads: usize,
    /// How many bytes went to memory of their own.
    own: usize,
    /// How many messages lay where they were read to as a whole.
    kept: usize,
}

/// Reads all of `input`, each time where the connection says, at most `size` bytes.
fn read(connection: &mut Connection, input: &[u8], size: usize) -> Read {
    read_with(connection, &mut ReadBuffer::new(size), input, size)
}

fn read_with(connection: &mut Connection, buffer: &mut ReadBuffer, mut input: &[u8], size: usize) -> Read {
    let mut read = Read::default();
    let counted = connection.stats().received.wire_bytes + input.len() as u64;
    let shared = buffer.shared().as_ptr();
    while !input.is_empty() {
        let room = connection.read_buffer(buffer);
        assert!(!room.is_empty(), "that would look like the end");
        let n = size.min(room.len()).min(input.len());
        room[..n].copy_from_slice(&input[..n]);
        let (at, now) = (room.as_ptr(), NOW);
        let mut came = connection.received(n, buffer);
        while let Some(event) = connection.receive(&mut came, now) {
            if let Event::Message(message) = &event
                && at != shared
                && message.as_bytes().as_ptr() == at
            {
                read.kept += 1;
            }
            if let Event::Message(Incoming::Binary(Cow::Owned(bytes))) = &event {
                let (capacity, len) = (bytes.capacity(), bytes.len());
                assert!(capacity <= 2 * (len + 14), "a message of {len} bytes keeps {capacity}");
            }
            read.events.push(event.into());
        }
        assert!(came.is_empty(), "input is left over");
        read.own += if at == shared { 0 } else { n };
        read.reads += 1;
        input = &input[n..];
    }
    assert_eq!(connection.stats().received.wire_bytes, counted, "every byte counts once");
    read
}
