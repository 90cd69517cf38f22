//! Helpers of the suites: servers on a port of their own, and peers that speak in bytes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, yield_now};
use ws_test_support::frames::Received;
pub(crate) use ws_test_support::opening::request;
use ws_test_support::opening::response_to;
use ws_tokio::{Addresses, Client, HandlerResult, Server, ServerHandle, TokioIo, WebSocket};

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

// ---- servers and clients ----

/// A server that runs, on a port of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
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

/// The end of a connection that nobody sends on any more: the code and the reason that came.
pub(crate) async fn ending(ws: &mut WebSocket) -> (u16, String) {
    if let Ok(Some(message)) = in_time(ws.recv()).await {
        panic!("expected the end, not {message:?}");
    }
    let outcome = in_time(ws.closed()).await;
    (outcome.code().into(), outcome.reason().to_owned())
}

// ---- peers that speak in bytes ----

/// One end of a stream, in the hands of a test.
pub(crate) struct Raw<S> {
    pub(crate) stream: S,
    /// What was read and not yet taken.
    received: Received,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Received::default() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        in_time(self.stream.write_all(bytes.as_ref())).await.unwrap();
        in_time(self.stream.flush()).await.unwrap();
    }

    /// Reads once; how much came.
    async fn read(&mut self) -> io::Result<usize> {
        in_time(self.stream.read_buf(&mut self.received.bytes)).await
    }

    /// All there is until the end of the stream, which must not be a reset.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await.expect("the end of the stream, not a reset") > 0 {}
        self.received.rest()
    }

    /// A head, with the empty line that ends it.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(head) = self.received.head() {
                return head;
            }
            assert!(self.read().await.unwrap() > 0, "the end of the stream, after {:?}", self.received.bytes);
        }
    }

    /// Does a client's opening handshake, which has to succeed.
    pub(crate) async fn upgrade(&mut self, path: &str) {
        self.write(request(path, &[])).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// Does a server's opening handshake, and sends `behind` in the same write as the 101.
    pub(crate) async fn accept(&mut self, behind: &[u8]) {
        let head = self.head().await;
        let mut bytes = response_to(head.as_bytes());
        bytes.extend_from_slice(behind);
        self.write(bytes).await;
    }

    /// Ends the write side.
    pub(crate) async fn finish(&mut self) {
        in_time(self.stream.shutdown()).await.unwrap();
    }
}
