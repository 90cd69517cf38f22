//! The other end of a link, played by hand.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};

use ws_proto::Role;

use crate::frames::{CLOSE, Frame, KEY, PING, PONG, Received, TEXT, close_body, frame};
use crate::link::{End, Lock, Wire};
use crate::random::Chance;

/// The peer of an endpoint under test. Its methods without `async` reach into the wires, whatever their capacity; the
/// others read and write at its own end of the link.
pub struct Peer<L: Lock, C> {
    /// Its own end while it is there; dropped, the endpoint reads the end of the stream.
    end: Option<End<L, C>>,
    /// Toward the endpoint.
    pub to: Wire<L>,
    /// From the endpoint.
    pub from: Wire<L>,
    /// What it masks with: a client does.
    key: Option<[u8; 4]>,
    received: Received,
    has_closed: bool,
}

impl<L: Lock, C> Peer<L, C> {
    /// One that plays this role.
    pub fn new(role: Role, end: impl Into<End<L, C>>) -> Self {
        let end = end.into();
        let (from, to) = end.wires();
        let key = (role == Role::Client).then_some(KEY);
        Self { end: Some(end), to, from, key, received: Received::default(), has_closed: false }
    }

    /// A frame as this peer would send it.
    pub fn frame(&self, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        frame(first, payload, self.key)
    }

    /// A Close frame as this peer would send it.
    pub fn close_frame(&self, code: u16, reason: &str) -> Vec<u8> {
        self.frame(CLOSE, close_body(code, reason))
    }

    /// Sends a frame.
    pub fn send(&self, first: u8, payload: impl AsRef<[u8]>) {
        self.to.push(&self.frame(first, payload));
    }

    /// Sends a text message.
    pub fn send_text(&self, payload: &str) {
        self.send(TEXT, payload);
    }

    /// Sends a Close frame.
    pub fn send_close(&self, code: u16, reason: &str) {
        self.to.push(&self.close_frame(code, reason));
    }

    /// Sends all of it at once, to be read at once.
    pub fn send_together(&self, frames: &[Vec<u8>]) {
        self.to.push(&frames.concat());
    }

    /// The frames that have come in full.
    pub fn frames(&mut self) -> Vec<Frame> {
        self.frames_of(usize::MAX)
    }

    /// Reads so many bytes; the frames that are complete with them.
    pub fn frames_of(&mut self, bytes: usize) -> Vec<Frame> {
        self.received.bytes.extend(self.from.take_up_to(bytes));
        std::iter::from_fn(|| self.decode()).collect()
    }

    fn decode(&mut self) -> Option<Frame> {
        let found = self.received.frame()?;
        assert_ne!(found.key.is_some(), self.key.is_some(), "who masks");
        Some(found.frame)
    }

    /// The bytes that have come, as they are.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.received.bytes.extend(self.from.take());
        self.received.rest()
    }

    /// The response's head, or all there is of it.
    pub fn head(&mut self) -> String {
        self.received.bytes.extend(self.from.take());
        let head = self.received.head();
        head.unwrap_or_else(|| String::from_utf8(self.received.rest()).expect("a head is text"))
    }

    /// Leaves: the endpoint reads the end of the stream and cannot write any more.
    pub fn leave(&mut self) {
        self.end = None;
    }

    /// The connection is reset: what is on its way to the endpoint still comes.
    pub fn reset(&self) {
        self.to.fail_reads(ErrorKind::ConnectionReset);
        self.from.fail_writes(ErrorKind::ConnectionReset);
    }
}

/// In turns with the endpoint, within the link's capacity.
impl<L: Lock, C: Chance> Peer<L, C> {
    /// Writes bytes; it is no matter whether the other side still takes them.
    pub async fn put(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.write(bytes.as_ref()).await;
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let end = self.end.as_mut().ok_or(ErrorKind::NotConnected)?;
        while !bytes.is_empty() {
            let n = poll_fn(|cx| end.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await?;
            bytes = &bytes[n..];
        }
        poll_fn(|cx| end.poll_flush(cx)).await
    }

    /// Whether anything more came.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 256];
        let end = self.end.as_mut().expect("it has not left");
        let n = poll_fn(|cx| end.poll_read(cx, &mut buffer)).await.expect("nothing but bytes or the end");
        self.received.bytes.extend(&buffer[..n]);
        n > 0
    }

    /// A client opens the connection. Whether the server has let it; otherwise the stream is at its end.
    pub async fn upgrade(&mut self, request: &[u8]) -> bool {
        if self.write(request).await.is_err() {
            return false;
        }
        loop {
            if let Some(head) = self.received.head() {
                let is_open = head.starts_with("HTTP/1.1 101 ");
                if !is_open {
                    self.received.rest();
                }
                return is_open;
            }
            if !self.read().await {
                self.received.rest();
                return false;
            }
        }
    }

    /// The next frame; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decode() {
                return Some(frame);
            }
            if !self.read().await {
                assert!(self.received.bytes.is_empty(), "half a frame at the end");
                return None;
            }
        }
    }

    /// Writes a Close frame with 1000.
    pub async fn put_close(&mut self) {
        self.has_closed = true;
        self.put(self.close_frame(1000, "")).await;
    }

    /// Takes all until the endpoint ends the stream. Answers pings and the Close, unless it has sent a Close itself.
    pub async fn finish(&mut self) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        while let Some(next) = self.next().await {
            assert!(frames.last().is_none_or(|last| last.0 != CLOSE), "{next:?} behind a Close");
            let answer = match next.0 {
                CLOSE => Some(CLOSE),
                PING => Some(PONG),
                _ => None,
            };
            if let (Some(first), false) = (answer, self.has_closed) {
                self.put(self.frame(first, &next.1)).await;
            }
            frames.push(next);
        }
        frames
    }

    /// Sends a Close and takes all until the endpoint ends the stream.
    pub async fn close(&mut self) -> Vec<Frame> {
        self.put_close().await;
        self.finish().await
    }
}
