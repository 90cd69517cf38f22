//! RFC 9110 §15.2: interim responses.

use super::*;

#[test]
fn interim_responses_are_skipped() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nUpgrade: no\r\n\r\n";
    let head = [interim, &response(&[], "")[..]].concat();
    let input = [&head, &b"\x81\x00"[..]].concat();
    assert_eq!(receive(&input).unwrap().consumed, head.len());
    let refused = [interim, &b"HTTP/1.1 403 Forbidden\r\n\r\nNo."[..]].concat();
    let HandshakeError::Rejected { response, consumed } = receive(&refused).unwrap_err() else { panic!() };
    assert_eq!(response.status(), 403);
    assert_eq!(&refused[consumed..], b"No.");
    assert!(handshake().receive(interim).unwrap().is_none());
}
