//! `ws tunnel`: TCP through both of its ends.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use ws_test_support::nobody::Nobody;
use ws_tokio::{Client, ConnectError};

use crate::support::{in_time, run, stderr, ws};

/// One end that runs.
struct End {
    child: Child,
    address: String,
}

impl End {
    async fn start(arguments: &[&str]) -> Self {
        let mut command = ws(&[&["tunnel"], arguments].concat());
        let mut child = command.env("TOKEN", "t0ken").env("OTHER", "other").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = in_time(lines.next_line()).await.unwrap().expect("a line that tells the address");
        let address = first.split(' ').nth(1).unwrap().to_owned();
        Self { child, address }
    }

    /// The first line of its errors.
    async fn error(mut self) -> String {
        let mut lines = BufReader::new(self.child.stderr.take().unwrap()).lines();
        in_time(lines.next_line()).await.unwrap().unwrap()
    }
}

/// A TCP service that sends back what it gets, and then how much that was.
async fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reading, mut writing) = tcp.split();
                let n = tokio::io::copy(&mut reading, &mut writing).await?;
                writing.write_all(format!("{n} bytes").as_bytes()).await?;
                writing.shutdown().await
            });
        }
    });
    address
}

/// Sends all of it, ends that direction, and returns the answer.
async fn ask(address: &str, request: &[u8]) -> Vec<u8> {
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    let sending = async {
        // A tunnel that fails takes nothing.
        if writing.write_all(request).await.is_ok() {
            let _ = writing.shutdown().await;
        }
    };
    let mut answer = Vec::new();
    let (_, _) = in_time(async { tokio::join!(sending, reading.read_to_end(&mut answer)) }).await;
    answer
}

#[tokio::test]
async fn bytes_and_the_end_of_each_direction_pass() {
    let far = End::start(&["serve", "127.0.0.1:0", &service().await, "--bearer", "env:TOKEN"]).await;
    let url = format!("ws://{}/", far.address);
    let near = End::start(&["open", "127.0.0.1:0", &url, "--bearer", "env:TOKEN"]).await;
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let several = (0..3).map(|_| ask(&near.address, &data));
    for answer in futures_util::future::join_all(several).await {
        assert!(answer.strip_suffix(b"3000000 bytes").is_some_and(|echoed| echoed == data));
    }
    assert_eq!(ask(&near.address, b"").await, b"0 bytes");
}

#[tokio::test]
async fn only_those_with_the_token_and_no_page_come_in() {
    let far = End::start(&["serve", "127.0.0.1:0", &service().await, "--bearer", "env:TOKEN"]).await;
    let url = format!("ws://{}/", far.address);
    let near = End::start(&["open", "127.0.0.1:0", &url, "--bearer", "env:OTHER"]).await;
    assert_eq!(ask(&near.address, b"hello").await, b"");
    let error = near.error().await;
    assert!(error.contains("401") && !error.contains("other"), "{error}");
    let open = End::start(&["serve", "127.0.0.1:0", &service().await, "--allow-origin", "https://a.example"]).await;
    let status = async |origin: &str| {
        let client = Client::new(format!("ws://{}/", open.address)).origin(origin);
        match client.connect().await {
            Ok(_) => 101,
            Err(ConnectError::Rejected(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((status("https://a.example").await, status("https://b.example").await), (101, 403));
}

#[tokio::test]
async fn what_cannot_be_reached_is_told() {
    let nobody = Nobody::new();
    let far = End::start(&["serve", "127.0.0.1:0", &nobody.address().to_string()]).await;
    let near = End::start(&["open", "127.0.0.1:0", &format!("ws://{}/", far.address)]).await;
    assert_eq!(ask(&near.address, b"hello").await, b"");
    let (near, far) = (near.error().await, far.error().await);
    assert!(far.contains(&format!("cannot connect to {}", nobody.address())), "{far}");
    assert!(near.contains("1013"), "{near}");
    let output = run(&["tunnel", "open", "127.0.0.1:nowhere", "ws://127.0.0.1:1/"], "").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("Cannot listen on 127.0.0.1:nowhere: "), "{}", stderr(&output));
    let output = run(&["tunnel", "serve", "127.0.0.1:0", "127.0.0.1:1", "--bearer", "t0ken"], "").await;
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_ends_it() {
    let far = End::start(&["serve", "127.0.0.1:0", &service().await]).await;
    let near = End::start(&["open", "127.0.0.1:0", &format!("ws://{}/", far.address)]).await;
    let mut tcp = TcpStream::connect(&near.address).await.unwrap();
    tcp.write_all(b"x").await.unwrap();
    assert_eq!(in_time(tcp.read_u8()).await.unwrap(), b'x');
    for mut end in [near, far] {
        crate::support::signal(&end.child, rustix::process::Signal::TERM);
        assert_eq!(in_time(end.child.wait()).await.unwrap().code(), Some(0));
    }
    assert!(!matches!(in_time(tcp.read(&mut [0])).await, Ok(1..)));
}
