//! The client's side: what is sent holds nothing that was not meant, whatever it is made from; a response, however it is
//! cut, means the same; the body of a refusal is what a naive reading finds.

use arbitrary::Arbitrary;
use http::HeaderMap;
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{ClientHandshake, Established, HandshakeError};
use ws_proto::handshake::encode;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::{RequestReader, Upgrade};

use crate::input::Cuts;
use crate::naive_http;

const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const OFFERED: [&str; 2] = ["chat.v2", "chat"];

#[derive(Arbitrary, Debug)]
pub struct Client<'a> {
    /// Bit 0: offer subprotocols. Bit 1: small limits. Bit 7: `bytes` is what the request is made from: one byte of
    /// length each, the host, the target, a subprotocol, then names and values of headers.
    pub flags: u8,
    pub cuts: Cuts,
    pub bytes: &'a [u8],
}

pub fn handshake_client(input: Client<'_>) {
    match input.flags & 0x80 {
        0 => check_response(input),
        _ => check_request(input.bytes),
    }
}

// ---- the response ----

fn check_response(input: Client<'_>) {
    let Client { flags, cuts, bytes } = input;
    let (whole, end) = receive(flags, Cuts::WHOLE, bytes);
    assert_eq!(end, bytes.len());
    for cuts in [cuts, Cuts::BYTES] {
        let (reading, end) = receive(flags, cuts, bytes);
        assert_eq!(format!("{reading:?}"), format!("{whole:?}"), "cut differently");
        assert!(!cuts.is_bytewise(bytes) || !matches!(&reading, Ok(Some(done)) if done.consumed != end));
    }
    match whole {
        Ok(Some(established)) => check_established(flags, &established, bytes),
        Err(HandshakeError::Rejected { response, consumed }) => {
            let head = last_head(&bytes[..consumed]);
            let status = response.status().as_u16();
            let (version, rest) = head.first.split_at(8);
            assert!(version.starts_with(b"HTTP/1.") && rest.starts_with(format!(" {status}").as_bytes()), "{head:?}");
            let limit = if flags & 2 == 0 { 1 << 16 } else { 16 };
            let expected = naive_http::body(status, &head, &bytes[consumed..], limit);
            for cuts in [Cuts::WHOLE, cuts, Cuts::BYTES] {
                let mut reader = BodyReader::with_limit(&response, limit);
                for piece in cuts.pieces(&bytes[consumed..]) {
                    assert_eq!(reader.read(piece), reader.is_finished());
                }
                let ended = reader.is_finished();
                let body = reader.into_body();
                assert_eq!(
                    (&body.bytes[..], body.complete, ended),
                    (&expected.bytes[..], expected.complete, expected.ended)
                );
            }
        }
        Ok(None) => {}
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Receives until there is an answer; also, after how many bytes.
fn receive(flags: u8, cuts: Cuts, bytes: &[u8]) -> (Result<Option<Established>, HandshakeError>, usize) {
    let mut limits = HeadLimits::default();
    if flags & 2 != 0 {
        (limits.head, limits.headers) = (300, 8);
    }
    let offered = OFFERED.into_iter().filter(|_| flags & 1 != 0);
    let builder = ClientHandshake::builder("example.com", "/chat").subprotocols(offered).limits(limits);
    let mut handshake = builder.build(NONCE).expect("a valid request");
    let mut end = 0;
    for piece in cuts.pieces(bytes) {
        end += piece.len();
        match handshake.receive(&bytes[..end]) {
            Ok(None) => {}
            answer => {
                assert!(!matches!(handshake.receive(bytes), Ok(Some(_))), "established once");
                return (answer, end);
            }
        }
    }
    (Ok(None), end)
}

/// RFC 6455 §4.1, read naively.
fn check_established(flags: u8, established: &Established, bytes: &[u8]) {
    let head = last_head(&bytes[..established.consumed]);
    let (version, rest) = head.first.split_at(8);
    assert!(version.starts_with(b"HTTP/1.") && version != b"HTTP/1.0" && rest.starts_with(b" 101"), "{head:?}");
    assert_eq!(head.only("sec-websocket-accept"), Some(ACCEPT));
    assert!(head.lists("connection", "upgrade"));
    assert!(head.only("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case(b"websocket")));
    assert!(head.list("sec-websocket-extensions").is_empty(), "none was offered");
    let chosen = established.subprotocol.as_deref();
    let mut told = head.all("sec-websocket-protocol");
    told.retain(|line| !line.is_empty());
    assert_eq!(told, Vec::from_iter(chosen.map(str::as_bytes)));
    assert!(chosen.is_none_or(|chosen| flags & 1 != 0 && OFFERED.contains(&chosen)));
}

/// The last of the heads that `bytes` consists of; those before it are interim responses.
fn last_head(bytes: &[u8]) -> naive_http::Head {
    let before = &bytes[..bytes.len() - 4];
    let begin = before.windows(4).rposition(|bytes| bytes == b"\r\n\r\n").map_or(0, |at| at + 4);
    naive_http::head(&bytes[begin..]).expect("a naive reading agrees")
}

// ---- the request ----

/// A request can be built from anything; if it can, a server reads exactly what was meant, and the two come together.
fn check_request(bytes: &[u8]) {
    let mut parts = Parts(bytes);
    let [host, target, subprotocol] = [(); 3].map(|()| String::from_utf8_lossy(parts.next()).into_owned());
    let mut builder = ClientHandshake::builder(&host, &target);
    if !subprotocol.is_empty() {
        builder = builder.subprotocols(["chat", &subprotocol]);
    }
    for _ in 0..20 {
        if parts.0.is_empty() {
            break;
        }
        builder = builder.header(parts.next(), parts.next());
    }
    let mut handshake = match builder.build(NONCE) {
        Ok(handshake) => handshake,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };

    let sent = handshake.request_bytes();
    let naive = naive_http::head(&sent).expect("a valid head");
    assert_eq!(naive.first, format!("GET {target} HTTP/1.1").as_bytes());
    let fields = handshake.request().headers();
    assert_eq!(fields.len(), naive.fields.len());
    for name in fields.keys() {
        let values: Vec<_> = fields.get_all(name).iter().map(|value| trim(value.as_bytes())).collect();
        assert_eq!(values, naive.all(name.as_str()));
    }
    assert_eq!(naive.only("sec-websocket-key"), Some(KEY.as_bytes()));
    assert_ne!(naive.opens(), naive_http::Verdict::Refuse, "{naive:?}");

    let head = RequestReader::new().read(&sent).expect("a server reads it").expect("it is complete");
    assert_eq!(head.consumed, sent.len());
    let upgrade = Upgrade::new(head.request).expect("it opens a connection");
    assert_eq!(upgrade.subprotocols().last(), (!subprotocol.is_empty()).then_some(&subprotocol));
    let accepted = upgrade.accept(None, HeaderMap::new()).expect("nothing is set that must not be");
    let mut response = vec![];
    encode::response_head(&accepted.response, &mut response);
    let established = handshake.receive(&response).expect("the answer is right").expect("and complete");
    assert_eq!(established.consumed, response.len());
}

/// White space around a value does not survive the journey (RFC 9112 §5.1).
fn trim(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}

struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    /// The next part: one byte of length, and so many bytes.
    fn next(&mut self) -> &'a [u8] {
        let Some((&len, rest)) = self.0.split_first() else { return &[] };
        let (part, rest) = rest.split_at(rest.len().min(len.into()));
        self.0 = rest;
        part
    }
}
