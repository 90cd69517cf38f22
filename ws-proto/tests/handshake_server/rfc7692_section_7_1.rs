//! RFC 7692 §7.1: the parameters of permessage-deflate.

use super::*;

/// A server that was not told of any extension declines every offer, however wrong its parameters. `deflate/negotiation.rs`
/// holds what one that compresses answers.
#[test]
fn h13_h14_permessage_deflate_is_declined() {
    for params in [
        "",
        "; client_max_window_bits",
        "; server_max_window_bits=7",
        "; server_max_window_bits=8",
        "; server_max_window_bits=16",
        "; server_max_window_bits=08",
        "; server_max_window_bits",
        "; server_max_window_bits=10; server_max_window_bits=10",
        "; server_no_context_takeover=1",
        "; unknown",
    ] {
        let offer = format!("Sec-WebSocket-Extensions: permessage-deflate{params}, permessage-deflate\r\n");
        let response = accepted(&request(&[], &offer));
        assert!(!response.contains("Sec-WebSocket-Extensions"), "{response}");
    }
}
