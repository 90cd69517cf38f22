//! A program that pings often: `keeps-alive RUNTIME server`, which prints its address, or `keeps-alive RUNTIME ADDRESS`, a
//! client. After its first ping its handler prints `busy` and blocks the thread until a line comes in, sends a message and
//! only listens from then on. `tests/stopped.rs` stops its process meanwhile.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::TcpListener;
use std::task::{Context, Poll};
use std::time::Duration;

use ws_async_std::{AsyncStd, Reactor};
use ws_session::{Client, HandlerResult, Runtime, Server, Timer, Timestamp, Transport, WebSocket};
use ws_tests::Smol;
use ws_tokio::Tokio;

const PING_INTERVAL: Duration = Duration::from_millis(200);
const PONG_TIMEOUT: Duration = Duration::from_secs(2);

/// When the first ping has been written, and long before its pong is overdue.
const BUSY_AFTER: Duration = Duration::from_millis(700);

fn main() -> HandlerResult {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [runtime, role] = &*arguments else { return Err("usage: keeps-alive RUNTIME server|ADDRESS".into()) };
    match &**runtime {
        "tokio-current-thread" => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run::<Tokio>(role))
        }
        "tokio-multi-thread" => tokio::runtime::Runtime::new()?.block_on(run::<Tokio>(role)),
        "async-std" => async_std::task::block_on(run::<AsyncStd>(role)),
        "smol" => smol::block_on(run::<Reactor<Smol>>(role)),
        other => Err(format!("no runtime is called {other}").into()),
    }
}

async fn run<R: Runtime>(role: &str) -> HandlerResult {
    if role != "server" {
        let (stream, addresses) = R::connect(role.parse()?).await?;
        let client = Client::<R>::new(format!("ws://{role}/")).ping_interval(PING_INTERVAL).pong_timeout(PONG_TIMEOUT);
        let (ws, driver) = client.handshake(Opaque(stream), addresses).await?;
        return Ok(driver.run(handle::<R>(ws)).await?);
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let listener = R::listen(listener)?;
    println!("{}", R::local_addr(&listener)?);
    let (stream, addresses) = poll_fn(|cx| R::poll_accept(&listener, cx)).await?;
    let server = Server::<R>::new().ping_interval(PING_INTERVAL).pong_timeout(PONG_TIMEOUT);
    let (ws, driver) = server.accept(Opaque(stream), addresses).await?;
    Ok(driver.run(handle::<R>(ws)).await?)
}

async fn handle<R: Runtime>(mut ws: WebSocket) -> HandlerResult {
    let mut timer = R::timer();
    poll_fn(|cx| timer.poll_at(cx, Timestamp::new(BUSY_AFTER))).await;
    println!("busy");
    io::stdin().read_line(&mut String::new())?;
    // With something to write the driver goes on at once, before the runtime has asked the system what has come.
    ws.send("on").await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}

/// A transport that does not know what is in flight, as most are that an application brings. TCP would tell that the peer
/// has taken the ping, which puts off the deadline that is tested here.
struct Opaque<T>(T);

impl<T: Transport> Transport for Opaque<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
