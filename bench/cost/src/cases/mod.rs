//! What is dear, by a guess or because the search found it.

mod echoes;
mod found;
mod heads;
mod messages;
mod streams;

use crate::subjects::Subject;

/// An input.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) subject: Subject,
    pub(crate) input: Vec<u8>,
    /// The DEFLATE in it, as one stream; nothing where there is none.
    pub(crate) deflate: Vec<u8>,
}

/// About so many bytes each: enough for what happens once in a connection not to count.
const LEN: usize = 4096;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) fn all() -> Vec<Case> {
    let inflating = streams::all().into_iter().map(|(name, deflate)| Case {
        name: name.into(),
        subject: Subject::Inflater,
        input: deflate.clone(),
        deflate,
    });
    inflating.chain(echoes::all()).chain(messages::all()).chain(heads::all()).chain(found::all()).collect()
}

/// A frame from a client.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The same from a server; up to 125 bytes.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    [&[first, payload.len() as u8], payload].concat()
}

fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.repeat(LEN.div_ceil(piece.len()))
}
