//! A stream that does what a test says.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

use ws_test_support::frames;
use ws_tungstenite::protocol::{Role, WebSocketConfig};
use ws_tungstenite::{Error, Message, WebSocket};

pub(crate) use ws_test_support::frames::{
    BINARY, BINARY_BEGINS, CLOSE, CONTINUES, Frame, KEY, LAST, PING, PONG, RSV1, TEXT, TEXT_BEGINS, close_body, decode,
    frame,
};

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// A stream with what its peer sends, and with what was written to it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Each read takes one of them, or a part if it has less room; it blocks when there is none.
    pub(crate) reads: VecDeque<Vec<u8>>,
    /// Whether the input ends behind the reads.
    pub(crate) ends: bool,
    pub(crate) written: Vec<u8>,
    /// The number of bytes that are taken before writing blocks.
    pub(crate) room: usize,
    pub(crate) flushes: usize,
    /// The error of reading and writing, once the reads are over.
    pub(crate) broken: Option<ErrorKind>,
}

impl Script {
    pub(crate) fn new(reads: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { reads: reads.into_iter().collect(), room: usize::MAX, ..Self::default() }
    }

    /// All frames that were written, unmasked.
    #[track_caller]
    pub(crate) fn frames(&self, role: Role) -> Vec<Frame> {
        let mut bytes = &self.written[..];
        let mut frames = vec![];
        while let Some(found) = decode(bytes) {
            assert_eq!(found.key.is_some(), role == Role::Client, "clients mask, and servers do not");
            bytes = &bytes[found.size..];
            frames.push(found.frame);
        }
        assert!(bytes.is_empty(), "a frame is cut short");
        frames
    }
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.reads.pop_front() {
            Some(mut bytes) => {
                let n = bytes.len().min(buf.len());
                buf[..n].copy_from_slice(&bytes[..n]);
                if n < bytes.len() {
                    self.reads.push_front(bytes.split_off(n));
                }
                Ok(n)
            }
            None => match self.broken {
                Some(error) => Err(error.into()),
                None if self.ends => Ok(0),
                None => Err(ErrorKind::WouldBlock.into()),
            },
        }
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(error) = self.broken.filter(|_| self.reads.is_empty()) {
            return Err(error.into());
        }
        let n = buf.len().min(self.room);
        if n == 0 && !buf.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room = self.room.saturating_sub(n);
        self.written.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        Ok(())
    }
}

/// A connection whose peer sends these frames, in one read.
pub(crate) fn receiving(role: Role, frames: &[(u8, &[u8])]) -> WebSocket<Script> {
    with_config(role, frames, WebSocketConfig::default())
}

pub(crate) fn with_config(role: Role, frames: &[(u8, &[u8])], config: WebSocketConfig) -> WebSocket<Script> {
    let reads = (!frames.is_empty()).then(|| frames::all_to(core(role), frames));
    WebSocket::from_raw_socket(Script::new(reads), role, Some(config))
}

/// What a peer of `role` sends.
pub(crate) fn to(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frames::to(core(role), first, payload)
}

pub(crate) fn core(role: Role) -> ws_proto::Role {
    match role {
        Role::Server => ws_proto::Role::Server,
        Role::Client => ws_proto::Role::Client,
    }
}

pub(crate) fn blocks<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock)
}

/// Everything that comes until the stream blocks.
#[track_caller]
pub(crate) fn read_all(ws: &mut WebSocket<Script>) -> Vec<Message> {
    let mut messages = vec![];
    loop {
        match ws.read() {
            Ok(message) => messages.push(message),
            Err(error) => {
                assert!(blocks::<()>(&Err(error)), "after {messages:?}");
                return messages;
            }
        }
    }
}

pub(crate) fn letters(len: usize) -> Vec<u8> {
    (0..len).map(|n| b'a' + (n % 23) as u8).collect()
}
