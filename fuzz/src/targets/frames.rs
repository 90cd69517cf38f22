//! Any bytes from the wire, cut anywhere, while time passes and the transport takes much or little: no panic, and the
//! assertions of [`Driven`].

use std::time::Duration;

use ws_proto::frame::codec;

use crate::driven::Driven;
use crate::input::{Time, Wire, Writes};
use crate::naive;

pub fn frames(input: Wire) {
    check_codec(&input.bytes);

    let setup = &input.setup;
    let mut end = Driven::new(setup);
    for piece in input.cuts.pieces(&input.bytes) {
        end.read(piece);
        match setup.writes {
            Writes::Nothing => {}
            Writes::Everything => end.write(usize::MAX),
            Writes::OneByte => end.write(1),
            Writes::Some => end.write_vectored(100),
        }
        match setup.time {
            Time::Stands => {}
            Time::Millisecond => end.pass(Duration::from_millis(1)),
            Time::Second => end.pass(Duration::from_secs(1)),
            Time::Deadline => end.pass_to_deadline(),
        }
    }
    end.check_idle();
    end.end(setup.ending);
}

/// Headers survive being decoded and encoded.
fn check_codec(bytes: &[u8]) {
    let Ok(Some((header, size))) = codec::decode(bytes) else { return };
    let mut encoded = vec![];
    codec::encode(&header, &mut encoded);
    assert_eq!(encoded, bytes[..size]);
    if let Some(frame) = naive::frame(bytes) {
        assert_eq!((header.len, header.mask.is_some()), (frame.payload.len() as u64, frame.masked));
        assert_eq!((header.fin, header.rsv, header.opcode as u8), (frame.fin, frame.rsv, frame.opcode));
        assert_eq!(size + frame.payload.len(), frame.size);
    }
}
