#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::input::Wire;

fuzz_target!(|input: Wire| ws_fuzz::targets::frames(input));
