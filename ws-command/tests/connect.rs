//! `ws connect` in a pipe.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Demo, bare, in_time, run, serve, serve_with, stderr, stdout, ws};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use ws_tokio::{CloseCode, Message, Server};

#[tokio::test]
async fn every_line_is_sent_and_every_reply_shown() {
    let demo = Demo::start().await;
    let url = demo.url("/echo");
    let output = run(&["connect", &url], "one\n\n two \ttabs\nreturn\r\nlast, without an end").await;
    assert_eq!(stderr(&output), "");
    assert_eq!(
        stdout(&output),
        format!(
            "Connected to {url}.\n< one\n< \n<  two \\ttabs\n< return\\r\n< last, without an end\n\
             Connection closed: 1000 (OK).\n"
        )
    );
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_long_input_loses_nothing() {
    let demo = Demo::start().await;
    let url = demo.url("/echo");
    let lines: Vec<_> = (0..50_000).map(|number| format!("line {number}")).collect();
    let output = run(&["connect", &url], lines.join("\n")).await;
    let shown: Vec<_> = stdout(&output).lines().filter_map(|line| line.strip_prefix("< ")).collect();
    assert_eq!(shown, lines);
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_long_line_is_one_message() {
    let demo = Demo::start().await;
    let line = "0123456789".repeat(90_000);
    let output = run(&["connect", &demo.url("/echo")], &line).await;
    assert_eq!(stdout(&output).lines().nth(1), Some(format!("< {line}").as_str()));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn replies_that_take_their_time_are_awaited() {
    let url = serve(|mut ws| async move {
        while let Some(message) = ws.recv().await? {
            tokio::time::sleep(Duration::from_millis(900)).await;
            ws.send(message).await?;
        }
        Ok(())
    })
    .await;
    let output = run(&["connect", &url], "a\nb\n").await;
    assert!(stdout(&output).contains("< a\n< b\nConnection closed: 1000 (OK).\n"), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn no_input_is_no_long_wait() {
    let url = serve(|mut ws| async move {
        ws.send("hello").await?;
        while ws.recv().await?.is_some() {}
        Ok(())
    })
    .await;
    let start = Instant::now();
    let output = run(&["connect", &url], "").await;
    assert!(start.elapsed() < Duration::from_secs(3));
    assert!(stdout(&output).contains("< hello\n"));
    let output = run(&["connect", "--wait", "0", &url], "unanswered\n").await;
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn received_text_cannot_control_the_terminal() {
    let url = serve(|ws| async move {
        ws.send("\u{1b}]0;title\u{7}\u{9b}2J\r\n\u{202e}").await?;
        ws.send(vec![0x00, 0xff, 0x1b]).await?;
        ws.close(CloseCode::from(4001), "kicked\u{1b}[0m").await?;
        Ok(())
    })
    .await;
    let output = run(&["connect", &url], "").await;
    assert_eq!(
        stdout(&output),
        format!(
            "Connected to {url}.\n< \\x1b]0;title\\x07\\u{{9b}}2J\\r\\n\\u{{202e}}\n< (binary) 00ff1b\n\
             Connection closed: 4001 (private use) kicked\\x1b[0m.\n"
        )
    );
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn the_exit_code_tells_how_it_ended() {
    for (code, expected) in [(1000, 0), (1001, 0), (1005, 0), (1008, 3), (1011, 3), (3000, 3)] {
        let url = serve(move |ws| async move {
            ws.close(CloseCode::from(code), "").await?;
            Ok(())
        })
        .await;
        let output = ws(&["connect", &url]).stdin(Stdio::piped()).output();
        let output = in_time(output).await.unwrap();
        assert!(stdout(&output).contains(&format!("Connection closed: {code} (")), "{}", stdout(&output));
        assert_eq!(output.status.code(), Some(expected), "{code}");
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_no_clean_end() {
    let demo = Demo::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/echo", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(&demo.address).await.unwrap();
        let both = tokio::io::copy_bidirectional(&mut client, &mut server);
        let _ = tokio::time::timeout(Duration::from_millis(500), both).await;
    });
    let output = in_time(ws(&["connect", &url]).stdin(Stdio::piped()).output()).await.unwrap();
    let expected = format!("Connected to {url}.\nConnection closed: 1006 (abnormal closure [internal]).\n");
    assert_eq!(stdout(&output), expected);
    assert!(stderr(&output).starts_with("The connection did not close cleanly: "), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn a_server_that_ends_tcp_instead_of_answering_a_close_is_none_to_complain_about() {
    let url = bare(|mut socket| async move {
        let mut close = [0; 8];
        socket.read_exact(&mut close).await.unwrap();
    })
    .await;
    let output = in_time(ws(&["connect", &url]).output()).await.unwrap();
    assert!(
        stdout(&output).ends_with("Connection closed: 1006 (abnormal closure [internal]).\n"),
        "{}",
        stdout(&output)
    );
    let expected = "The server ended the connection after our Close, without one of its own.\n";
    assert_eq!(stderr(&output), expected);
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_close_that_is_followed_by_a_reset_while_lines_are_sent_is_a_normal_end() {
    for _ in 0..5 {
        let url = bare(|mut socket| async move {
            let mut one = [0; 1];
            socket.read_exact(&mut one).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            // With input unread, letting go of the socket resets it.
            socket.write_all(b"\x81\x0Alast words\x88\x06\x03\xE8done").await.unwrap();
        })
        .await;
        let mut child = ws(&["connect", &url]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeding = tokio::spawn(async move {
            while stdin.write_all(b"x\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let output = in_time(child.wait_with_output()).await.unwrap();
        feeding.await.unwrap();
        assert!(stdout(&output).ends_with("< last words\nConnection closed: 1000 (OK) done.\n"), "{}", stdout(&output));
        assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
    }
}

#[tokio::test]
async fn failures_to_connect_are_told() {
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("ws://{}/", listener.local_addr().unwrap())
    };
    let demo = Demo::start().await;
    for url in [refused, demo.url("/lost"), "ws://".into(), "ws://127.0.0.1/#fragment".into(), "ftp://x/".into()] {
        let output = run(&["connect", &url], "").await;
        assert_eq!(stdout(&output), "");
        let told = stderr(&output);
        assert!(told.starts_with(&format!("Failed to connect to {url}: ")) && told.ends_with(".\n"), "{told}");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[tokio::test]
async fn the_body_of_a_refusal_is_shown_on_demand() {
    let demo = Demo::start().await;
    let output = run(&["connect", "-v", &demo.url("/lost")], "").await;
    assert!(stderr(&output).contains("404") && stderr(&output).contains("/counter"), "{}", stderr(&output));
}

/// What `-v` tells, but for the request and the server's answer.
fn without_head(told: &str) -> String {
    let is_head =
        |line: &&str| ["The request was ", "The server answered ", "  "].iter().any(|head| line.starts_with(head));
    told.split_inclusive('\n').filter(|line| !is_head(line)).collect()
}

#[tokio::test]
async fn headers_origin_and_subprotocol_are_sent() {
    let url = serve_with(Server::new().subprotocols(["second"]), |ws| async move {
        for name in ["authorization", "x-empty", "origin", "sec-websocket-protocol"] {
            let value = ws.request().headers().get(name).map_or("(none)", |value| value.to_str().unwrap());
            ws.send(format!("{name}={value}")).await?;
        }
        Ok(())
    })
    .await;
    let arguments = [
        ["connect", "-v", "-H", "Authorization: Bearer a:b"].as_slice(),
        &["--header", "X-Empty:", "--origin", "http://example.com"],
        &["--subprotocol", "first", "--subprotocol", "second", &url],
    ];
    let output = run(&arguments.concat(), "").await;
    assert_eq!(
        without_head(stdout(&output)),
        format!(
            "Connected to {url}.\nSubprotocol: second.\n\
             Extensions: permessage-deflate; client_max_window_bits=12.\n\
             < authorization=Bearer a:b\n< x-empty=\n< origin=http://example.com\n< sec-websocket-protocol=first, second\nConnection closed: 1000 (OK).\n"
        ),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn either_end_can_do_without_compression() {
    let line = "compressible, ".repeat(1000);
    for (serve, connect, extensions) in [
        ([].as_slice(), [].as_slice(), "permessage-deflate; client_max_window_bits=12"),
        (&[], &["--no-compression"], "none"),
        (&["--no-compression"], &[], "none"),
    ] {
        let demo = Demo::start_with(serve).await;
        let url = demo.url("/echo");
        let output = run(&[&["connect", "-v", &url], connect].concat(), &line).await;
        let expected = format!(
            "Connected to {url}.\nSubprotocol: none.\nExtensions: {extensions}.\n< {line}\n\
             Connection closed: 1000 (OK).\n"
        );
        assert_eq!(without_head(stdout(&output)), expected, "{serve:?} {connect:?}");
        assert_eq!(output.status.code(), Some(0));
    }
}

#[tokio::test]
async fn a_line_that_is_not_utf8_is_told_and_ends_the_input() {
    let demo = Demo::start().await;
    let output = run(&["connect", &demo.url("/echo")], b"good\nbad \xff\nnever sent\n").await;
    assert!(stdout(&output).contains("< good\nConnection closed: 1000 (OK).\n"), "{}", stdout(&output));
    assert!(stderr(&output).contains("Line 2 of the input is not UTF-8"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test]
async fn a_server_that_leaves_before_the_input_ends_is_told() {
    let url = serve(|mut ws| async move {
        ws.recv().await?;
        Ok(())
    })
    .await;
    let endless = "y\n".repeat(1_000_000);
    let output = run(&["connect", &url], &endless).await;
    assert!(stdout(&output).contains("Connection closed: 1000 (OK).\n"), "{}", stdout(&output));
    assert!(stderr(&output).contains("before all of the input was sent"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn a_reader_may_close_the_pipe_early() {
    let url = serve(|mut ws| async move {
        loop {
            tokio::select! {
                message = ws.recv() => match message? {
                    Some(_) => {}
                    None => return Ok(()),
                },
                () = tokio::time::sleep(Duration::from_millis(5)) => ws.send("tick").await?,
            }
        }
    })
    .await;
    let mut child = ws(&["connect", "--wait", "forever", &url]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        assert!(in_time(lines.next_line()).await.unwrap().is_some());
    }
    drop(lines);
    let output = in_time(child.wait_with_output()).await.unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_closes_with_1000() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let (told, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
        let url = serve(move |mut ws| {
            let told = told.clone();
            async move {
                ws.send("ready").await?;
                while ws.recv().await?.is_some() {}
                told.send(ws.closed().await)?;
                Ok(())
            }
        })
        .await;
        let mut child = ws(&["connect", &url]).stdin(Stdio::piped()).spawn().unwrap();
        let _stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while in_time(lines.next_line()).await.unwrap().as_deref() != Some("< ready") {}
        crate::support::signal(&child, signal);
        assert_eq!(in_time(lines.next_line()).await.unwrap().as_deref(), Some("Connection closed: 1000 (OK)."));
        assert_eq!(in_time(child.wait()).await.unwrap().code(), Some(0));
        assert_eq!(in_time(outcomes.recv()).await.unwrap().code(), CloseCode::NORMAL);
    }
}

#[tokio::test]
async fn messages_keep_coming_while_the_server_closes() {
    let url = serve(|mut ws| async move {
        while let Some(message) = ws.recv().await? {
            for _ in 0..1000 {
                ws.send(Message::from(Bytes::copy_from_slice(message.as_bytes()))).await?;
            }
            ws.close(CloseCode::GOING_AWAY, "enough").await?;
        }
        Ok(())
    })
    .await;
    let output = run(&["connect", &url], "ab\n").await;
    assert_eq!(stdout(&output).matches("< (binary) 6162\n").count(), 1000);
    assert!(stdout(&output).ends_with("Connection closed: 1001 (going away) enough.\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn help_and_version() {
    for (arguments, expected) in [
        (["--help"].as_slice(), "ws connect ws://127.0.0.1:8765/chat"),
        (&["connect", "--help"], "Exit status:"),
        (&["serve", "--help"], "--listen 0.0.0.0:8765"),
        (&["--version"], concat!("ws ", env!("CARGO_PKG_VERSION"))),
    ] {
        let output = run(arguments, "").await;
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(expected), "{}", stdout(&output));
    }
    for bad in [[].as_slice(), &["frobnicate"], &["connect"], &["connect", "--header", "x", "ws://x/"]] {
        assert_eq!(run(bad, "").await.status.code(), Some(2), "{bad:?}");
    }
}
