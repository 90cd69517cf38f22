//! Messages in, bytes to the stream.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use bytes::{Buf, Bytes};
use ws_proto as core;
use ws_proto::frame::{FrameHeader, OpCode};
use ws_proto::permessage_deflate::Compress;

use super::{NOW, Role, WebSocketContext};
use crate::error::{Error, ProtocolError, Result};
use crate::protocol::frame::CloseFrame;
use crate::protocol::frame::coding::CloseCode;
use crate::protocol::message::Message;
use crate::protocol::state::State;

/// The most slices of one vectored write.
const SLICES: usize = 16;

impl WebSocketContext {
    /// Queues a message, and writes it if [`write_buffer_size`](crate::protocol::WebSocketConfig::write_buffer_size) is exceeded or an answer of the
    /// connection waits.
    ///
    /// # Errors
    ///
    /// See [`WebSocket::write`](crate::WebSocket::write).
    pub fn write<Stream: Read + Write>(&mut self, stream: &mut Stream, message: Message) -> Result<()> {
        match self.state {
            State::Active => {}
            State::Terminated => return Err(Error::AlreadyClosed),
            _ => return Err(ProtocolError::SendAfterClosing.into()),
        }
        if let Message::Close(frame) = message {
            return self.close(stream, frame);
        }
        self.queue(message)?;
        if self.answering {
            self.flush(stream)
        } else if self.connection.queued() > self.config.write_buffer_size {
            self.write_out(stream)
        } else {
            Ok(())
        }
    }

    fn queue(&mut self, message: Message) -> Result<()> {
        if self.config.max_write_buffer_size < usize::MAX && self.is_full_for(&message) {
            return Err(Error::WriteBufferFull(message.into()));
        }
        let sent = match message {
            Message::Text(text) => self.send(core::Message::Text(text.into_core())),
            Message::Binary(data) => self.send(core::Message::Binary(data)),
            Message::Ping(data) => self.send_control(OpCode::Ping, data)?,
            Message::Pong(data) => self.send_control(OpCode::Pong, data)?,
            Message::Frame(frame) => {
                let header = frame.header().to_core()?;
                self.connection.hooks().send_frame(&header, frame.into_payload()).is_ok()
            }
            Message::Close(_) => true,
        };
        if sent { Ok(()) } else { Err(ProtocolError::SendAfterClosing.into()) }
    }

    #[cold]
    fn is_full_for(&mut self, message: &Message) -> bool {
        let header = match message.len() {
            _ if matches!(message, Message::Frame(_)) => 0,
            0..126 => 2,
            126..0x1_0000 => 4,
            _ => 10,
        };
        let key = if self.role == Role::Client { 4 } else { 0 };
        let size = header + key + message.len();
        self.connection.queued().saturating_add(size) > self.config.max_write_buffer_size
    }

    #[inline]
    fn send(&mut self, message: core::Message) -> bool {
        self.inferring = self.inferring && !self.connection.hooks().has_inflated();
        match self.inferring {
            true => self.connection.send_with(message, Compress::Never).is_ok(),
            false => self.connection.send(message).is_ok(),
        }
    }

    fn send_control(&mut self, opcode: OpCode, payload: Bytes) -> Result<bool> {
        if payload.len() > 125 {
            return Err(ProtocolError::ControlFrameTooBig.into());
        }
        let header = FrameHeader::new(opcode, payload.len() as u64);
        Ok(self.connection.hooks().send_frame(&header, payload).is_ok())
    }

    /// Writes everything that is queued, and flushes the stream.
    ///
    /// # Errors
    ///
    /// See [`WebSocket::flush`](crate::WebSocket::flush).
    pub fn flush<Stream: Read + Write>(&mut self, stream: &mut Stream) -> Result<()> {
        self.write_out(stream)?;
        let flushed = stream.flush();
        if self.role == Role::Server && !self.state.can_read() {
            // A server closes the stream first (RFC 6455 §7.1.1). That the peer has done so is no error.
            if let Err(error) = flushed
                && error.kind() == ErrorKind::WouldBlock
            {
                return Err(error.into());
            }
            self.state = State::Terminated;
            return Err(Error::ConnectionClosed);
        }
        flushed?;
        self.answering = false;
        Ok(())
    }

    pub(super) fn write_out<Stream: Write>(&mut self, stream: &mut Stream) -> Result<()> {
        loop {
            let outgoing = self.connection.outgoing();
            if !outgoing.has_remaining() {
                return Ok(());
            }
            let mut slices = [IoSlice::new(&[]); SLICES];
            let n = match outgoing.chunks_vectored(&mut slices) {
                1 => stream.write(outgoing.chunk()),
                n => stream.write_vectored(&slices[..n]),
            };
            match n {
                Ok(0) => {
                    let error = io::Error::new(ErrorKind::ConnectionReset, "the stream takes no more bytes");
                    return Err(self.reset(error));
                }
                Ok(n) => outgoing.advance(n),
                Err(error) => return Err(self.reset(error)),
            }
        }
    }

    /// Queues a Close frame, unless one was before, writes everything that is queued, and flushes the stream.
    ///
    /// # Errors
    ///
    /// See [`WebSocket::close`](crate::WebSocket::close).
    pub fn close<Stream: Read + Write>(&mut self, stream: &mut Stream, code: Option<CloseFrame>) -> Result<()> {
        if self.state == State::Active {
            let frame = match &code {
                Some(frame) if frame.code != CloseCode::Status => frame.into(),
                _ => core::CloseFrame::EMPTY,
            };
            self.connection.close(frame, NOW).map_err(|_| ProtocolError::InvalidCloseSequence)?;
            self.state = State::ClosedByUs;
        }
        self.flush(stream)
    }
}
