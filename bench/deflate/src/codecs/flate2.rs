use flate2::{Compression, FlushCompress, FlushDecompress};

use super::{Codec, Compress, Inflate, TAIL};

/// flate2 with its default backend, which has no windows but those of 32 KiB, and its default level.
pub(super) struct Flate2;

impl Codec for Flate2 {
    fn name(&self) -> &'static str {
        "flate2"
    }

    fn window_bits(&self) -> u8 {
        15
    }

    fn compressor(&self, history: bool) -> Box<dyn Compress> {
        Box::new(Compressing { compress: flate2::Compress::new(Compression::default(), false), history })
    }

    fn inflater(&self, history: bool) -> Box<dyn Inflate> {
        Box::new(Inflating { decompress: flate2::Decompress::new(false), history })
    }
}

struct Compressing {
    compress: flate2::Compress,
    history: bool,
}

impl Compress for Compressing {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        if !self.history {
            self.compress.reset();
        }
        self.compress.compress_vec(input, out, FlushCompress::Sync).expect("room");
        out.len()
    }
}

struct Inflating {
    decompress: flate2::Decompress,
    history: bool,
}

impl Inflate for Inflating {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        if !self.history {
            self.decompress.reset(false);
        }
        for mut input in [input, &TAIL] {
            while !input.is_empty() {
                let before = self.decompress.total_in();
                self.decompress.decompress_vec(input, out, FlushDecompress::Sync).expect("valid");
                input = &input[(self.decompress.total_in() - before) as usize..];
            }
        }
        loop {
            let before = out.len();
            let _ = self.decompress.decompress_vec(&[], out, FlushDecompress::Sync);
            if out.len() == before {
                return before;
            }
        }
    }
}
