//! A slow peer is not taken for dead: what a stream knows of the bytes that its peer has taken, and deadlines that follow it.

use std::future::poll_fn;
use std::io::{IoSlice, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use tokio::io::duplex;
use tokio::time::sleep;
use ws_test_support::frames::{PONG, TEXT};
use ws_tokio::http::{Request, Response};
use ws_tokio::{Bytes, Http2Stream, InFlight, Transport};

use super::*;

/// Our end of a stream, and the peer's.
struct Pair {
    ours: Http2Stream,
    theirs: RecvStream,
    _open: (SendRequest<Bytes>, SendStream<Bytes>),
}

impl Pair {
    /// A stream over `h2` alone, whose peer has a window of so many bytes.
    async fn new(window: u32) -> Self {
        let (near, far) = duplex(MIB);
        let accepting = tokio::spawn(async move {
            let mut connection = h2::server::handshake(near).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let send = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
            Http2Stream::new(send, request.into_body())
        });
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let (requests, connection) = in_time(builder.handshake(far)).await.unwrap();
        tokio::spawn(connection);
        let mut requests = in_time(requests.ready()).await.unwrap();
        let request = Request::get("http://server.example.com/").body(()).unwrap();
        let (response, send) = requests.send_request(request, false).unwrap();
        let theirs = in_time(response).await.unwrap().into_body();
        Self { ours: in_time(accepting).await.unwrap(), theirs, _open: (requests, send) }
    }

    async fn write(&mut self, n: usize) -> usize {
        let bytes = vec![b'a'; n];
        in_time(poll_fn(|cx| self.ours.poll_write_vectored(cx, &[IoSlice::new(&bytes)]))).await.unwrap()
    }

    /// Waits until `h2` has sent all that was written.
    async fn sent(&self) -> InFlight {
        until(|| self.ours.in_flight().unwrap().unacknowledged == 0).await;
        self.ours.in_flight().unwrap()
    }

    /// Reads so many bytes, and opens the window by them.
    async fn read(&mut self, n: usize) {
        let mut left = n;
        while left > 0 {
            left -= in_time(self.theirs.data()).await.unwrap().unwrap().len();
        }
        self.theirs.flow_control().release_capacity(n).unwrap();
    }

    async fn until_window(&self, window: u64) {
        until(|| self.ours.in_flight().unwrap().window == Some(window)).await;
    }
}

#[tokio::test]
async fn a_stream_knows_the_bytes_that_h2_holds_and_the_window_that_the_peer_opens() {
    let mut pair = Pair::new(10_000).await;
    assert_eq!(pair.ours.in_flight(), Some(InFlight::new(0, Some(10_000))));
    assert_eq!(pair.write(6000).await, 6000);
    // The task of the connection has not had its turn.
    assert_eq!(pair.ours.in_flight(), Some(InFlight::new(6000, Some(10_000))));
    assert_eq!(pair.sent().await, InFlight::new(0, Some(4000)));
    pair.read(6000).await;
    pair.until_window(10_000).await;

    // More than the window: the rest is not taken.
    assert_eq!(pair.write(12_000).await, 10_000);
    assert_eq!(pair.ours.in_flight(), Some(InFlight::new(10_000, Some(10_000))));
    assert_eq!(pair.sent().await, InFlight::new(0, Some(0)));
    pair.read(10_000).await;
    pair.until_window(10_000).await;
    assert_eq!(pair.write(2000).await, 2000);
    assert_eq!(pair.sent().await, InFlight::new(0, Some(8000)));
}

/// Asking for the window leaves nothing reserved: another stream of the connection gets all of it.
#[tokio::test]
async fn a_large_window_is_known_up_to_64_kib_and_writes_are_cut_into_frames() {
    let mut pair = Pair::new(1 << 20).await;
    // The window of the whole connection is the least one: 65,535 bytes.
    assert_eq!(pair.ours.in_flight(), Some(InFlight::new(0, Some(65_535))));
    assert_eq!(pair.write(100_000).await, 65_535);
    assert_eq!(pair.sent().await, InFlight::new(0, Some(0)));
    let first = in_time(pair.theirs.data()).await.unwrap().unwrap();
    assert_eq!(first.len(), 16_384);
}

/// A server that judges by what the peer takes alone, and sends so many messages of so many bytes.
async fn sending(messages: usize, bytes: usize, pong: Duration) -> (Running, UnboundedReceiver<Outcome>) {
    let (told, ends) = unbounded_channel();
    let server = server().configure(|config| {
        config.deadlines.ping_interval = Some(SHORT * 2);
        config.deadlines.pong = Some(pong);
        config.limits.slowest_reading = usize::MAX;
    });
    let handler = move |mut ws: WebSocket| {
        let told = told.clone();
        async move {
            for _ in 0..messages {
                ws.send(Bytes::from(vec![b'a'; bytes])).await?;
            }
            while let Ok(Some(_)) = ws.recv().await {}
            told.send(ws.closed().await).unwrap();
            HandlerResult::Ok(())
        }
    };
    (start(server, handler).await, ends)
}

/// All bytes before the ping, and the ping, are within the peer's window: only its opening shows that the peer reads.
#[tokio::test]
async fn a_peer_whose_window_opens_slowly_is_alive() {
    let (running, mut ends) = sending(1, 3900, SHORT * 10).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(4000);
    let mut peer = Peer::connect_with(running.address, builder).await;
    let mut stream = peer.open().await;
    // It reads for nearly twice the pong deadline until it reaches the ping. `h2` opens the window by half at a time.
    for n in [1100, 1100, 800, 800] {
        sleep(SHORT * 19 / 4).await;
        stream.receive.flow_control().release_capacity(n).unwrap();
    }
    stream.send_frame(TEXT, "here", false);
    stream.send_frame(PONG, "", false);
    stream.send_close(1000, false);
    assert!(in_time(ends.recv()).await.unwrap().is_normal());
    running.stop().await;
}

/// The window is large, and all bytes wait in the buffers of TCP.
#[tokio::test]
async fn a_peer_behind_a_slow_link_is_alive() {
    let (running, mut ends) = sending(64, 64 * KIB, SHORT * 10).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(16 << 20).initial_connection_window_size(16 << 20);
    let mut peer = Peer::over(slow_link(running.address, 128 * KIB, SHORT).await, builder).await;
    let mut stream = peer.open().await;
    for _ in 0..64 {
        assert_eq!(stream.frame().await.1.len(), 64 * KIB);
    }
    stream.send_close(1000, false);
    assert!(in_time(ends.recv()).await.unwrap().is_normal());
    running.stop().await;
}

/// A peer that takes nothing more after the ping is dead.
#[tokio::test]
async fn a_peer_whose_window_stays_closed_is_dead() {
    let (running, mut ends) = sending(1, 3900, SHORT * 3).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(4000);
    let mut peer = Peer::connect_with(running.address, builder).await;
    let stream = peer.open().await;
    let outcome = in_time(ends.recv()).await.unwrap();
    assert_eq!(outcome.cause, Cause::KeepaliveTimeout);
    drop(stream);
    running.stop().await;
}

/// A connection to a server over a link that takes so many bytes from it in each period.
async fn slow_link(server: std::net::SocketAddr, bytes: usize, period: Duration) -> tokio::net::TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        let mut far = std::net::TcpStream::connect(server).unwrap();
        let (mut from_near, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_near, &mut to_far));
        let mut buffer = vec![0; bytes];
        while let Ok(n @ 1..) = far.read(&mut buffer) {
            if near.write_all(&buffer[..n]).is_err() {
                break;
            }
            thread::sleep(period * n as u32 / bytes as u32);
        }
    });
    in_time(tokio::net::TcpStream::connect(address)).await.unwrap()
}
