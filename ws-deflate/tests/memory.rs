//! Bytes on the heap, by an allocator that counts. Without the test harness, whose own thread allocates meanwhile.

use peak_alloc::PeakAlloc;
use ws_deflate::{Compressor, Inflater, Settings};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// JSON, in which ids and scores differ.
fn message(len: usize) -> Vec<u8> {
    let items = (0_u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40);
    let mut text = String::new();
    for n in items {
        text += &format!("{{\"id\":{n},\"active\":{},\"score\":{}.5}},", n % 2 == 0, n % 1000);
        if text.len() >= len {
            break;
        }
    }
    text.truncate(len);
    text.into_bytes()
}

/// What `work` leaves allocated, and the most that was allocated meanwhile.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let result = work();
    (result, HEAP.current_usage() - before, HEAP.peak_usage() - before)
}

fn main() {
    let messages = [64, 1000, 20_000, 70_000, 300_000].map(message);
    let mut out = Vec::with_capacity(1 << 20);
    for (bits, memory_level, kept) in [(9, 5, 10), (12, 5, 24), (15, 5, 136), (12, 8, 80), (15, 8, 192)] {
        let settings = Settings::new().window_bits(bits).level(6).memory_level(memory_level);
        let (mut compressor, held, _) = measured(|| Compressor::new(settings));
        assert_eq!(held, 0, "nothing before it is used");
        let mut held = 0;
        for message in &messages {
            out.clear();
            let ((), more, most) = measured(|| compressor.compress(message, &mut out));
            held += more;
            assert!(held <= kept << 10, "window {bits}, memory level {memory_level}: {held}");
            // Besides, the symbols of a block, 4 bytes each; and what was held of the window, while that grows and is copied.
            let besides = (256 << memory_level) + 128 + (1 << bits);
            assert!(held - more + most <= (kept << 10) + besides, "{bits}, {memory_level}: {most}");
        }
        assert!(held > (kept << 10) * 9 / 10, "the documentation says too much: {held} of {kept} KiB");
    }

    // A message alone takes what it needs: itself, tables as large as it is, symbols.
    for message in &messages[..2] {
        out.clear();
        let ((), held, most) =
            measured(|| Compressor::for_message(message.len(), Settings::new()).compress(message, &mut out));
        assert_eq!(held, 0);
        assert!(most <= 13 * message.len() + 2048, "{} bytes took {most}", message.len());
    }

    // An inflater takes nothing but the codes that blocks bring, and keeps them for the next block.
    for (message, expected) in [(&messages[0], 0), (&messages[2], 5 << 10)] {
        let mut data = Vec::new();
        Compressor::new(Settings::new()).compress(message, &mut data);
        let mut inflater = Inflater::new(15);
        out.clear();
        let (result, held, most) = measured(|| inflater.inflate(&mut data.as_slice(), &mut out, usize::MAX));
        assert_eq!((result, out.as_slice()), (Ok(()), message.as_slice()));
        assert_eq!(held, most);
        assert!(held <= expected && (expected == 0) == (held == 0), "{held}");
    }
}
