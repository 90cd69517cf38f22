//! Bytes on the heap for each stream, by an allocator that counts: what is held between two messages, and the most while a
//! message is compressed or inflated. What the message itself and its compressed form take is not in it.

use deflate::codecs::{self, Codec, TAIL};
use deflate::messages::Kind;
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() {
    println!("| messages | history | window | crate | compressing, held | at most | inflating, held | at most |");
    println!("| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |");
    for size in [64, 250, 1024, 16 << 10] {
        let messages = Kind::Json.messages(size);
        for history in [false, true] {
            for codec in codecs::all().iter().flatten() {
                let [held, most, inflating_held, inflating_most] = measure(&**codec, &messages, history);
                let (window, name) = (codec.window_bits(), codec.name());
                let history = if history { "yes" } else { "no" };
                println!(
                    "| {size} B JSON | {history} | {window} | {name} | {held} | {most} | {inflating_held} | {inflating_most} |"
                );
            }
        }
    }
}

fn measure(codec: &dyn Codec, messages: &[Vec<u8>], history: bool) -> [usize; 4] {
    let mut out = Vec::with_capacity(64 << 10);
    let mut data: Vec<Vec<u8>> = messages.iter().map(|message| Vec::with_capacity(message.len() + 64)).collect();

    let before = start();
    let mut compressor = codec.compressor(history);
    for (message, data) in messages.iter().zip(&mut data) {
        let len = compressor.message(message, &mut out);
        data.extend_from_slice(out[..len].strip_suffix(&TAIL).expect("it ends with an empty stored block"));
    }
    let [held, most] = since(before);
    drop(compressor);

    let before = start();
    let mut inflater = codec.inflater(history);
    for (data, message) in data.iter().zip(messages) {
        let len = inflater.message(data, &mut out);
        assert!(out[..len] == **message);
    }
    let [inflating_held, inflating_most] = since(before);
    [held, most, inflating_held, inflating_most]
}

/// What is allocated now; the most is counted anew from here.
fn start() -> usize {
    HEAP.reset_peak_usage();
    HEAP.current_usage()
}

fn since(before: usize) -> [usize; 2] {
    [HEAP.current_usage() - before, HEAP.peak_usage() - before]
}
