//! Running the real program.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use ws_tokio::{Addresses, HandlerResult, Message, Server, TokioIo, WebSocket};

/// What nothing in a test takes; a hang fails instead of hanging.
const TOO_LONG: Duration = Duration::from_secs(30);

pub(crate) fn ws(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws"));
    command.args(arguments).env_remove("RUST_LOG").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `ws` to its end with this on its standard input.
pub(crate) async fn run(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = ws(arguments).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_ref().to_owned();
    // Beside reading the output, or a large input would wait for ever.
    let feeding = tokio::spawn(async move { stdin.write_all(&input).await });
    let output = in_time(child.wait_with_output()).await.unwrap();
    let _ = feeding.await;
    output
}

pub(crate) fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(TOO_LONG, future).await.expect("it took too long")
}

/// A running `ws serve`, on a port of its own.
#[cfg_attr(not(unix), expect(dead_code, reason = "the tests that use all of it send signals, on Unix"))]
pub(crate) struct Demo {
    pub(crate) child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    /// The lines it prints after the first.
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(options: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], options].concat();
        let mut child = ws(&arguments).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = in_time(lines.next_line()).await.unwrap().expect("a line that tells the URL");
        let address = first
            .split("http")
            .nth(1)
            .and_then(|url| url.split("://").nth(1))
            .and_then(|rest| rest.split('/').next())
            .expect("a URL");
        Self { child, address: address.to_owned(), lines }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    pub(crate) async fn connect(&self, path: &str) -> WebSocket {
        in_time(ws_tokio::connect(&self.url(path))).await.unwrap()
    }
}

/// The next message, which has to be text.
pub(crate) async fn text(ws: &mut WebSocket) -> String {
    match in_time(ws.recv()).await {
        Ok(Some(Message::Text(text))) => text.to_string(),
        other => panic!("expected text, not {other:?}"),
    }
}

/// A server in this process that runs `handler` for every connection; its URL.
pub(crate) async fn serve<F, H>(handler: H) -> String
where
    F: Future<Output = HandlerResult> + Send + 'static,
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
{
    serve_with(Server::new(), handler).await
}

pub(crate) async fn serve_with<F, H>(server: Server, handler: H) -> String
where
    F: Future<Output = HandlerResult> + Send + 'static,
    H: Fn(WebSocket) -> F + Send + Sync + 'static,
{
    let listening = server.bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listening.local_addr().unwrap());
    tokio::spawn(listening.serve(handler));
    url
}

/// The head of a request or a response, and not a byte more.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    head
}

/// A server that does the opening handshake, and then what `script` does with the bare socket. Nothing else is sent.
pub(crate) async fn bare<F: Future<Output = ()> + Send>(
    script: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut socket = listener.accept().await.unwrap().0;
        // The library answers in memory: the Close frame that its driver writes in the end goes nowhere.
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(&read_head(&mut socket).await).await.unwrap();
        let _accepted = Server::new().accept(TokioIo::new(server), Addresses::default()).await.unwrap();
        socket.write_all(&read_head(&mut client).await).await.unwrap();
        script(socket).await;
    });
    url
}

#[cfg(unix)]
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let id = child.id().expect("a running process").try_into().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
}
