#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Script;

fuzz_target!(|input: Script| ws_fuzz::targets::messages(input));
