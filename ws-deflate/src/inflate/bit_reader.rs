//! Reading bits from the input.

/// Bits that were read ahead, the next one lowest.
#[derive(Clone, Copy)]
pub(super) struct BitReader {
    pub(super) bits: u64,
    pub(super) count: u32,
}

impl BitReader {
    /// The next `n` bits, at most 32. `None` when there are too few.
    pub(super) fn peek(&mut self, input: &mut &[u8], n: u32) -> Option<u64> {
        if self.count < n {
            self.refill(input);
        }
        (self.count >= n).then_some(self.bits & ((1 << n) - 1))
    }

    #[inline]
    pub(super) fn skip(&mut self, n: u32) {
        self.bits >>= n;
        self.count -= n;
    }

    /// Reads ahead until at least 56 bits are held, or the input is used up.
    #[inline]
    pub(super) fn refill(&mut self, input: &mut &[u8]) {
        if let Some(chunk) = input.first_chunk::<8>() {
            let bytes = (63 - self.count) / 8;
            let fresh = u64::from_le_bytes(*chunk) & ((1 << (bytes * 8)) - 1);
            self.bits |= fresh << self.count;
            self.count += bytes * 8;
            *input = input.get(bytes as usize..).unwrap_or_default();
            return;
        }
        while self.count <= 56
            && let Some((&byte, rest)) = input.split_first()
        {
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
            *input = rest;
        }
    }
}
