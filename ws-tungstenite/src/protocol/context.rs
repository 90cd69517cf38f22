//! A connection without its stream: each call is given the stream, and does no more than it must.

use std::io::{self, ErrorKind, Read, Write};
use std::{fmt, mem};

use ws_proto::frame::FrameHeader;
use ws_proto::permessage_deflate::DeflateParams;
use ws_proto::{Cause, Connection, Event, Incoming, Outcome, ReadBuffer, Timestamp, Violation};

use super::config::{Compression, WebSocketConfig};
use super::frame::coding::CloseCode;
use super::frame::{CloseFrame, Utf8Bytes};
use super::message::Message;
use super::state::State;
use crate::error::{CapacityError, Error, ProtocolError, Result};
use crate::scratch;

mod writing;

/// No deadline of the core is used: the caller's calls drive the connection, and nothing else does.
const NOW: Timestamp = Timestamp::ZERO;

/// The role of this end of a connection (RFC 6455 §1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that accepted the connection.
    Server,
    /// The end that opened the connection. It masks its frames.
    Client,
}

/// A connection without its stream, which every call is given. [`WebSocket`](super::WebSocket) has both.
pub struct WebSocketContext {
    connection: Connection,
    role: Role,
    state: State,
    config: WebSocketConfig,
    /// The input behind the last message: in the read buffer, and how much of it.
    held: Option<Box<ReadBuffer>>,
    left: usize,
    /// The input from before the first read, and how much of it was received.
    early: Vec<u8>,
    taken: usize,
    /// Whether the core has queued an answer of its own (a pong, a Close frame) that was not flushed.
    answering: bool,
    /// Whether the peer has yet to show that it agreed to compression.
    inferring: bool,
}

impl WebSocketContext {
    /// A connection whose opening handshake is over.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn new(role: Role, config: Option<WebSocketConfig>) -> Self {
        Self::from_partially_read(Vec::new(), role, config)
    }

    /// A connection whose opening handshake is over. `part` was read from the stream behind it.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn from_partially_read(part: Vec<u8>, role: Role, config: Option<WebSocketConfig>) -> Self {
        let config = config.unwrap_or_default();
        let mut context = Self::uncompressed(part, role, config);
        match config.compression {
            None => {}
            Some(Compression::Agreed(agreed)) => context.connection.set_deflate(Some(agreed)),
            Some(Compression::Negotiate(deflate)) => {
                let mut inferred = DeflateParams::new(deflate);
                (inferred.receive_window_bits, inferred.receive_context_takeover) = (15, true);
                inferred.send_context_takeover = false;
                context.connection.set_deflate(Some(inferred));
                context.inferring = true;
            }
        }
        context
    }

    /// A connection with the compression that the opening handshake has negotiated, if any.
    #[cfg(feature = "handshake")]
    pub(crate) fn negotiated(
        part: Vec<u8>,
        role: Role,
        config: WebSocketConfig,
        agreed: Option<DeflateParams>,
    ) -> Self {
        let mut context = Self::uncompressed(part, role, config);
        context.connection.set_deflate(agreed);
        context
    }

    fn uncompressed(early: Vec<u8>, role: Role, config: WebSocketConfig) -> Self {
        config.assert_valid();
        let mut connection = match role {
            Role::Server => Connection::server(config.to_core(), NOW),
            Role::Client => Connection::client(config.to_core(), rand::random::<[u8; 4]>, NOW),
        };
        connection.set_memory(Some(scratch::memory()));
        connection.hooks().set_accept_unmasked(config.accept_unmasked_frames);
        Self {
            connection,
            role,
            state: State::Active,
            config,
            held: None,
            left: 0,
            early,
            taken: 0,
            answering: false,
            inferring: false,
        }
    }

    /// Changes the configuration. Limits apply to what is received and queued later. A change of the compression has no effect.
    ///
    /// # Panics
    ///
    /// When `max_write_buffer_size` is not greater than `write_buffer_size`.
    pub fn set_config(&mut self, set_func: impl FnOnce(&mut WebSocketConfig)) {
        set_func(&mut self.config);
        self.config.assert_valid();
        self.connection.hooks().set_config(self.config.to_core());
        self.connection.hooks().set_accept_unmasked(self.config.accept_unmasked_frames);
    }

    /// The configuration.
    pub fn get_config(&self) -> &WebSocketConfig {
        &self.config
    }

    /// Whether messages can come: the peer's Close frame was not received.
    pub fn can_read(&self) -> bool {
        self.state.can_read()
    }

    /// Whether messages can be sent: no Close frame was sent or received.
    pub fn can_write(&self) -> bool {
        self.state == State::Active
    }

    /// The next message. Answers that are queued, such as pongs, are written first, as far as the stream takes them.
    ///
    /// # Errors
    ///
    /// See [`WebSocket::read`](super::WebSocket::read).
    pub fn read<Stream: Read + Write>(&mut self, stream: &mut Stream) -> Result<Message> {
        if matches!(self.state, State::Terminated | State::Failed) {
            return Err(Error::AlreadyClosed);
        }
        loop {
            if self.answering {
                match self.flush(stream) {
                    Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                    flushed => flushed?,
                }
            } else if self.role == Role::Server && !self.state.can_read() {
                self.state = State::Terminated;
                return Err(Error::ConnectionClosed);
            }
            match self.next() {
                Ok(None) => self.fill(stream)?,
                Ok(Some(message)) => return Ok(message),
                Err(error) => {
                    // The Close frame that names the fault. Whether the peer gets it changes nothing here.
                    let _ = self.write_out(stream).and_then(|()| Ok(stream.flush()?));
                    return Err(error);
                }
            }
        }
    }

    /// The next message of the input that was read.
    #[inline]
    fn next(&mut self) -> Result<Option<Message>> {
        if !self.state.can_read() {
            return self.discard();
        }
        let mut input: &mut [u8] = match &mut self.held {
            _ if !self.early.is_empty() => &mut self.early[self.taken..],
            Some(buffer) => buffer.unread(self.left),
            None => &mut [],
        };
        let before = input.len();
        let event = self.connection.receive(&mut input, NOW);
        let left = input.len();
        let mut answering = self.answering;
        let message = match event {
            None => None,
            Some(Event::Message(Incoming::Text(text))) => {
                Some(Message::Text(Utf8Bytes::from_core(text.into_owned().into())))
            }
            Some(Event::Message(message)) => Some(Message::Binary(scratch::payload(message))),
            Some(Event::Ping(payload)) => {
                answering |= self.connection.is_open();
                Some(Message::Ping(payload.into_owned().into()))
            }
            Some(Event::Pong(pong)) => Some(Message::Pong(pong.payload.into_owned().into())),
            Some(Event::Closed(outcome)) => {
                self.keep(before, left);
                return self.closed(outcome).map(Some);
            }
            Some(_) => None,
        };
        self.answering = answering;
        self.keep(before, left);
        Ok(message)
    }

    /// Keeps the `left` bytes of `before`, and gives the memory of all others back.
    #[inline]
    fn keep(&mut self, before: usize, left: usize) {
        if !self.early.is_empty() {
            self.taken += before - left;
            if left == 0 {
                (self.early, self.taken) = (Vec::new(), 0);
            }
            return;
        }
        self.left = left;
        if left == 0
            && let Some(buffer) = self.held.take()
        {
            scratch::give_read_buffer(buffer);
        }
    }

    /// What follows the peer's Close frame is refused.
    #[cold]
    fn discard(&mut self) -> Result<Option<Message>> {
        let discarded = self.left + self.early.len() - self.taken;
        (self.early, self.taken) = (Vec::new(), 0);
        self.keep(0, 0);
        if discarded > 0 { Err(ProtocolError::ReceivedAfterClosing.into()) } else { Ok(None) }
    }

    /// The end of the connection, as far as its input goes.
    #[cold]
    fn closed(&mut self, outcome: Outcome) -> Result<Message> {
        self.answering = true;
        let was_active = self.state == State::Active;
        self.state = if was_active { State::ClosedByPeer } else { State::CloseAcknowledged };
        match outcome.cause {
            Cause::Violation(Violation::InvalidCloseCode(_)) => {
                let reason = Utf8Bytes::from_static("Protocol violation");
                Ok(Message::Close(Some(CloseFrame { code: CloseCode::Protocol, reason })))
            }
            Cause::Violation(violation) => {
                self.state = State::Failed;
                Err(match Error::from(violation) {
                    Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                        let size = usize::try_from(self.connection.hooks().refused_size()).unwrap_or(usize::MAX);
                        CapacityError::MessageTooLong { size, max_size }.into()
                    }
                    error => error,
                })
            }
            _ => {
                let frame = outcome.received.as_ref().filter(|frame| !frame.is_empty());
                Ok(Message::Close(frame.map(CloseFrame::from)))
            }
        }
    }

    /// Reads once, when no input is left.
    fn fill<Stream: Read>(&mut self, stream: &mut Stream) -> Result<()> {
        let mut buffer = scratch::take_read_buffer();
        let target = self.connection.read_buffer(&mut buffer);
        let most = self.config.read_buffer_size.clamp(FrameHeader::MAX_SIZE, scratch::READ).min(target.len());
        match stream.read(&mut target[..most]) {
            Ok(0) => {
                scratch::give_read_buffer(buffer);
                Err(match mem::replace(&mut self.state, State::Terminated) {
                    State::ClosedByPeer | State::CloseAcknowledged => Error::ConnectionClosed,
                    _ => ProtocolError::ResetWithoutClosingHandshake.into(),
                })
            }
            Ok(n) => {
                self.left = self.connection.received(n, &mut buffer).len();
                self.held = Some(buffer);
                Ok(())
            }
            Err(error) => {
                scratch::give_read_buffer(buffer);
                Err(self.reset(error))
            }
        }
    }

    /// A reset after the peer's Close frame is a normal end.
    fn reset(&self, error: io::Error) -> Error {
        match error.kind() {
            ErrorKind::ConnectionReset if !self.state.can_read() => Error::ConnectionClosed,
            _ => Error::Io(error),
        }
    }
}

impl fmt::Debug for WebSocketContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketContext")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("config", &self.config)
            .field("left", &self.left)
            .field("answering", &self.answering)
            .finish_non_exhaustive()
    }
}
