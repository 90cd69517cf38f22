//! TCP over WebSocket, both ways, as websockify does for noVNC.
//!
//! Without arguments it runs both ends and sends through them:
//!
//! ```text
//! cargo run -p ws-tokio --example tunnel
//! ```
//!
//! This makes a TCP service reachable by WebSocket clients, such as noVNC and the other end of this program:
//!
//! ```text
//! cargo run -p ws-tokio --example tunnel -- serve 127.0.0.1:8765 127.0.0.1:5900
//! ```
//!
//! This accepts TCP connections and opens a WebSocket for each of them. TCP programs need no change:
//!
//! ```text
//! cargo run -p ws-tokio --example tunnel -- connect 127.0.0.1:5901 ws://127.0.0.1:8765/
//! ```

use std::env;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use ws_tokio::{ByteStream, Client, CloseCode, Listening, Server, WebSocket};

type Failure = Box<dyn Error + Send + Sync>;

/// The subprotocol of two ends that end each direction on its own, as TCP does.
const HALF_CLOSE: &str = "tcp-half-close";

/// The subprotocol that websockify and noVNC use. A Close frame ends both directions.
const BINARY: &str = "binary";

/// The end that has the TCP service.
///
/// A page of any site can open a WebSocket. Set `Server::origins` if the service trusts whoever reaches it.
async fn serve(listening: Listening, target: SocketAddr) -> io::Result<()> {
    listening
        .serve(move |ws| async move {
            let tcp = TcpStream::connect(target).await?;
            Ok(relay(ws, tcp).await?)
        })
        .await
}

fn server() -> Server {
    // The first that the client offers is chosen. Tunnelled data is often encrypted or compressed, so it is not compressed.
    Server::new().compression(None).subprotocols([HALF_CLOSE, BINARY])
}

/// The end that TCP clients connect to.
async fn connect(listener: TcpListener, url: &str) -> io::Result<()> {
    loop {
        let (tcp, peer) = listener.accept().await?;
        // websockify 0.13 refuses an offer that does not begin with `binary`.
        let opening = Client::new(url).compression(None).subprotocols([BINARY, HALF_CLOSE]).connect();
        tokio::spawn(async move {
            let relayed = async { Ok::<_, Failure>(relay(opening.await?, tcp).await?) };
            if let Err(error) = relayed.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// Copies in both directions until both have ended.
async fn relay(ws: WebSocket, mut tcp: TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let half_close = ws.subprotocol() == Some(HALF_CLOSE);
    let mut bytes = ByteStream::from(ws.into_bytes().half_close(half_close));
    let copied = copy_bidirectional(&mut tcp, &mut bytes).await;
    let (ws, _) = bytes.into_inner().into_inner();
    match copied {
        Ok(_) => drop(ws.closed().await),
        // The other end must not take a failure for the end of the data.
        Err(_) => drop(ws.close(CloseCode::INTERNAL_ERROR, "the tunnel has failed").await),
    }
    copied.map(drop)
}

// ---- a demonstration ----

/// TCP services: an echo, one that answers the end of the data, and HTTP.
async fn echo(mut tcp: TcpStream) -> io::Result<()> {
    let (mut reading, mut writing) = tcp.split();
    tokio::io::copy(&mut reading, &mut writing).await?;
    writing.shutdown().await
}

async fn count(mut tcp: TcpStream) -> io::Result<()> {
    let mut all = Vec::new();
    let n = tcp.read_to_end(&mut all).await?;
    tcp.write_all(format!("{n} bytes").as_bytes()).await
}

async fn page(mut tcp: TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await?);
    }
    tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nHello\n").await
}

/// Runs a TCP service behind both ends of a tunnel. Returns the address for its clients.
async fn tunnelled<F>(service: fn(TcpStream) -> F) -> io::Result<SocketAddr>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let target = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(service(tcp));
        }
    });
    let listening = server().bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listening.local_addr()?);
    tokio::spawn(serve(listening, target));
    let near = TcpListener::bind("127.0.0.1:0").await?;
    let address = near.local_addr()?;
    tokio::spawn(async move { connect(near, &url).await });
    Ok(address)
}

/// Sends all of `request`, ends its direction, and returns the answer.
async fn ask(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let (mut reading, mut writing) = TcpStream::connect(address).await?.into_split();
    let mut answer = Vec::new();
    let sending = async {
        writing.write_all(request).await?;
        writing.shutdown().await
    };
    let (sent, received) = tokio::join!(sending, reading.read_to_end(&mut answer));
    sent.and(received)?;
    Ok(answer)
}

async fn demonstrate() -> Result<(), Failure> {
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let echoed = ask(tunnelled(echo).await?, &data).await?;
    println!("the echo returned {} of {} bytes", echoed.len(), data.len());
    assert!(echoed == data);

    let counted = ask(tunnelled(count).await?, &data).await?;
    println!("counted: {}", String::from_utf8_lossy(&counted));
    assert_eq!(counted, b"3000000 bytes");

    let page = ask(tunnelled(page).await?, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    println!("{}", String::from_utf8_lossy(&page));
    assert!(page.ends_with(b"\r\n\r\nHello\n"));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, target] => Ok(serve(server().bind(address).await?, target.parse()?).await?),
        ["connect", address, url] => Ok(connect(TcpListener::bind(address).await?, url).await?),
        ["serve" | "connect", ..] => Err("usage: tunnel [serve ADDRESS TARGET | connect ADDRESS URL]".into()),
        // Also with the arguments of a test run.
        _ => timeout(Duration::from_secs(60), demonstrate()).await?,
    }
}
