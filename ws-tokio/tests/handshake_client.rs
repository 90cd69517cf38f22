//! The opening handshake as a client does it: what it refuses to send (row K7 of the table of bad input), and what it
//! makes of a server's answer (rows K1–K6), over loopback sockets; its deadline over pipes and virtual time.

mod common;

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};
use ws_tokio::http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER};
use ws_tokio::http::{HeaderName, Response, StatusCode};
use ws_tokio::{
    Addresses, BuildError, Bytes, Client, ConnectError, HandshakeError, Message, TokioIo, UrlError, WebSocket,
};

/// What a client makes of a server that answers with these bytes and leaves.
async fn connect_to(answer: impl Into<Vec<u8>>) -> Result<WebSocket, ConnectError> {
    let answer = answer.into();
    let server = fake_server(|mut raw| async move {
        raw.head().await;
        raw.write(answer).await;
        raw.finish().await;
        raw.rest().await;
    })
    .await;
    let connected = in_time(ws_tokio::connect(&server.url)).await;
    if connected.is_err() {
        server.done().await;
    }
    connected
}

async fn rejected(answer: impl Into<Vec<u8>>) -> Response<Bytes> {
    match connect_to(answer).await {
        Err(ConnectError::Rejected(response)) => *response,
        other => panic!("expected a rejection, not {other:?}"),
    }
}

#[tokio::test]
async fn a_rejection_has_status_headers_and_body() {
    let response = rejected(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 5\r\n\r\nlater, not this",
    )
    .await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "30");
    assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
    assert_eq!(response.body(), "later");

    let chunked = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n\
                   4\r\nno s\r\n0A;x=y\r\nuch thing.\r\n0\r\nX-Trailer: z\r\n\r\n";
    assert_eq!(rejected(chunked).await.body(), "no such thing.");

    assert_eq!(rejected("HTTP/1.0 200 OK\r\n\r\n<p>until the end").await.body(), "<p>until the end");
    assert_eq!(rejected("HTTP/1.1 204 No Content\r\n\r\n").await.body(), "");
    assert_eq!(rejected("HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\ncut sho").await.body(), "cut sho");
    assert_eq!(rejected("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 403 No\r\n\r\n").await.status(), 403);

    let upgrade = "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(rejected(upgrade).await.status(), StatusCode::OK, "a 200 is no 101");
}

#[tokio::test]
async fn a_redirect_is_there_to_be_seen() {
    let response =
        rejected("HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://elsewhere/\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(response.headers()[LOCATION], "wss://elsewhere/");
}

#[tokio::test]
async fn of_an_endless_body_the_first_64_kib_are_kept() {
    let head = "HTTP/1.1 500 Internal Server Error\r\n";
    for framing in ["\r\n", "Content-Length: 99999999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"] {
        let server = fake_server(move |mut raw| async move {
            raw.head().await;
            raw.write(format!("{head}{framing}")).await;
            // Until the client has enough.
            while raw.stream.write_all(&[b'x'; KIB]).await.is_ok() {}
        })
        .await;
        let error = in_time(ws_tokio::connect(&server.url)).await.unwrap_err();
        let response = error.response().expect("a response");
        assert_eq!((response.status().as_u16(), response.body().len()), (500, 64 * KIB), "{framing:?}");
        server.done().await;
    }
}

#[tokio::test]
async fn answers_that_are_no_handshake() {
    let good = |change: &str, to: &str| {
        let change = change.to_owned();
        let to = to.to_owned();
        fake_server(move |mut raw| async move {
            let upgrade = ws_proto::handshake::server::Upgrade::new(parse(&raw.head().await)).unwrap();
            let accepted = upgrade.accept(None, Default::default()).unwrap();
            let mut bytes = Vec::new();
            ws_proto::handshake::encode::response_head(&accepted.response, &mut bytes);
            let bytes = String::from_utf8(bytes).unwrap();
            assert!(bytes.contains(&change), "{bytes}");
            raw.write(bytes.replacen(&change, &to, 1)).await;
            // The client has nothing more to say.
            assert_eq!(raw.rest().await, b"");
        })
    };
    for (change, to, says) in [
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", "accept"),
        ("Sec-WebSocket-Accept: ", "X: ", "accept"),
        ("Upgrade: websocket\r\n", "", "upgrade"),
        ("Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "upgrade"),
        ("Connection: Upgrade\r\n", "", "connection"),
        ("Connection: Upgrade\r\n", "Connection: close\r\n", "connection"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", "subprotocol"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-other\r\n\r\n", "x-other"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: ;;\r\n\r\n", "extensions"),
        ("HTTP/1.1", "HTTP/1.0", "HTTP"),
        ("HTTP/1.1", "ICY", "HTTP"),
        ("\r\n\r\n", "\r\nX : y\r\n\r\n", "colon"),
    ] {
        let server = good(change, to).await;
        let error = in_time(ws_tokio::connect(&server.url)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Handshake(_)), "{change:?} → {to:?}: {error:?}");
        assert!(error.to_string().contains(says), "{change:?} → {to:?}: {error}");
        assert!(error.response().is_none() && error.source().is_some());
        server.done().await;
    }
    let long = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}", "y".repeat(16 * KIB));
    let error = connect_to(long).await.unwrap_err();
    assert!(matches!(error, ConnectError::Handshake(HandshakeError::Head(_))), "{error:?}");
}

#[tokio::test]
async fn a_frame_in_the_same_segment_as_the_101_is_delivered() {
    let server = fake_server(|mut raw| async move {
        let farewell = frame(0x88, close_body(1001, "bye"), None);
        raw.accept(&[frame(0x81, "early", None), frame(0x82, [7; 300], None), farewell].concat()).await;
        raw.close_frame().await
    })
    .await;
    let mut ws = in_time(ws_tokio::connect(&server.url)).await.unwrap();
    assert_eq!(text(&mut ws).await, "early");
    assert_eq!(in_time(ws.recv()).await.unwrap(), Some(Message::from(&[7; 300])));
    assert_eq!(in_time(ws.recv()).await.unwrap(), None);
    assert_eq!(server.done().await.0, 1001);
    assert_eq!(ending(&mut ws).await, (1001, "bye".to_owned()));
}

#[tokio::test]
async fn the_request_says_what_was_asked_for() {
    let server = fake_server(|mut raw| async move {
        let request = raw.accept(b"").await;
        raw.close_frame().await;
        request
    })
    .await;
    let url = server.url.replace("ws://", "ws://user:p%40ss@");
    let client = Client::new(&format!("{url}chat/%20?a=b c"))
        .header("X-A", "1")
        .header("x-a", "2")
        .header(HOST, "other.example:81")
        .origin("https://example.com")
        .subprotocols(["v2", "v1"])
        .subprotocols(["v0".to_owned()]);
    let shown = format!("{client:?}");
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "no password in {shown}");
    let ws = in_time(client.connect()).await.unwrap();
    assert!(!format!("{:?}", ws.request()).contains("dXNlcjpwQHNz"), "nor credentials in the request's Debug");
    drop(ws);
    let request = server.done().await;
    let header = |name: &str| -> Vec<String> {
        request.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(request.uri(), "/chat/%20?a=b%20c");
    assert_eq!(header("x-a"), ["1", "2"]);
    assert_eq!(header("host"), ["other.example:81"]);
    assert_eq!(header("origin"), ["https://example.com"]);
    assert_eq!(header("authorization"), ["Basic dXNlcjpwQHNz"]);
    assert_eq!(header("sec-websocket-protocol").join(", "), "v2, v1, v0");
    assert_eq!(header("sec-websocket-version"), ["13"]);
    let offered = if cfg!(feature = "deflate") { "permessage-deflate; client_max_window_bits" } else { "" };
    assert_eq!(header("sec-websocket-extensions").concat(), offered);
}

#[tokio::test]
async fn each_connection_has_a_key_of_its_own() {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = fake_server(|mut raw| async move { raw.accept(b"").await }).await;
        let _ = in_time(ws_tokio::connect(&server.url)).await;
        keys.push(server.done().await.headers()["sec-websocket-key"].clone());
    }
    assert_ne!(keys[0], keys[1]);
}

/// What was given that cannot be, and what the client says to it.
fn mistakes(url: &str) -> Vec<(Client, &'static str)> {
    let client = || Client::new(url);
    let at = |path: &str| Client::new(&format!("{url}{path}"));
    vec![
        (at("a\r\nX: y"), "control"),
        (at("\0"), "control"),
        (at("a\nb"), "control"),
        (at("#top"), "fragment"),
        (client().header("X", "a\r\nY: b"), "x"),
        (client().header("X", "a\0b"), "x"),
        (client().header("X\r\nY", "a"), "header"),
        (client().header("", "a"), "header"),
        (client().origin("https://a\r\nX: y"), "origin"),
        (client().header(HOST, "a b"), "host"),
        (client().header(AUTHORIZATION, "Basic \n"), "authorization"),
        (client().header("Sec-WebSocket-Key", "mine"), "sec-websocket-key"),
        (client().header("Connection", "close"), "connection"),
        (client().header("Content-Length", "3"), "content-length"),
        (client().subprotocols(["a\r\nb"]), "subprotocol"),
        (client().subprotocols([""]), "subprotocol"),
        (client().subprotocols(["a b"]), "subprotocol"),
        (client().subprotocols(["a", "a"]), "subprotocol"),
    ]
}

fn is_typed(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Url(_) | ConnectError::Request(_))
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_before_anything_is_dialled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (client, says) in mistakes(&format!("ws://{address}/")) {
        let error = in_time(client.connect()).await.unwrap_err();
        assert!(is_typed(&error), "{error:?}");
        assert!(error.to_string().to_lowercase().contains(says), "{says}: {error}");
    }
    if cfg!(not(feature = "tls")) {
        let secure = in_time(ws_tokio::connect(&format!("wss://{address}/"))).await.unwrap_err();
        assert!(matches!(secure, ConnectError::TlsUnsupported), "{secure:?}");
    }

    // The first to arrive at the listener is this one: none of them did.
    let marker = TcpStream::connect(address).await.unwrap();
    let (_, first) = in_time(listener.accept()).await.unwrap();
    assert_eq!(first, marker.local_addr().unwrap());
}

#[tokio::test]
async fn what_cannot_be_asked_sends_no_byte_on_a_stream_either() {
    for (client, says) in mistakes("ws://test/") {
        let (near, mut far) = duplex(KIB);
        let error = in_time(client.handshake(TokioIo::new(near), Addresses::default())).await.unwrap_err();
        assert!(is_typed(&error), "{says}: {error:?}");
        let mut sent = Vec::new();
        assert_eq!(in_time(far.read_to_end(&mut sent)).await.unwrap(), 0, "{says}: {sent:?}");
    }
}

#[tokio::test]
async fn urls_that_cannot_be_used() {
    let url = async |url: &str| match in_time(ws_tokio::connect(url)).await.unwrap_err() {
        ConnectError::Url(error) => error,
        other => panic!("{url}: {other:?}"),
    };
    assert_eq!(url("http://example.com/").await, UrlError::Scheme("http".to_owned()));
    assert_eq!(url("ws://example.com/#a").await, UrlError::Fragment);
    assert_eq!(url("ws://example.com/\u{85}").await, UrlError::ControlCharacter);
    for invalid in ["", "example.com", "//example.com", "ws://", "ws://a b/", "ws://[::1", "ws://example.com:70000/"] {
        assert!(matches!(url(invalid).await, UrlError::Invalid(_)), "{invalid}");
    }
    let name = in_time(Client::new("ws://test/").header("a b", "c").connect()).await.unwrap_err();
    assert!(matches!(name, ConnectError::Request(BuildError::HeaderName)), "{name:?}");
    let value = in_time(Client::new("ws://test/").header("X-A", "\r\n").connect()).await.unwrap_err();
    let expected = BuildError::HeaderValue(HeaderName::from_static("x-a"));
    assert!(matches!(value, ConnectError::Request(error) if error == expected));
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = in_time(ws_tokio::connect(&format!("ws://{address}/"))).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Io(io) if io.kind() == ErrorKind::ConnectionRefused), "{error:?}");
}

#[tokio::test]
async fn the_server_leaves_without_an_answer() {
    let error = connect_to("").await.unwrap_err();
    assert!(matches!(error, ConnectError::Eof), "{error:?}");
    let error = connect_to("HTTP/1.1 101 Switching").await.unwrap_err();
    assert!(matches!(error, ConnectError::Eof), "{error:?}");

    let server = fake_server(|mut raw| async move {
        raw.head().await;
        raw.stream.set_zero_linger().unwrap();
    })
    .await;
    let error = in_time(ws_tokio::connect(&server.url)).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Io(io) if io.kind() == ErrorKind::ConnectionReset), "{error:?}");
    server.done().await;
}

#[tokio::test]
async fn localhost_and_ipv6() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        Raw::new(stream).accept(b"").await.headers()[HOST].clone()
    });
    let _ = in_time(ws_tokio::connect(&format!("ws://localhost:{port}"))).await.unwrap();
    assert_eq!(in_time(server).await.unwrap(), format!("localhost:{port}"));

    // Where there is no IPv6, there is nothing to see.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        Raw::new(stream).accept(b"").await.headers()[HOST].clone()
    });
    let _ = in_time(ws_tokio::connect(&format!("ws://{address}"))).await.unwrap();
    assert_eq!(in_time(server).await.unwrap(), address.to_string());
}

/// A client's handshake over a pipe, and its other end.
fn handshake(client: Client) -> (JoinHandle<Result<WebSocket, ConnectError>>, Raw<DuplexStream>) {
    let (near, far) = duplex(64 * KIB);
    let task = tokio::spawn(async move {
        let (ws, driver) = client.handshake(TokioIo::new(near), Addresses::default()).await?;
        tokio::spawn(driver);
        Ok(ws)
    });
    (task, Raw::new(far))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers() {
    for (timeout, answer) in [(10, ""), (3, ""), (3, "HTTP/1.1 101 Switching Protocols\r\nUpgr")] {
        let started = Instant::now();
        let client = match timeout {
            10 => Client::new("ws://test/"),
            seconds => Client::new("ws://test/").connect_timeout(Duration::from_secs(seconds)),
        };
        let (task, mut raw) = handshake(client);
        raw.head().await;
        raw.write(answer).await;
        let error = in_time(task).await.unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::Timeout), "{error:?}");
        assert_eq!(started.elapsed().as_secs(), timeout);
        assert_eq!(raw.rest().await, b"", "and it is gone");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read() {
    let started = Instant::now();
    let (near, far) = duplex(16);
    let client = Client::new("ws://test/").handshake(TokioIo::new(near), Addresses::default());
    let error = in_time(client).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 10);
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn early_hints_without_end_do_not_put_the_deadline_off() {
    let started = Instant::now();
    let (mut task, mut raw) = handshake(Client::new("ws://test/"));
    raw.head().await;
    let mut second = interval(Duration::from_secs(1));
    let connected = loop {
        tokio::select! {
            biased;
            connected = &mut task => break connected.unwrap(),
            _ = second.tick() => raw.write("HTTP/1.1 103 Early Hints\r\n\r\n").await,
        }
    };
    assert!(matches!(connected, Err(ConnectError::Timeout)), "{connected:?}");
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_half_way_is_handed_out_at_the_deadline() {
    let started = Instant::now();
    let (task, mut raw) = handshake(Client::new("ws://test/"));
    raw.head().await;
    raw.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nas far as this").await;
    let error = in_time(task).await.unwrap().unwrap_err();
    assert_eq!(error.response().expect("a response").body(), "as far as this");
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn who_drops_the_future_gives_up() {
    let server = fake_server(|mut raw| async move {
        raw.head().await;
        raw.rest().await
    })
    .await;
    let mut connecting = Box::pin(ws_tokio::connect(&server.url));
    tokio::select! {
        biased;
        connected = &mut connecting => panic!("{connected:?}"),
        () = settle() => {}
    }
    drop(connecting);
    assert_eq!(server.done().await, b"");
}

#[tokio::test]
async fn errors_can_be_read() {
    let error = connect_to("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await.unwrap_err();
    assert!(error.to_string().contains("403 Forbidden"), "{error}");
    let error = ConnectError::TlsUnsupported;
    assert!(error.to_string().contains("TLS"), "{error}");
}
