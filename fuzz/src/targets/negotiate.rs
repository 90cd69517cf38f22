//! permessage-deflate is negotiated: a plain reading of the RFC says which offer is answered and what an answer may say;
//! client and server, whatever they are set to, agree on the same.

use arbitrary::Arbitrary;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue};
use ws_proto::handshake::extensions::{Extension, parse};
use ws_proto::permessage_deflate::{Deflate, DeflateParams};

#[derive(Arbitrary, Debug)]
pub struct Negotiation<'a> {
    /// What the server is set to, and what the client.
    pub settings: [u8; 4],
    /// The lines of the header, ended by line feeds.
    pub lines: &'a [u8],
}

pub fn negotiate(input: Negotiation<'_>) {
    let [a, b, c, d] = input.settings;
    let (server, client) = (set(Deflate::server(), a, b), set(Deflate::client(), c, d));

    let mut headers = HeaderMap::new();
    for line in input.lines.split(|&byte| byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { continue };
        headers.append(SEC_WEBSOCKET_EXTENSIONS, value);
    }
    if let Ok(extensions) = parse(&headers) {
        accepted(&server, &extensions);
        confirmed(&client, &extensions);
    }

    let offer = client.offer();
    assert!(is_valid(&offer, true));
    let (answer, ours) = server.accept(&[offer]).expect("our own offer can be met");
    let theirs = client.confirm(&[answer]).expect("it is an answer").expect("it accepts");
    for (from, to) in [(ours, theirs), (theirs, ours)] {
        assert!(from.send_window_bits <= to.receive_window_bits);
        assert!(!from.send_context_takeover || to.receive_context_takeover);
    }
}

fn set(mut deflate: Deflate, bits: u8, takeover: u8) -> Deflate {
    (deflate.send_window_bits, deflate.receive_window_bits) = (bits & 15, bits >> 4);
    (deflate.send_context_takeover, deflate.receive_context_takeover) = (takeover & 1 != 0, takeover & 2 != 0);
    deflate
}

fn accepted(server: &Deflate, offers: &[Extension]) {
    let first = offers.iter().find(|offer| offer.name == "permessage-deflate" && is_valid(offer, true));
    let answer = server.accept(offers);
    let (Some(offer), Some((answer, agreed))) = (first, &answer) else {
        assert_eq!(first.is_some(), answer.is_some(), "{offers:?}");
        return;
    };
    assert!(is_valid(answer, false), "{answer}");
    in_range(agreed);
    for flag in ["server_no_context_takeover", "client_no_context_takeover"] {
        assert!(!has(offer, flag) || has(answer, flag), "{offer} answered with {answer}");
    }
    // What concerns its own compressor alone a server need not say; what it has not been offered it must not, but for this.
    for param in &answer.params {
        assert!(
            param.name == "client_no_context_takeover" || has(offer, &param.name),
            "{offer} answered with {answer}"
        );
    }
    assert!(!agreed.send_context_takeover || !has(answer, "server_no_context_takeover"));
    assert_eq!(agreed.receive_context_takeover, !has(answer, "client_no_context_takeover"));
    assert!(!agreed.receive_context_takeover || agreed.receive_window_bits <= server.receive_window_bits.clamp(8, 15));
    if let Some(most) = bits(offer, "client_max_window_bits") {
        assert!(agreed.receive_window_bits <= most, "{offer} answered with {answer}");
    }
    if let Some(most) = bits(offer, "server_max_window_bits") {
        assert!(bits(answer, "server_max_window_bits").is_some_and(|bits| bits <= most));
    }
    assert!(agreed.send_window_bits <= bits(answer, "server_max_window_bits").unwrap_or(15));
    assert_eq!(agreed.receive_window_bits, bits(answer, "client_max_window_bits").unwrap_or(15));
}

fn confirmed(client: &Deflate, answers: &[Extension]) {
    let offer = client.offer();
    let fits = |answer: &Extension| {
        let window = bits(&offer, "server_max_window_bits")
            .is_none_or(|most| bits(answer, "server_max_window_bits").is_some_and(|bits| bits <= most));
        let takeover = has(answer, "server_no_context_takeover") || !has(&offer, "server_no_context_takeover");
        answer.name == "permessage-deflate" && is_valid(answer, false) && window && takeover
    };
    match (client.confirm(answers), answers) {
        (Ok(None), answers) => assert!(answers.is_empty()),
        (Ok(Some(agreed)), [answer]) => {
            assert!(fits(answer), "{answer}");
            in_range(&agreed);
            assert!(agreed.send_window_bits <= bits(answer, "client_max_window_bits").unwrap_or(15));
            assert_eq!(agreed.receive_window_bits, bits(answer, "server_max_window_bits").unwrap_or(15));
            assert!(!agreed.send_context_takeover || !has(answer, "client_no_context_takeover"));
        }
        (Ok(Some(_)), answers) => panic!("accepted {answers:?}"),
        (Err(error), answers) => {
            assert!(!matches!(answers, [answer] if fits(answer)), "{error}: {answers:?}");
            assert!(!error.to_string().is_empty());
        }
    }
}

fn in_range(agreed: &DeflateParams) {
    assert!((8..=15).contains(&agreed.send_window_bits) && (8..=15).contains(&agreed.receive_window_bits));
}

fn has(extension: &Extension, name: &str) -> bool {
    extension.params.iter().any(|param| param.name == name)
}

fn bits(extension: &Extension, name: &str) -> Option<u8> {
    extension.params.iter().find(|param| param.name == name)?.value.as_ref()?.parse().ok()
}

/// RFC 7692 §7.1, in the plainest words.
fn is_valid(extension: &Extension, is_offer: bool) -> bool {
    extension.params.iter().enumerate().all(|(i, param)| {
        let is_window = (8..=15).any(|bits: u8| param.value == Some(bits.to_string()));
        let is_fine = match param.name.as_str() {
            "server_no_context_takeover" | "client_no_context_takeover" => param.value.is_none(),
            "server_max_window_bits" => is_window,
            "client_max_window_bits" => is_window || (is_offer && param.value.is_none()),
            _ => false,
        };
        is_fine && extension.params.iter().take(i).all(|before| before.name != param.name)
    })
}
