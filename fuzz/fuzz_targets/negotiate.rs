#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Negotiation;

fuzz_target!(|input: Negotiation<'_>| ws_fuzz::targets::negotiate(input));
