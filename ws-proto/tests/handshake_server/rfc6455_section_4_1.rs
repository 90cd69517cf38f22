//! RFC 6455 §4.1: what clients send.

use super::*;

#[test]
fn h20_frames_pipelined_behind_the_head() {
    for rest in [&b"\x81\x85\x01\x02\x03\x04Igohn"[..], b"\x89\x80\0\0\0\0", b"GET /2 HTTP/1.1\r\n\r\n", b"\0\n\xFF"] {
        let mut input = request(&[], "");
        let head = input.len();
        input.extend_from_slice(rest);
        let (response, left) = answer(&input);
        assert!(response.starts_with("HTTP/1.1 101 "));
        assert_eq!(&input[input.len() - left..], rest);
        assert_eq!(input.len() - left, head);
    }
}

#[test]
fn h10_subprotocols() {
    for offer in [
        &b""[..],
        b",",
        b"chat,",
        b", chat",
        b"chat,,superchat",
        b"chat, chat",
        b"chat chat",
        b"\"chat\"",
        b"chat/1",
        b"ch\xFFat",
        b"\xFF",
    ] {
        let mut input = request(&[], "Sec-WebSocket-Protocol: ");
        input.truncate(input.len() - 2);
        input.extend_from_slice(offer);
        input.extend_from_slice(b"\r\n\r\n");
        rejected(BAD_REQUEST, &input);
    }
    rejected(BAD_REQUEST, &request(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: x, chat\r\n"));
    let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x\r\nsec-websocket-protocol: chat\r\n"));
    assert!(response.contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
    let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x, Chat\r\n"));
    assert!(!response.contains("Sec-WebSocket-Protocol"), "names are compared with regard to case");
}
