//! Peers that speak in bytes, over blocking sockets on threads of their own: they know no runtime. Nothing here waits for
//! ever.

use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;
use ws_proto::handshake::server::RequestReader;
use ws_test_support::frames::{CLOSE, Frame, Received};
pub(crate) use ws_test_support::frames::{KEY as MASK, close_body, frame, header, masked};
use ws_test_support::opening::ACCEPT;
pub(crate) use ws_test_support::opening::{KEY, request, response_to};
pub(crate) use ws_test_support::random::Random;
use ws_tokio::http::Request;

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// What nothing in a test takes: a hang fails instead of hanging.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(30);

/// A deadline that a test waits for.
pub(crate) const SOON: Duration = Duration::from_millis(150);

/// A deadline that a test waits for, and before which something else has to happen: even on a busy machine.
pub(crate) const LATER: Duration = Duration::from_secs(1);

/// Time enough for what should not happen to happen.
pub(crate) const A_WHILE: Duration = Duration::from_millis(50);

/// A deadline that does not come while a test runs.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

// ---- waiting ----

/// Waits until it is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < TOO_LONG, "it took too long");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Gives others the time to do what they should not do.
pub(crate) fn settle() {
    thread::sleep(A_WHILE);
}

/// What somebody else has to tell.
pub(crate) fn hear<T>(told: &Receiver<T>) -> T {
    told.recv_timeout(TOO_LONG).expect("it took too long, or nobody is left who could tell")
}

// ---- payloads ----

/// Bytes that are not all alike.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..len.min(65_521)).map(|at| (at ^ (at >> 8)) as u8).collect();
    let mut bytes = block.repeat(len.div_ceil(block.len().max(1)));
    bytes.truncate(len);
    bytes
}

// ---- bytes ----

/// What a head says, parsed.
pub(crate) fn parse(head: &str) -> Request<()> {
    RequestReader::new().read(head.as_bytes()).unwrap().expect("a whole head").request
}

/// A client's Close frame.
pub(crate) fn masked_close(code: u16, reason: &str) -> Vec<u8> {
    masked(CLOSE, close_body(code, reason))
}

/// A response, as it was read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The value of a header; none when it is missing.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

// ---- sockets ----

/// Both ends of a TCP connection.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// One end of a stream, in the hands of a test.
pub(crate) struct Peer {
    stream: TcpStream,
    /// What was read and not yet taken.
    received: Received,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.set_write_timeout(Some(TOO_LONG)).unwrap();
        Self { stream, received: Received::default() }
    }

    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_write(bytes).unwrap();
    }

    pub(crate) fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Ends the write side.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Another hand on the same end: what it writes goes out beside what this one does.
    pub(crate) fn other_hand(&self) -> Self {
        Self::new(self.stream.try_clone().unwrap())
    }

    /// Reads once; how much came.
    fn read(&mut self) -> Result<usize> {
        let received = &mut self.received.bytes;
        let before = received.len();
        received.resize(before + 64 * KIB, 0);
        let read = self.stream.read(&mut received[before..]);
        received.truncate(before + read.as_ref().map_or(0, |n| *n));
        read
    }

    /// Reads until what is looked for is there.
    fn wait_for<T>(&mut self, mut find: impl FnMut(&mut Received) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(&mut self.received) {
                return found;
            }
            assert!(self.read().unwrap() > 0, "the end of the stream, after {:.200?}", self.received.bytes);
        }
    }

    /// Whether nothing comes for a while.
    pub(crate) fn hears_nothing(&mut self) -> bool {
        self.stream.set_read_timeout(Some(A_WHILE)).unwrap();
        let read = self.read();
        self.stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        read.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// All there is until the end of the stream, which must not be a reset.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read().expect("the end of the stream, not a reset") > 0 {}
        self.received.rest()
    }

    /// All there is until the other end has let go, in whatever way.
    pub(crate) fn until_let_go(&mut self) -> Vec<u8> {
        loop {
            match self.read() {
                Ok(n) if n > 0 => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    panic!("it took too long")
                }
                _ => return self.received.rest(),
            }
        }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, n: usize) -> Vec<u8> {
        self.wait_for(|received| (received.bytes.len() >= n).then(|| received.bytes.drain(..n).collect()))
    }

    /// The stream, when nothing has been read beyond what was taken.
    #[cfg(feature = "tls")]
    pub(crate) fn into_stream(self) -> TcpStream {
        assert!(self.received.bytes.is_empty(), "{:.200?}", self.received.bytes);
        self.stream
    }

    /// A head, with the empty line that ends it.
    pub(crate) fn head(&mut self) -> String {
        self.wait_for(Received::head)
    }

    /// A response that ends the connection.
    pub(crate) fn reply(&mut self) -> Reply {
        let head = self.head();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        Reply { status, head, body: self.rest() }
    }

    /// Does a client's opening handshake, which has to succeed.
    pub(crate) fn upgrade(&mut self, path: &str) {
        self.write(request(path, &[]));
        let head = self.head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains(&format!("\r\nSec-WebSocket-Accept: {ACCEPT}\r\n")), "{head}");
    }

    /// Does a server's opening handshake, and sends `behind` in the same write as the 101. The request it answered.
    pub(crate) fn accept(&mut self, behind: &[u8]) -> Request<()> {
        let head = self.head();
        self.write([&response_to(head.as_bytes()), behind].concat());
        parse(&head)
    }

    /// A frame: its first byte, and its payload without the mask.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let Frame(first, payload) = self.wait_for(Received::frame).frame;
        (first, payload)
    }

    /// A Close frame: its code and its reason.
    pub(crate) fn close_frame(&mut self) -> (u16, String) {
        let (first, payload) = self.frame();
        assert_eq!(first, 0x88, "a Close frame, not {first:#x} with {payload:.200?}");
        match payload.split_first_chunk::<2>() {
            Some((code, reason)) => (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap()),
            None => (1005, String::new()),
        }
    }
}

/// A server that says what a test wants it to, to one client.
pub(crate) struct Script<O> {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<O>,
}

impl<O: Send + 'static> Script<O> {
    pub(crate) fn new(script: impl FnOnce(Peer) -> O + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", script).unwrap()
    }

    /// One that listens on this address.
    pub(crate) fn at(address: &str, script: impl FnOnce(Peer) -> O + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        Ok(Self { address, thread: thread::spawn(move || script(accept(&listener))) })
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Waits for the end of the script, and what it found.
    pub(crate) fn done(self) -> O {
        self.thread.join().expect("the script ran to its end")
    }
}

fn accept(listener: &TcpListener) -> Peer {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    until(|| {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    Peer::new(stream)
}

/// Held by who needs many sockets.
pub(crate) static CROWD: Mutex<()> = Mutex::new(());
