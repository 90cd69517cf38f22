//! The other side, played by hand: frames put together and taken apart byte by byte.

use std::io::ErrorKind;

use ws_proto::Role;
use ws_proto::frame::{FrameHeader, OpCode, codec, mask};

use super::link::{End, Wire};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

// First bytes of frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const CONTINUES: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;

/// What an upgrade request looks like at the least.
pub(crate) const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The first byte of a frame, and its payload, unmasked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame(pub(crate) u8, pub(crate) Vec<u8>);

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.1[..self.1.len().min(40)];
        write!(f, "{:02X} {:?} [{}]", self.0, String::from_utf8_lossy(shown), self.1.len())
    }
}

pub(crate) fn text(payload: &str) -> Frame {
    Frame(TEXT, payload.into())
}

pub(crate) fn pong(payload: &[u8]) -> Frame {
    Frame(PONG, payload.into())
}

pub(crate) fn close(code: u16, reason: &str) -> Frame {
    Frame(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The peer of the endpoint under test.
pub(crate) struct Peer {
    /// Its own end while it is there; dropped, the endpoint reads the end of the stream.
    end: Option<End>,
    /// Toward the endpoint.
    pub(crate) to: Wire,
    /// From the endpoint.
    pub(crate) from: Wire,
    masks: bool,
    received: Vec<u8>,
}

impl Peer {
    /// One that plays this role.
    pub(crate) fn new(role: Role, end: End) -> Self {
        let (from, to) = end.wires();
        Self { end: Some(end), to, from, masks: role == Role::Client, received: Vec::new() }
    }

    /// A frame as this peer would send it.
    pub(crate) fn frame(&self, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        let payload = payload.as_ref();
        let key = self.masks.then_some(KEY);
        let header = FrameHeader { mask: key, ..FrameHeader::new(OpCode::Binary, payload.len() as u64) };
        let mut bytes = Vec::new();
        codec::encode(&header, &mut bytes);
        bytes[0] = first;
        mask::append(&mut bytes, payload, key.unwrap_or_default());
        bytes
    }

    /// A Close frame as this peer would send it.
    pub(crate) fn close_frame(&self, code: u16, reason: &str) -> Vec<u8> {
        self.frame(CLOSE, close(code, reason).1)
    }

    pub(crate) fn send(&self, first: u8, payload: impl AsRef<[u8]>) {
        self.to.push(&self.frame(first, payload));
    }

    pub(crate) fn send_text(&self, payload: &str) {
        self.send(TEXT, payload);
    }

    pub(crate) fn send_close(&self, code: u16, reason: &str) {
        self.to.push(&self.close_frame(code, reason));
    }

    /// All at once, to be read at once.
    pub(crate) fn send_together(&self, frames: &[Vec<u8>]) {
        self.to.push(&frames.concat());
    }

    /// The frames that have come in full.
    pub(crate) fn frames(&mut self) -> Vec<Frame> {
        self.frames_of(usize::MAX)
    }

    /// Reads so many bytes; the frames that are complete with them.
    pub(crate) fn frames_of(&mut self, bytes: usize) -> Vec<Frame> {
        self.received.extend(self.from.take_up_to(bytes));
        let mut frames = Vec::new();
        while let Some((header, size)) = codec::decode(&self.received).expect("valid frames") {
            let end = size + header.len as usize;
            if self.received.len() < end {
                break;
            }
            assert_ne!(header.mask.is_some(), self.masks, "who masks");
            let mut payload = self.received[size..end].to_vec();
            if let Some(key) = header.mask {
                mask::apply(&mut payload, key);
            }
            frames.push(Frame(self.received[0], payload));
            self.received.drain(..end);
        }
        frames
    }

    /// The bytes that have come, as they are.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        self.received.extend(self.from.take());
        std::mem::take(&mut self.received)
    }

    /// The response's head, or all there is of it.
    pub(crate) fn head(&mut self) -> String {
        self.received.extend(self.from.take());
        let end = self.received.windows(4).position(|window| window == b"\r\n\r\n");
        let head = self.received.drain(..end.map_or(self.received.len(), |end| end + 4)).collect();
        String::from_utf8(head).expect("a head is text")
    }

    /// Leaves: the endpoint reads the end of the stream and cannot write any more.
    pub(crate) fn leave(&mut self) {
        self.end = None;
    }

    /// The connection is reset: what is on its way to the endpoint still comes.
    pub(crate) fn reset(&self) {
        self.to.fail_reads(ErrorKind::ConnectionReset);
        self.from.fail_writes(ErrorKind::ConnectionReset);
    }
}
