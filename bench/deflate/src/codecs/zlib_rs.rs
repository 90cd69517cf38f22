use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate as Inflater, InflateFlush};

use super::{Codec, Compress, Inflate, TAIL, whole};

/// zlib-rs at zlib's default level.
pub(super) struct ZlibRs {
    window_bits: u8,
    memory_level: i32,
}

impl ZlibRs {
    pub(super) const NARROW: Self = Self { window_bits: 12, memory_level: 5 };
    pub(super) const WIDE: Self = Self { window_bits: 15, memory_level: 8 };
}

impl Codec for ZlibRs {
    fn name(&self) -> &'static str {
        "zlib-rs"
    }

    fn window_bits(&self) -> u8 {
        self.window_bits
    }

    fn compressor(&self, history: bool) -> Box<dyn Compress> {
        let config = DeflateConfig {
            level: 6,
            window_bits: -i32::from(self.window_bits),
            mem_level: self.memory_level,
            ..DeflateConfig::default()
        };
        Box::new(Compressing { deflate: Deflate::new_with_config(config), history })
    }

    fn inflater(&self, history: bool) -> Box<dyn Inflate> {
        Box::new(Inflating { inflate: Inflater::new(false, self.window_bits), history })
    }
}

struct Compressing {
    deflate: Deflate,
    history: bool,
}

impl Compress for Compressing {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        if !self.history {
            self.deflate.reset();
        }
        let before = self.deflate.total_out();
        self.deflate.compress(input, whole(out), DeflateFlush::SyncFlush).expect("room");
        (self.deflate.total_out() - before) as usize
    }
}

struct Inflating {
    inflate: Inflater,
    history: bool,
}

impl Inflate for Inflating {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        if !self.history {
            self.inflate.reset(false);
        }
        let before = self.inflate.total_out();
        let out = whole(out);
        self.inflate.decompress(input, out, InflateFlush::SyncFlush).expect("valid");
        let len = (self.inflate.total_out() - before) as usize;
        self.inflate.decompress(&TAIL, &mut out[len..], InflateFlush::SyncFlush).expect("whole");
        (self.inflate.total_out() - before) as usize
    }
}
