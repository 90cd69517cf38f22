//! Nanoseconds and bytes per second: `cargo bench -p frames`. What is to be compared stands side by side.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use frames::{BATCH, Input};
use ws_proto::frame::mask;
use ws_proto::utf8::Utf8Stream;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const SIZES: [usize; 4] = [16, 1 << 10, 16 << 10, 64 << 10];

fn main() {
    divan::main();
}

/// Header, unmasking and event; an item is a frame.
#[divan::bench(args = [16, 125])]
fn receive_64_frames(bencher: Bencher<'_, '_>, payload_len: u8) {
    let mut input = Input::new(payload_len);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(move || input.receive());
}

#[divan::bench_group]
mod unmask {
    use super::*;

    #[divan::bench(args = SIZES)]
    fn apply(bencher: Bencher<'_, '_>, size: usize) {
        let mut payload = vec![7; size];
        bencher.counter(BytesCount::new(size)).bench_local(move || mask::apply(black_box(&mut payload), KEY));
    }

    #[divan::bench(args = SIZES)]
    fn memcpy(bencher: Bencher<'_, '_>, size: usize) {
        let (from, mut to) = (vec![7_u8; size], vec![0; size]);
        bencher
            .counter(BytesCount::new(size))
            .bench_local(move || black_box(&mut to).copy_from_slice(black_box(&from)));
    }
}

#[divan::bench_group]
mod mask_while_copying {
    use super::*;

    #[divan::bench(args = SIZES)]
    fn append(bencher: Bencher<'_, '_>, size: usize) {
        let (payload, mut out) = (vec![7; size], Vec::with_capacity(size));
        bencher.counter(BytesCount::new(size)).bench_local(move || {
            out.clear();
            mask::append(black_box(&mut out), black_box(&payload), KEY);
        });
    }

    #[divan::bench(args = SIZES)]
    fn extend_from_slice(bencher: Bencher<'_, '_>, size: usize) {
        let (payload, mut out) = (vec![7_u8; size], Vec::with_capacity(size));
        bencher.counter(BytesCount::new(size)).bench_local(move || {
            out.clear();
            black_box(&mut out).extend_from_slice(black_box(&payload));
        });
    }
}

#[divan::bench_group]
mod utf8 {
    use super::*;

    #[divan::bench(args = SIZES)]
    fn ascii(bencher: Bencher<'_, '_>, size: usize) {
        check(bencher, "all of it is ASCII. ", size);
    }

    #[divan::bench(args = SIZES)]
    fn not_ascii(bencher: Bencher<'_, '_>, size: usize) {
        check(bencher, "Съешь же ещё этих мягких французских булок. いろはにほへと 🦀 ", size);
    }

    fn check(bencher: Bencher<'_, '_>, text: &str, size: usize) {
        let text = text.repeat(size / text.len() + 1);
        let text = &text.as_bytes()[..size];
        bencher.counter(BytesCount::new(size)).bench_local(|| Utf8Stream::default().push(black_box(text)).is_ok());
    }
}
