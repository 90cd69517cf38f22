//! Clients behind forward proxies: HTTP proxies that tunnel, SOCKS5 proxies, and the environment that names them.

use std::net::TcpListener;

use ws_test_support::nobody::Nobody;

use super::setup::*;

/// A proxy that opens a tunnel, and is the server at its end. The head of the CONNECT, and the request through the tunnel.
fn tunnelling(answer: &'static str) -> Script<(String, http::Request<()>)> {
    Script::new(move |mut peer| {
        let connect = peer.head();
        peer.write(answer);
        let request = peer.accept(b"");
        assert_eq!(peer.frame(), (0x81, b"hello".to_vec()));
        peer.write(frame(0x81, "and back", None));
        let (code, reason) = peer.close_frame();
        peer.write(frame(0x88, close_body(code, &reason), None));
        peer.rest();
        (connect, request)
    })
}

#[test]
fn an_http_proxy_is_asked_for_a_tunnel() {
    for answer in ["HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"] {
        let proxy = tunnelling(answer);
        let client = Client::new("ws://server.test:81/chat").proxy(format!("http://me:s%40fe@{}", proxy.address));
        let mut ws = block_on(client.connect()).unwrap();
        assert_eq!(ws.peer_addr(), Some(proxy.address));
        send(&ws, "hello");
        assert_eq!(text(&mut ws), "and back");
        close(ws);
        let (connect, request) = proxy.done();
        let mut lines = connect.lines();
        assert_eq!(lines.next(), Some("CONNECT server.test:81 HTTP/1.1"));
        assert_eq!(lines.next(), Some("Host: server.test:81"));
        assert!(connect.contains("\r\nProxy-Authorization: Basic bWU6c0BmZQ==\r\n"), "{connect}");
        assert!(connect.contains("\r\nUser-Agent: ws-"), "{connect}");
        assert_eq!(request.headers()["host"], "server.test:81");
        assert!(!request.headers().contains_key("proxy-authorization"));
    }
}

#[test]
fn a_stream_goes_through_a_proxy_too() {
    let proxy = tunnelling("HTTP/1.1 200 OK\r\n\r\n");
    let client = Client::new("ws://[2001:db8::7]/").proxy(proxy.address.to_string());
    block_on(async {
        let mut ws = client.connect_stream().await.unwrap();
        ws.send("hello").await.unwrap();
        assert_eq!(ws.recv().await.unwrap(), Some(Message::from("and back")));
        assert!(ws.close(1000, "").await.unwrap().is_clean());
    });
    let (connect, _) = proxy.done();
    assert!(connect.starts_with("CONNECT [2001:db8::7]:80 HTTP/1.1\r\n"), "{connect}");
    assert!(!connect.to_ascii_lowercase().contains("authorization"), "{connect}");
}

/// What a client says of a proxy that answers so to a CONNECT.
fn refused(answer: &'static str) -> (String, ConnectError) {
    let proxy = Script::new(move |mut peer| {
        peer.head();
        peer.write(answer);
    });
    let name = format!("http://{}", proxy.address);
    let client = Client::new("wss://server.test/").proxy(format!("http://me:hunter2@{}", proxy.address));
    let error = block_on(client.connect()).unwrap_err();
    proxy.done();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    (name, error)
}

#[test]
fn a_refusal_of_the_proxy_is_shown_with_its_body() {
    let (name, error) = refused(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 14\r\n\r\n\
         Ask \x1bthe admin.",
    );
    let said = "HTTP 407 Proxy Authentication Required: \"Ask \\x1bthe admin\"";
    assert_eq!(error.to_string(), format!("the proxy {name} refused to connect to server.test:443: {said}"));
    let ConnectError::Proxy(error) = error else { panic!("{error}") };
    assert_eq!(error.proxy(), name);
    let response = error.response().unwrap();
    assert_eq!((response.status().as_u16(), &**response.body()), (407, &b"Ask \x1bthe admin"[..]));
    assert_eq!(response.headers()["proxy-authenticate"], "Basic realm=\"x\"");

    let (name, error) = refused("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    let said = format!("the proxy {name} refused to connect to server.test:443: HTTP 502 Bad Gateway");
    assert_eq!(error.to_string(), said);
}

#[test]
fn a_proxy_that_does_not_answer_as_one_is_told_apart() {
    for (answer, why) in [
        ("HTTP/1.1 200 OK\r\n\r\nhello", "sent bytes that are not the server's"),
        ("", "closed the connection before it answered"),
        ("HTTP/1.1 200 OK\r\nX", "closed the connection before it answered"),
        ("220 smtp.test\r\n", "does not answer as a proxy: invalid HTTP response: byte 0x32 where it is not allowed"),
        ("HTTP/1.1 2xx\r\n", "does not answer as a proxy: invalid HTTP response: malformed start line"),
    ] {
        let (name, error) = refused(answer);
        assert_eq!(error.to_string(), format!("the proxy {name} {why}"));
    }
}

#[test]
fn a_silent_or_absent_proxy_is_named() {
    let proxy = Script::new(|mut peer| peer.until_let_go());
    let client = Client::new("ws://server.test/").proxy(proxy.address.to_string()).connect_timeout(SOON);
    let error = block_on(client.connect()).unwrap_err();
    let ConnectError::Timeout(timeout) = &error else { panic!("{error}") };
    assert_eq!(timeout.stage(), Stage::Proxy);
    let said =
        format!("timed out after {SOON:?} waiting for the proxy http://{} to connect to the server", proxy.address);
    assert_eq!(error.to_string(), said);
    proxy.done();

    let nobody = Nobody::new();
    let free = nobody.address();
    let error =
        block_on(Client::new("ws://server.test/").proxy(format!("http://a:hunter2@{free}")).connect()).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with(&format!("the proxy http://{free}: cannot connect to {free}: ")), "{said}");
    assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn an_invalid_proxy_is_reported_before_anything_is_sent() {
    for (client, source) in [
        (Client::new("ws://server.test/").proxy("ftp://me:hunter2@proxy"), "the given URL"),
        (Client::new("ws://server.test/").proxy_variables([("ALL_PROXY", "ftp://me:hunter2@p")]), "from all_proxy"),
    ] {
        let error = block_on(client.connect()).unwrap_err().to_string();
        let why = "its scheme must be http, https, socks5 or socks5h";
        assert_eq!(error, format!("invalid proxy ({source}): {why}"));
    }
}

#[test]
fn variables_name_the_proxy_and_servers_without_one() {
    let server = start(Server::new(), echo);
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let variables = |no_proxy: &str| {
        [("ws_proxy".to_owned(), nowhere.local_addr().unwrap().to_string()), ("no_proxy".into(), no_proxy.into())]
    };
    let listed = ["127.0.0.0/8".to_owned(), "x.test,*".to_owned(), format!("127.0.0.1:{}", server.address.port())];
    for list in listed {
        close(block_on(server.client().proxy_variables(variables(&list)).connect()).unwrap());
    }
    for list in ["127.0.0.1:1", "localhost", ""] {
        let client = server.client().proxy_variables(variables(list)).connect_timeout(SOON);
        let ConnectError::Timeout(timeout) = block_on(client.connect()).unwrap_err() else { panic!("{list}") };
        assert_eq!(timeout.stage(), Stage::Proxy);
    }
    close(block_on(server.client().proxy_variables(variables("")).no_proxy().connect()).unwrap());
    server.stop();
}

#[cfg(feature = "socks")]
mod socks {
    use super::*;

    /// A proxy that agrees to `method`, and answers the request with this reply. If that is a success, it is the server, too.
    /// What the client sent.
    fn proxy(method: u8, reply: u8) -> Script<Vec<Vec<u8>>> {
        Script::new(move |mut peer| {
            let mut sent = Vec::new();
            let greeting = peer.take(2);
            sent.push([greeting.clone(), peer.take(greeting[1].into())].concat());
            peer.write([5, method]);
            if method == 2 {
                let user = peer.take(2);
                let name = peer.take(user[1].into());
                let length = peer.take(1);
                let password = peer.take(length[0].into());
                sent.push([user, name, length, password].concat());
                peer.write([1, u8::from(reply == 0xFF)]);
            }
            if method == 0xFF || reply == 0xFF {
                peer.until_let_go();
                return sent;
            }
            let head = peer.take(4);
            let address = match head[3] {
                1 => peer.take(4),
                4 => peer.take(16),
                _ => {
                    let length = peer.take(1);
                    [length.clone(), peer.take(length[0].into())].concat()
                }
            };
            sent.push([head, address, peer.take(2)].concat());
            peer.write([5, reply, 0, 3, 2, b'a', b'b', 0, 1]);
            if reply == 0 {
                let request = peer.accept(b"");
                sent.push(request.headers()["host"].as_bytes().to_vec());
                peer.close_frame();
            } else {
                peer.until_let_go();
            }
            sent
        })
    }

    fn connecting(url: &str, scheme: &str, user: &str, proxy: &Script<Vec<Vec<u8>>>) -> Client {
        Client::new(url).proxy(format!("{scheme}://{user}{}", proxy.address))
    }

    #[test]
    fn the_proxy_resolves_names_or_gets_addresses() {
        for (url, scheme, asked, host) in [
            ("ws://server.test/", "socks5h", &b"\x05\x01\0\x03\x0bserver.test\0\x50"[..], "server.test"),
            ("ws://server.test:258/", "SOCKS5H", b"\x05\x01\0\x03\x0bserver.test\x01\x02", "server.test:258"),
            ("ws://10.1.2.3/", "socks5h", b"\x05\x01\0\x01\x0a\x01\x02\x03\0\x50", "10.1.2.3"),
            ("ws://[::9]/", "socks5", b"\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09\0\x50", "[::9]"),
        ] {
            let proxy = proxy(0, 0);
            drop(block_on(connecting(url, scheme, "", &proxy).connect()).unwrap());
            assert_eq!(proxy.done(), [&b"\x05\x01\0"[..], asked, host.as_bytes()], "{url} {scheme}");
        }
        let proxy = proxy(0, 0);
        drop(block_on(connecting("ws://localhost/", "socks5", "", &proxy).connect()).unwrap());
        let sent = proxy.done();
        assert!(matches!(sent[1][3], 1 | 4), "an address, not a name: {sent:?}");
        assert_eq!(sent[2], b"localhost");
    }

    #[test]
    fn credentials_are_sent_when_the_proxy_wants_them() {
        let with = proxy(2, 0);
        drop(block_on(connecting("ws://server.test/", "socks5h", "me:s%40fe@", &with).connect()).unwrap());
        assert_eq!(with.done()[..2], [b"\x05\x02\0\x02".to_vec(), b"\x01\x02me\x04s@fe".to_vec()]);
        let without = proxy(0, 0);
        drop(block_on(connecting("ws://server.test/", "socks5h", "me:s%40fe@", &without).connect()).unwrap());
        assert_eq!(without.done()[0], b"\x05\x02\0\x02");
    }

    #[test]
    fn a_refusal_names_its_reason_and_never_the_credentials() {
        for (method, reply, why) in [
            (0xFF, 0, "it wants other credentials"),
            (2, 0xFF, "it wants other credentials"),
            (0, 1, "general failure"),
            (0, 2, "not allowed by its rules"),
            (0, 3, "network unreachable"),
            (0, 4, "host unreachable"),
            (0, 5, "connection refused"),
            (0, 6, "time to live expired"),
            (0, 7, "it does not support connecting"),
            (0, 8, "it does not support this type of address"),
        ] {
            let proxy = proxy(method, reply);
            let error =
                block_on(connecting("ws://server.test/", "socks5h", "me:hunter2@", &proxy).connect()).unwrap_err();
            let name = format!("socks5h://{}", proxy.address);
            assert_eq!(error.to_string(), format!("the proxy {name} refused to connect to server.test:80: {why}"));
            assert!(!format!("{error:?}").contains("hunter2"));
            proxy.done();
        }
        let proxy = proxy(0, 0);
        let error = block_on(connecting("ws://server.test/", "socks5h", "only-a-name@", &proxy).connect()).unwrap_err();
        assert!(error.to_string().ends_with("must be UTF-8 of 1 to 255 bytes each"), "{error}");
    }

    #[test]
    fn a_name_that_is_too_long_for_the_protocol_is_not_asked_for() {
        // The length is one byte (RFC 1928 §5). The rest of a longer name would be taken for what follows it.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        for length in [256, 300, 600] {
            let client = Client::new(format!("ws://{}/", "a".repeat(length)));
            let client = client.proxy(format!("socks5h://{}", silent.local_addr().unwrap())).connect_timeout(SOON);
            let error = block_on(client.connect()).unwrap_err();
            assert!(matches!(error, ConnectError::Url(_)), "{error}");
        }
    }

    #[test]
    fn a_proxy_that_speaks_something_else_is_told_apart() {
        for (answer, why) in [
            ("HTTP/1.1 400 Bad Request\r\n\r\n", "does not answer as a proxy: Invalid response version"),
            ("\x05", "closed the connection before it answered"),
        ] {
            let proxy = Script::new(move |mut peer| {
                peer.take(3);
                peer.write(answer);
            });
            let url = format!("socks5h://{}", proxy.address);
            let error = block_on(Client::new("ws://server.test/").proxy(&url).connect()).unwrap_err();
            assert_eq!(error.to_string(), format!("the proxy {url} {why}"));
            proxy.done();
        }
        let silent = Script::new(|mut peer| peer.until_let_go());
        let client = Client::new("ws://server.test/").proxy(format!("socks5://{}", silent.address));
        let ConnectError::Timeout(timeout) =
            block_on(client.dial_host("10.0.0.1").connect_timeout(SOON).connect()).unwrap_err()
        else {
            panic!("a timeout");
        };
        assert_eq!(timeout.stage(), Stage::Proxy);
    }
}

#[cfg(not(feature = "socks"))]
#[test]
fn socks_needs_a_feature() {
    let error = block_on(Client::new("ws://server.test/").proxy("socks5://127.0.0.1").connect()).unwrap_err();
    assert!(error.to_string().contains("feature `socks`"), "{error}");
}
