use ws_deflate::{Compressor, Inflater, Settings};

use super::{Codec, Compress, Inflate};

/// As `ws-proto` uses it.
pub(super) struct Ours {
    name: &'static str,
    window_bits: u8,
    memory_level: u8,
}

impl Ours {
    /// A server's defaults.
    pub(super) const NARROW: Self = Self { name: "ws-deflate", window_bits: 12, memory_level: 5 };

    pub(super) const WIDE: Self = Self { name: "ws-deflate", window_bits: 15, memory_level: 8 };

    fn settings(&self) -> Settings {
        Settings::new().window_bits(self.window_bits).memory_level(self.memory_level)
    }
}

impl Codec for Ours {
    fn name(&self) -> &'static str {
        self.name
    }

    fn window_bits(&self) -> u8 {
        self.window_bits
    }

    fn compressor(&self, history: bool) -> Box<dyn Compress> {
        match history {
            true => Box::new(Stream(Compressor::new(self.settings()))),
            false => Box::new(Single(self.settings())),
        }
    }

    fn inflater(&self, history: bool) -> Box<dyn Inflate> {
        match history {
            true => Box::new(Window { bits: self.window_bits, bytes: Vec::new() }),
            false => Box::new(Fresh(self.window_bits)),
        }
    }
}

struct Stream(Compressor);

impl Compress for Stream {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        self.0.compress(input, out);
        out.len()
    }
}

struct Single(Settings);

impl Compress for Single {
    fn message(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        Compressor::for_message(input.len(), self.0).compress(input, out);
        out.len()
    }
}

struct Fresh(u8);

impl Inflate for Fresh {
    fn message(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        let mut inflater = Inflater::new(self.0);
        inflater.inflate(&mut input, out, usize::MAX).expect("valid");
        inflater.finish(out).expect("whole");
        out.len()
    }
}

/// What can be looked back on, and what was inflated last behind it: 48 KiB at most, as `ws-proto` keeps it.
struct Window {
    bits: u8,
    bytes: Vec<u8>,
}

impl Window {
    /// Room for so many bytes more; where it begins.
    fn make_room(&mut self, more: usize) -> usize {
        let size = 1 << self.bits;
        let most = size + size.min(16 << 10);
        if self.bytes.capacity() < most {
            self.bytes.reserve_exact(most - self.bytes.len());
        }
        if self.bytes.len() + more > most {
            self.bytes.drain(..self.bytes.len().saturating_sub(size));
        }
        self.bytes.len()
    }
}

impl Inflate for Window {
    fn message(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> usize {
        out.clear();
        let mut inflater = Inflater::new(self.bits);
        // In steps that fit, each copied out.
        let step = (8 << 10).min(1 << (self.bits - 1));
        while !input.is_empty() {
            let before = self.make_room(step + Inflater::OVERSHOOT);
            inflater.inflate(&mut input, &mut self.bytes, step).expect("valid");
            out.extend_from_slice(&self.bytes[before..]);
        }
        let before = self.bytes.len();
        inflater.finish(&mut self.bytes).expect("whole");
        out.extend_from_slice(&self.bytes[before..]);
        out.len()
    }
}
