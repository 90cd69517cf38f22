#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Compress;

fuzz_target!(|input: Compress<'_>| ws_fuzz::targets::deflate_compress(input));
