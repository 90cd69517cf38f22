//! Failures that must not go unheard: without a subscriber of `tracing` they are printed to standard error.

use std::process::Command;
use std::time::Duration;
use std::{env, thread};

use super::super::sleep;
use super::setup::*;

/// Set in the process that fails.
const CHILD: &str = "WS_TESTS_UNHEARD";

#[test]
fn failures_are_printed_to_standard_error() {
    if env::var_os(CHILD).is_some() {
        fail();
        return;
    }
    // This test by itself in a process of its own, where nothing listens to `tracing`.
    let name = thread::current().name().expect("a test's thread has its name").to_owned();
    let child = Command::new(env::current_exe().unwrap())
        .args([&*name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    for part in [
        ": the handler failed: reading the users: no such\\nfile",
        ": the handler failed: the handler panicked: on purpose",
        "the request hook panicked",
        "messages wait, and the application has never received one",
    ] {
        assert_eq!(said.lines().filter(|line| line.contains(part)).count(), 1, "{part:?} in {said}");
    }
    assert!(!said.contains("connection closed"), "an ordinary end is no failure: {said}");
}

/// An error of an application that shows what it wraps in its place, as `#[error(transparent)]` has it.
#[derive(Debug)]
struct Transparent(Error);

impl std::fmt::Display for Transparent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Transparent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

fn fail() {
    let hook = |request: &http::Request<()>| match request.uri().path() {
        "/hook" => panic!("the hook fails on purpose"),
        _ => None,
    };
    let server = start(Server::new().on_request(hook), |mut ws| async move {
        match ws.request().uri().path() {
            "/error" => {
                let cause = std::io::Error::other("no such\nfile");
                Err(anyhow::Error::new(cause).context("reading the users").into())
            }
            "/panic" => panic!("on purpose"),
            "/wrapped" => {
                ws.recv().await.map_err(Transparent)?;
                Ok(())
            }
            "/deaf" => loop {
                ws.send("tick").await?;
                sleep(Duration::from_millis(50)).await;
            },
            _ => {
                ws.recv().await?;
                Ok(())
            }
        }
    });
    for path in ["/error", "/panic"] {
        let ws = block_on(connect(server.url(path))).unwrap();
        assert_eq!(block_on(ws.closed()).code(), 1011);
    }
    assert!(block_on(connect(server.url("/hook"))).is_err());
    let mut deaf = server.peer();
    deaf.upgrade("/deaf");
    deaf.write(masked(0x81, "heartbeat").repeat(100));
    for _ in 0..60 {
        assert_eq!(deaf.frame().1, b"tick");
    }
    deaf.reset();
    server.upgraded().reset();
    let mut wrapped = server.peer();
    wrapped.upgrade("/wrapped");
    wrapped.reset();
    until(|| server.handle.connections() == 0);
    server.stop();
}
