//! A client played by hand. Its masking keys are zero, so that it need not mask.

use std::future::poll_fn;
use std::io::{self, IoSlice};

use ws_session::Transport;

use crate::link::End;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The close code 1000, as the payload of a Close frame.
pub(crate) const NORMAL: &[u8] = &1000_u16.to_be_bytes();

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// A frame of the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The first byte and the payload of a frame with text, or part of one.
    Text(u8, String),
    Close(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

pub(crate) struct Peer {
    end: End,
    received: Vec<u8>,
    has_closed: bool,
}

/// A frame as this peer sends it: masked, with nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).ok().filter(|len| *len < 126).expect("a short payload");
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

pub(crate) fn text(payload: &str) -> Vec<u8> {
    frame(TEXT, payload.as_bytes())
}

pub(crate) fn ping(payload: &str) -> Vec<u8> {
    frame(PING, payload.as_bytes())
}

impl Peer {
    pub(crate) fn new(end: End) -> Self {
        Self { end, received: Vec::new(), has_closed: false }
    }

    /// Opens the connection. A server that refuses leaves the stream at its end.
    pub(crate) async fn shake_hands(&mut self) {
        if self.write(REQUEST).await.is_err() {
            return;
        }
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let is_open = self.received.starts_with(b"HTTP/1.1 101 ");
                self.received.drain(..if is_open { end + 4 } else { self.received.len() });
                return;
            }
            if !self.read().await {
                self.received.clear();
                return;
            }
        }
    }

    /// Writes bytes; it is no matter here whether the other side still takes them.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.write(bytes).await;
    }

    async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = poll_fn(|cx| self.end.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await?;
            bytes = &bytes[n..];
        }
        poll_fn(|cx| self.end.poll_flush(cx)).await
    }

    /// Whether anything more came.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 256];
        let n = poll_fn(|cx| self.end.poll_read(cx, &mut buffer)).await.unwrap();
        self.received.extend(&buffer[..n]);
        n > 0
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let [first, len, ..] = *self.received
                && self.received.len() >= 2 + usize::from(len)
            {
                assert!(len < 126, "a short frame without a mask");
                let payload: Vec<u8> = self.received.drain(..2 + usize::from(len)).skip(2).collect();
                return Some(match first {
                    CLOSE => Frame::Close(payload),
                    PING => Frame::Ping(payload),
                    PONG => Frame::Pong(payload),
                    _ => Frame::Text(first, String::from_utf8(payload).unwrap()),
                });
            }
            if !self.read().await {
                assert!(self.received.is_empty(), "half a frame at the end");
                return None;
            }
        }
    }

    /// Sends a Close.
    pub(crate) async fn send_close(&mut self) {
        self.has_closed = true;
        self.send(&frame(CLOSE, NORMAL)).await;
    }

    /// Takes all until the server ends the stream. Answers pings and the Close, unless it has sent a Close itself.
    pub(crate) async fn finish(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(next) = self.next().await {
            assert!(!matches!(frames.last(), Some(Frame::Close(_))), "{next:?} behind a Close");
            match &next {
                Frame::Close(payload) if !self.has_closed => self.send(&frame(CLOSE, payload)).await,
                Frame::Ping(payload) if !self.has_closed => self.send(&frame(PONG, payload)).await,
                _ => {}
            }
            frames.push(next);
        }
        frames
    }

    /// Sends a Close and takes all until the server ends the stream.
    pub(crate) async fn close(&mut self) -> Vec<Frame> {
        self.send_close().await;
        self.finish().await
    }
}

/// The whole texts among the frames, in order.
pub(crate) fn texts(frames: &[Frame]) -> Vec<&str> {
    let text = |frame| if let &Frame::Text(TEXT, ref text) = frame { Some(text.as_str()) } else { None };
    frames.iter().filter_map(text).collect()
}
