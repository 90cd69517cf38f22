//! Errors, hints and the output of `-v` in `ws connect`, and secrets that it never prints.

use std::process::Stdio;

use crate::support::{Demo, in_time, read_head, run, stderr, stdout, ws};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use ws_tokio::Server;

/// A server that reads a request, says this and closes; its address.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            read_head(&mut client).await;
            client.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

/// A server that says in a message which values these headers have.
async fn telling(names: &'static [&'static str]) -> String {
    let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
    let address = listening.local_addr().unwrap().to_string();
    tokio::spawn(listening.serve(move |ws| async move {
        for name in names {
            let values: Vec<_> = ws.request().headers().get_all(*name).iter().collect();
            let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            ws.send(format!("{name}: {}", values.join(" | "))).await?;
        }
        Ok(())
    }));
    address
}

#[tokio::test]
async fn a_url_without_a_command_gets_a_tip() {
    let output = run(&["ws://127.0.0.1:1/chat"], "").await;
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("tip: to connect, use `ws connect ws://127.0.0.1:1/chat`"), "{said}");
    let output = run(&["conect"], "").await;
    let said = stderr(&output);
    assert!(said.contains("'connect'") && !said.contains("use `ws connect"), "{said}");
}

#[tokio::test]
async fn a_negative_number_of_seconds_is_named_as_such() {
    for option in ["--wait", "--ping-interval"] {
        for number in ["-1", "-0.5"] {
            let output = run(&["connect", option, number, "ws://127.0.0.1:1/"], "").await;
            assert_eq!(output.status.code(), Some(2));
            let said = stderr(&output);
            assert!(said.contains("expected a number of seconds, 0 or more") && !said.contains("tip:"), "{said}");
        }
    }
}

#[tokio::test]
async fn explicit_headers_are_sent_once() {
    let address = telling(&["authorization", "origin", "user-agent", "host"]).await;
    let url = format!("ws://user:secret@{address}/");
    let output = run(&["connect", "-H", "Authorization: Bearer t", "-H", "Origin: b", "--origin", "a", &url], "").await;
    let version = env!("CARGO_PKG_VERSION");
    let told = format!("< authorization: Bearer t\n< origin: a\n< user-agent: ws-tokio/{version}\n< host: {address}\n");
    assert!(stdout(&output).contains(&told), "{}", stdout(&output));
    let output = run(&["connect", "-H", "User-Agent:", "-H", "Host: other.example", &url], "").await;
    let told = "< authorization: Basic dXNlcjpzZWNyZXQ=\n< origin: \n< user-agent: \n< host: other.example\n";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    let output = run(&["connect", "-H", "User-Agent: me/1", &url], "").await;
    assert!(stdout(&output).contains("< user-agent: me/1\n"), "{}", stdout(&output));
}

#[tokio::test]
async fn a_password_is_never_printed() {
    let demo = Demo::start().await;
    let good = format!("ws://user:secret@{}/echo", demo.address);
    for url in [
        good.as_str(),
        "ws://user:secret@127.0.0.1:1/",
        "ws://user:secret@127.0.0.1:99999/",
        "ws://user:sec/ret@127.0.0.1/",
        "user:secret@127.0.0.1:1/",
        "wss://user:secret@[::1/",
    ] {
        let child = ws(&["connect", "-v", "--wait", "0", url]).env("RUST_LOG", "trace").output();
        let output = in_time(child).await.unwrap();
        let all = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!all.is_empty());
        for secret in ["secret", "sec/ret", "dXNlcjpzZWNyZXQ="] {
            assert!(!all.contains(secret), "{all}");
        }
    }
    let output = run(&["connect", "--wait", "0", &good], "").await;
    assert!(stdout(&output).starts_with(&format!("Connected to ws://user@{}/echo.\n", demo.address)));
}

#[tokio::test]
async fn errors_name_what_they_are_about() {
    let mail = answering("220 mail.example.com ESMTP \u{1b}[2J\r\n").await;
    let page = answering("HTTP/1.1 200 OK\r\nServer: x\u{9b}y\r\n\r\n<html>").await;
    for (url, told) in [
        ("ws://127.0.0.1:1/".to_owned(), "cannot connect to 127.0.0.1:1: "),
        ("ws://nowhere.invalid/".to_owned(), "cannot resolve nowhere.invalid: "),
        #[cfg(feature = "idna")]
        ("ws://bücher.invalid/".to_owned(), "cannot resolve xn--bcher-kva.invalid: "),
        ("localhost:9711".to_owned(), "put ws:// in front of it"),
        ("127.0.0.1:9711/x".to_owned(), "put ws:// in front of it"),
        (format!("ws://{mail}/"), "it said \"220 mail.example.com ESMTP \\x1b[2J\""),
        (format!("http://{page}/"), "this is not a WebSocket endpoint (HTTP 200 OK)"),
    ] {
        let output = run(&["connect", &url], "").await;
        assert!(stderr(&output).starts_with(&format!("Failed to connect to {url}: ")), "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test]
async fn verbose_shows_the_answer_and_pings() {
    let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listening.local_addr().unwrap());
    tokio::spawn(listening.serve(|ws| async move {
        ws.ping().await?;
        ws.send("pinged").await?;
        Ok(())
    }));
    let output = run(&["connect", "-v", "--wait", "forever", &url], "").await;
    let told = stdout(&output);
    assert!(told.contains("The server answered HTTP 101 Switching Protocols:\n  "), "{told}");
    assert!(told.contains("\n  upgrade: websocket\n"), "{told}");
    assert!(told.contains("\n< (ping) "), "{told}");
    let output = run(&["connect", "--wait", "forever", &url], "").await;
    assert_eq!(stdout(&output), format!("Connected to {url}.\n< pinged\nConnection closed: 1000 (OK).\n"));
}

#[tokio::test]
async fn verbose_shows_the_answer_that_refuses() {
    let address = answering("HTTP/1.1 403 Forbidden\r\nX-Why: \u{9b}2J\r\nContent-Length: 6\r\n\r\nno \u{7}!\n").await;
    let url = format!("ws://{address}/");
    let output = run(&["connect", &url], "").await;
    assert!(stderr(&output).ends_with("\n-v shows the server's answer.\n"), "{}", stderr(&output));
    let output = run(&["connect", "-v", &url], "").await;
    let told = stderr(&output);
    assert!(!told.contains("-v"), "{told}");
    assert!(told.contains("\nThe server answered HTTP 403 Forbidden:\n  x-why: \\u{9b}2J\n"), "{told}");
    assert!(told.ends_with("\nThe server said:\n  no \\x07!\n"), "{told}");
}

#[tokio::test]
async fn a_server_that_leaves_before_it_answers_may_want_an_origin() {
    for answer in ["", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"] {
        let address = answering(answer).await;
        let url = format!("ws://user:secret@{address}/x");
        let output = run(&["connect", &url], "").await;
        assert!(stderr(&output).contains(&format!("--origin http://{address} sends an Origin")), "{}", stderr(&output));
        for origin in [&["--origin", "http://a.example"], &["-H", "origin: http://a.example"]] {
            let output = run(&[&["connect", &url], origin.as_slice()].concat(), "").await;
            assert!(!stderr(&output).contains("--origin"), "{}", stderr(&output));
        }
    }
}

#[tokio::test]
async fn a_server_that_answers_400_may_not_stand_an_offer_to_compress() {
    let hint = "--no-compression sends no offer";
    let bad = answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let url = format!("ws://{bad}/");
    let output = run(&["connect", &url], "").await;
    assert!(stderr(&output).contains("400 Bad Request") && stderr(&output).contains(hint), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["connect", "--no-compression", &url], "").await;
    assert!(stderr(&output).contains("400 Bad Request"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("--no-compression"), "{}", stderr(&output));
    for other in ["HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 503 Service Unavailable\r\n\r\n"] {
        let output = run(&["connect", &format!("ws://{}/", answering(other).await)], "").await;
        assert!(!stderr(&output).contains("--no-compression"), "{}", stderr(&output));
    }
}

/// The echo of the demo behind a relay that cuts both connections after so many of the client's messages.
async fn cut_after(messages: usize) -> String {
    let demo = Demo::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/echo", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // All of it: it ends when it is dropped.
        let demo = demo;
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&demo.address).await.unwrap();
            server.write_all(&read_head(&mut client).await).await.unwrap();
            client.write_all(&read_head(&mut server).await).await.unwrap();
            let mut buffer = [0; 4096];
            for message in 1..=messages {
                let n = client.read(&mut buffer).await.unwrap();
                if message < messages {
                    server.write_all(&buffer[..n]).await.unwrap();
                    let n = server.read(&mut buffer).await.unwrap();
                    client.write_all(&buffer[..n]).await.unwrap();
                }
            }
        }
    });
    url
}

/// What is told when lines are sent one after the other, each after the reply to the one before.
async fn conversation(url: &str, options: &[&str]) -> String {
    let arguments = [&["connect", url], options].concat();
    let mut child = ws(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = tokio::spawn(async move {
        for _ in 0..3 {
            let _ = stdin.write_all(b"Hello\n").await;
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    });
    let output = in_time(child.wait_with_output()).await.unwrap();
    writing.abort();
    assert_eq!(output.status.code(), Some(3));
    stderr(&output).to_owned()
}

#[tokio::test]
async fn a_server_that_leaves_at_the_first_message_may_not_stand_compression() {
    let hint = "--no-compression";
    let url = cut_after(1).await;
    let told = conversation(&url, &[]).await;
    assert!(told.contains(hint), "{told}");
    let told = conversation(&url, &[hint]).await;
    assert!(!told.contains(hint), "{told}");
    let told = conversation(&cut_after(2).await, &[]).await;
    assert!(told.contains("did not close cleanly") && !told.contains(hint), "{told}");
}
