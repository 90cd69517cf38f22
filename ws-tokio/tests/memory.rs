//! The heap memory of idle connections, counted by the allocator: what the server has asked for, tasks and timers included.
//!
//! The clients are plain sockets of the system, which take no memory on the heap.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use ws_tokio::{HandlerResult, RequestExt as _, Routes, Server, WebSocket};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most that an idle connection may hold, in bytes: 2.4 KiB.
const MOST: usize = 2457;

/// The most that a parsed request may hold, in bytes: 2 KiB.
const MOST_PARSED: usize = 2048;

const CONNECTIONS: usize = 200;

fn main() {
    // The head that `request` parses, and keeps.
    let frugal = held_by_each(|_| {});
    let parsed = held_by_each(|ws| assert_eq!(ws.request().path(), "/rooms/blue"));
    println!("an idle connection holds {frugal} bytes; {parsed} with its request parsed");
    assert!(frugal <= MOST, "an idle connection holds {frugal} bytes, more than {MOST}");
    assert!(parsed > frugal + 1000, "parsing the request shows: {parsed} bytes and {frugal}");
    assert!(
        parsed <= frugal + MOST_PARSED,
        "a parsed request holds {} bytes, more than {MOST_PARSED}",
        parsed - frugal
    );
    #[cfg(feature = "deflate")]
    compressed::main();
}

/// The bytes that an idle connection holds after its handler has been routed, its origin and its user have been checked, and a
/// cookie, a header and a query parameter have been read.
fn held_by_each(look: fn(&WebSocket)) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&open);
    let routes = Routes::new().websocket_with("/rooms/{room}", move |ws, room: String| {
        assert_eq!((&*room, ws.path(), ws.query("tab").as_deref()), ("blue", "/rooms/blue", Some("1 2")));
        assert_eq!(
            (ws.cookie("session"), ws.header("origin")),
            (Some("0123456789abcdef"), Some("https://a.example.com"))
        );
        look(&ws);
        counted.fetch_add(1, Ordering::SeqCst);
        idle(ws)
    });
    let server = Server::new().origins(["https://*.example.com"]).routes(routes);
    let listening = runtime.block_on(server.bind("127.0.0.1:0")).unwrap();
    let address = listening.local_addr().unwrap();
    let serving = runtime.spawn(listening.serve_routes());
    let mut clients = Vec::with_capacity(2 * CONNECTIONS);
    // Whatever is allocated once is there after these.
    runtime.block_on(connect(&mut clients, address, "", &open));
    let before = ALLOCATOR.current_usage();
    runtime.block_on(connect(&mut clients, address, "", &open));
    let held = ALLOCATOR.current_usage() - before;
    serving.abort();
    held / CONNECTIONS
}

async fn idle(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}

/// Opens connections, and waits until their handlers wait.
async fn connect(clients: &mut Vec<TcpStream>, address: SocketAddr, fields: &str, open: &AtomicUsize) {
    const REQUEST: &str = "GET /rooms/blue?tab=1+2 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Origin: https://a.example.com\r\nCookie: session=0123456789abcdef\r\n";
    let target = open.load(Ordering::SeqCst) + CONNECTIONS;
    for _ in 0..CONNECTIONS {
        // The system accepts the connection, so nothing waits for the server.
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(format!("{REQUEST}{fields}\r\n").as_bytes()).unwrap();
        clients.push(client);
        tokio::task::yield_now().await;
    }
    tokio::time::timeout(Duration::from_secs(60), async {
        while open.load(Ordering::SeqCst) < target {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("all connections open");
    for client in clients.iter_mut().rev().take(CONNECTIONS) {
        let mut response = [0; 12];
        client.read_exact(&mut response).unwrap();
        assert_eq!(&response, b"HTTP/1.1 101");
    }
    // The last handlers wait now, and what the handshakes needed is free.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Connections that have been silent since they echoed a compressed message.
#[cfg(feature = "deflate")]
mod compressed {
    use super::*;

    /// In bytes: an idle connection with a window of 4 KiB.
    const MOST_AFTER_SILENCE: usize = 7 << 10;

    /// The size of the message.
    const SIZE: usize = 16 << 10;

    pub(super) fn main() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (busy, silent) = runtime.block_on(held());
        println!("after a compressed message of 16 KiB it holds {busy} bytes, and {silent} after 10 s of silence");
        assert!(busy > 30 << 10, "{busy} bytes: was it compressed?");
        assert!(silent <= MOST_AFTER_SILENCE, "{silent} bytes after silence, more than {MOST_AFTER_SILENCE}");
    }

    /// The bytes that each holds after the message, and after silence.
    async fn held() -> (usize, usize) {
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let listening = Server::new().bind("127.0.0.1:0").await.unwrap();
        let address = listening.local_addr().unwrap();
        tokio::spawn(listening.serve(move |mut ws| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                while let Some(message) = ws.recv().await? {
                    ws.send(message).await?;
                }
                HandlerResult::Ok(())
            }
        }));
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let mut clients = Vec::with_capacity(2 * CONNECTIONS);
        connect(&mut clients, address, offer, &open).await;
        echo(&mut clients[..]).await;
        let before = ALLOCATOR.current_usage();
        connect(&mut clients, address, offer, &open).await;
        echo(&mut clients[CONNECTIONS..]).await;
        let busy = ALLOCATOR.current_usage() - before;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The first ones have released as much.
        let released = (before + busy - ALLOCATOR.current_usage()) / (2 * CONNECTIONS);
        (busy / CONNECTIONS, busy / CONNECTIONS - released)
    }

    /// Each client sends a message, and reads the answer.
    async fn echo(clients: &mut [TcpStream]) {
        // A stored block, whose end is omitted (RFC 7692 §7.2.1), in a masked frame with a key of zeros.
        let mut frame = vec![0xC2, 0xFE];
        let size = SIZE as u16;
        frame.extend((size + 6).to_be_bytes());
        frame.extend([0; 4]);
        frame.push(0);
        frame.extend(size.to_le_bytes());
        frame.extend((!size).to_le_bytes());
        frame.extend((0..SIZE).map(|n| (n % 251) as u8));
        frame.push(0);
        for client in clients.iter_mut() {
            client.set_nonblocking(true).unwrap();
            client.write_all(&frame).unwrap();
        }
        for client in clients {
            let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
            let is_whole = |came: &[u8]| {
                let head = came.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
                match &came[head..] {
                    [0xC2, 126, high, low, payload @ ..] => {
                        payload.len() == usize::from(u16::from_be_bytes([*high, *low]))
                    }
                    [0xC2, len, payload @ ..] if *len < 126 => payload.len() == usize::from(*len),
                    _ => false,
                }
            };
            while !is_whole(&came) {
                match client.read(&mut buffer) {
                    Ok(0) => panic!("closed: {came:?}"),
                    Ok(read) => came.extend(&buffer[..read]),
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
            client.set_nonblocking(false).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
