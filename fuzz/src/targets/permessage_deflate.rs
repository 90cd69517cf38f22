//! permessage-deflate: a connection makes the same of compressed data in messages and in chunks, cut anywhere, in a buffer of
//! the caller's or in the one that the connection chooses.
//!
//! The input is that of [`deflate_inflate`](super::deflate_inflate()), and shares its seeds.

use std::sync::Arc;
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

use ws_proto::{Config, Connection, Delivery, Event, Memory, Outcome, ReadBuffer, Timestamp};

use super::deflate_inflate::Inflate;

/// Memory as an allocator supplies it.
#[derive(Debug)]
struct Plain;

impl Memory for Plain {}

pub fn permessage_deflate(input: Inflate<'_>) {
    let (bits, size) = (input.window_bits(), input.size());
    let run = |delivery, chosen| received(input.data, bits, size, delivery, chosen);
    let (messages, chunks) = (run(Delivery::Messages, false), run(Delivery::Chunks, false));
    assert_eq!(messages.1, chunks.1, "in messages and in chunks it ends alike");
    assert!(messages.1.is_some() || messages.0 == chunks.0);
    assert_eq!(run(Delivery::Messages, true), messages, "the memory that is read to makes no difference");
}

/// What a client makes of the data as two messages, the second in view of the first; and how it ends, if it does.
///
/// If `chosen`, the connection chooses the memory to read to, and keeps messages.
fn received(data: &[u8], bits: u8, size: usize, delivery: Delivery, chosen: bool) -> (Vec<u8>, Option<Outcome>) {
    let mut config = Config::default();
    config.delivery = delivery;
    config.limits.message = Some(50_000);
    let mut connection = Connection::client(config, || [0; 4], Timestamp::ZERO);
    let mut agreed = DeflateParams::new(Deflate::client());
    (agreed.send_window_bits, agreed.receive_window_bits) = (bits, bits);
    (agreed.level, agreed.mem_level, agreed.threshold) = (1, 1, 0);
    connection.set_deflate(Some(agreed));
    let mut frame = vec![0xC2, 126];
    frame.extend((data.len() as u16).to_be_bytes());
    if data.len() < 126 {
        frame = vec![0xC2, data.len() as u8];
    }
    frame.extend(data);
    let mut buffer = ReadBuffer::new(1 << 10);
    if chosen {
        connection.set_memory(Some(Arc::new(Plain)));
    }
    let (mut all, mut end) = (vec![], None);
    let stream = frame.repeat(2);
    let mut left = stream.as_slice();
    while !left.is_empty() {
        let mut own = vec![];
        let (n, mut input) = if chosen {
            let target = connection.read_buffer(&mut buffer);
            let n = target.len().min(size).min(left.len());
            target[..n].copy_from_slice(&left[..n]);
            (n, connection.received(n, &mut buffer))
        } else {
            let n = size.min(left.len());
            own.extend_from_slice(&left[..n]);
            (n, own.as_mut_slice())
        };
        left = &left[n..];
        while let Some(event) = connection.receive(&mut input, Timestamp::ZERO) {
            match event {
                Event::Message(message) => all.extend_from_slice(message.as_bytes()),
                Event::Chunk(chunk) => {
                    assert!(chunk.payload.len() <= 10 << 10);
                    all.extend_from_slice(&chunk.payload);
                }
                Event::Closed(outcome) => end = Some(outcome),
                event => panic!("{event:?} out of nowhere"),
            }
        }
    }
    (all, end)
}
