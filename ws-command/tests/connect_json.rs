//! `ws connect` with binary lines, with JSON lines, and with the time of each event.

use serde_json::{Value, json};
use ws_tokio::{HandlerResult, Message, WebSocket};

use crate::support::{run, serve, stderr, stdout};

/// Sends back what it receives; to `bye`, it closes.
async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        if message == "bye" {
            ws.close(4001, "kicked").await?;
            break;
        }
        ws.send(message).await?;
    }
    Ok(())
}

/// The events of a session with this input.
async fn events(url: &str, options: &[&str], input: &str) -> (Option<i32>, Vec<Value>, String) {
    let output = run(&[&["connect", url, "--json"], options].concat(), input).await;
    let events = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    (output.status.code(), events.collect(), stderr(&output).to_owned())
}

#[tokio::test]
async fn binary_lines_are_sent_as_they_are_encoded() {
    let url = serve(echo).await;
    for (option, input, shown) in [
        ("--binary", b"a\xff\n" as &[u8], "< (binary) 61ff\n"),
        ("--hex", b"00 ff0a\n", "< (binary) 00ff0a\n"),
        ("--base64", b"AP8=\n", "< (binary) AP8=\n"),
    ] {
        let output = run(&["connect", &url, option], input).await;
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(&format!(".\n{shown}Connection closed")), "{}", stdout(&output));
    }
    let output = run(&["connect", &url, "--hex"], "00\nno\nff\n").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("< (binary) 00\n< (binary) ff\n"), "{}", stdout(&output));
    assert!(stderr(&output).starts_with("Line 2 of the input is not hexadecimal"), "{}", stderr(&output));
    assert_eq!(run(&["connect", &url, "--hex", "--base64"], "").await.status.code(), Some(2));
}

#[tokio::test]
async fn every_event_is_an_object() {
    let url = serve(echo).await;
    let input = "{\"text\":\"a\\nb\"}\n{\"binary\":\"AP8=\"}\n";
    let (code, events, errors) = events(&url, &[], input).await;
    assert_eq!((code, &*errors), (Some(0), ""));
    let extensions = "permessage-deflate; client_max_window_bits=12";
    let expected = [
        json!({"type": "open", "url": url, "subprotocol": null, "extensions": extensions}),
        json!({"type": "message", "text": "a\nb"}),
        json!({"type": "message", "binary": "AP8="}),
        json!({"type": "close", "code": 1000, "reason": "", "clean": true}),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn pings_and_closes_are_asked_for() {
    let url = serve(echo).await;
    let (code, events, _) = events(&url, &["--wait", "2"], "{\"ping\":true}\n{\"text\":\"bye\"}\n").await;
    assert_eq!(code, Some(3), "{events:?}");
    let pong = events.iter().find(|event| event["type"] == "pong").unwrap();
    assert!(pong["latency"].as_f64().is_some_and(|seconds| seconds > 0.0), "{pong}");
    assert_eq!(events.last().unwrap(), &json!({"type": "close", "code": 4001, "reason": "kicked", "clean": true}));
    let (code, events, _) = self::events(&url, &[], "{\"close\":4000,\"reason\":\"done\"}\n").await;
    assert_eq!(events.last().unwrap()["code"], 4000, "{events:?}");
    assert_eq!(code, Some(3), "{events:?}");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_is_told_and_the_others_are_sent() {
    let url = serve(echo).await;
    let (code, events, errors) = events(&url, &[], "{\"text\":\"one\"}\nhi\n{\"text\":\"two\"}\n").await;
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "message").count(), 2, "{events:?}");
    let error = events.iter().find(|event| event["type"] == "error").unwrap()["message"].as_str().unwrap();
    assert!(error.starts_with("Line 2 of the input is not JSON: "), "{error}");
    assert_eq!((code, errors.trim_end()), (Some(1), error));
}

#[tokio::test]
async fn frames_are_events_when_asked_for() {
    let url = serve(|ws: WebSocket| async move {
        ws.ping().await?;
        ws.send(Message::from("after")).await?;
        Ok(())
    })
    .await;
    let (code, events, _) = events(&url, &["-v"], "").await;
    assert_eq!(code, Some(0));
    let of = |kind: &str, direction: &str| {
        events.iter().any(|event| event["type"] == kind && event["direction"] == direction)
    };
    assert!(of("ping", "received") && of("pong", "sent"), "{events:?}");
}

#[tokio::test]
async fn events_have_a_time_when_asked_for() {
    let url = serve(echo).await;
    let (_, events, _) = events(&url, &["--timestamps"], "{\"text\":\"x\"}\n").await;
    for event in &events {
        let time = event["time"].as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{event}");
    }
    let output = run(&["connect", &url, "-t"], "x\n").await;
    let line = stdout(&output).lines().nth(1).unwrap();
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.len() == "12:00:00.000".len() && rest == "< x", "{line}");
}
