//! The subprotocol that a server selects, and the origins of web pages.

use ws_test_support::opening::request;

use super::*;

/// The subprotocol of the response, or the status and text of a refusal.
fn selected(server: Server, offered: Option<&str>) -> Result<Option<String>, (String, String)> {
    let site = Site::echo(server);
    let line = offered.map(|offered| format!("Sec-WebSocket-Protocol: {offered}"));
    let lines: Vec<_> = line.as_deref().into_iter().collect();
    let (mut peer, head) = site.ask(request("/v2", &lines).as_bytes());
    match head.starts_with("HTTP/1.1 101 ") {
        true => Ok(header(&head, "Sec-WebSocket-Protocol").map(str::to_owned)),
        false => Err((head[9..12].to_owned(), String::from_utf8(peer.bytes()).unwrap())),
    }
}

#[test]
fn a_required_subprotocol_is_400_without_one_in_common() {
    let optional = || Server::new().subprotocols(["chat.v2", "chat.v1"]);
    let required = || optional().require_subprotocol(true);
    assert_eq!(selected(optional(), None), Ok(None));
    assert_eq!(selected(optional(), Some("mqtt")), Ok(None));
    assert_eq!(selected(required(), Some("chat.v1, chat.v2")), Ok(Some("chat.v2".into())));
    let (status, text) = selected(required(), None).unwrap_err();
    assert!(status == "400" && text.contains("Sec-WebSocket-Protocol") && text.contains("chat.v2, chat.v1"), "{text}");
    let (status, text) = selected(required(), Some("mqtt, stomp")).unwrap_err();
    assert!(status == "400" && text.contains("mqtt, stomp") && text.contains("chat.v2, chat.v1"), "{text}");
}

#[test]
fn a_function_selects() {
    let server = || {
        Server::new().select_subprotocol(|request, offered| {
            assert_eq!(request.uri().path(), "/v2");
            match offered {
                [] => None,
                [one] if one == "panic" => panic!("secret"),
                [one] if one == "other" => Some("not offered".to_owned()),
                [.., last] => Some(last.clone()),
            }
        })
    };
    assert_eq!(selected(server(), None), Ok(None));
    assert_eq!(selected(server(), Some("a, b")), Ok(Some("b".into())));
    assert_eq!(selected(server().require_subprotocol(true), None).unwrap_err().0, "400");
    for mistake in ["panic", "other"] {
        let (status, text) = selected(server(), Some(mistake)).unwrap_err();
        assert!(status == "500" && !text.contains("secret"), "{text}");
    }
    assert_eq!(selected(server().subprotocols(["a"]), Some("a, b")), Ok(Some("a".into())), "the last setting counts");
}

#[test]
fn a_subprotocol_that_is_required_and_not_there_is_reported() {
    let bind = |server: Server| World::new(1).at_once(server.require_subprotocol(true).bind("127.0.0.1:0"));
    let error = bind(Server::new()).unwrap_err();
    assert!(error.to_string().contains("require_subprotocol without subprotocols"), "{error}");
    assert!(bind(Server::new().select_subprotocol(|_, _| None)).is_ok());
}

#[test]
fn a_subprotocol_that_is_no_token_is_reported() {
    for name in ["", "a b", "größe", "a,b", "a\n"] {
        let error = World::new(1).at_once(Server::new().subprotocols(["ok", name]).bind("127.0.0.1:0")).unwrap_err();
        let said = format!("\"{}\" is not a subprotocol: it must be a token", name.escape_default());
        assert_eq!(error.to_string().replace("größe", "gr\\u{f6}\\u{df}e"), said);
    }
    drop(World::new(1).at_once(Server::new().subprotocols(["chat.v2", "a+b!"]).bind("127.0.0.1:0")));
}

fn status(server: Server, host: &str, origin: Option<&str>) -> String {
    let site = Site::echo(server);
    let line = origin.map(|origin| format!("Origin: {origin}"));
    let lines: Vec<_> = line.as_deref().into_iter().collect();
    let request = request("/", &lines).replace("Host: test", &format!("Host: {host}"));
    site.ask(request.as_bytes()).1[9..12].to_owned()
}

#[test]
fn origins_are_listed_by_patterns_or_are_those_of_the_host() {
    let listed = || Server::new().origins(["https://*.example.com", "http://localhost:*"]);
    let own = || Server::new().same_origin();
    for (server, host, origin, expected) in [
        (listed(), "a.test", Some("https://chat.example.com"), "101"),
        (listed(), "a.test", Some("http://localhost:5173"), "101"),
        (listed(), "a.test", Some("https://example.com"), "403"),
        (listed(), "a.test", Some("http://a.test"), "403"),
        (listed(), "a.test", None, "403"),
        (own(), "a.test:8080", Some("http://a.test:8080"), "101"),
        (own(), "a.test", Some("http://b.test"), "403"),
        (own(), "a.test", None, "403"),
        (Server::new().same_origin_or_none(), "a.test", None, "101"),
        (Server::new().same_origin_or_none().origins(["https://b.test"]), "a.test", None, "101"),
        (Server::new().same_origin_or_none().origins(["https://b.test"]), "a.test", Some("http://a.test"), "101"),
        (Server::new().same_origin_or_none().origins(["https://b.test"]), "a.test", Some("https://c.test"), "403"),
        (Server::new().origins_or_none(["https://b.test"]).origins(["https://b.test"]), "a.test", None, "403"),
        (listed().same_origin(), "a.test", Some("http://a.test"), "101"),
        (own().origins(["https://b.test"]), "a.test", Some("http://a.test"), "101"),
        (own().origins(["https://b.test"]), "a.test", Some("https://b.test"), "101"),
        (own().origins(["https://b.test"]), "a.test", Some("https://c.test"), "403"),
        (Server::new().origins_or_none([""; 0]), "a.test", None, "101"),
        (Server::new().origins_or_none([""; 0]), "a.test", Some("http://a.test"), "403"),
    ] {
        assert_eq!(status(server, host, origin), expected, "{origin:?} at {host}");
    }
}
