//! `ws send`, `ws listen` and `ws ping`: what they print, and their exit codes.

use std::time::Duration;

use ws_tokio::{CloseCode, HandlerResult, Server, WebSocket};

use crate::support::{Demo, bare, run, serve, serve_with, stderr, stdout};
#[cfg(unix)]
use {
    crate::support::{in_time, signal, ws},
    tokio::io::{AsyncBufReadExt as _, BufReader},
};

/// Runs a command without input. Returns its exit code, its output and its errors.
async fn outcome(arguments: &[&str]) -> (Option<i32>, String, String) {
    outcome_with(arguments, "").await
}

async fn outcome_with(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = run(arguments, input).await;
    (output.status.code(), stdout(&output).to_owned(), stderr(&output).to_owned())
}

fn succeeds(output: &str) -> (Option<i32>, String, String) {
    (Some(0), output.to_owned(), String::new())
}

async fn greets(mut ws: WebSocket) -> HandlerResult {
    for number in 1..=3 {
        ws.send(format!("message {number}")).await?;
    }
    while ws.recv().await?.is_some() {}
    Ok(())
}

#[tokio::test]
async fn messages_are_sent_and_as_many_as_expected_are_shown() {
    let demo = Demo::start().await;
    let url = demo.url("/echo");
    assert_eq!(outcome(&["send", &url, "one", "two\n", "--expect", "2"]).await, succeeds("one\ntwo\\n\n"));
    assert_eq!(outcome(&["send", &url, "one", "two", "--expect", "1"]).await, succeeds("one\n"));
    assert_eq!(outcome(&["send", &url, "one", "--expect", "0"]).await, succeeds(""));
    // What comes before the server's answer to our Close.
    assert_eq!(outcome(&["send", &url, "one"]).await.0, Some(0));
}

#[tokio::test]
async fn until_a_text_matches() {
    let url = serve(greets).await;
    let shown = "message 1\nmessage 2\n";
    assert_eq!(outcome(&["send", &url, "-", "--until", "^mess.* 2$"]).await, succeeds(shown));
    let (code, output, errors) = outcome(&["send", &url, "x", "--until", "never", "--timeout", "0.3"]).await;
    assert_eq!((code, &*output), (Some(4), "message 1\nmessage 2\nmessage 3\n"));
    assert_eq!(errors, "Timed out: no message with never (3 others came).\n");
    let (code, _, errors) = outcome(&["send", &url, "x", "--until", "("]).await;
    assert!(code == Some(2) && errors.contains("--until"), "{errors}");
}

#[tokio::test]
async fn the_input_and_files_are_messages() {
    let demo = Demo::start().await;
    let url = demo.url("/echo");
    assert_eq!(outcome_with(&["send", &url, "-", "--expect", "1"], "a\nb").await, succeeds("a\\nb\n"));
    let file = std::env::temp_dir().join(format!("ws-send-{}", std::process::id()));
    std::fs::write(&file, [0, 255]).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(outcome(&["send", &url, "--file", path, "--expect", "1"]).await, succeeds("00ff\n"));
    std::fs::remove_file(&file).unwrap();
    let (code, _, errors) = outcome(&["send", &url, "--file", path]).await;
    assert!(code == Some(1) && errors.contains(path), "{errors}");
    assert_eq!(outcome(&["send", &url]).await.0, Some(2));
    assert_eq!(outcome(&["send", &url, "-", "-"]).await.0, Some(2));
}

#[tokio::test]
async fn the_servers_answer_is_shown_when_asked_for() {
    let url = serve(greets).await;
    let (code, output, errors) = outcome(&["listen", "-v", &url, "-n", "1"]).await;
    assert_eq!((code, &*output), (Some(0), "message 1\n"));
    assert!(errors.contains("\nThe server answered HTTP 101 Switching Protocols:\n"), "{errors}");
    assert!(errors.contains("\n  sec-websocket-accept: "), "{errors}");
    let demo = Demo::start().await;
    let (code, _, errors) = outcome(&["ping", "-v", &demo.url("/nowhere")]).await;
    assert!(code == Some(5) && errors.contains("The server said:\n"), "{errors}");
}

#[tokio::test]
async fn a_server_that_closes_too_early_is_told_from_one_that_is_slow() {
    let closes = serve(|ws| async move {
        ws.close(CloseCode::from(4001), "go away").await?;
        Ok(())
    })
    .await;
    for arguments in [&["send", &closes, "a", "--expect", "1"][..], &["listen", &closes, "-n", "1"]] {
        let (code, output, errors) = outcome(arguments).await;
        assert_eq!((code, &*output), (Some(3), ""), "{errors}");
        assert_eq!(errors, "Connection closed: 4001 (private use) go away.\n");
    }
    let lost = serve(|ws| async move {
        drop(ws.close(CloseCode::NORMAL, ""));
        Ok(())
    })
    .await;
    assert_eq!(outcome(&["listen", &lost, "-n", "1"]).await.0, Some(3));
    let silent = serve(|mut ws| async move {
        while ws.recv().await?.is_some() {}
        Ok(())
    })
    .await;
    for (arguments, what) in [
        (&["send", &silent, "a", "--expect", "2", "--timeout", "0.2"][..], "0 of 2 messages came"),
        (&["listen", &silent, "-n", "2", "--timeout", "0.2"], "0 of 2 messages came"),
    ] {
        assert_eq!(outcome(arguments).await, (Some(4), String::new(), format!("Timed out: {what}.\n")));
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_from_one_that_refuses() {
    let refusing = serve_with(Server::new().origins(["https://example.com"]), greets).await;
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stuck_url = format!("ws://{}/", stuck.local_addr().unwrap());
    // A port that is taken, and on which nobody listens.
    let gone = tokio::net::TcpSocket::new_v4().unwrap();
    gone.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone_url = format!("ws://{}/", gone.local_addr().unwrap());
    for command in [&["send", "{}", "a"][..], &["listen", "{}"], &["ping", "{}"]] {
        let with = |url: &str, more: &[&str]| {
            let arguments: Vec<_> = command.iter().map(|argument| argument.replace("{}", url)).collect();
            arguments.into_iter().chain(more.iter().map(|&more| more.to_owned())).collect::<Vec<_>>()
        };
        for (arguments, code, text) in [
            (with(&refusing, &["--origin", "https://other.example"]), 5, "403"),
            (with(&gone_url, &[]), 1, "Failed to connect"),
            (with(&stuck_url, &["--timeout", "0.2"]), 4, "Timed out: connecting to ws://127.0.0.1:"),
            (with("no-url", &[]), 1, "Failed to connect"),
            (with(&gone_url, &["--timeout", "0"]), 2, "--timeout"),
        ] {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let (was, _, errors) = outcome(&arguments).await;
            assert_eq!(was, Some(code), "{arguments:?}: {errors}");
            assert!(errors.contains(text), "{arguments:?}: {errors}");
        }
    }
}

#[tokio::test]
async fn it_listens_for_so_many_messages_or_so_long_or_to_the_end() {
    let url = serve(greets).await;
    assert_eq!(outcome(&["listen", &url, "-n", "2"]).await, succeeds("message 1\nmessage 2\n"));
    let all = "message 1\nmessage 2\nmessage 3\n";
    assert_eq!(outcome(&["listen", &url, "--timeout", "0.3"]).await, succeeds(all));
    let ends = serve(|ws| async move {
        ws.send(vec![1, 2]).await?;
        ws.send("\u{1b}[2J").await?;
        Ok(())
    })
    .await;
    assert_eq!(outcome(&["listen", &ends]).await, succeeds("0102\n\\x1b[2J\n"));
}

#[tokio::test]
async fn pings_are_answered_by_whatever_the_server_sends_meanwhile() {
    let url = serve(greets).await;
    let (code, output, errors) = outcome(&["ping", &url, "-c", "2", "-i", "0.01"]).await;
    assert_eq!((code, &*errors), (Some(0), ""));
    assert_eq!(outcome(&["ping", &url, "-c", "0"]).await.0, Some(2));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    assert!(lines[0].starts_with(&format!("pong 1 from {url}: ")) && lines[0].ends_with(" ms"), "{output}");
    assert!(lines[2].starts_with("2 answered; least "), "{output}");
}

#[tokio::test]
async fn a_ping_without_an_answer_is_told() {
    // It opens, and does nothing more.
    let url = bare(|socket| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(socket);
    })
    .await;
    let (code, output, errors) = outcome(&["ping", &url, "--timeout", "0.3"]).await;
    assert_eq!((code, &*output, &*errors), (Some(4), "", "Timed out: no answer to ping 1.\n"));
}

/// Starts a command, and interrupts it when it has printed a line. Returns its exit code.
#[cfg(unix)]
async fn interrupted(arguments: &[&str]) -> Option<i32> {
    let mut child = ws(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    in_time(lines.next_line()).await.unwrap().expect("a line");
    signal(&child, rustix::process::Signal::INT);
    let code = in_time(child.wait()).await.unwrap().code();
    while in_time(lines.next_line()).await.unwrap().is_some() {}
    code
}

#[cfg(unix)]
#[tokio::test]
async fn an_interruption_is_an_end_or_a_failure() {
    let url = serve(greets).await;
    assert_eq!(interrupted(&["listen", &url]).await, Some(0));
    assert_eq!(interrupted(&["ping", &url, "-i", "0.01", "-c", "1000000"]).await, Some(0));
    // These were to get more than has come.
    assert_eq!(interrupted(&["listen", &url, "-n", "4"]).await, Some(130));
    assert_eq!(interrupted(&["send", &url, "a", "--expect", "4"]).await, Some(130));
}
