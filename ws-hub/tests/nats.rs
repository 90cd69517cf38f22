//! The backplane over NATS, around a server that is only as much of one as it needs: refusals, silence, and the end.
#![cfg(feature = "nats")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ws_hub::{Hub, Nats, PublishError, Refusal};
use ws_tokio::Tokio;

/// What the server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    ended: AtomicUsize,
    subscriptions: Mutex<Vec<String>>,
}

/// Starts a server that refuses subjects which end with `denied`. Returns its URL.
fn server() -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, seen) = (format!("nats://{}", listener.local_addr().unwrap()), Arc::new(Seen::default()));
    let of_server = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, seen) = (stream.unwrap(), Arc::clone(&of_server));
            std::thread::spawn(move || {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                let _ = serve(stream, &seen);
                seen.ended.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (url, seen)
}

fn serve(mut stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    stream.write_all(
        b"INFO {\"server_id\":\"A\",\"server_name\":\"a\",\"version\":\"2.15.1\",\"proto\":1,\"go\":\"\",",
    )?;
    stream.write_all(b"\"host\":\"127.0.0.1\",\"port\":1,\"headers\":true,\"max_payload\":1048576}\r\n")?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut subscriptions: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => stream.write_all(b"PONG\r\n")?,
            ["SUB", subject, ..] if subject.ends_with("denied") => {
                write!(stream, "-ERR 'Permissions Violation for Subscription to \"{subject}\"'\r\n")?;
            }
            ["SUB", subject, .., sid] => {
                seen.subscriptions.lock().unwrap().push(subject.to_owned());
                subscriptions.push((subject.to_owned(), sid.to_owned()));
            }
            ["UNSUB", sid, ..] => subscriptions.retain(|(_, own)| own != sid),
            ["PUB", subject, ref rest @ ..] => {
                let (reply, size) = match rest {
                    [reply, size] => (format!("{reply} "), size),
                    [size] => (String::new(), size),
                    _ => return Ok(()),
                };
                let mut payload = vec![0; size.parse::<usize>().unwrap() + 2];
                reader.read_exact(&mut payload)?;
                if subject.ends_with("denied") {
                    write!(stream, "-ERR 'Permissions Violation for Publish to \"{subject}\"'\r\n")?;
                    continue;
                }
                for (own, sid) in &subscriptions {
                    let is_own = own.strip_suffix('*').map_or(own == subject, |start| subject.starts_with(start));
                    if is_own {
                        write!(stream, "MSG {subject} {sid} {reply}{size}\r\n")?;
                        stream.write_all(&payload)?;
                    }
                }
            }
            _ => {}
        }
    }
}

fn hub(url: &str) -> Hub {
    Hub::builder().backplane(Nats::new(url).unwrap().core()).start::<Tokio>()
}

async fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The refusal comes on another way than the echo that says that the server has handled the publication.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_that_the_server_does_not_allow_is_refused_the_first_time() {
    let (url, _) = server();
    for number in 0..20 {
        let hub = hub(&url);
        hub.publish("allowed", "x").await.unwrap();
        let name = format!("{number} denied");
        for _ in 0..2 {
            match hub.publish(&name, "x").await {
                Err(PublishError::Refused(Refusal::Broker(reason))) => {
                    assert!(reason.contains("no permission"), "{reason}")
                }
                other => panic!("{other:?}"),
            }
        }
        hub.publish("allowed", "x").await.unwrap();
    }
}

#[tokio::test]
async fn a_subscription_that_the_server_does_not_allow_is_not_taken_for_one() {
    let (url, seen) = server();
    let hub = hub(&url);
    let allowed = hub.subscribe("allowed").await;
    assert!(allowed.is_ok());
    wait("a subscription", || seen.subscriptions.lock().unwrap().iter().any(|subject| subject == "ws.topic.allowed"))
        .await;
    let denied = tokio::time::timeout(Duration::from_secs(2), hub.subscribe("denied").into_future()).await;
    assert!(!matches!(denied, Ok(Ok(_))), "it stands");
}

/// Also where the client library runs on the runtime of the user, which does not end.
#[tokio::test]
async fn the_connection_ends_with_the_hub() {
    let (url, seen) = server();
    for round in 1..=3 {
        let hub = hub(&url);
        let subscription = hub.subscribe("silent").await.unwrap();
        hub.publish("other", "x").await.unwrap();
        drop(subscription);
        drop(hub);
        wait("the end of the connection", || seen.ended.load(Ordering::SeqCst) >= round).await;
        assert_eq!(seen.connections.load(Ordering::SeqCst), round);
    }
}

/// A server that takes connections and says nothing, as behind a firewall.
#[tokio::test]
async fn publications_are_refused_and_delivered_locally_while_no_server_was_ever_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = hub(&format!("nats://{}", listener.local_addr().unwrap()));
    let start = Instant::now();
    let refused = hub.publish("a", "x").await;
    assert_eq!(refused, Err(PublishError::Refused(Refusal::Unavailable { locally: 0 })));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}
