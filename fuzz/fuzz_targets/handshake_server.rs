#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_fuzz::targets::Request;

fuzz_target!(|input: Request<'_>| ws_fuzz::targets::handshake_server(input));
