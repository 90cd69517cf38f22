//! What every echo server shares, so that the servers differ in their protocol code and in nothing else.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

/// Runs `server` on a single-threaded runtime, until it ends or standard input does.
///
/// The runner holds the other end of standard input, so a server never outlives the run that started it.
pub fn run<E: From<io::Error>>(server: impl Future<Output = Result<(), E>>) -> Result<(), E> {
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        std::process::exit(0);
    });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

/// Accepts connections on a free loopback port, each echoed by a task of its own.
pub async fn serve<F, Fut>(echo: F) -> io::Result<()>
where
    F: Fn(TcpStream) -> Fut,
    Fut: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind(LOOPBACK).await?;
    announce(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(echo(stream));
    }
}

/// Any free port of the loopback interface.
pub const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Prints the port, the one line a server writes.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    writeln!(io::stdout(), "{}", address.port())
}
