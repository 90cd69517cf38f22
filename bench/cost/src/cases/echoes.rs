//! Payloads that are dear to compress.

use super::{Case, LEN};
use crate::subjects::Subject;
use ws_test_support::random::Random;

pub(super) fn all() -> Vec<Case> {
    let mut random = Random(1951);
    let mut noise = |len: usize, among: usize| (0..len).map(|_| b'a' + random.below(among) as u8).collect::<Vec<_>>();
    let json = br#"{"id":4711,"name":"alice","active":true}"#;
    // Places that look alike by their first bytes, and then do not.
    let alike = (0..LEN as u32 / 16).flat_map(|i| [b"abcdabcdabcd".as_slice(), &i.to_be_bytes()].concat()).collect();
    // Each match is a little longer than the one before.
    let longer = (0..90).flat_map(|n| [vec![b'a'; n], vec![b'b']].concat()).collect();
    [
        ("a byte", vec![b'a']),
        ("JSON of 40 bytes", json.to_vec()),
        ("JSON of 160 bytes", [json.repeat(4)].concat()),
        ("one byte again and again", vec![b'a'; LEN]),
        ("two bytes at random", noise(LEN, 2)),
        ("four bytes at random", noise(LEN, 4)),
        ("26 bytes at random", noise(LEN, 26)),
        ("noise", noise(LEN, 256)),
        ("beginnings of matches", alike),
        ("longer and longer matches", longer),
    ]
    .map(|(name, input)| Case {
        name: format!("compressing {name}"),
        subject: Subject::Compressor,
        input,
        deflate: vec![],
    })
    .into()
}
