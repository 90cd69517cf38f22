//! Compression: permessage-deflate (RFC 7692).
mod blocks;
mod codes;
mod compress;
mod huffman;
mod inflate;

pub use self::compress::Compressor;
pub use self::inflate::{Corrupt, Inflater};
