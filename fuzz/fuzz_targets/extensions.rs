#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Extensions;

fuzz_target!(|input: Extensions<'_>| ws_fuzz::targets::extensions(input));
