//! The demo server's chat, counter and presence: history, recovery, and what the page gets.

use serde_json::{Value, json};
use ws_tokio::{CloseCode, WebSocket};

use crate::support::{Demo, in_time, run, stderr, text};

/// The next event of this type. Others, such as who comes and leaves, are passed over.
async fn event(ws: &mut WebSocket, kind: &str) -> Value {
    loop {
        let event: Value = serde_json::from_str(&text(ws).await).unwrap();
        if event["type"] == kind {
            return event;
        }
    }
}

async fn say(ws: &mut WebSocket, key: &str, said: &str) {
    ws.send(json!({"key": key, "text": said}).to_string()).await.unwrap();
}

fn ends_with(event: &Value, said: &str) -> bool {
    event["text"].as_str().is_some_and(|line| line.ends_with(said))
}

#[tokio::test]
async fn whoever_comes_in_sees_the_last_fifty_lines() {
    let demo = Demo::start().await;
    let mut early = demo.connect("/chat").await;
    for n in 0..60 {
        early.send(format!("line {n}")).await.unwrap();
    }
    while !text(&mut early).await.ends_with("line 59") {}
    let mut late = demo.connect("/chat").await;
    for n in 10..60 {
        let line = text(&mut late).await;
        assert!(line.ends_with(&format!("] line {n}")), "{line}");
    }
    early.send("next").await.unwrap();
    assert!(text(&mut late).await.ends_with("] next"));
}

#[tokio::test]
async fn the_page_gets_what_it_missed_and_nothing_twice() {
    let demo = Demo::start().await;
    let mut page = demo.connect("/chat?json&since=").await;
    assert_eq!(event(&mut page, "hello").await["resend"], true);
    say(&mut page, "1", "seen").await;
    let seen = event(&mut page, "line").await;
    assert!(ends_with(&seen, "] seen"), "{seen}");
    in_time(page.close(CloseCode::NORMAL, "")).await.unwrap();

    let mut other = demo.connect("/chat").await;
    for n in 0..3 {
        other.send(format!("missed {n}")).await.unwrap();
    }
    while !text(&mut other).await.ends_with("missed 2") {}
    let mut again = demo.connect(&format!("/chat?json&since={}", seen["position"].as_str().unwrap())).await;
    for n in 0..3 {
        let line = event(&mut again, "line").await;
        assert!(ends_with(&line, &format!("] missed {n}")), "{line}");
    }
    assert_eq!(event(&mut again, "recovered").await["lines"], 3);
    say(&mut again, "2", "after").await;
    assert!(ends_with(&event(&mut again, "line").await, "] after"));

    // A position of another history: the page learns it, and gets the last lines.
    let mut lost = demo.connect("/chat?json&since=00c0ffee00c0ffee:7").await;
    assert!(event(&mut lost, "gap").await["cause"].as_str().unwrap().contains("history was lost"));
    assert!(ends_with(&event(&mut lost, "line").await, "] seen"));
    // One that is none is as none at all.
    let mut odd = demo.connect("/chat?json&since=%00").await;
    assert!(ends_with(&event(&mut odd, "line").await, "] seen"));
}

#[tokio::test]
async fn what_is_said_again_with_its_key_is_said_once() {
    let demo = Demo::start().await;
    let mut page = demo.connect("/chat?json").await;
    for _ in 0..3 {
        say(&mut page, "the key", "once").await;
        let said = event(&mut page, "said").await;
        assert_eq!((&said["key"], &said["problem"]), (&json!("the key"), &Value::Null));
    }
    say(&mut page, "another", "last").await;
    let mut reader = demo.connect("/chat").await;
    assert!(text(&mut reader).await.ends_with("] once"));
    assert!(text(&mut reader).await.ends_with("] last"));
    for bad in ["", "hi", "[]", r#"{"text":"no key"}"#] {
        page.send(bad).await.unwrap();
        let answer = event(&mut page, "error").await;
        assert!(answer["message"].as_str().unwrap().starts_with("expected "), "{answer}");
    }
    page.send(vec![1]).await.unwrap();
    assert_eq!(in_time(page.closed()).await.code(), CloseCode::UNSUPPORTED_DATA);
}

#[tokio::test]
async fn the_page_sees_who_comes_and_leaves() {
    let demo = Demo::start().await;
    let mut ada = demo.connect("/chat?json&id=1&name=Ada").await;
    assert_eq!(event(&mut ada, "here").await["names"], json!(["Ada"]));
    let other = demo.connect("/chat?json&id=2&name=%3Cb%3E%00").await;
    assert_eq!(event(&mut ada, "joined").await["name"], "<b>");
    // The page is loaded again: nobody has left.
    in_time(other.close(CloseCode::NORMAL, "")).await.unwrap();
    let mut other = demo.connect("/chat?json&id=2&name=%3Cb%3E").await;
    assert_eq!(event(&mut other, "here").await["names"], json!(["Ada", "<b>"]));
    // Somebody at a terminal.
    let terminal = demo.connect("/chat").await;
    assert_eq!(event(&mut ada, "joined").await["name"], "someone");
    in_time(terminal.close(CloseCode::NORMAL, "")).await.unwrap();
    assert_eq!(event(&mut ada, "left").await["name"], "someone");
    // An ID that is too long is no ID.
    let _long = demo.connect(&format!("/chat?id={}&name=long", "1".repeat(65))).await;
    assert_eq!(event(&mut ada, "joined").await["name"], "long");
}

#[tokio::test]
async fn a_page_that_connects_again_counts_once() {
    let demo = Demo::start().await;
    let mut first = demo.connect("/counter?id=1").await;
    assert_eq!(text(&mut first).await, r#"{"type":"users","count":1}"#);
    let mut again = demo.connect("/counter?id=1").await;
    assert_eq!(text(&mut again).await, r#"{"type":"users","count":1}"#);
    let mut other = demo.connect("/counter").await;
    assert_eq!(text(&mut other).await, r#"{"type":"users","count":2}"#);
}

#[tokio::test]
async fn a_backplane_that_is_none_is_bad_usage_and_stays_secret() {
    for bad in ["redi://:s3cret@127.0.0.1", "redis://:s3cret@127.0.0.1:port", "s3cret", "memory://s3cret"] {
        let output = run(&["serve", "--listen", "127.0.0.1:0", "--backplane", bad], "").await;
        assert_eq!(output.status.code(), Some(2), "{bad}");
        let told = stderr(&output);
        assert!(told.starts_with("--backplane: ") && !told.contains("s3cret"), "{told}");
    }
    Demo::start_with(&["--backplane", "memory"]).await.connect("/chat").await;
}

/// What needs no broker that runs.
#[cfg(feature = "redis")]
mod without_its_broker {
    use std::time::Duration;

    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use ws_test_support::nobody::Nobody;

    use super::*;
    use crate::support::ws;

    #[tokio::test]
    async fn the_server_starts_and_says_so() {
        let nobody = Nobody::new();
        let url = format!("redis://ann:s3cret@{}", nobody.address());
        let mut server = ws(&["serve", "--listen", "127.0.0.1:0"]).env("WS_BACKPLANE", &url).spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = in_time(lines.next_line()).await.unwrap().unwrap();
        let address = first.split_whitespace().find_map(|word| word.strip_prefix("http://")).unwrap().to_owned();
        let connect = async |path: &str| in_time(ws_tokio::connect(format!("ws://{address}{path}"))).await.unwrap();

        let (mut page, mut terminal) = (connect("chat?json").await, connect("chat").await);
        let problem = event(&mut page, "broker").await["problem"].as_str().unwrap().to_owned();
        assert!(problem.contains("connection to the broker was lost"), "{problem}");
        // Those at this instance hear each other. A client is subscribed some time after it has connected, and without a broker
        // no line waits for it, so somebody says the same again until both have heard it.
        let speaker = connect("chat").await;
        let speaking = async {
            loop {
                speaker.send("alone").await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let hearing = async {
            let line = event(&mut page, "line").await;
            assert!(ends_with(&line, "] alone") && line["local"] == true && line.get("position").is_none(), "{line}");
            while !text(&mut terminal).await.ends_with("] alone") {}
        };
        tokio::select! {
            () = speaking => {}
            () = hearing => {}
        }
        // Nobody knows the counter.
        let mut counter = connect("counter").await;
        counter.send(r#"{"action":"plus"}"#).await.unwrap();
        let error = event(&mut counter, "error").await;
        assert!(error["message"].as_str().unwrap().starts_with("not counted: "), "{error}");

        server.start_kill().unwrap();
        let output = in_time(server.wait_with_output()).await.unwrap();
        let log = stderr(&output);
        assert!(log.contains("WARN") && log.contains("the broker cannot be used"), "{log}");
        assert!(!log.contains("s3cret"), "{log}");
    }

    /// A broker that refuses everyone.
    #[tokio::test]
    async fn a_wrong_password_is_told_and_not_shown() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://:s3cret@{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut commands = [0; 4096];
                    while let Ok(length @ 1..) = socket.read(&mut commands).await {
                        // Several can come at once, each an array.
                        let lines = commands[..length].split(|byte| *byte == b'\n');
                        let count = lines.filter(|line| line.starts_with(b"*")).count();
                        let answer = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
                        if socket.write_all(answer.repeat(count).as_bytes()).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        let mut server = ws(&["serve", "--listen", "127.0.0.1:0", "--backplane", &url]).spawn().unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        loop {
            let line = in_time(log.next_line()).await.unwrap().expect("a line that tells the reason");
            assert!(!line.contains("s3cret"), "{line}");
            if line.contains("WRONGPASS") {
                break;
            }
        }
        server.start_kill().unwrap();
        in_time(server.wait()).await.unwrap();
    }
}
