//! How to compress.

/// How a [`Compressor`](crate::Compressor) compresses. A value outside its range becomes the nearest one in it.
///
/// Two compressors with equal settings turn the same messages into the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub(crate) window_bits: u8,
    pub(crate) level: u8,
    pub(crate) memory_level: u8,
}

impl Settings {
    /// A window of 15 bits, level 4 and memory level 8.
    pub const fn new() -> Self {
        Self { window_bits: 15, level: 4, memory_level: 8 }
    }

    /// Sets how far back matches may lie: 2 to the power of `bits` bytes, 8 to 15. The receiver must keep as much.
    #[must_use]
    pub const fn window_bits(mut self, bits: u8) -> Self {
        self.window_bits = within(8, bits, 15);
        self
    }

    /// Sets how hard matches are searched for: from 1, fast, to 9, small.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = within(1, level, 9);
        self
    }

    /// Sets the size of the hash table, 2 to the power of 8 + `level` bytes, and of blocks, up to 2 to the power of
    /// 6 + `level` symbols: 1 to 9.
    #[must_use]
    pub const fn memory_level(mut self, level: u8) -> Self {
        self.memory_level = within(1, level, 9);
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

const fn within(least: u8, value: u8, most: u8) -> u8 {
    if value < least {
        least
    } else if value > most {
        most
    } else {
        value
    }
}
