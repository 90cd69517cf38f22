use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, MinReset, inflate};
use miniz_oxide::{DataFormat, MZFlush};

use super::{Codec, Compress, Inflate, TAIL, whole};

/// miniz_oxide at its default level. Its window is always 32 KiB.
pub(super) struct MinizOxide;

impl Codec for MinizOxide {
    fn name(&self) -> &'static str {
        "miniz_oxide"
    }

    fn window_bits(&self) -> u8 {
        15
    }

    fn compressor(&self, history: bool) -> Box<dyn Compress> {
        // Window bits of 0 or less mean raw DEFLATE here, whatever their number.
        let flags = create_comp_flags_from_zip_params(6, -15, 0);
        Box::new(Compressing { compressor: Box::new(CompressorOxide::new(flags)), history })
    }

    fn inflater(&self, history: bool) -> Box<dyn Inflate> {
        Box::new(Inflating { state: InflateState::new_boxed(DataFormat::Raw), history })
    }
}

struct Compressing {
    compressor: Box<CompressorOxide>,
    history: bool,
}

impl Compress for Compressing {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        if !self.history {
            self.compressor.reset();
        }
        let result = deflate(&mut self.compressor, input, whole(out), MZFlush::Sync);
        result.status.expect("room");
        result.bytes_written
    }
}

struct Inflating {
    state: Box<InflateState>,
    history: bool,
}

impl Inflate for Inflating {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        if !self.history {
            self.state.reset_as(MinReset);
        }
        let out = whole(out);
        let mut len = 0;
        for mut input in [input, &TAIL] {
            while !input.is_empty() {
                let result = inflate(&mut self.state, input, &mut out[len..], MZFlush::Sync);
                result.status.expect("valid");
                len += result.bytes_written;
                input = &input[result.bytes_consumed..];
            }
        }
        // What is left in its window comes when it is asked for.
        loop {
            let result = inflate(&mut self.state, &[], &mut out[len..], MZFlush::Sync);
            len += result.bytes_written;
            if result.bytes_written == 0 {
                return len;
            }
        }
    }
}
