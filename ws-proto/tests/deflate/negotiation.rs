//! Offers and answers (RFC 7692 §7.1), through the headers they travel in.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use ws_proto::handshake::extensions;
use ws_proto::permessage_deflate::{Deflate, DeflateParams, InvalidAnswer};

fn server(change: impl FnOnce(&mut Deflate)) -> Deflate {
    let mut deflate = Deflate::server();
    change(&mut deflate);
    deflate
}

fn client(change: impl FnOnce(&mut Deflate)) -> Deflate {
    let mut deflate = Deflate::client();
    change(&mut deflate);
    deflate
}

fn parse(header: &str) -> Vec<extensions::Extension> {
    let mut headers = HeaderMap::new();
    if !header.is_empty() {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, header.parse().unwrap());
    }
    extensions::parse(&headers).unwrap()
}

/// The answer to these offers, and what it comes to: the windows, ours first, and takeover, ours first.
fn answer(deflate: &Deflate, offers: &str) -> Option<(String, [u8; 2], [bool; 2])> {
    let (extension, agreed) = deflate.accept(&parse(offers))?;
    Some((extension.to_string(), windows(&agreed), takeovers(&agreed)))
}

/// What was agreed on: the windows, ours first, and takeover, ours first.
#[derive(Debug, PartialEq, Eq)]
struct Terms([u8; 2], [bool; 2]);

fn confirm(deflate: &Deflate, answers: &str) -> Result<Option<Terms>, InvalidAnswer> {
    Ok(deflate.confirm(&parse(answers))?.map(|agreed| Terms(windows(&agreed), takeovers(&agreed))))
}

/// Settings of every sort.
fn settings(base: Deflate) -> Vec<Deflate> {
    let bits = [8, 9, 12, 15];
    let mut all = vec![];
    for (send, receive) in bits.iter().flat_map(|&send| bits.map(|receive| (send, receive))) {
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut deflate = base;
            (deflate.send_window_bits, deflate.receive_window_bits) = (send, receive);
            (deflate.send_context_takeover, deflate.receive_context_takeover) = (a, b);
            all.push(deflate);
        }
    }
    all
}

fn windows(agreed: &DeflateParams) -> [u8; 2] {
    [agreed.send_window_bits, agreed.receive_window_bits]
}

fn takeovers(agreed: &DeflateParams) -> [bool; 2] {
    [agreed.send_context_takeover, agreed.receive_context_takeover]
}

// ---- the server ----

#[test]
fn a_server_answers_offers_that_can_be_met() {
    for (params, expected, windows, takeovers) in [
        // Browsers.
        ("; client_max_window_bits", "; client_max_window_bits=12", [12, 12], [true; 2]),
        // A client that cannot make its window smaller keeps nothing from one message to the next.
        ("", "; client_no_context_takeover", [12, 15], [true, false]),
        ("; client_max_window_bits=15", "; client_max_window_bits=12", [12, 12], [true; 2]),
        ("; client_max_window_bits=10", "; client_max_window_bits=10", [12, 10], [true; 2]),
        ("; client_max_window_bits=8", "; client_max_window_bits=8", [12, 8], [true; 2]),
        // A window is named when the offer names it.
        (
            "; server_max_window_bits=15",
            "; client_no_context_takeover; server_max_window_bits=12",
            [12, 15],
            [true, false],
        ),
        (
            "; server_max_window_bits=9; client_max_window_bits=13",
            "; server_max_window_bits=9; client_max_window_bits=12",
            [9, 12],
            [true; 2],
        ),
        // H14: our compressor truly uses a window of 8 bits.
        (
            "; server_max_window_bits=8; client_max_window_bits",
            "; server_max_window_bits=8; client_max_window_bits=12",
            [8, 12],
            [true; 2],
        ),
        (
            "; server_no_context_takeover; client_max_window_bits",
            "; server_no_context_takeover; client_max_window_bits=12",
            [12, 12],
            [false, true],
        ),
        ("; client_no_context_takeover", "; client_no_context_takeover", [12, 15], [true, false]),
        // Go's libraries.
        (
            "; client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
            [12, 15],
            [false, false],
        ),
        (
            "; client_max_window_bits=11; client_no_context_takeover; server_max_window_bits=10; \
             server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; \
             client_max_window_bits=11",
            [10, 11],
            [false, false],
        ),
        // Quoted values.
        (
            "; server_max_window_bits=\"10\"; client_max_window_bits=\"1\\1\"",
            "; server_max_window_bits=10; client_max_window_bits=11",
            [10, 11],
            [true; 2],
        ),
    ] {
        let expected = Some((format!("permessage-deflate{expected}"), windows, takeovers));
        assert_eq!(answer(&Deflate::server(), &format!("permessage-deflate{params}")), expected, "{params}");
    }
}

/// Whatever the server is set to: what was not offered is not in the answer, for some clients fail then. What the client's
/// compressor may not keep can be said unasked (RFC 7692 §7.1.1.2).
#[test]
fn a_server_names_no_parameter_that_was_not_offered() {
    const PARAMS: [&str; 4] = [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits=14",
        "client_max_window_bits=14",
    ];
    for offered in 0..1 << PARAMS.len() {
        let offered: Vec<_> = (0..PARAMS.len()).filter(|i| offered >> i & 1 != 0).map(|i| PARAMS[i]).collect();
        let offer = parse(&["permessage-deflate"].iter().chain(&offered).copied().collect::<Vec<_>>().join("; "));
        for server in settings(Deflate::server()) {
            let (answer, agreed) = server.accept(&offer).unwrap();
            let mut others = vec![];
            for param in &answer.params {
                if !offer[0].params.iter().any(|offered| offered.name == param.name) {
                    others.push(param.name.as_str());
                }
            }
            let takes_over =
                server.receive_context_takeover && agreed.receive_window_bits <= server.receive_window_bits;
            let unasked = !takes_over && !offered.contains(&"client_no_context_takeover");
            let expected: &[&str] = if unasked { &["client_no_context_takeover"] } else { &[] };
            assert_eq!(others, expected, "{} answered with {answer}, {server:?}", offer[0]);
            // Unnamed, it holds all the same.
            assert!(agreed.send_window_bits <= server.send_window_bits, "{answer}");
            assert!(server.send_context_takeover || !agreed.send_context_takeover, "{answer}");
        }
    }
}

#[test]
fn a_server_answers_as_it_was_set() {
    let wide = server(|deflate| (deflate.send_window_bits, deflate.receive_window_bits) = (15, 15));
    let plain = Some(("permessage-deflate".into(), [15, 15], [true, true]));
    assert_eq!(answer(&wide, "permessage-deflate"), plain);
    assert_eq!(answer(&wide, "permessage-deflate; client_max_window_bits"), plain);
    let told = Some(("permessage-deflate; server_max_window_bits=15".into(), [15, 15], [true, true]));
    assert_eq!(answer(&wide, "permessage-deflate; server_max_window_bits=15"), told);

    let alone = server(|deflate| (deflate.send_context_takeover, deflate.receive_context_takeover) = (false, false));
    let expected = "permessage-deflate; client_no_context_takeover";
    assert_eq!(answer(&alone, "permessage-deflate"), Some((expected.into(), [12, 15], [false, false])));

    // Who takes the memory it needs lets every client take over.
    let narrow = server(|deflate| (deflate.send_window_bits, deflate.receive_window_bits) = (9, 15));
    assert_eq!(answer(&narrow, "permessage-deflate"), Some(("permessage-deflate".into(), [9, 15], [true, true])));

    // What cannot be set is as if the nearest were.
    let odd = server(|deflate| (deflate.send_window_bits, deflate.receive_window_bits) = (0, 200));
    let expected = "permessage-deflate; server_max_window_bits=8";
    let offer = "permessage-deflate; client_max_window_bits; server_max_window_bits=12";
    assert_eq!(answer(&odd, offer), Some((expected.into(), [8, 15], [true; 2])));

    let settings = server(|deflate| (deflate.level, deflate.mem_level, deflate.threshold) = (9, 7, 1234));
    let (_, agreed) = settings.accept(&parse("permessage-deflate")).unwrap();
    assert_eq!((agreed.level, agreed.mem_level, agreed.threshold), (9, 7, 1234));
}

/// What is wrong with an offer, each in turn.
const MALFORMED: [&str; 24] = [
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=010",
    "server_max_window_bits=1",
    "server_max_window_bits=150",
    "server_max_window_bits=+9",
    "server_max_window_bits=9a",
    "server_max_window_bits=0x9",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=08",
    "client_max_window_bits=-9",
    "client_max_window_bits; client_max_window_bits",
    "client_max_window_bits=10; client_max_window_bits",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "mem_level=9",
    "Server_No_Context_Takeover",
    "server_no_context_takeover; x",
];

#[test]
fn h13_a_malformed_offer_is_declined_and_the_next_is_tried() {
    for params in MALFORMED {
        let malformed = format!("permessage-deflate; {params}");
        assert_eq!(answer(&Deflate::server(), &malformed), None, "{params}");
        let expected = Some(("permessage-deflate; client_max_window_bits=9".into(), [12, 9], [true; 2]));
        let offers =
            format!("{malformed}, other; x=1, permessage-deflate; client_max_window_bits=9, permessage-deflate");
        assert_eq!(answer(&Deflate::server(), &offers), expected, "{params}");
    }
}

#[test]
fn other_extensions_are_not_ours() {
    for offers in ["", "x-webkit-deflate-frame", "permessage-bzip2; server_max_window_bits=10", "permessage-deflate2"] {
        assert_eq!(answer(&Deflate::server(), offers), None, "{offers}");
    }
}

// ---- the client ----

#[test]
fn a_client_offers_what_it_was_set_to() {
    assert_eq!(Deflate::client().offer().to_string(), "permessage-deflate; client_max_window_bits");
    let small = client(|deflate| (deflate.send_window_bits, deflate.receive_window_bits) = (10, 9));
    assert_eq!(small.offer().to_string(), "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10");
    let alone = client(|deflate| (deflate.send_context_takeover, deflate.receive_context_takeover) = (false, false));
    assert_eq!(
        alone.offer().to_string(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    );
}

#[test]
fn a_client_takes_answers_to_its_offer() {
    let client_ = Deflate::client();
    for (answers, windows, takeovers) in [
        ("permessage-deflate", [15, 15], [true, true]),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", [12, 12], [true, true]),
        ("permessage-deflate; server_max_window_bits=8", [15, 8], [true, true]),
        ("permessage-deflate; client_max_window_bits=8", [8, 15], [true, true]),
        ("permessage-deflate; client_max_window_bits=\"9\"", [9, 15], [true, true]),
        ("permessage-deflate; server_no_context_takeover", [15, 15], [true, false]),
        ("permessage-deflate; client_no_context_takeover", [15, 15], [false, true]),
    ] {
        assert_eq!(confirm(&client_, answers), Ok(Some(Terms(windows, takeovers))), "{answers}");
    }
    assert_eq!(confirm(&client_, ""), Ok(None));

    // What we said of ourselves holds whatever the server says.
    let small = client(|deflate| (deflate.send_window_bits, deflate.send_context_takeover) = (10, false));
    assert_eq!(confirm(&small, "permessage-deflate"), Ok(Some(Terms([10, 15], [false, true]))));
    let answers = "permessage-deflate; client_max_window_bits=12";
    assert_eq!(confirm(&small, answers), Ok(Some(Terms([10, 15], [false, true]))));
}

#[test]
fn k4_an_invalid_answer_is_an_error_that_says_why() {
    let error = |deflate: &Deflate, answers: &str| confirm(deflate, answers).unwrap_err();
    for params in MALFORMED {
        let answers = format!("permessage-deflate; {params}");
        assert!(!error(&Deflate::client(), &answers).to_string().is_empty(), "{params}");
    }
    let value = |name: &str| InvalidAnswer::Value(name.into());
    let client_ = Deflate::client();
    // In an offer it may stand without a value, in an answer not.
    assert_eq!(error(&client_, "permessage-deflate; client_max_window_bits"), value("client_max_window_bits"));
    assert_eq!(error(&client_, "permessage-deflate; x=1"), InvalidAnswer::Unknown("x".into()));
    assert_eq!(
        error(&client_, "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
        InvalidAnswer::Duplicate("server_no_context_takeover".into())
    );
    assert_eq!(
        error(&client_, "permessage-deflate, permessage-deflate"),
        InvalidAnswer::Twice("permessage-deflate".into())
    );
    assert_eq!(error(&client_, "permessage-deflate, other"), InvalidAnswer::NotOffered("other".into()));
    assert_eq!(error(&client_, "other"), InvalidAnswer::NotOffered("other".into()));

    // What was asked for must be granted.
    let alone = client(|deflate| deflate.receive_context_takeover = false);
    assert_eq!(error(&alone, "permessage-deflate"), InvalidAnswer::Missing("server_no_context_takeover"));
    assert!(confirm(&alone, "permessage-deflate; server_no_context_takeover").is_ok());
    let small = client(|deflate| deflate.receive_window_bits = 10);
    assert_eq!(error(&small, "permessage-deflate"), InvalidAnswer::Missing("server_max_window_bits"));
    assert_eq!(error(&small, "permessage-deflate; server_max_window_bits=11"), value("server_max_window_bits"));
    assert!(confirm(&small, "permessage-deflate; server_max_window_bits=10").is_ok());
    assert!(confirm(&small, "permessage-deflate; server_max_window_bits=9").is_ok());
}

/// Whatever both are set to, the client accepts the answer, and both have agreed on the same.
#[test]
fn client_and_server_understand_each_other() {
    for client in settings(Deflate::client()) {
        for server in settings(Deflate::server()) {
            let offer = parse(&client.offer().to_string());
            let (answer, ours) = server.accept(&offer).expect("it can be met");
            let theirs = client.confirm(&parse(&answer.to_string())).unwrap().unwrap();
            let what = format!("{} answered with {answer}", client.offer());
            // What one sends the other can read.
            assert!(theirs.send_window_bits <= ours.receive_window_bits, "{what}");
            assert!(ours.send_window_bits <= theirs.receive_window_bits, "{what}");
            assert!(!theirs.send_context_takeover || ours.receive_context_takeover, "{what}");
            assert!(!ours.send_context_takeover || theirs.receive_context_takeover, "{what}");
            // And nobody keeps more than was wished.
            assert!(theirs.receive_window_bits <= client.receive_window_bits, "{what}");
            assert!(ours.receive_window_bits <= server.receive_window_bits, "{what}");
        }
    }
}
