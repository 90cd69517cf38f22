//! The opening handshake by hand.

/// The key that [`request`] sends (RFC 6455 §1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What a server answers to [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request with nothing in it but what an upgrade takes, for `/chat`.
pub const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A client's request, with these lines added, each without its line end.
pub fn request(path: &str, lines: &[&str]) -> String {
    let added: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{added}\r\n"
    )
}

/// The 101 that answers the request in `head`.
///
/// # Panics
///
/// When that is not a request that can be accepted.
#[cfg(feature = "handshake")]
pub fn response_to(head: &[u8]) -> Vec<u8> {
    use ws_proto::handshake::encode;
    use ws_proto::handshake::server::{RequestReader, Upgrade};

    let head = RequestReader::new().read(head).expect("a valid request").expect("a complete request");
    let upgrade = Upgrade::new(head.request).expect("a request that can be accepted");
    let accepted = upgrade.accept(None, Default::default()).expect("nothing to refuse");
    let mut bytes = Vec::new();
    encode::response_head(&accepted.response, &mut bytes);
    bytes
}
