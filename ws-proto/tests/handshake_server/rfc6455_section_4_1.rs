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

fn offering(lines: &[&[u8]]) -> Vec<u8> {
    let mut input = request(&[], "");
    input.truncate(input.len() - 2);
    for line in lines {
        input.extend_from_slice(&[&b"Sec-WebSocket-Protocol:"[..], line, b"\r\n"].concat());
    }
    input.extend_from_slice(b"\r\n");
    input
}

/// RFC 9110 §5.6.1.2: a recipient ignores a reasonable number of empty list elements.
#[test]
fn h10_empty_elements_are_ignored() {
    for lines in [&[&b""[..]][..], &[b" "], &[b","], &[b" \t, ,"], &[b"", b""], &[b"", b" , "]] {
        let response = accepted(&offering(lines));
        assert!(!response.contains("Sec-WebSocket-Protocol"), "{lines:?}: {response}");
    }
    for lines in [
        &[&b"chat,"[..]][..],
        &[b",chat"],
        &[b" , chat ,"],
        &[b"x,,chat"],
        &[b"chat", b""],
        &[b"", b"chat"],
        &[b"\t,\t", b"x,", b",chat,"],
    ] {
        let response = accepted(&offering(lines));
        assert!(response.contains("\r\nSec-WebSocket-Protocol: chat\r\n"), "{lines:?}: {response}");
    }
}

#[test]
fn h10_subprotocols() {
    for (offer, named) in [
        (&b"chat, chat"[..], r#"offers "chat" twice"#),
        (b"chat,,x, chat", r#"offers "chat" twice"#),
        (b"chat chat", r#"offers "chat chat", which is not a token"#),
        (b"x, \"chat\"", r#"offers "\"chat\"", which is not a token"#),
        (b"chat/1", r#"offers "chat/1", which is not a token"#),
        (b"chat, a\tb\xE2\x80\xAE", r#"offers "a\tb\u{202e}", which is not a token"#),
        (b"ch\xFFat", r#"offers "ch\xffat", which is not a token"#),
        (b"\xFF,chat", r#"offers "\xff", which is not a token"#),
    ] {
        let response = rejected(BAD_REQUEST, &offering(&[offer]));
        assert!(response.contains(named), "{response}");
    }
    rejected(BAD_REQUEST, &request(&[], "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: x, chat\r\n"));
    let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x\r\nsec-websocket-protocol: chat\r\n"));
    assert!(response.contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
    let response = accepted(&request(&[], "Sec-WebSocket-Protocol: x, Chat\r\n"));
    assert!(!response.contains("Sec-WebSocket-Protocol"), "names are compared with regard to case");
}
