//! The log of servers and clients, as a program sees it that prints what `tracing` has to say.

use std::process::Command;
use std::{env, io, thread};

use super::setup::*;

/// Set in the process that prints its log, to the level.
const LEVEL: &str = "WS_TESTS_LOG_LEVEL";

/// The log of `scene` at this level: this test by itself in a process of its own, which has a subscriber of its own.
/// `None` in that process.
fn log(level: &str, scene: fn()) -> Option<Vec<String>> {
    if let Ok(level) = env::var(LEVEL) {
        let level: tracing_subscriber::filter::LevelFilter = level.parse().unwrap();
        tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(false).init();
        scene();
        return None;
    }
    let name = thread::current().name().expect("a test's thread has its name").to_owned();
    let child = Command::new(env::current_exe().unwrap())
        .args([&*name, "--exact", "--nocapture", "--test-threads=1"])
        .env(LEVEL, level)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    assert!(child.status.success(), "{said}");
    Some(said.lines().filter(|line| line.contains(" ws_tokio: ")).map(str::to_owned).collect())
}

/// A conversation, a handler that fails, and a refusal.
fn talk() {
    let server = start(uncompressed().origins_or_none(["https://example.com"]), |mut ws| async move {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
            if ws.request().uri().path() == "/fails" {
                return Err("on purpose".into());
            }
        }
        Ok(())
    });
    let mut ws = server.connect();
    send(&ws, "é".repeat(100));
    recv(&mut ws);
    close(ws);
    let mut ws = block_on(connect(server.url("/fails"))).unwrap();
    send(&ws, "now");
    recv(&mut ws);
    assert_eq!(ending(&mut ws).0, 1011);
    assert!(block_on(server.client().origin("https://elsewhere.example").connect()).is_err());
    server.stop();
}

#[test]
fn each_level_has_its_lines() {
    for (level, most, expected) in [
        ("error", "ERROR", &["connection handler failed: on purpose"][..]),
        (
            "info",
            "INFO",
            &[
                "connection handler failed: on purpose",
                "connection open",
                "connection closed: closed by the peer; received 1000 (OK); sent 1000",
                "connection rejected: 403 Forbidden",
            ],
        ),
        (
            "debug",
            "DEBUG",
            &[
                "connection handler failed: on purpose",
                "connection open",
                "< GET /fails HTTP/1.1",
                "> HTTP/1.1 101 Switching Protocols",
                "< frame TEXT FIN 'now' [3 bytes]",
                "> frame CLOSE FIN 1011",
            ],
        ),
    ] {
        let Some(lines) = log(level, talk) else { return };
        for part in expected {
            assert!(lines.iter().any(|line| line.contains(part)), "{part:?} at {level} in {lines:#?}");
        }
        let levels = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
        let beyond = &levels[levels.iter().position(|&name| name == most).unwrap() + 1..];
        let is_beyond = |line: &&String| beyond.iter().any(|name| line.contains(&format!(" {name} ")));
        assert_eq!(lines.iter().find(is_beyond), None, "at {level}");
        if level == "debug" {
            let long: Vec<_> = lines.iter().filter(|line| line.contains("éé")).collect();
            assert!(long.len() >= 4, "{lines:#?}");
            assert!(long.iter().all(|line| line.contains(&format!("'{}…' [200 bytes]", "é".repeat(75)))), "{long:#?}");
        }
    }
}

#[test]
fn events_of_a_connection_are_in_its_span() {
    let Some(lines) = log("debug", talk) else { return };
    for part in ["connection handler failed", "frame TEXT FIN 'now'", "connection closed"] {
        let is_in_span = |line: &&String| line.contains(part) && line.contains(" websocket{id=");
        let line = lines.iter().find(is_in_span).unwrap_or_else(|| panic!("{part:?} in a span in {lines:#?}"));
        assert!(line.contains(" peer=127.0.0.1:") && line.contains(" path=\"/"), "{line}");
    }
}

/// A user and a password in a URL, a cookie, a token, and the credentials for a proxy that refuses them.
fn whisper() {
    let server = start(Server::new().header("Set-Cookie", "session=hunter2"), drain);
    let url = server.url("/?token=hunter2").replace("ws://", "ws://me:hunter2@");
    close(block_on(Client::new(url).header("Cookie", "session=hunter2").connect()).unwrap());
    let client = server.client().header("Authorization", "Bearer hunter2");
    close(block_on(client.connect()).unwrap());
    #[cfg(feature = "proxies")]
    {
        let proxy = start(Server::new(), drain);
        let client = server.client().proxy(format!("http://me:hunter2@{}", proxy.address));
        assert!(block_on(client.connect()).is_err());
        proxy.stop();
    }
    server.stop();
}

#[test]
fn no_level_shows_credentials() {
    let Some(lines) = log("info", whisper) else { return };
    assert!(lines.len() > 4, "{lines:#?}");
    assert!(!lines.concat().contains("hunter2"), "{lines:#?}");
    let lines = log("debug", whisper).unwrap();
    let secrets = ["Authorization", "Cookie", "Set-Cookie", "Proxy-Authorization", "hunter2@", "me:"];
    for line in lines.iter().filter(|line| line.contains("hunter2")) {
        // The request's target is shown, as it is.
        assert!(line.contains("GET /?token=hunter2 HTTP/1.1"), "{line}");
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
    }
}
