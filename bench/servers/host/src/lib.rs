//! Code that all measured programs share, so that they differ only in their protocol code.

mod job;
mod publisher;
pub mod streams;

use std::future::Future;
use std::io::{self, Error, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

pub use self::job::{Form, Job, Task};
pub use self::publisher::{Publisher, Topic, publications, topic};

/// Runs `program` on a single-threaded runtime, until it ends or standard input does. With the variable `THREADS`, the runtime
/// has as many threads, among which its tasks move.
///
/// The runner holds the other end of standard input, so a program never outlives the run that started it.
pub fn run<F: Future<Output = io::Result<()>>>(program: impl FnOnce(Job) -> F) -> io::Result<()> {
    let job = Job::from_args()?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        std::process::exit(0);
    });
    let mut runtime = match std::env::var("THREADS").map(|threads| threads.parse()) {
        Err(_) => Builder::new_current_thread(),
        Ok(threads) => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads.map_err(io::Error::other)?);
            runtime
        }
    };
    runtime.enable_all().build()?.block_on(program(job))
}

/// Accepts connections on a free loopback port, each served by a task of its own.
pub async fn serve<F, Fut>(on_connection: F) -> io::Result<()>
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind(LOOPBACK).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(on_connection(stream));
    }
}

/// Any free port of the loopback interface.
pub const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Prints a port for the runner to connect to.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    writeln!(io::stdout(), "{}", address.port())
}

/// Connects a client to the server that its orders name.
pub async fn connect(job: &Job) -> io::Result<TcpStream> {
    let address = job.server.ok_or_else(|| Error::other("this task needs an address"))?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A handshake by hand, for what begins behind it. The runner sends nothing before it has the answer.
pub async fn upgrade(stream: &mut TcpStream) -> io::Result<()> {
    upgrade_with(stream, |_| None).await
}

/// [`upgrade`], with an answer to the extensions that are offered.
pub async fn upgrade_with(stream: &mut TcpStream, mut negotiate: impl FnMut(&str) -> Option<String>) -> io::Result<()> {
    let mut received = Vec::with_capacity(1024);
    while handshake::head_len(&received).is_none() {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let extensions = handshake::field(&received, "Sec-WebSocket-Extensions").and_then(&mut negotiate);
    let answer =
        handshake::answer(&received, extensions.as_deref()).ok_or_else(|| Error::other("no upgrade request"))?;
    stream.write_all(answer.as_bytes()).await
}
