//! `ws bench`: what it counts, how it ends, and servers that do not do what they should.

use serde_json::{Value, json};
use ws_test_support::nobody::Nobody;
use ws_tokio::{CloseCode, HandlerResult, Message, Server, WebSocket};

use crate::support::{run, serve, serve_with, stderr, stdout};

async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Runs a benchmark. Returns its exit code and its result as JSON.
async fn bench(url: &str, options: &[&str]) -> (Option<i32>, Value) {
    let output = run(&[&["bench", url, "--json"], options].concat(), "").await;
    let result = serde_json::from_str(stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code(), result)
}

#[tokio::test]
async fn every_message_is_sent_and_its_answer_counted() {
    let url = serve(echo).await;
    for options in [
        &["-n", "203", "-c", "4", "--in-flight", "3"] as &[_],
        &["-n", "203", "-c", "4", "--threads", "1", "--size", "0-70000", "--no-compression"],
        &["-n", "203", "-c", "4", "--threads", "4", "--binary", "--size", "1000"],
        &["-n", "203", "-c", "4", "--rate", "100000"],
        &["-n", "203", "-c", "4", "--ramp", "0.1"],
    ] {
        let (code, result) = bench(&url, options).await;
        assert!(code == Some(0) || options.contains(&"--rate"), "{result}");
        assert_eq!(result["errors"], json!({}), "{result}");
        assert_eq!((&result["connections"]["asked"], &result["connections"]["opened"]), (&json!(4), &json!(4)));
        let messages = &result["messages"];
        assert_eq!((&messages["sent"], &messages["answered"]), (&json!(203), &json!(203)), "{result}");
        let latency = &result["latency"];
        assert_eq!(latency["counts_from"], if options.contains(&"--rate") { "due" } else { "sent" });
        let figure = |name: &str| latency["seconds"][name].as_f64().unwrap();
        assert!(0.0 < figure("min") && figure("min") <= figure("p50") && figure("p50") <= figure("max"), "{result}");
    }
}

#[tokio::test]
async fn large_messages_are_on_their_way_in_both_directions() {
    let url = serve(echo).await;
    let (code, result) = bench(&url, &["-n", "60", "-c", "2", "--in-flight", "30", "--size", "1000000"]).await;
    assert_eq!((code, &result["messages"]["answered"]), (Some(0), &json!(60)), "{result}");
}

#[tokio::test]
async fn the_result_is_printed_and_drawn() {
    let url = serve(echo).await;
    let chart = std::env::temp_dir().join(format!("ws-bench-{}.svg", std::process::id()));
    let output = run(&["bench", &url, "-n", "50", "--svg", chart.to_str().unwrap()], "").await;
    let told = stdout(&output);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{told}");
    assert!(told.starts_with(&format!("10 of 10 connections to {url} were opened (")), "{told}");
    assert!(told.contains("\n50 messages came back in ") && told.contains("\n  99 %  "), "{told}");
    assert!(told.ends_with("--rate corrects that.\n"), "{told}");
    assert!(std::fs::read_to_string(&chart).unwrap().starts_with("<svg "));
    std::fs::remove_file(&chart).unwrap();
    let output = run(&["bench", &url, "-n", "1", "--svg", "/no/such/folder/file.svg"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("Cannot write /no/such/folder/file.svg: "), "{}", stderr(&output));
}

#[tokio::test]
async fn messages_come_from_files() {
    let url = serve(|mut ws: WebSocket| async move {
        while let Some(message) = ws.recv().await? {
            assert!(["one", "two"].iter().any(|line| message == *line), "{message:?}");
            ws.send(message).await?;
        }
        Ok(())
    })
    .await;
    let output = run(&["bench", &url, "--json", "-n", "8", "-c", "2", "--lines", "-"], "one\ntwo\n").await;
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((&result["messages"]["answered"], &result["messages"]["bytes"]), (&json!(8), &json!(24)));
    let output = run(&["bench", &url, "--json", "-n", "3", "--file", "-"], "two").await;
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    for (arguments, input, said) in [
        (["--lines", "-"], b"" as &[u8], "- is empty.\n"),
        (["--file", "/no/such/file"], b"", "Cannot read /no/such/file: "),
        (["--file", "-"], b"\xff", "- is not UTF-8: --binary sends it as it is.\n"),
    ] {
        let output = run(&[&["bench", &url, "-n", "1"], &arguments[..]].concat(), input).await;
        let told = stderr(&output);
        assert!(output.status.code() == Some(1) && told.starts_with(said), "{told}");
    }
}

#[tokio::test]
async fn a_server_that_sends_nothing_back_is_measured_by_pings() {
    let reads = serve(|mut ws: WebSocket| async move {
        while ws.recv().await?.is_some() {}
        Ok(())
    })
    .await;
    // What this one sends back is in nobody's way.
    for url in [reads, serve(echo).await] {
        let (code, result) = bench(&url, &["-n", "500", "--no-echo", "--in-flight", "50", "--size", "1000"]).await;
        assert_eq!((code, &result["messages"]["answered"]), (Some(0), &json!(500)), "{result}");
    }
}

#[tokio::test]
async fn errors_are_counted_by_kind() {
    let other = |_| Message::from("another");
    let wrong = serve(move |mut ws: WebSocket| async move {
        while let Some(message) = ws.recv().await? {
            ws.send(other(message)).await?;
        }
        Ok(())
    })
    .await;
    let leaves = serve(|mut ws: WebSocket| async move {
        ws.recv().await?;
        ws.close(CloseCode::GOING_AWAY, "").await?;
        Ok(())
    })
    .await;
    let silent = serve(|mut ws: WebSocket| async move {
        while ws.recv().await?.is_some() {}
        Ok(())
    })
    .await;
    let full = serve_with(Server::new().max_connections(2), echo).await;
    for (url, kind, count) in [
        (&wrong, "unexpected answer", 5),
        (&leaves, "closed by the server: 1001 (going away)", 5),
        (&silent, "no answer", 5),
        (&full, "refused with HTTP 503 Service Unavailable", 3),
    ] {
        let (code, result) = bench(url, &["-c", "5", "-d", "0.5"]).await;
        assert_eq!((code, &result["errors"]), (Some(3), &json!({ kind: count })), "{result}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_while_nothing_is_due_is_noticed() {
    let url = serve(|ws: WebSocket| async move {
        ws.close(CloseCode::GOING_AWAY, "").await?;
        Ok(())
    })
    .await;
    let options = ["-c", "3", "--rate", "0.001", "--duration", "3600"];
    for more in [&[] as &[_], &["--no-echo"]] {
        let (code, result) = bench(&url, &[&options, more].concat()).await;
        let errors = json!({"closed by the server: 1001 (going away)": 3});
        assert_eq!((code, &result["errors"]), (Some(3), &errors), "{result}");
    }
}

#[tokio::test]
async fn a_ramp_may_be_longer_than_what_is_measured() {
    let url = serve(echo).await;
    let (code, result) = bench(&url, &["-c", "6", "--ramp", "0.6", "-d", "0.2"]).await;
    assert_eq!((code, &result["connections"]["opened"]), (Some(0), &json!(6)), "{result}");
}

#[tokio::test]
async fn a_rate_that_the_server_does_not_keep_up_with_is_told() {
    let reads_nothing = serve(|ws: WebSocket| async move {
        let _ws = ws;
        std::future::pending().await
    })
    .await;
    let options = ["bench", &reads_nothing, "-c", "2", "--size", "100000", "--rate", "10000", "-d", "0.5"];
    let output = run(&[&options[..], &["--no-compression"]].concat(), "").await;
    let told = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("\nThe rate was not reached: ") && told.contains("  no answer\n"), "{told}");
}

#[cfg(unix)]
#[tokio::test]
async fn too_few_descriptors_are_told_and_the_others_are_measured() {
    let url = serve(echo).await;
    let command = format!("ulimit -n 40; exec \"$0\" bench {url} -c 60 -n 120 --json --threads 2");
    let mut shell = tokio::process::Command::new("sh");
    let output = shell.args(["-c", &command, env!("CARGO_BIN_EXE_ws")]).output().await.unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert!(stderr(&output).starts_with("Warning: 40 files may be open here, too few for 60 connections."));
    let (opened, answered) = (result["connections"]["opened"].as_u64(), result["messages"]["answered"].as_u64());
    assert!(opened > Some(0) && opened < Some(60) && answered > Some(0), "{result}");
    assert!(result["errors"].as_object().unwrap().keys().all(|kind| kind.contains("Too many open files")), "{result}");
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn without_a_connection_it_fails() {
    let nobody = Nobody::new();
    let (code, result) = bench(&format!("ws://{}/", nobody.address()), &["-c", "3"]).await;
    assert_eq!(code, Some(1), "{result}");
    let errors = result["errors"].as_object().unwrap();
    assert!(errors.len() == 1 && errors.values().all(|count| count == 3), "{result}");
    assert_eq!((&result["latency"]["seconds"], &result["messages"]["sent"]), (&Value::Null, &json!(0)));
    let url = serve_with(Server::new().max_connections(0), echo).await;
    let output = run(&["bench", &url], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("       10  refused with HTTP 503 Service Unavailable\n"), "{}", stdout(&output));
}

#[tokio::test]
async fn bad_usage_is_told() {
    for options in [
        &["--rate", "0"] as &[_],
        &["--rate", "x"],
        &["--rate", "1e-20"],
        &["--rate", "1e10"],
        &["--rate", "1", "--in-flight", "2"],
        &["--size", "2-1"],
        &["--connections", "0"],
        &["--messages", "0"],
        &["--threads", "0"],
        &["--duration", "0"],
        &["--ramp", "-1"],
        &["--file", "a", "--lines", "b"],
    ] {
        let output = run(&[&["bench", "ws://127.0.0.1:1/"], options].concat(), "").await;
        assert_eq!(output.status.code(), Some(2), "{options:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_ends_it_with_its_result() {
    use crate::support::{in_time, signal, ws};
    let (seen, mut was_seen) = tokio::sync::mpsc::unbounded_channel();
    let url = serve(move |mut ws: WebSocket| {
        let seen = seen.clone();
        async move {
            while let Some(message) = ws.recv().await? {
                let _ = seen.send(());
                ws.send(message).await?;
            }
            Ok(())
        }
    })
    .await;
    let child = ws(&["bench", &url, "--json", "--duration", "3600"]).spawn().unwrap();
    // So some were answered: no more than ten are on their way.
    for _ in 0..100 {
        in_time(was_seen.recv()).await.unwrap();
    }
    signal(&child, rustix::process::Signal::INT);
    let output = in_time(child.wait_with_output()).await.unwrap();
    let result: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &result["errors"]), (Some(130), &json!({})), "{result}");
    assert!(result["messages"]["answered"].as_u64().unwrap() > 0, "{result}");
}
