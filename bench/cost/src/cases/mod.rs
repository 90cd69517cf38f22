//! Expensive inputs, guessed or found by the search.

mod echoes;
mod found;
mod heads;
mod messages;
mod streams;

use ws_test_support::frames::frame;

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

pub(crate) fn all() -> Vec<Case> {
    let inflating = streams::all().into_iter().map(|(name, deflate)| Case {
        name: name.into(),
        subject: Subject::Inflater,
        input: deflate.clone(),
        deflate,
    });
    inflating.chain(echoes::all()).chain(messages::all()).chain(heads::all()).chain(found::all()).collect()
}

/// A frame from a server.
fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.repeat(LEN.div_ceil(piece.len()))
}
