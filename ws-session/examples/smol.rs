//! An adapter for another runtime, here smol, in one file. An echo server and a client on it talk to each other.
//!
//! Run: `cargo run -p ws-session --example smol`

use std::io::{self, ErrorKind, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use ws_session::{Addresses, CloseCode, Message, Runtime, Timer, Timestamp, Transport};

// Defines `Server`, `Client`, `connect`, `serve` and `accept` for this runtime.
ws_session::adapter!(Smol, Socket, AsyncRead + AsyncWrite);

/// The transport. It is a type of this file, because neither the trait nor the streams are.
pub struct Socket<S>(S);

impl<S> Socket<S> {
    fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for Socket<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

/// The timer: a clock and one alarm. Another deadline replaces the alarm.
pub struct Clock {
    origin: Instant,
    alarm: smol::Timer,
}

impl Timer for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.origin.elapsed())
    }
    fn poll_at(&mut self, cx: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        self.alarm.set_at(self.origin + deadline.since_origin());
        Pin::new(&mut self.alarm).poll(cx).map(drop)
    }
}

/// The runtime: tasks, name resolution and sockets.
#[derive(Debug)]
pub struct Smol;

impl Runtime for Smol {
    type Stream = Socket<TcpStream>;
    type Listener = Async<TcpListener>;
    type Timer = Clock;

    fn timer() -> Clock {
        Clock { origin: Instant::now(), alarm: smol::Timer::never() }
    }
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }
    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }
    async fn connect(address: SocketAddr) -> io::Result<(Self::Stream, Addresses)> {
        connected(TcpStream::connect(address).await?)
    }
    fn listen(listener: TcpListener) -> io::Result<Self::Listener> {
        Async::new(listener)
    }
    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        listener.get_ref().local_addr()
    }
    fn poll_accept(listener: &Self::Listener, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Addresses)>> {
        loop {
            match listener.get_ref().accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(listener.poll_readable(cx))?,
                accepted => return Poll::Ready(accepted.and_then(|(stream, _)| connected(stream.try_into()?))),
            }
        }
    }
}

fn connected(stream: TcpStream) -> io::Result<(Socket<TcpStream>, Addresses)> {
    stream.set_nodelay(true)?;
    let addresses = Addresses::new(stream.local_addr().ok(), stream.peer_addr().ok());
    Ok((Socket::new(stream), addresses))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let listening = Server::new().bind("127.0.0.1:0").await?;
        let (address, handle) = (listening.local_addr()?, listening.handle());
        let serving = smol::spawn(listening.serve(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        }));

        let mut ws = connect(&format!("ws://{address}")).await?;
        for message in [Message::from("Hello"), Message::from(vec![7; 1 << 20])] {
            ws.send(message.clone()).await?;
            assert_eq!(ws.recv().await?, Some(message));
        }
        assert_eq!(ws.close(CloseCode::NORMAL, "").await?.code(), CloseCode::NORMAL);
        handle.shutdown();
        Ok(serving.await?)
    })
}
