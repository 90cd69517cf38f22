//! Messages, frames and heads, at DEBUG.

use crate::common::*;
use tracing::Level;
use ws_test_support::frames::masked;
use ws_tokio::{Client, Server, http};

use super::*;

#[tokio::test]
async fn messages_are_traced_at_debug_and_elided() {
    capture();
    let (mut server, client) = piped(Server::new(), Client::new("ws://test/")).await;
    client.send("short\n").await.unwrap();
    client.send("é".repeat(1000)).await.unwrap();
    client.send(vec![0xAB; 1000]).await.unwrap();
    client.ping().await.unwrap();
    for _ in 0..3 {
        server.recv().await.unwrap();
    }
    for direction in ["<", ">"] {
        line(Level::DEBUG, &format!("{direction} text 'short\\n' [6 bytes]"));
        let long = line(Level::DEBUG, &format!("{direction} text 'éé"));
        assert!(long.contains(&format!("'{}…' [2000 bytes]", "é".repeat(75))), "{long}");
        let binary = line(Level::DEBUG, &format!("{direction} binary ab"));
        assert!(binary.contains("…") && binary.contains("[1000 bytes]") && binary.len() < 120, "{binary}");
    }
    in_time(async { tokio::join!(client.close(4000, "why"), server.closed()) }).await.0.unwrap();
    assert!(traced(Level::DEBUG).iter().all(|line| line.len() < 300), "{:#?}", traced(Level::DEBUG));
    assert_eq!(traced(Level::DEBUG).iter().filter(|line| line.contains("4000 (private use) why")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn every_frame_is_traced_at_debug() {
    capture();
    let (server, mut raw) = piped_server(Server::new()).await;
    raw.write([&masked(0x89, "are you there?")[..], &masked(0x01, "Hel")].concat()).await;
    raw.write(&masked(0x80, "lo\n")[..3]).await;
    raw.write(&masked(0x80, "lo\n")[3..]).await;
    raw.write(masked(0x82, vec![0xAB; 1000])).await;
    raw.write(masked(0x88, b"\x0F\xA0why")).await;
    server.send("é".repeat(100)).await.unwrap();
    in_time(server.closed()).await;
    let frames: Vec<_> = traced(Level::DEBUG).into_iter().filter(|line| line.contains(" frame ")).collect();
    let id = server.id();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for expected in [
        format!("< frame PING FIN {} [14 bytes] id={id}", hex("are you there?")),
        format!("> frame PONG FIN {} [14 bytes] id={id}", hex("are you there?")),
        format!("< frame TEXT 'Hel' [3 bytes] id={id}"),
        format!("< frame CONTINUATION FIN 'lo\\n' [3 bytes] id={id}"),
        format!("< frame BINARY FIN {}… [1000 bytes] id={id}", "ab".repeat(37)),
        format!("> frame TEXT FIN '{}…' [200 bytes] id={id}", "é".repeat(75)),
        format!("< frame CLOSE FIN 4000 (private use) why [5 bytes] id={id}"),
        format!("> frame CLOSE FIN 4000 (private use) [2 bytes] id={id}"),
    ] {
        assert_eq!(frames.iter().filter(|frame| **frame == expected).count(), 1, "{expected:?} among {frames:#?}");
    }
    assert_eq!(frames.len(), 8);
}

#[tokio::test]
async fn frames_are_traced_as_they_travel_compressed_or_against_the_rules() {
    capture();
    let (server, client) = piped(Server::new(), Client::new("ws://test/")).await;
    client.send("text, ".repeat(100)).await.unwrap();
    client.close(1000, "").await.unwrap();
    drop(server);
    let compressed = line(Level::DEBUG, "< frame TEXT");
    assert_eq!(cfg!(feature = "deflate"), compressed.starts_with("< frame TEXT FIN RSV1 "), "{compressed}");
    line(Level::DEBUG, "> frame TEXT");
    let (server, mut raw) = piped_server(Server::new()).await;
    raw.write(b"\x83\x80\0\0\0\0").await;
    in_time(server.closed()).await;
    line(Level::DEBUG, "< frame 83 is none: reserved opcode");
    line(Level::DEBUG, "> frame CLOSE FIN 1002 (protocol error)");
}

#[cfg(feature = "redirects")]
#[tokio::test]
async fn heads_are_traced_at_debug_without_credentials() {
    capture();
    let server = Server::new().header("Set-Cookie", "session=our-secret").on_request(|request| {
        let location = "/room?token=moved-secret&n=1";
        let moved = http::Response::builder().status(307).header("location", location);
        (request.uri().path() == "/").then(|| moved.body("".into()).unwrap())
    });
    let server = start(server, echo).await;
    let url = server.url("/?token=query-secret").replace("ws://", "ws://user:url-secret@");
    let client = Client::new(url).header("Cookie", "session=their-secret").header("X-Example", "shown");
    let client = client.header("X-Auth-Token", "secret").header("Referer", "https://secret@example.com/?secret");
    let ws = in_time(client.connect()).await.unwrap();
    ws.close(1000, "").await.unwrap();
    server.stop().await;
    let lines = traced(Level::DEBUG);
    for direction in ["<", ">"] {
        for (text, times) in [
            ("GET /?token=… HTTP/1.1", 1),
            ("GET /room?token=…&n=… HTTP/1.1", 1),
            ("Location: /room?token=…&n=…", 1),
            ("Referer: https://…@example.com/?…", 2),
            ("X-Example: shown", 2),
            ("HTTP/1.1 101", 1),
        ] {
            let found = lines.iter().filter(|line| line.contains(&format!("{direction} {text}"))).count();
            assert_eq!(found, times, "{direction} {text} in {lines:#?}");
        }
    }
    let hidden = |name: &str| lines.iter().filter(|line| line.to_lowercase().contains(&format!(" {name}: …"))).count();
    assert_eq!((hidden("authorization"), hidden("cookie"), hidden("set-cookie")), (4, 4, 2), "{lines:#?}");
    assert_eq!(hidden("x-auth-token"), 4);
    assert!(!lines.concat().contains("secret"), "{lines:#?}");
}
