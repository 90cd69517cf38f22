//! `ws-deflate` inflates: whatever comes, cut anywhere and with any room, inflates to the same, a little at a time; another
//! implementation agrees; a smaller window refuses more, and changes nothing else.
//!
//! | byte | bits | meaning |
//! | --- | --- | --- |
//! | 0 | 0–2 | window bits, 8 to 15 |
//! | 1 | | the size of the pieces; 0 for all at once |
//! | 2 | 4–7 | the room there is, 4^n bytes |

use arbitrary::Arbitrary;
use ws_deflate::{Corrupt, Inflater, TAIL};
use zlib_rs::{Inflate as Other, InflateFlush, Status};

/// What is inflated at most.
pub(super) const MOST: usize = 200_000;

#[derive(Arbitrary, Debug)]
pub struct Inflate<'a> {
    pub setup: [u8; 3],
    pub data: &'a [u8],
}

impl Inflate<'_> {
    pub(super) fn window_bits(&self) -> u8 {
        8 + (self.setup[0] & 7)
    }

    pub(super) fn size(&self) -> usize {
        if self.setup[1] == 0 { usize::MAX } else { usize::from(self.setup[1]) }
    }
}

pub fn deflate_inflate(input: Inflate<'_>) {
    let (bits, size, data) = (input.window_bits(), input.size(), input.data);
    let room = 1 << (2 * (input.setup[2] >> 4)).min(20);
    let (whole, out) = run(15, data, usize::MAX, MOST, vec![]);
    let (cut, cut_out) = run(15, data, size, room, vec![]);
    if out.len() < MOST && cut_out.len() < MOST {
        assert_eq!((whole, &out), (cut, &cut_out), "in pieces of {size} with room for {room}");
        agree(data, whole, &out);
    }
    // A smaller window refuses more, and changes nothing else.
    let (narrow, narrow_out) = run(bits, data, size, room, vec![]);
    assert!(out.starts_with(&narrow_out) || out.len() >= MOST || narrow_out.len() >= MOST);
    assert!(narrow.is_err() || whole.is_ok() || out.len() >= MOST || narrow_out.len() >= MOST);
}

/// Inflates a message, looking back on `out`; whether it is one, and what came of it. It stops at [`MOST`].
pub(super) fn run(bits: u8, data: &[u8], size: usize, room: usize, mut out: Vec<u8>) -> (Result<(), Corrupt>, Vec<u8>) {
    let mut inflater = Inflater::new(bits);
    let start = out.len();
    for mut piece in data.chunks(size) {
        while !piece.is_empty() {
            let (before, left) = (out.len(), piece.len());
            if let Err(corrupt) = inflater.inflate(&mut piece, &mut out, room) {
                assert!(inflater.inflate(&mut piece, &mut out, room).is_err(), "and it stays so");
                return (Err(corrupt), out.split_off(start));
            }
            assert!(
                out.len() - before <= room.saturating_add(Inflater::OVERSHOOT),
                "{} bytes for {room}",
                out.len() - before
            );
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
