//! The settings of a compressor.

/// The settings of a [`Compressor`](crate::Compressor). A value outside its range becomes the nearest one in it.
///
/// Compressors with equal settings produce the same bytes from the same messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub(crate) window_bits: u8,
    pub(crate) level: u8,
    pub(crate) memory_level: u8,
}

impl Settings {
    /// The default settings: a window of 15 bits (32 KiB), level 4 and memory level 8.
    pub const fn new() -> Self {
        Self { window_bits: 15, level: 4, memory_level: 8 }
    }

    /// Sets the size of the window to 2 to the power of `bits` bytes: 8 to 15, for 256 bytes to 32 KiB. The receiver must keep as
    /// much.
    #[must_use]
    pub const fn window_bits(mut self, bits: u8) -> Self {
        self.window_bits = within(8, bits, 15);
        self
    }

    /// Sets the effort of the search for matches, from 1 (fast) to 9 (small).
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = within(1, level, 9);
        self
    }

    /// Sets the memory level, 1 to 9. The hash table has 2 to the power of 8 + `level` bytes, and a block has up to 2 to the
    /// power of 6 + `level` symbols.
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
