//! permessage-deflate: a connection makes the same of compressed data in messages and in chunks, cut anywhere.
//!
//! The input is that of [`deflate_inflate`](super::deflate_inflate()), and shares its seeds.

use ws_proto::permessage_deflate::{Deflate, DeflateParams};
use ws_proto::{Config, Connection, Delivery, Event, Outcome, Timestamp};

use super::deflate_inflate::Inflate;

pub fn permessage_deflate(input: Inflate<'_>) {
    let (bits, size) = (input.window_bits(), input.size());
    let [messages, chunks] =
        [Delivery::Messages, Delivery::Chunks].map(|delivery| received(input.data, bits, size, delivery));
    assert_eq!(messages.1, chunks.1, "in messages and in chunks it ends alike");
    assert!(messages.1.is_some() || messages.0 == chunks.0);
}

/// What a client makes of the data as two messages, the second in view of the first; and how it ends, if it does.
fn received(data: &[u8], bits: u8, size: usize, delivery: Delivery) -> (Vec<u8>, Option<Outcome>) {
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
    let (mut all, mut end) = (vec![], None);
    for piece in frame.repeat(2).chunks_mut(size) {
        let mut input = piece;
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
