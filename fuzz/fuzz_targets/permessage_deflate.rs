#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Inflate;

fuzz_target!(|input: Inflate<'_>| ws_fuzz::targets::permessage_deflate(input));
