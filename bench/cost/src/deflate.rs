//! DEFLATE put together bit by bit (RFC 1951).

/// Bits, the first one lowest.
#[derive(Clone, Default)]
pub(crate) struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

/// The order in which the lengths of the code of code lengths stand.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

impl Bits {
    /// The low bits of a number, the lowest first.
    pub(crate) fn put(&mut self, value: u64, n: u32) -> &mut Self {
        for i in 0..n {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> i & 1) as u8;
            *self.bytes.last_mut().expect("there is one") |= bit << (self.count % 8);
            self.count += 1;
        }
        self
    }

    /// A Huffman code, its highest bit first.
    pub(crate) fn code(&mut self, code: u64, n: u32) -> &mut Self {
        self.put(code.reverse_bits() >> (64 - n.max(1)), n)
    }

    fn align(&mut self) {
        self.count = self.bytes.len() * 8;
    }

    /// A stored block.
    pub(crate) fn stored(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(0, 3).align();
        let len = bytes.len() as u16;
        self.put(len.into(), 16).put((!len).into(), 16);
        for byte in bytes {
            self.put(u64::from(*byte), 8);
        }
        self
    }

    /// The beginning of a block with fixed codes, and a literal, a match, or the end of it.
    pub(crate) fn fixed(&mut self) -> &mut Self {
        self.put(0b010, 3)
    }

    pub(crate) fn fixed_literal(&mut self, byte: u8) -> &mut Self {
        match byte {
            0..144 => self.code(u64::from(byte) + 48, 8),
            _ => self.code(u64::from(byte) + 256, 9),
        }
    }

    /// A match of 3 bytes from the one before, or of 258.
    pub(crate) fn fixed_match(&mut self, long: bool) -> &mut Self {
        match long {
            false => self.code(1, 7),
            true => self.code(285 - 280 + 192, 8),
        };
        self.code(0, 5)
    }

    pub(crate) fn fixed_end(&mut self) -> &mut Self {
        self.code(0, 7)
    }

    /// The header of a block with codes of its own: how long the codes of literals and distances are.
    ///
    /// The lengths are told in a code of which every one that occurs has the same length, and repetitions are used
    /// where `repeated` says so.
    pub(crate) fn dynamic(&mut self, literals: &[u8], distances: &[u8], repeated: bool) -> &mut Self {
        let symbols = tell(&[literals, distances].concat(), repeated);
        let mut used: Vec<usize> = symbols.iter().map(|(symbol, ..)| *symbol).collect();
        used.sort_unstable();
        used.dedup();
        // A complete code: of n symbols, those that are there twice as short as others where n is no power of two.
        while used.len() < 2 {
            used.push((0..19).find(|symbol| !used.contains(symbol)).expect("one is free"));
        }
        let bits = used.len().next_power_of_two().ilog2();
        let short = (1 << bits) - used.len();
        let mut lengths = [0; 19];
        for (i, &symbol) in used.iter().enumerate() {
            lengths[symbol] = if i < short { bits - 1 } else { bits };
        }
        let codes = canonical(&lengths);
        let told = ORDER.iter().rposition(|&symbol| lengths[symbol] > 0).map_or(4, |i| (i + 1).max(4));
        self.put(0b100, 3);
        self.put(literals.len() as u64 - 257, 5).put(distances.len() as u64 - 1, 5).put(told as u64 - 4, 4);
        for &symbol in &ORDER[..told] {
            self.put(lengths[symbol].into(), 3);
        }
        for (symbol, extra, n) in symbols {
            self.code(codes[symbol], lengths[symbol]).put(extra, n);
        }
        self
    }

    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }

    /// Whether it ends with a byte.
    pub(crate) fn is_aligned(&self) -> bool {
        self.count.is_multiple_of(8)
    }
}

/// Code length symbols, and their extra bits.
fn tell(lengths: &[u8], repeated: bool) -> Vec<(usize, u64, u32)> {
    let mut symbols = vec![];
    let mut at = 0;
    while at < lengths.len() {
        let length = lengths[at];
        let run = lengths[at..].iter().take_while(|other| **other == length).count();
        let (n, symbol) = match (repeated, length, run) {
            (true, 0, 11..) => (run.min(138), (18, run.min(138) as u64 - 11, 7)),
            (true, 0, 3..) => (run, (17, run as u64 - 3, 3)),
            (true, _, 4..) => {
                symbols.push((usize::from(length), 0, 0));
                at += 1;
                let run = (run - 1).min(6);
                (run, (16, run as u64 - 3, 2))
            }
            _ => (1, (usize::from(length), 0, 0)),
        };
        symbols.push(symbol);
        at += n;
    }
    symbols
}

/// The codes of these lengths (RFC 1951 §3.2.2).
pub(crate) fn canonical(lengths: &[u32]) -> Vec<u64> {
    let mut codes = vec![0; lengths.len()];
    let mut code = 0;
    for length in 1..=15 {
        for (symbol, _) in lengths.iter().enumerate().filter(|(_, other)| **other == length) {
            codes[symbol] = code;
            code += 1;
        }
        code <<= 1;
    }
    codes
}
