//! How a connection is opened: who we are, which way it goes, and what `-v` shows of it. All commands share these options.

use std::path::PathBuf;

use ws_tokio::{HandlerResult, Server, WebSocket};

use crate::support::{run, serve, serve_with, stderr, stdout, ws};

/// Sends the headers that a client chooses.
async fn tells_headers(ws: WebSocket) -> HandlerResult {
    let header = |name| ws.header(name).unwrap_or("none").to_owned();
    ws.send(format!("{} | {} | {}", header("authorization"), header("cookie"), header("user-agent"))).await?;
    Ok(())
}

/// What the server is told with these options.
async fn told(url: &str, options: &[&str]) -> String {
    let output = run(&[&["listen", url, "-n", "1"], options].concat(), "").await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output).trim_end().to_owned()
}

/// The error of a command that does not connect.
async fn refused(arguments: &[&str], code: i32) -> String {
    let output = run(arguments, "").await;
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    stderr(&output).to_owned()
}

/// A file in a folder of this test's own.
fn file(name: &str, content: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ws-dial-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[tokio::test]
async fn cookies_user_agent_and_credentials_are_sent() {
    let url = serve(tells_headers).await;
    assert_eq!(
        told(&url, &["--cookie", "a=1", "--cookie", "b=2", "--user-agent", "probe/1"]).await,
        "none | a=1; b=2 | probe/1"
    );
    let login = file("login", "ann:s3cret\r\n");
    let login = format!("file:{}", login.display());
    assert_eq!(told(&url, &["--basic", &login, "--user-agent", "x"]).await, "Basic YW5uOnMzY3JldA== | none | x");
    let output = ws(&["listen", &url, "-n", "1", "--bearer", "env:MY_TOKEN", "-H", "User-Agent:"]);
    let output = { output }.env("MY_TOKEN", "t0ken").output().await.unwrap();
    assert_eq!(stdout(&output), "Bearer t0ken | none | none\n");
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let url = serve(tells_headers).await;
    let token = file("token", "t0ken\n");
    let from = format!("file:{}", token.display());
    let output = run(&["send", &url, "x", "--expect", "0", "-v", "--bearer", &from, "--cookie", "id=s3cret"], "").await;
    let shown = stderr(&output);
    assert!(shown.contains("  authorization: …\n") && shown.contains("  cookie: …\n"), "{shown}");
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("The request was GET /:\n") && shown.contains("The server answered HTTP 101"), "{shown}");
}

#[tokio::test]
async fn credentials_that_cannot_be_used_are_told() {
    const URL: &str = "ws://127.0.0.1:1/";
    for (bad, said) in [
        ("s3cret", "everyone on a machine sees"),
        ("file:", "expected file:PATH or env:NAME"),
        ("env:", "expected file:PATH or env:NAME"),
    ] {
        let told = refused(&["listen", URL, "--bearer", bad], 2).await;
        assert!(told.contains(said), "{told}");
    }
    let missing = refused(&["listen", URL, "--bearer", "env:NOT_SET_HERE"], 1).await;
    assert!(missing.starts_with("Cannot read the variable NOT_SET_HERE: "), "{missing}");
    let missing = refused(&["listen", URL, "--basic", "file:/no/such/file"], 1).await;
    assert!(missing.starts_with("Cannot read /no/such/file: "), "{missing}");
    for (name, content, said) in [
        ("two", "a\nb\n", "must be one line that is not empty."),
        ("empty", "\n", "must be one line that is not empty."),
        ("plain", "password", "must be USER:PASSWORD, and has no colon."),
    ] {
        let told = refused(&["listen", URL, "--basic", &format!("file:{}", file(name, content).display())], 1).await;
        assert!(told.contains(said) && !told.contains("password\n"), "{told}");
    }
    let token = format!("file:{}", file("one", "x").display());
    let twice = refused(&["listen", URL, "--bearer", &token, "-H", "authorization: x"], 1).await;
    assert_eq!(twice, "Give --basic, --bearer or an Authorization header, not two of them.\n");
    let twice = refused(&["listen", URL, "--cookie", "a=1", "-H", "Cookie: b=2"], 1).await;
    assert_eq!(twice, "Give --cookie or a Cookie header, not both.\n");
    refused(&["listen", URL, "--cookie", "no value"], 2).await;
}

/// Sends the Host header.
async fn tells_host(ws: WebSocket) -> HandlerResult {
    ws.send(ws.header("host").unwrap_or_default()).await?;
    Ok(())
}

#[tokio::test]
async fn another_host_is_dialled_and_the_request_stays() {
    let url = serve(tells_host).await;
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let there = format!("127.0.0.1:{port}");
    assert_eq!(told("ws://server.test/", &["--connect-to", &there]).await, "server.test");
    let at = format!("ws://server.test:{port}/");
    assert_eq!(told(&at, &["--connect-to", "127.0.0.1", "-4"]).await, format!("server.test:{port}"));
    let told = refused(&["listen", &at, "--connect-to", "127.0.0.1", "-6"], 1).await;
    assert!(told.ends_with("cannot resolve 127.0.0.1: it has no IPv6 address.\n"), "{told}");
    refused(&["listen", &at, "-4", "-6"], 2).await;
    refused(&["listen", &at, "--connect-to", "http://a"], 2).await;
}

#[tokio::test]
async fn a_proxy_is_used_or_not() {
    let url = serve(tells_host).await;
    for proxy in ["http://127.0.0.1:1", "socks5://127.0.0.1:1"] {
        let told = refused(&["listen", &url, "--proxy", proxy], 1).await;
        assert!(told.contains(&format!("the proxy {proxy}")), "{told}");
    }
    let through = ws(&["listen", &url, "-n", "1"]).env("http_proxy", "http://127.0.0.1:1").output().await.unwrap();
    assert!(stderr(&through).contains("the proxy http://127.0.0.1:1"), "{}", stderr(&through));
    let past =
        ws(&["listen", &url, "-n", "1", "--no-proxy"]).env("http_proxy", "http://127.0.0.1:1").output().await.unwrap();
    assert_eq!(past.status.code(), Some(0), "{}", stderr(&past));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_connected_to() {
    let socket = file("old", "").with_file_name("socket");
    let listening = Server::new().bind_unix(&socket).await.unwrap();
    tokio::spawn(listening.serve(tells_host));
    let path = socket.to_str().unwrap();
    assert_eq!(told("ws://server.test/", &["--unix-socket", path]).await, "server.test");
    let told = refused(&["listen", "ws://server.test/", "--unix-socket", "/no/such/socket"], 1).await;
    assert!(told.contains("/no/such/socket"), "{told}");
    refused(&["listen", "ws://a/", "--unix-socket", path, "--connect-to", "b"], 2).await;
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_does() {
    let url = serve_with(Server::new().http2(ws_tokio::Http2::default()), tells_host).await;
    let output = run(&["send", &url, "x", "-v", "--http2"], "").await;
    let shown = stderr(&output);
    assert!(
        shown.contains("The request was CONNECT ") && shown.contains("The server answered HTTP/2 200 OK"),
        "{shown}"
    );
}

#[tokio::test]
async fn larger_messages_than_allowed_end_the_connection() {
    let url = serve(|ws: WebSocket| async move { Ok(ws.send("x".repeat(2000)).await?) }).await;
    let output = run(&["listen", &url, "-n", "1", "--max-size", "1K"], "").await;
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("1009"), "{}", stderr(&output));
    assert_eq!(told(&url, &["--max-size", "2K"]).await.len(), 2000);
    let told = refused(&["listen", &url, "--max-size", "1T"], 2).await;
    assert!(told.contains("64K"), "{told}");
}

#[tokio::test]
async fn frames_are_shown_when_asked_for_twice() {
    let url = serve(|ws: WebSocket| async move { Ok(ws.send("hello").await?) }).await;
    let output = run(&["connect", &url, "-vv"], "").await;
    let shown = stdout(&output);
    assert!(shown.lines().any(|line| line.starts_with("< frame TEXT FIN 'hello'")), "{shown}");
    assert!(
        shown.lines().any(|line| line.starts_with("> frame CLOSE FIN") || line.starts_with("< frame CLOSE FIN")),
        "{shown}"
    );
    let output = run(&["connect", &url, "-v"], "").await;
    assert!(!stdout(&output).contains(" frame "), "{}", stdout(&output));
}
