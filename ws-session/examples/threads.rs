//! WebSockets without an async runtime: `std::net`, and a thread for each connection. An echo server and a client talk to
//! each other, and a silent peer is disconnected.
//!
//! Run: `cargo run -p ws-session --example threads`

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::task::{Context, Poll, Waker};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use ws_session::{Addresses, Client, CloseCode, Message, Runtime, Server, Timer, Timestamp, Transport};

/// The time that a thread waits for its socket before it checks the clock and the messages of other threads.
const TICK: Duration = Duration::from_millis(10);

/// A waker that does nothing: the thread polls again by itself after each tick.
fn block_on<O>(future: impl Future<Output = O>) -> O {
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => sleep(TICK / 10),
        }
    }
}

/// A socket that blocks for at most a tick. Work that was not done by then is tried again.
struct Socket(TcpStream);

fn connected(stream: TcpStream) -> io::Result<(Socket, Addresses)> {
    stream.set_nonblocking(false)?; // some systems pass it on from the listener
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK))?;
    let addresses = Addresses::new(stream.local_addr().ok(), stream.peer_addr().ok());
    Ok((Socket(stream), addresses))
}

fn or_pending<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result.as_ref().map_err(io::Error::kind) {
        Err(ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => Poll::Pending,
        _ => Poll::Ready(result),
    }
}

impl Transport for Socket {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        or_pending(self.0.read(buffer))
    }
    fn poll_write_vectored(&mut self, _: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        or_pending(self.0.write_vectored(buffers))
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }
}

/// Threads as a runtime. This type is its timer too: a clock without an alarm, since threads poll again by themselves.
struct Threads(Instant);

impl Timer for Threads {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.0.elapsed())
    }
    fn poll_at(&mut self, _: &mut Context<'_>, deadline: Timestamp) -> Poll<()> {
        if self.now() >= deadline { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Runtime for Threads {
    type Stream = Socket;
    type Listener = TcpListener;
    type Timer = Threads;
    fn timer() -> Threads {
        Threads(Instant::now())
    }
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        thread::spawn(|| block_on(task));
    }
    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
    /// Blocks the thread, so addresses are tried one after the other.
    async fn connect(address: SocketAddr) -> io::Result<(Socket, Addresses)> {
        connected(TcpStream::connect(address)?)
    }
    fn listen(listener: TcpListener) -> io::Result<TcpListener> {
        Ok(listener)
    }
    fn local_addr(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }
    fn poll_accept(listener: &TcpListener, _: &mut Context<'_>) -> Poll<io::Result<(Socket, Addresses)>> {
        or_pending(listener.accept().and_then(|(stream, _)| connected(stream)))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::<Threads>::new().handshake_timeout(Duration::from_millis(200));
    let listening = block_on(server.bind("127.0.0.1:0"))?;
    let (address, handle) = (listening.local_addr()?, listening.handle());
    let serving = listening.serve(|mut ws| async move {
        while let Some(message) = ws.recv().await? {
            ws.send(message).await?;
        }
        Ok(())
    });
    let serving = thread::spawn(|| block_on(serving));
    let mut ws = block_on(Client::<Threads>::new(format!("ws://{address}")).connect())?;
    for message in [Message::from("Hello"), Message::from(vec![7; 1 << 20])] {
        block_on(ws.send(message.clone()))?;
        assert_eq!(block_on(ws.recv())?, Some(message));
    }
    assert_eq!(block_on(ws.close(CloseCode::NORMAL, ""))?.code(), CloseCode::NORMAL);

    // Deadlines are kept while a thread waits for bytes that do not arrive.
    let answer = io::read_to_string(TcpStream::connect(address)?)?;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    handle.shutdown();
    Ok(serving.join().expect("the server did not panic")?)
}
