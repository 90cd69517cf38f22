//! DEFLATE: whatever comes, cut anywhere and with any room, inflates to the same, a little at a time; another
//! implementation agrees; what is compressed is inflated to what it was, within the window; and a connection makes the same
//! of it in messages and in chunks.
//!
//! | byte | bits | meaning |
//! | --- | --- | --- |
//! | 0 | 0–2 | window bits, 8 to 15 |
//! | | 3 | the data is 0 compressed, 1 to be compressed |
//! | | 4–7 | the level |
//! | 1 | | the size of the pieces; 0 for all at once |
//! | 2 | 0–3 | the memory level |
//! | | 4–7 | the room there is, 4^n bytes |

use arbitrary::Arbitrary;
use ws_deflate::{Compressor, Corrupt, Inflater, Settings};
use ws_proto::permessage_deflate::{Agreed, Deflate};
use ws_proto::{Config, Connection, Delivery, Event, Outcome, Timestamp};
use zlib_rs::{Inflate as Other, InflateFlush, Status};

/// What is inflated at most.
const MOST: usize = 200_000;

const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

#[derive(Arbitrary, Debug)]
pub struct Inflate<'a> {
    pub setup: [u8; 3],
    pub data: &'a [u8],
}

pub fn inflate(input: Inflate<'_>) {
    let [first, size, third] = input.setup;
    let bits = 8 + (first & 7);
    let size = if size == 0 { usize::MAX } else { usize::from(size) };
    let room = 1 << (2 * (third >> 4)).min(20);
    if first & 8 != 0 {
        return compress(input.data, bits, first >> 4, third & 15, size, room);
    }
    let (whole, out) = run(15, input.data, usize::MAX, MOST, vec![]);
    let (cut, cut_out) = run(15, input.data, size, room, vec![]);
    if out.len() < MOST && cut_out.len() < MOST {
        assert_eq!((whole, &out), (cut, &cut_out), "in pieces of {size} with room for {room}");
        agree(input.data, whole, &out);
    }
    // A smaller window refuses more, and changes nothing else.
    let (narrow, narrow_out) = run(bits, input.data, size, room, vec![]);
    assert!(out.starts_with(&narrow_out) || out.len() >= MOST || narrow_out.len() >= MOST);
    assert!(narrow.is_err() || whole.is_ok() || out.len() >= MOST || narrow_out.len() >= MOST);

    let [messages, chunks] =
        [Delivery::Messages, Delivery::Chunks].map(|delivery| received(input.data, bits, size, delivery));
    assert_eq!(messages.1, chunks.1, "in messages and in chunks it ends alike");
    assert!(messages.1.is_some() || messages.0 == chunks.0);
}

/// Inflates a message, looking back on `out`; whether it is one, and what came of it. It stops at [`MOST`].
fn run(bits: u8, data: &[u8], size: usize, room: usize, mut out: Vec<u8>) -> (Result<(), Corrupt>, Vec<u8>) {
    let mut inflater = Inflater::new(bits);
    let start = out.len();
    for mut piece in data.chunks(size) {
        while !piece.is_empty() {
            let (before, left) = (out.len(), piece.len());
            if let Err(corrupt) = inflater.inflate(&mut piece, &mut out, room) {
                assert!(inflater.inflate(&mut piece, &mut out, room).is_err(), "and it stays so");
                return (Err(corrupt), out.split_off(start));
            }
            assert!(out.len() - before <= room.saturating_add(Inflater::OVERSHOOT), "{} bytes for {room}", out.len() - before);
            assert!(out.len() > before || piece.len() < left, "it gets no further");
            assert!(piece.is_empty() || out.len() - before >= room, "it stopped early");
            if out.len() >= MOST {
                return (Ok(()), out.split_off(start));
            }
        }
    }
    let result = inflater.finish(&mut out);
    (result, out.split_off(start))
}

/// Another implementation says the same.
fn agree(data: &[u8], ours: Result<(), Corrupt>, out: &[u8]) {
    let mut theirs = vec![0; MOST + 4096];
    let data = [data, &TAIL].concat();
    let mut other = Other::new(false, 15);
    let status = other.decompress(&data, &mut theirs, InflateFlush::SyncFlush);
    theirs.truncate(other.total_out() as usize);
    match (status, ours) {
        (Err(_), Ok(())) => panic!("another one refuses it"),
        // After the last block it stops, and we go on.
        (Ok(Status::StreamEnd), _) => assert!(out.starts_with(&theirs)),
        (Ok(_), Ok(())) => assert_eq!(out, theirs),
        (_, Err(_)) => {}
    }
}

/// Compresses two messages, one after the other and each for itself.
fn compress(data: &[u8], bits: u8, level: u8, mem_level: u8, size: usize, room: usize) {
    // Repeated, or there would be little to find.
    let payload = data.repeat(1 + usize::from(level % 4) * 7);
    let settings = Settings::new().window_bits(bits).level(level).memory_level(mem_level);
    let mut compressor = Compressor::new(settings);
    let mut other = Other::new(false, 15);
    let mut history = vec![];
    for message in [&payload[..payload.len() / 3], &payload[payload.len() / 3..], data] {
        let mut out = vec![];
        compressor.compress(message, &mut out);
        let mut theirs = vec![0; message.len() + 1];
        let before = other.total_out();
        other.decompress(&out, &mut theirs, InflateFlush::SyncFlush).expect("another one understands it");
        assert_eq!(&theirs[..(other.total_out() - before) as usize], message);

        assert_eq!(out.split_off(out.len() - 4), TAIL);
        let inflated = run(bits, &out, size, room, history.clone());
        assert!(inflated.1.len() >= MOST || (inflated.0.is_ok() && inflated.1 == message));

        let mut alone = vec![];
        Compressor::for_message(message.len(), settings).compress(message, &mut alone);
        alone.truncate(alone.len() - 4);
        let inflated = run(bits, &alone, size, room, vec![]);
        assert!(inflated.1.len() >= MOST || (inflated.0.is_ok() && inflated.1 == message));
        history.extend_from_slice(message);
    }
}

/// What a client makes of the data as two messages, the second in view of the first; and how it ends, if it does.
fn received(data: &[u8], bits: u8, size: usize, delivery: Delivery) -> (Vec<u8>, Option<Outcome>) {
    let mut config = Config::default();
    config.delivery = delivery;
    config.limits.message = Some(50_000);
    let mut connection = Connection::client(config, || [0; 4], Timestamp::ZERO);
    let mut agreed = Agreed::new(Deflate::client());
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
