//! The demo server, spoken to over its sockets.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::support::{Demo, in_time, run, stderr, stdout, text, ws};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use ws_test_support::opening::request;
use ws_tokio::{Client, CloseCode, Message, WebSocket};

/// A plain HTTP request; the whole response.
async fn get(demo: &Demo, path: &str) -> String {
    let mut stream = TcpStream::connect(&demo.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", demo.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    response
}

#[tokio::test]
async fn the_page_is_served() {
    let demo = Demo::start().await;
    let page = get(&demo, "/").await;
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    assert!(page.to_lowercase().contains("content-type: text/html; charset=utf-8"), "{page}");
    assert!(page.contains("<!doctype html>") && page.trim_end().ends_with("</html>"));
    // What a script that drives the page relies on.
    for id in [
        "chat-log",
        "chat-input",
        "chat-send",
        "status-chat",
        "counter-value",
        "counter-plus",
        "counter-minus",
        "counter-error",
        "users",
        "status-counter",
        "clock",
        "clock-local",
        "status-time",
    ] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
    // Nothing comes from elsewhere.
    for elsewhere in ["src=\"", "http://", "https://", "url("] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[tokio::test]
async fn other_requests_are_told_what_there_is() {
    let demo = Demo::start().await;
    let lost = get(&demo, "/lost").await;
    assert!(lost.starts_with("HTTP/1.1 404 "), "{lost}");
    for path in ["/echo", "/chat", "/counter", "/time"] {
        assert!(lost.contains(path), "{lost}");
        let response = get(&demo, path).await;
        assert!(response.starts_with("HTTP/1.1 426 "), "{response}");
        assert!(response.to_lowercase().contains("upgrade: websocket"), "{response}");
    }
    assert!(ws_tokio::connect(&demo.url("/lost")).await.is_err());
    assert!(ws_tokio::connect(&demo.url("/")).await.is_err());
}

#[tokio::test]
async fn echo_sends_back_what_it_gets() {
    let demo = Demo::start().await;
    let mut ws = demo.connect("/echo").await;
    for message in
        [Message::from("text"), Message::from(""), Message::from(vec![0, 255]), Message::from("é".repeat(99_999))]
    {
        ws.send(message.clone()).await.unwrap();
        assert_eq!(in_time(ws.recv()).await.unwrap(), Some(message));
    }
    let outcome = in_time(ws.close(CloseCode::from(4321), "done")).await.unwrap();
    assert_eq!((outcome.code(), outcome.is_clean()), (CloseCode::from(4321), true));
}

#[tokio::test]
async fn everyone_reads_each_message() {
    let demo = Demo::start().await;
    let mut readers = [demo.connect("/chat").await, demo.connect("/chat").await, demo.connect("/chat").await];
    let said = ["hello", "<b>markup</b>", "", "a\nb"];
    // The others have joined once they have read a line of their own.
    for reader in &mut readers {
        reader.send("here").await.unwrap();
        while !text(reader).await.ends_with("here") {}
    }
    for line in said {
        readers[0].send(line).await.unwrap();
    }
    for reader in &mut readers {
        let mut lines = Vec::new();
        while lines.len() < said.len() {
            let line = text(reader).await;
            let (stamp, said) = line.split_at("[00:00:00] ".len());
            assert!(is_stamp(stamp), "{line}");
            if said != "here" {
                lines.push(said.to_owned());
            }
        }
        assert_eq!(lines, said);
    }
}

fn is_stamp(stamp: &str) -> bool {
    stamp.len() == 11
        && stamp.bytes().zip(*b"[00:00:00] ").all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte == form,
        })
}

#[tokio::test]
async fn the_chat_is_text_only() {
    let demo = Demo::start().await;
    let mut ws = demo.connect("/chat").await;
    ws.send(vec![1, 2, 3]).await.unwrap();
    assert!(in_time(ws.recv()).await.is_err());
    assert_eq!(in_time(ws.closed()).await.code(), CloseCode::UNSUPPORTED_DATA);
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_delay_the_chat() {
    let demo = Demo::start().await;
    // A client that opens the connection, has room for little, and never reads.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stuck = socket.connect(demo.address.parse().unwrap()).await.unwrap();
    stuck.write_all(request("/chat", &[]).as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stuck.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");

    // More than the server's socket buffer and the queue's cap take together. Who waited for the other client would wait
    // for the 30 seconds after which its connection is given up.
    let mut talker = demo.connect("/chat").await;
    let line = "x".repeat(256 << 10);
    for _ in 0..48 {
        talker.send(line.as_str()).await.unwrap();
        let answer = timeout(Duration::from_secs(20), text(&mut talker)).await.expect("held up");
        assert!(answer.ends_with(&line));
    }
}

#[tokio::test]
async fn the_counter_tells_users_and_state() {
    let demo = Demo::start().await;
    let mut first = demo.connect("/counter").await;
    assert_eq!(text(&mut first).await, r#"{"type":"users","count":1}"#);
    assert_eq!(text(&mut first).await, r#"{"type":"state","value":0}"#);
    first.send(r#"{"action":"minus"}"#).await.unwrap();
    assert_eq!(text(&mut first).await, r#"{"type":"state","value":-1}"#);

    let mut second = demo.connect("/counter").await;
    assert_eq!(text(&mut second).await, r#"{"type":"users","count":2}"#);
    assert_eq!(text(&mut second).await, r#"{"type":"state","value":-1}"#);
    assert_eq!(text(&mut first).await, r#"{"type":"users","count":2}"#);

    second.send(r#"{"action":"plus"}"#).await.unwrap();
    for ws in [&mut first, &mut second] {
        assert_eq!(text(ws).await, r#"{"type":"state","value":0}"#);
    }
    in_time(second.close(CloseCode::NORMAL, "")).await.unwrap();
    assert_eq!(text(&mut first).await, r#"{"type":"users","count":1}"#);
}

#[tokio::test]
async fn the_counter_answers_an_unknown_request_with_an_error() {
    let demo = Demo::start().await;
    let mut ws = demo.connect("/counter").await;
    text(&mut ws).await;
    text(&mut ws).await;
    let bad = ["", "plus", "{}", r#"{"action":"reset"}"#, r#"{"action":"plus","by":2}"#, "[[[[", "\u{0}"];
    for message in bad.map(Message::from).into_iter().chain([Message::from(vec![0xff, 0xfe])]) {
        ws.send(message).await.unwrap();
        let answer = text(&mut ws).await;
        assert!(answer.starts_with(r#"{"type":"error","message":""#) && answer.ends_with(r#""}"#), "{answer}");
    }
    ws.send(r#"{"action":"plus"}"#).await.unwrap();
    assert_eq!(text(&mut ws).await, r#"{"type":"state","value":1}"#);
}

#[tokio::test]
async fn senseless_requests_are_counted_in_the_log_not_logged_one_by_one() {
    let mut server = ws(&["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = in_time(lines.next_line()).await.unwrap().unwrap();
    let url = first.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
    let mut ws = in_time(ws_tokio::connect(format!("ws://{url}counter"))).await.unwrap();
    let start = Instant::now();
    for n in 0..1000 {
        ws.send(format!("forged\n2026-11-30 WARN {n}")).await.unwrap();
        while !text(&mut ws).await.starts_with(r#"{"type":"error""#) {}
    }
    let seconds = start.elapsed().as_secs() as usize;
    in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap();
    server.start_kill().unwrap();
    let output = in_time(server.wait_with_output()).await.unwrap();
    let warnings = stderr(&output).lines().filter(|line| line.contains("WARN")).count();
    assert!((1..=seconds + 2).contains(&warnings), "{warnings} lines in {seconds} s:\n{}", stderr(&output));
    assert!(stderr(&output).contains("count=1") && stderr(&output).contains("forged\\n2026"), "{}", stderr(&output));
}

#[tokio::test]
async fn other_pages_do_not_get_in() {
    for (options, extra) in
        [(&[][..], None), (&["--allow-origin", "https://demo.example"], Some("https://demo.example"))]
    {
        let demo = Demo::start_with(options).await;
        let own = format!("http://{}", demo.address);
        let connect = async |path: &str, origin: &str, host: &str| {
            let client = Client::new(demo.url(path)).origin(origin).header("Host", host);
            in_time(client.connect()).await
        };
        let rebound = demo.address.replace("127.0.0.1", "evil.example");
        for path in ["/chat", "/counter"] {
            assert!(connect(path, &own, &demo.address).await.is_ok());
            assert!(
                connect(path, &own.replace("127.0.0.1", "192.0.2.1"), &demo.address.replace("127.0.0.1", "192.0.2.1"))
                    .await
                    .is_ok()
            );
            for (origin, host) in [
                ("http://evil.example", &demo.address),
                (&*format!("http://{rebound}"), &rebound),
                ("null", &demo.address),
            ] {
                let error = connect(path, origin, host).await.unwrap_err();
                let response = error.response().expect("an answer");
                assert_eq!(response.status(), 403, "{origin}");
                let told = std::str::from_utf8(response.body()).unwrap();
                assert!(told.contains(&format!("--allow-origin {origin}")), "{told}");
            }
            let named = connect(path, "https://demo.example", "backend:8765").await;
            assert_eq!(named.is_ok(), extra.is_some(), "{path}");
        }
        // Nobody shares anything there.
        assert!(connect("/echo", "http://evil.example", &demo.address).await.is_ok());
        assert!(connect("/time", "http://evil.example", &demo.address).await.is_ok());
    }
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--allow-origin", "demo.example"], "").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("expected an origin"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_broadcast_is_compressed_once_for_everyone() {
    let demo = Demo::start().await;
    let request = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
            demo.address
        )
    };
    // What is compressed for a connection of its own looks back on the line before, and is much shorter.
    let mut raw = TcpStream::connect(&demo.address).await.unwrap();
    raw.write_all(request("/chat").as_bytes()).await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        received.push(in_time(raw.read_u8()).await.unwrap());
    }
    assert!(String::from_utf8_lossy(&received).contains("permessage-deflate"));
    let line: String = (0_u64..100).map(|n| char::from(b'!' + (n * n * 7919 % 89) as u8)).collect();
    let mut frame = vec![0x81, 0x80 | 100, 0, 0, 0, 0];
    frame.extend(line.as_bytes());
    let mut lengths = Vec::new();
    for _ in 0..2 {
        raw.write_all(&frame).await.unwrap();
        let (first, length) = (in_time(raw.read_u8()).await.unwrap(), in_time(raw.read_u8()).await.unwrap());
        assert_eq!(first, 0xC1, "compressed text");
        in_time(raw.read_exact(&mut vec![0; length.into()])).await.unwrap();
        lengths.push(length);
    }
    assert!(lengths[0] > 90 && lengths[1] > 90, "{lengths:?}");
}

#[tokio::test]
async fn fifty_clients_pressing_at_once_lose_nothing() {
    const CLIENTS: usize = 50;
    const PRESSES: usize = 20;
    let demo = Demo::start().await;
    let mut joined = Vec::new();
    for _ in 0..CLIENTS {
        let mut ws = demo.connect("/counter").await;
        // The state at joining: before it, the server may not have begun to count this client in.
        let mut first = None;
        while first.is_none() {
            first = value(&text(&mut ws).await);
        }
        joined.push((ws, first));
    }
    let mut pressing = JoinSet::new();
    for (number, (mut ws, first)) in joined.into_iter().enumerate() {
        pressing.spawn(async move {
            // Three press plus for every one that presses minus.
            let action = if number % 4 == 3 { "minus" } else { "plus" };
            for _ in 0..PRESSES {
                ws.send(format!(r#"{{"action":"{action}"}}"#)).await.unwrap();
            }
            // Each press is one more.
            let mut values = Vec::from_iter(first);
            while values.len() < 1 + CLIENTS * PRESSES {
                values.extend(value(&text(&mut ws).await));
            }
            (ws, values)
        });
    }
    let seen: Vec<(WebSocket, Vec<i64>)> = in_time(pressing.join_all()).await;
    let minus = CLIENTS / 4 * PRESSES;
    let expected = i64::try_from(CLIENTS * PRESSES - 2 * minus).unwrap();
    let distinct: HashSet<_> = seen.iter().map(|(_, values)| values).collect();
    assert_eq!(distinct.len(), 1, "everyone sees the same values in the same order");
    for values in distinct {
        assert!(values.windows(2).all(|pair| (pair[0] - pair[1]).abs() == 1));
        assert_eq!(values.last(), Some(&expected));
    }
}

fn value(message: &str) -> Option<i64> {
    message.strip_prefix(r#"{"type":"state","value":"#)?.strip_suffix('}')?.parse().ok()
}

#[tokio::test]
async fn the_time_comes_now_and_then() {
    let demo = Demo::start().await;
    let mut ws = demo.connect("/time").await;
    let mut last = String::new();
    for _ in 0..3 {
        let start = Instant::now();
        let time = text(&mut ws).await;
        assert!(start.elapsed() < Duration::from_millis(3500));
        // RFC 3339 in UTC sorts as text.
        assert_eq!((time.len(), time.ends_with('Z')), ("2026-11-05T09:03:07.500Z".len(), true), "{time}");
        assert!(time > last, "{time} after {last}");
        last = time;
    }
    let outcome = in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap();
    assert!(outcome.is_normal());
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_everyone_with_1001() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let mut demo = Demo::start().await;
        assert_eq!(in_time(demo.lines.next_line()).await.unwrap().as_deref(), Some("Press Ctrl-C to stop."));
        let mut open = Vec::new();
        for path in ["/echo", "/chat", "/counter", "/time"] {
            open.push(demo.connect(path).await);
        }
        crate::support::signal(&demo.child, signal);
        for ws in &mut open {
            while in_time(ws.recv()).await.unwrap().is_some() {}
            let outcome = in_time(ws.closed()).await;
            assert_eq!((outcome.code(), outcome.is_clean()), (CloseCode::GOING_AWAY, true));
        }
        assert_eq!(in_time(demo.child.wait()).await.unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let demo = Demo::start().await;
    let output = run(&["serve", "--listen", &demo.address], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).starts_with(&format!("Cannot listen on {}: ", demo.address)), "{}", stderr(&output));
    assert!(stderr(&output).to_lowercase().contains("in use"), "{}", stderr(&output));
}

#[tokio::test]
async fn the_log_shows_the_clients_of_a_trusted_proxy() {
    for (options, shown) in [(&["--trust-proxy", "127.0.0.0/8"][..], true), (&[], false)] {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut server = ws(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = in_time(lines.next_line()).await.unwrap().unwrap();
        let url = first.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
        let client = Client::new(format!("ws://{url}echo")).header("X-Forwarded-For", "203.0.113.9");
        let socket = in_time(client.connect()).await.unwrap();
        in_time(socket.close(CloseCode::NORMAL, "")).await.unwrap();
        server.start_kill().unwrap();
        let output = in_time(server.wait_with_output()).await.unwrap();
        assert!(stderr(&output).contains("connection open"), "{}", stderr(&output));
        assert_eq!(stderr(&output).contains("203.0.113.9"), shown, "{}", stderr(&output));
    }
    let output = run(&["serve", "--listen", "127.0.0.1:0", "--trust-proxy", "proxy.example"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("\"proxy.example\" is no IP address"), "{}", stderr(&output));
}

#[tokio::test]
async fn the_number_of_connections_can_be_limited() {
    for (option, status) in [("--max-connections", 503), ("--max-connections-per-ip", 429)] {
        let mut server = ws(&["serve", "--listen", "127.0.0.1:0", option, "1"]).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = in_time(lines.next_line()).await.unwrap().unwrap();
        let url = first.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap();
        let client = Client::new(format!("ws://{url}echo"));
        let open = in_time(client.clone().connect()).await.unwrap();
        let refused = in_time(client.clone().connect()).await.map(drop).unwrap_err();
        assert_eq!(refused.response().map(|response| response.status().as_u16()), Some(status), "{refused}");
        in_time(open.close(CloseCode::NORMAL, "")).await.unwrap();
        server.start_kill().unwrap();
        in_time(server.wait()).await.unwrap();
    }
}

#[tokio::test]
async fn several_addresses_are_listened_on() {
    let mut demo = Demo::start_with(&["--listen", "127.0.0.2:0"]).await;
    let second = in_time(demo.lines.next_line()).await.unwrap().unwrap();
    let address = second.strip_prefix("Or: http://").unwrap().trim_end_matches('/');
    assert!(address.starts_with("127.0.0.2:"), "{second}");
    for url in [demo.url("/echo"), format!("ws://{address}/echo")] {
        let mut ws = in_time(ws_tokio::connect(&url)).await.unwrap();
        in_time(ws.send("there")).await.unwrap();
        assert_eq!(text(&mut ws).await, "there");
    }
    assert_eq!(in_time(demo.lines.next_line()).await.unwrap().unwrap(), "Press Ctrl-C to stop.");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_listened_on() {
    let path = std::env::temp_dir().join(format!("ws-serve-{}.sock", std::process::id()));
    let listen = format!("unix:{}", path.display());
    let mut server = ws(&["serve", "--listen", &listen]).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(in_time(lines.next_line()).await.unwrap().unwrap(), format!("Listening at {listen}"));
    let client = Client::new("ws://localhost/echo").unix_socket(&path);
    let mut socket = in_time(client.connect()).await.unwrap();
    in_time(socket.send("there")).await.unwrap();
    assert_eq!(text(&mut socket).await, "there");

    let output = run(&["serve", "--listen", &listen], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), format!("Cannot listen on {listen}: a server answers there.\n"));

    server.start_kill().unwrap();
    in_time(server.wait()).await.unwrap();
    // Killed, it leaves its socket behind, and the next one replaces it.
    assert!(path.exists());
    let mut next = ws(&["serve", "--listen", &listen]).spawn().unwrap();
    let mut lines = BufReader::new(next.stdout.take().unwrap()).lines();
    assert_eq!(in_time(lines.next_line()).await.unwrap().unwrap(), format!("Listening at {listen}"));
    next.start_kill().unwrap();
    in_time(next.wait()).await.unwrap();
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_load_balancer_names_the_clients() {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--trust-proxy", "127.0.0.1", "--proxy-protocol"];
    let mut server = ws(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let first = in_time(lines.next_line()).await.unwrap().unwrap();
    let address = first.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    for (header, status) in [("PROXY TCP4 203.0.113.9 198.51.100.7 56324 443\r\n", "101"), ("", "400")] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(format!("{header}{}", request("/echo", &[])).as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        in_time(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, *format!("HTTP/1.1 {status}").as_bytes());
    }
    // The answer comes before the line of the log.
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    while !in_time(log.next_line()).await.unwrap().expect("a line about the client").contains("203.0.113.9:56324") {}
    server.start_kill().unwrap();
    let output = run(&["serve", "--proxy-protocol"], "").await;
    assert_eq!(output.status.code(), Some(2), "whose header is believed?");
}

#[tokio::test]
async fn an_address_that_is_none_is_bad_usage() {
    for bad in ["8765", "localhost", ":1", "localhost:http", "127.0.0.1:65536", "unix:"] {
        let output = run(&["serve", "--listen", bad], "").await;
        assert_eq!(output.status.code(), Some(2), "{bad}");
    }
}
