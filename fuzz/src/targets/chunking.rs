//! The whole input at once, cut in pieces, and byte by byte, in memory of the driver's or to where the connection says: the
//! same events, when chunks are put together, and the same bytes out. Handing out chunks changes neither messages nor
//! bytes.

use ws_proto::{Delivery, Outcome};

use crate::driven::Driven;
use crate::events::merge;
use crate::input::{Cuts, Ending, Reads, Setup, Wire};
use crate::naive::Item;

pub fn chunking(input: Wire) {
    let Wire { setup, cuts, bytes } = &input;
    let whole = run(setup, Cuts::WHOLE, bytes);
    assert_eq!(run(setup, *cuts, bytes), whole);
    assert_eq!(run(setup, Cuts::BYTES, bytes), whole);
    for reads in [Reads::Elsewhere, Reads::Offered, Reads::Faulty, Reads::InTurns] {
        assert_eq!(run(&Setup { keeps: true, reads, ..setup.clone() }, *cuts, bytes), whole);
    }

    let other = match setup.delivery {
        Delivery::Messages => Delivery::Chunks,
        _ => Delivery::Messages,
    };
    assert_eq!(run(&Setup { delivery: other, ..setup.clone() }, Cuts::ODD, bytes), whole);
}

/// What one end makes of `bytes`, in events and in bytes. It writes nothing before it has read all.
fn run(setup: &Setup, cuts: Cuts, bytes: &[u8]) -> (Vec<Item>, Option<Outcome>, Vec<u8>) {
    let mut end = Driven::new(setup);
    for piece in cuts.pieces(bytes) {
        end.read(piece);
    }
    end.release_close();
    end.end(Ending::Eof);
    let (items, outcome) = merge(&end.seen);
    (items.into_iter().map(|(item, _)| item).collect(), outcome.cloned(), end.stream)
}
