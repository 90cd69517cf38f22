//! What the suites share: servers on a port of their own, and peers that speak in bytes.

#![allow(dead_code, reason = "each test file uses a part")]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};
use ws_proto::handshake::{encode, server::RequestReader, server::Upgrade};
use ws_tokio::http::Request;
use ws_tokio::{
    Addresses, Client, CloseCode, Config, HandlerResult, Message, Server, ServerHandle, TokioIo, WebSocket,
};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// What nothing in a test takes, be time paused or not: a hang fails instead of hanging.
const TOO_LONG: Duration = Duration::from_secs(100);

pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(TOO_LONG, future).await.expect("it took too long")
}

/// Lets other tasks run until it is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    in_time(async {
        while !is_so() {
            yield_now().await;
        }
    })
    .await;
}

/// Lets the other tasks of this thread run, and its sockets be polled, as often as anything local could need.
pub(crate) async fn settle() {
    for _ in 0..500 {
        yield_now().await;
    }
}

// ---- servers and clients ----

/// A server that runs, on a port of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<io::Result<()>>,
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) async fn connect(&self) -> WebSocket {
        in_time(ws_tokio::connect(&self.url("/"))).await.unwrap()
    }

    /// A connection on which nothing has been said.
    pub(crate) async fn raw(&self) -> Raw<TcpStream> {
        let stream = in_time(TcpStream::connect(self.address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw::new(stream)
    }

    /// A connection that is past its opening handshake.
    pub(crate) async fn raw_upgraded(&self) -> Raw<TcpStream> {
        let mut raw = self.raw().await;
        raw.upgrade("/").await;
        raw
    }

    /// Ends the server and waits for it.
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        in_time(self.task).await.unwrap().unwrap();
    }
}

pub(crate) async fn start<H, F>(server: Server, handler: H) -> Running
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let listening = server.bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
    Running { address, handle, task: tokio::spawn(listening.serve(handler)) }
}

pub(crate) async fn echo(mut ws: WebSocket) -> HandlerResult {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// Receives until the end.
pub(crate) async fn drain(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

/// Settings that let messages of this size pass.
pub(crate) fn roomy(message: usize) -> Config {
    config(|config| {
        config.limits.message = Some(message);
        config.limits.frame = Some(message);
    })
}

/// A server's and a client's end over a pipe in memory, each with a driver of its own: works with paused time.
pub(crate) async fn piped(server: Server, client: Client) -> (WebSocket, WebSocket) {
    let (near, far) = duplex(64 * KIB);
    let (accepted, connected) = in_time(async { tokio::join!(accept(server, far), connect(client, near)) }).await;
    (accepted, connected)
}

/// A server's end over a pipe in memory, with a driver of its own, and a peer that speaks in bytes.
pub(crate) async fn piped_server(server: Server) -> (WebSocket, Raw<DuplexStream>) {
    let (near, far) = duplex(64 * KIB);
    let mut raw = Raw::new(near);
    let (accepted, ()) = in_time(async { tokio::join!(accept(server, far), raw.upgrade("/")) }).await;
    (accepted, raw)
}

/// A client's end over a pipe in memory, with a driver of its own, and a peer that speaks in bytes.
pub(crate) async fn piped_client(client: Client) -> (WebSocket, Raw<DuplexStream>) {
    let (near, far) = duplex(64 * KIB);
    let mut raw = Raw::new(far);
    let (connected, _) = in_time(async { tokio::join!(connect(client, near), raw.accept(b"")) }).await;
    (connected, raw)
}

async fn accept(server: Server, stream: DuplexStream) -> WebSocket {
    let (ws, driver) = server.accept(TokioIo::new(stream), Addresses::default()).await.unwrap();
    tokio::spawn(driver);
    ws
}

async fn connect(client: Client, stream: DuplexStream) -> WebSocket {
    let (ws, driver) = client.handshake(TokioIo::new(stream), Addresses::default()).await.unwrap();
    tokio::spawn(driver);
    ws
}

/// A server that says what a test wants it to, to one client.
pub(crate) async fn fake_server<F, O>(script: impl FnOnce(Raw<TcpStream>) -> F + Send + 'static) -> Fake<O>
where
    F: Future<Output = O> + Send + 'static,
    O: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        script(Raw::new(stream)).await
    });
    Fake { url, task }
}

pub(crate) struct Fake<O> {
    pub(crate) url: String,
    task: JoinHandle<O>,
}

impl<O> Fake<O> {
    /// Waits for the end of the script, and what it found.
    pub(crate) async fn done(self) -> O {
        in_time(self.task).await.unwrap()
    }
}

// ---- messages ----

/// The next message, which has to be text.
pub(crate) async fn text(ws: &mut WebSocket) -> String {
    match in_time(ws.recv()).await {
        Ok(Some(Message::Text(text))) => text.to_string(),
        other => panic!("expected text, not {other:?}"),
    }
}

/// The end of a connection that nobody sends on any more: the code and the reason that came.
pub(crate) async fn ending(ws: &mut WebSocket) -> (u16, String) {
    if let Ok(Some(message)) = in_time(ws.recv()).await {
        panic!("expected the end, not {message:?}");
    }
    let outcome = in_time(ws.closed()).await;
    (outcome.code().into(), outcome.reason().to_owned())
}

/// Closes with 1000, which has to go as it should.
pub(crate) async fn close(ws: WebSocket) {
    let outcome = in_time(ws.close(CloseCode::NORMAL, "")).await.unwrap();
    assert!(outcome.is_clean(), "{outcome}");
}

/// Bytes that are not all alike.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..len.min(65_521)).map(|at| (at ^ (at >> 8)) as u8).collect();
    let mut bytes = block.repeat(len.div_ceil(block.len().max(1)));
    bytes.truncate(len);
    bytes
}

// ---- peers that speak in bytes ----

/// The key that raw clients send and mask with, and the answer to it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
pub(crate) const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A WebSocket request with these lines added.
pub(crate) fn request(path: &str, lines: &[&str]) -> String {
    let added: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{added}\r\n"
    )
}

/// A frame: its first byte as given, the payload masked when there is a key.
pub(crate) fn frame(first: u8, payload: impl AsRef<[u8]>, key: Option<[u8; 4]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(first, payload.len(), key);
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A frame's header, for a payload that may never come.
pub(crate) fn header(first: u8, len: usize, key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match len {
        0..126 => bytes.push(masked | len as u8),
        126..0x1_0000 => {
            bytes.push(masked | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(masked | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

/// A frame as clients send it.
pub(crate) fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload, Some(MASK))
}

/// A Close frame's payload.
pub(crate) fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// A response, as it was read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header; none when it is missing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// One end of a stream, in the hands of a test.
pub(crate) struct Raw<S> {
    pub(crate) stream: S,
    /// What was read and not yet taken.
    received: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        in_time(self.stream.write_all(bytes.as_ref())).await.unwrap();
        in_time(self.stream.flush()).await.unwrap();
    }

    /// Reads once; how much came.
    async fn read(&mut self) -> io::Result<usize> {
        in_time(self.stream.read_buf(&mut self.received)).await
    }

    async fn take(&mut self, n: usize) -> Vec<u8> {
        while self.received.len() < n {
            assert!(self.read().await.unwrap() > 0, "the end of the stream, after {:?}", self.received);
        }
        self.received.drain(..n).collect()
    }

    /// All there is until the end of the stream, which must not be a reset.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await.expect("the end of the stream, not a reset") > 0 {}
        std::mem::take(&mut self.received)
    }

    /// A head, with the empty line that ends it.
    pub(crate) async fn head(&mut self) -> String {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read().await.unwrap() > 0, "the end of the stream, after {:?}", self.received);
        };
        String::from_utf8(self.take(end).await).unwrap()
    }

    /// A response that ends the connection.
    pub(crate) async fn reply(&mut self) -> Reply {
        let head = self.head().await;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        Reply { status, head, body: self.rest().await }
    }

    /// Does a client's opening handshake, which has to succeed.
    pub(crate) async fn upgrade(&mut self, path: &str) {
        self.write(request(path, &[])).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(&format!("\r\nSec-WebSocket-Accept: {ACCEPT}\r\n")), "{head}");
    }

    /// Does a server's opening handshake, and sends `behind` in the same write as the 101. The request it answered.
    pub(crate) async fn accept(&mut self, behind: &[u8]) -> Request<()> {
        let head = self.head().await;
        let upgrade = Upgrade::new(parse(&head)).unwrap();
        let accepted = upgrade.accept(None, Default::default()).unwrap();
        let mut bytes = Vec::new();
        encode::response_head(&accepted.response, &mut bytes);
        bytes.extend_from_slice(behind);
        self.write(bytes).await;
        accepted.request
    }

    /// A frame: its first byte, and its payload without the mask.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        let start = self.take(2).await;
        let len = match start[1] & 0x7F {
            126 => self.take(2).await.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)),
            127 => self.take(8).await.iter().fold(0, |len, &byte| len << 8 | usize::from(byte)),
            short => usize::from(short),
        };
        let key = if start[1] & 0x80 == 0 { vec![0; 4] } else { self.take(4).await };
        let payload = self.take(len).await;
        (start[0], payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect())
    }

    /// A Close frame: its code and its reason.
    pub(crate) async fn close_frame(&mut self) -> (u16, String) {
        let (first, payload) = self.frame().await;
        assert_eq!(first, 0x88, "a Close frame, not {first:#x} with {payload:?}");
        match payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap()),
            None => (1005, String::new()),
        }
    }

    /// Ends the write side.
    pub(crate) async fn finish(&mut self) {
        in_time(self.stream.shutdown()).await.unwrap();
    }
}

pub(crate) fn parse(head: &str) -> Request<()> {
    RequestReader::new().read(head.as_bytes()).unwrap().expect("a whole head").request
}
