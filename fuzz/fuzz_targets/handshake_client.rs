#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Client;

fuzz_target!(|input: Client<'_>| ws_fuzz::targets::handshake_client(input));
