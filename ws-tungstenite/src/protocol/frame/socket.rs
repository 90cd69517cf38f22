//! Frames over a stream, without a connection around them.

use std::io::{ErrorKind, Read, Write};

use bytes::{Buf, BytesMut};
use ws_proto::frame::{codec, mask};

use super::{Frame, FrameHeader};
use crate::error::{CapacityError, Error, Result};

/// The most bytes of one read.
const READ: usize = 64 << 10;

/// Reads and writes single frames over a stream. It checks headers, and nothing else of the protocol.
#[derive(Debug)]
pub struct FrameSocket<Stream> {
    stream: Stream,
    input: BytesMut,
    output: BytesMut,
}

impl<Stream> FrameSocket<Stream> {
    /// Frames over `stream`.
    pub fn new(stream: Stream) -> Self {
        Self::from_partially_read(stream, Vec::new())
    }

    /// Frames over `stream`, of which `part` was read before.
    pub fn from_partially_read(stream: Stream, part: Vec<u8>) -> Self {
        Self { stream, input: part.as_slice().into(), output: BytesMut::new() }
    }

    /// The stream, and the bytes that were read from it and belong to no complete frame.
    pub fn into_inner(self) -> (Stream, BytesMut) {
        (self.stream, self.input)
    }

    /// The stream.
    pub fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }
}

impl<Stream: Read> FrameSocket<Stream> {
    /// Reads a frame with at most `max_size` bytes of payload, and unmasks it. `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`CapacityError::MessageTooLong`], a [`ProtocolError`](crate::error::ProtocolError) for a header against RFC 6455 §5.2, and
    /// those of the stream. After `WouldBlock`, a further call goes on.
    pub fn read(&mut self, max_size: Option<usize>) -> Result<Option<Frame>> {
        let max_size = max_size.unwrap_or(usize::MAX);
        loop {
            let mut missing = 1;
            if let Some((header, size)) = codec::decode(&self.input)? {
                let len = usize::try_from(header.len).unwrap_or(usize::MAX);
                if len > max_size {
                    return Err(Error::Capacity(CapacityError::MessageTooLong { size: len, max_size }));
                }
                missing = len.saturating_add(size).saturating_sub(self.input.len());
                if missing == 0 {
                    self.input.advance(size);
                    let mut payload = self.input.split_to(len);
                    let mut frame = FrameHeader::from(&header);
                    if let Some(key) = frame.mask.take() {
                        mask::apply(&mut payload, key);
                    }
                    return Ok(Some(Frame::from_payload(frame, payload.freeze())));
                }
            }
            // No more than arrives is reserved for what a header only announces.
            let before = self.input.len();
            self.input.resize(before + missing.clamp(4 << 10, READ), 0);
            let read = self.stream.read(&mut self.input[before..]);
            self.input.truncate(before + read.as_ref().map_or(0, |&n| n));
            if read? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<Stream: Write> FrameSocket<Stream> {
    /// Writes a frame and flushes the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream. After `WouldBlock` the frame is queued, and [`flush`](Self::flush) goes on.
    pub fn send(&mut self, frame: Frame) -> Result<()> {
        self.write(frame)?;
        self.flush()
    }

    /// Queues a frame, and writes as much as the stream takes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn write(&mut self, frame: Frame) -> Result<()> {
        let mut bytes = Vec::new();
        frame.format(&mut bytes)?;
        self.output.extend_from_slice(&bytes);
        self.write_out()
    }

    /// Writes everything that is queued, and flushes the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream. After `WouldBlock`, a further call goes on.
    pub fn flush(&mut self) -> Result<()> {
        self.write_out()?;
        Ok(self.stream.flush()?)
    }

    fn write_out(&mut self) -> Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output)? {
                0 => return Err(Error::Io(ErrorKind::ConnectionReset.into())),
                n => self.output.advance(n),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn frames_are_read_over_a_stream_that_was_read_before() {
        let mut socket = FrameSocket::from_partially_read(
            Cursor::new(vec![3, 4, 0x81, 0x82, 1, 1, 1, 1, b'a' ^ 1, b'b' ^ 1, 0x99]),
            vec![0x82, 4, 1, 2],
        );
        assert_eq!(socket.read(None).unwrap().unwrap().payload(), [1, 2, 3, 4]);
        assert_eq!(socket.read(Some(2)).unwrap().unwrap().to_text(), Ok("ab"));
        assert!(socket.read(None).unwrap().is_none());
        assert_eq!(&socket.into_inner().1[..], [0x99]);

        let mut socket = FrameSocket::new(Cursor::new(vec![0x82, 7]));
        let error = socket.read(Some(5)).unwrap_err();
        assert!(matches!(error, Error::Capacity(CapacityError::MessageTooLong { size: 7, max_size: 5 })));
    }

    #[test]
    fn frames_are_written() {
        let mut socket = FrameSocket::new(Vec::new());
        socket.send(Frame::ping(vec![4, 5])).unwrap();
        socket.send(Frame::pong(vec![1])).unwrap();
        assert_eq!(socket.get_ref()[..], [0x89, 2, 4, 5, 0x8A, 1, 1]);
    }
}
