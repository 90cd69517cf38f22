//! The crates, behind one interface.

mod flate2;
mod miniz_oxide;
mod ours;
mod zlib_rs;

/// The end of an empty stored block, which compressed messages are without.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// A crate with its settings.
pub trait Codec {
    fn name(&self) -> &'static str;

    /// How far back it looks: 2 to the power of so many bytes.
    fn window_bits(&self) -> u8;

    /// What compresses one message after the other; with `history` each in view of those before it.
    fn compressor(&self, history: bool) -> Box<dyn Compress>;

    /// What inflates one message after the other.
    fn inflater(&self, history: bool) -> Box<dyn Inflate>;
}

pub trait Compress {
    /// Writes a compressed message, tail and all, to the front of `out`, which has room for it; how many bytes it has.
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize;
}

pub trait Inflate {
    /// Writes what a message without its tail inflates to, to the front of `out`, which has room for it; how many bytes
    /// it has.
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize;
}

/// All of them, those with equal windows beside each other and ours first.
pub fn all() -> Vec<Vec<Box<dyn Codec>>> {
    vec![
        vec![Box::new(ours::Ours::NARROW), Box::new(zlib_rs::ZlibRs::NARROW)],
        vec![
            Box::new(ours::Ours::WIDE),
            Box::new(zlib_rs::ZlibRs::WIDE),
            Box::new(miniz_oxide::MinizOxide),
            Box::new(flate2::Flate2),
        ],
    ]
}

/// All of `out`, for crates that write into a slice.
fn whole(out: &mut Vec<u8>) -> &mut [u8] {
    if out.len() < out.capacity() {
        out.resize(out.capacity(), 0);
    }
    out
}
