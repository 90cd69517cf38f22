//! Servers, clients and connections of the adapter, for tests that run on a thread of their own beside its tasks.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;

use futures_channel::oneshot;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, Shared, select};

use super::super as runtime;
pub(crate) use super::super::adapter::*;
pub(crate) use super::super::{Io, spawn, stream};
pub(crate) use crate::wire::*;

/// Waits for a future.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime::block_on(async {
        match select(pin!(future), pin!(runtime::sleep(TOO_LONG))).await {
            Either::Left((output, _)) => output,
            Either::Right(_) => panic!("it took too long"),
        }
    })
}

/// Lets other tasks run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls a future so many times at most, and drops it. `None` when it was not ready by then.
pub(crate) async fn cut_off<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return Some(output);
        }
        yield_now().await;
    }
    None
}

/// Waits a while for a future that should not be ready, and drops it.
pub(crate) fn for_a_while<F: Future>(future: F) -> Option<F::Output> {
    block_on(async {
        match select(pin!(future), pin!(runtime::sleep(A_WHILE))).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    })
}

/// What a handler waits for until the test lets it go on.
pub(crate) fn gate() -> (oneshot::Sender<()>, Shared<oneshot::Receiver<()>>) {
    let (open, gate) = oneshot::channel();
    (open, gate.shared())
}

// ---- servers ----

/// A server that runs, on a port of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    task: BoxFuture<'static, std::io::Result<()>>,
}

impl Running {
    pub(crate) fn of<H, F>(listening: Listening, handler: H) -> Self
    where
        H: Fn(WebSocket) -> F + Send + Sync + 'static,
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        let (address, handle) = (listening.local_addr().unwrap(), listening.handle());
        Self { address, handle, task: spawn(listening.serve(handler)).boxed() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.url("/"))
    }

    pub(crate) fn connect(&self) -> WebSocket {
        block_on(connect(&self.url("/"))).unwrap()
    }

    /// A connection on which nothing has been said.
    pub(crate) fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// A connection that is past its opening handshake.
    pub(crate) fn upgraded(&self) -> Peer {
        let mut peer = self.peer();
        peer.upgrade("/");
        peer
    }

    /// Waits for the end of a server that was told to end.
    pub(crate) fn ended(self) {
        block_on(self.task).unwrap();
    }

    /// Ends the server and waits for it.
    pub(crate) fn stop(self) {
        self.handle.shutdown();
        self.ended();
    }
}

pub(crate) fn start<H, F>(server: Server, handler: H) -> Running
where
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Running::of(block_on(server.bind("127.0.0.1:0")).unwrap(), handler)
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

/// The messages of a connection, and its end.
type Story = (Vec<Message>, Result<(), Error>);

/// A handler that receives until the end, and where it tells what that was.
pub(crate) fn telling()
-> (impl Fn(WebSocket) -> BoxFuture<'static, HandlerResult> + Send + Sync + 'static, mpsc::Receiver<Story>) {
    let (tell, told) = mpsc::channel();
    let handler = move |mut ws: WebSocket| {
        let tell = tell.clone();
        async move {
            let mut messages = Vec::new();
            let end = loop {
                match ws.recv().await {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            tell.send((messages, end))?;
            Ok(())
        }
        .boxed()
    };
    (handler, told)
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

/// A server that does not compress, for tests of what travels: compressing takes its time.
pub(crate) fn uncompressed() -> Server {
    #[cfg(feature = "deflate")]
    return Server::new().compression(None);
    #[cfg(not(feature = "deflate"))]
    Server::new()
}

/// Settings that let messages of this size pass.
pub(crate) fn roomy(message: usize) -> Config {
    config(|config| {
        config.limits.message = Some(message);
        config.limits.frame = Some(message);
    })
}

// ---- connections that nobody listened for ----

/// A server's end of a connection, with a driver of its own, and its peer.
pub(crate) fn accepted(server: Server) -> (WebSocket, Peer) {
    let (near, far) = tcp_pair();
    let opening = open_server(server, far);
    let mut peer = Peer::new(near);
    peer.upgrade("/");
    (block_on(opening), peer)
}

/// A client's end of a connection, with a driver of its own, and its peer.
pub(crate) fn connected(client: Client) -> (WebSocket, Peer) {
    let (near, far) = tcp_pair();
    let opening = open_client(client, near);
    let mut peer = Peer::new(far);
    peer.accept(b"");
    (block_on(opening), peer)
}

/// Both ends of a connection: the server's and the client's.
pub(crate) fn both_ends(server: Server, client: Client) -> (WebSocket, WebSocket) {
    let (near, far) = tcp_pair();
    let (accepted, connected) = (open_server(server, far), open_client(client, near));
    (block_on(accepted), block_on(connected))
}

fn open_server(server: Server, far: std::net::TcpStream) -> impl Future<Output = WebSocket> {
    let stream = Io::new(stream(far));
    spawn(async move {
        let (ws, driver) = server.accept(stream, Addresses::default()).await.unwrap();
        drop(spawn(driver));
        ws
    })
}

fn open_client(client: Client, near: std::net::TcpStream) -> impl Future<Output = WebSocket> {
    let stream = Io::new(stream(near));
    spawn(async move {
        let (ws, driver) = client.handshake(stream, Addresses::default()).await.unwrap();
        drop(spawn(driver));
        ws
    })
}

// ---- messages, ends ----

pub(crate) fn send(ws: &WebSocket, message: impl Into<Message>) {
    block_on(ws.send(message)).unwrap();
}

/// The next message, before the end.
pub(crate) fn recv(ws: &mut WebSocket) -> Message {
    block_on(ws.recv()).unwrap().expect("a message, not the end")
}

/// The next message, which has to be text.
pub(crate) fn text(ws: &mut WebSocket) -> String {
    match recv(ws) {
        Message::Text(text) => text.to_string(),
        other => panic!("expected text, not {other:?}"),
    }
}

/// How a connection failed that has no message left.
pub(crate) fn failure(ws: &mut WebSocket) -> Error {
    block_on(ws.recv()).expect_err("an end that is not as it should be")
}

pub(crate) fn outcome(error: &Error) -> &Outcome {
    error.closed().expect("the end of the connection").outcome()
}

/// The end of a connection that nobody sends on any more: the code and the reason that came.
pub(crate) fn ending(ws: &mut WebSocket) -> (u16, String) {
    if let Ok(Some(message)) = block_on(ws.recv()) {
        panic!("expected the end, not {message:?}");
    }
    let outcome = block_on(ws.closed());
    (outcome.code().into(), outcome.reason().to_owned())
}

/// Closes with 1000, which has to go as it should.
pub(crate) fn close(ws: WebSocket) {
    let outcome = block_on(ws.close(CloseCode::NORMAL, "")).unwrap();
    assert!(outcome.is_clean(), "{outcome}");
}
