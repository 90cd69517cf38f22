//! A request, however it is cut: the same answer. What is accepted holds up against a naive reading, and a client
//! understands the answer, yes or no.

use arbitrary::Arbitrary;
use http::{HeaderMap, Version};
use ws_proto::handshake::body::BodyReader;
use ws_proto::handshake::client::{ClientHandshake, HandshakeError};
use ws_proto::handshake::encode;
use ws_proto::handshake::head::HeadLimits;
use ws_proto::handshake::server::{Origins, Rejection, RequestHead, RequestReader, Upgrade};

use crate::input::Cuts;
use crate::naive_http::{self, Verdict};

const OURS: [&str; 2] = ["chat.v2", "chat"];

#[derive(Arbitrary, Debug)]
pub struct Request<'a> {
    /// Bit 0: small limits.
    pub flags: u8,
    pub cuts: Cuts,
    pub bytes: &'a [u8],
}

pub fn handshake_server(input: Request<'_>) {
    let Request { flags, cuts, bytes } = input;
    let mut limits = HeadLimits::default();
    if flags & 1 != 0 {
        (limits.head, limits.headers, limits.target) = (300, 8, 20);
    }

    let whole = read(limits, Cuts::WHOLE, bytes);
    for cuts in [cuts, Cuts::BYTES] {
        let (reading, end) = read(limits, cuts, bytes);
        assert_eq!(comparable(&reading), comparable(&whole.0), "cut differently");
        assert!(!cuts.is_bytewise(bytes) || !matches!(&reading, Ok(Some(head)) if head.consumed != end));
    }
    let head = match whole.0 {
        Ok(None) => return,
        Err(rejection) => return check_rejection(rejection),
        Ok(Some(head)) => head,
    };

    let consumed = &bytes[..head.consumed];
    assert!(consumed.len() <= limits.head);
    let naive = check_head(&head, consumed);
    assert!(naive.stands_alone(), "{naive:?}");
    check_origins(head.request.headers(), &naive);
    match Upgrade::new(head.request) {
        Ok(upgrade) => {
            assert_ne!(naive.opens(), Verdict::Refuse, "{naive:?}");
            check_accepted(upgrade, &naive);
        }
        Err(rejection) => {
            assert_ne!(naive.opens(), Verdict::Accept, "{rejection}: {naive:?}");
            check_rejection(rejection);
        }
    }
}

/// Reads until there is an answer; also, after how many bytes.
fn read(limits: HeadLimits, cuts: Cuts, bytes: &[u8]) -> (Result<Option<RequestHead>, Rejection>, usize) {
    let mut reader = RequestReader::with_limits(limits);
    let mut end = 0;
    for piece in cuts.pieces(bytes) {
        end += piece.len();
        match reader.read(&bytes[..end]) {
            Ok(None) => {}
            answer => {
                let again = reader.read(bytes);
                assert!(!matches!(again, Ok(Some(_))), "a head is returned once");
                return (answer, end);
            }
        }
    }
    (Ok(None), end)
}

fn comparable(reading: &Result<Option<RequestHead>, Rejection>) -> String {
    format!("{reading:?}")
}

/// What was read is what stands there, field by field.
fn check_head(head: &RequestHead, consumed: &[u8]) -> naive_http::Head {
    let mut rest = consumed;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    let naive = naive_http::head(rest).expect("a naive reading agrees");
    let fields = head.request.headers();
    let added = naive.host_of_target().is_some() && naive.all("host").is_empty();
    assert_eq!(fields.len(), naive.fields.len() + usize::from(added));
    for name in fields.keys() {
        let values: Vec<_> = fields.get_all(name).iter().map(|value| value.as_bytes()).collect();
        match naive.host_of_target() {
            Some(host) if name == "host" => assert_eq!(values, [host]),
            _ => assert_eq!(values, naive.all(name.as_str())),
        }
    }
    let first = [head.request.method().as_str().as_bytes(), b" "].concat();
    assert!(naive.first.starts_with(&first) && naive.is_1_1() == (head.request.version() == Version::HTTP_11));
    naive
}

/// An accepted request is answered so that the client that sent it opens the connection.
fn check_accepted(upgrade: Upgrade, naive: &naive_http::Head) {
    let offered = naive.list("sec-websocket-protocol");
    assert!(upgrade.subprotocols().iter().map(String::as_bytes).eq(offered));
    let chosen = upgrade.select_subprotocol(OURS);
    assert_eq!(chosen, OURS.into_iter().find(|ours| upgrade.subprotocols().iter().any(|offer| offer == ours)));
    let offers = upgrade.subprotocols().to_vec();
    let accepted = upgrade.accept(chosen, HeaderMap::new()).expect("nothing is set that must not be");
    let mut response = vec![];
    encode::response_head(&accepted.response, &mut response);

    let key = naive.only("sec-websocket-key").expect("there is one");
    let nonce = naive_http::nonce(key).expect("it is valid");
    let mut client = ClientHandshake::builder("a", "/").subprotocols(offers).build(nonce).expect("tokens, none twice");
    if client.request().headers()["sec-websocket-key"] != *key {
        return; // stray bits in the key, which is hashed as it was sent
    }
    let size = response.len();
    response.extend(b"\x81\x00");
    let established = client.receive(&response).expect("the answer is right").expect("and complete");
    assert_eq!((established.subprotocol.as_deref(), established.consumed), (chosen, size));
}

/// A rejection is a response that a client can read to its end.
fn check_rejection(rejection: Rejection) {
    let (status, message) = (rejection.status(), rejection.message().to_owned());
    assert!([400, 405, 414, 426, 431, 505].contains(&status.as_u16()), "{status}");
    let mut sent = vec![];
    encode::response(&rejection.into_response(), &mut sent);
    let head_end = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the head ends") + 4;
    let naive = naive_http::head(&sent[..head_end]).expect("a valid head");
    assert!(naive.lists("connection", "close"));
    assert!(status != 405 || naive.only("allow") == Some(b"GET"));
    assert!(status != 426 || naive.only("upgrade") == Some(b"websocket") && naive.lists("connection", "upgrade"));

    let mut client = ClientHandshake::builder("a", "/").build([0; 16]).expect("a valid request");
    let Err(HandshakeError::Rejected { response, consumed }) = client.receive(&sent) else { panic!("not a rejection") };
    assert_eq!((response.status(), consumed), (status, head_end));
    let mut reader = BodyReader::new(&response);
    assert!(reader.read(&sent[consumed..]));
    let body = reader.into_body();
    assert!(body.complete);
    assert_eq!(body.bytes, format!("{message}\n"));
}

/// Only an origin on the list passes, however it is spelled.
fn check_origins(headers: &HeaderMap, naive: &naive_http::Head) {
    let origins = Origins::new(["https://example.com", "http://localhost:3000"]).expect("origins");
    let passes = origins.check(headers).is_ok();
    let Some(origin) = naive.only("origin") else { return assert!(!passes) };
    let origin = String::from_utf8_lossy(origin).to_ascii_lowercase();
    let (host, port) = match origin.rsplit_once(':') {
        Some((host, port)) if host.contains("://") => (host, port.trim_start_matches('0')),
        _ => (&*origin, ""),
    };
    let expected = matches!((host, port), ("https://example.com", "" | "443") | ("http://localhost", "3000"));
    // A port of nothing but zeros is port 0, not none.
    let is_zero = port.is_empty() && origin.ends_with('0');
    assert_eq!(passes, expected && !is_zero, "{origin:?}");
    assert!(origins.or_none().check(headers).is_ok() == passes);
}
