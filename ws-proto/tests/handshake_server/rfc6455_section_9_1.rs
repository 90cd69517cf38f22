//! RFC 6455 §9.1: extensions.

use super::*;

fn offering(extensions: &str) -> Vec<u8> {
    request(&[], &format!("Sec-WebSocket-Extensions: {extensions}\r\n"))
}

#[test]
fn h11_malformed_extensions() {
    for extensions in ["foo bar", "foo;", "foo; =", "foo; a=", "foo; a=\"b", "foo; a=\"b c\"", "\u{e9}"] {
        rejected(BAD_REQUEST, &offering(extensions));
    }
    rejected(BAD_REQUEST, &request(&[], "Sec-WebSocket-Extensions: foo\r\nSec-WebSocket-Extensions: ;\r\n"));
}

#[test]
fn an_empty_list_counts_as_absent() {
    for extensions in ["", ",", " \t,, "] {
        let response = accepted(&offering(extensions));
        assert!(!response.contains("Sec-WebSocket-Extensions"), "{response}");
    }
}

#[test]
fn h12_unknown_extensions_are_declined() {
    let response = accepted(&offering("foo, x-webkit-deflate-frame; a=1; b=\"2\""));
    assert!(!response.contains("Sec-WebSocket-Extensions"));
}

#[test]
fn offers_reach_the_application_in_order() {
    let lines = "Sec-WebSocket-Extensions: foo; a=\"1\"\r\nX: y\r\nSec-WebSocket-Extensions: bar, foo\r\n";
    let head = RequestReader::new().read(&request(&[], lines)).unwrap().unwrap();
    let upgrade = Upgrade::new(head.request).unwrap();
    let offers: Vec<_> = upgrade.extensions().iter().map(ToString::to_string).collect();
    assert_eq!(offers, ["foo; a=1", "bar", "foo"]);
}
