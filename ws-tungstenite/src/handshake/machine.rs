//! The bytes of an opening handshake.

use std::io::{Read, Write};

use crate::error::{Error, ProtocolError, Result};
use crate::util::NonBlockingResult;

/// The most bytes of a head.
const MOST: usize = 64 << 10;

/// The most bytes of one read.
const READ: usize = 4 << 10;

/// A head of HTTP that is parsed.
pub trait TryParse: Sized {
    /// The head at the beginning of `data`, with its size in bytes. `None` while it is incomplete.
    ///
    /// # Errors
    ///
    /// When the head is malformed.
    fn try_parse(data: &[u8]) -> Result<Option<(usize, Self)>>;
}

/// The stream of an opening handshake.
#[derive(Debug)]
pub struct HandshakeMachine<Stream> {
    stream: Stream,
}

impl<Stream> HandshakeMachine<Stream> {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream }
    }

    /// The stream.
    pub fn get_ref(&self) -> &Stream {
        &self.stream
    }

    /// The stream, to be changed.
    pub fn get_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }

    pub(crate) fn into_inner(self) -> Stream {
        self.stream
    }
}

impl<Stream: Read + Write> HandshakeMachine<Stream> {
    /// Reads until the head is complete. `None` when the stream would block.
    pub(crate) fn read<Obj: TryParse>(&mut self, reader: &mut HeadReader) -> Result<Option<Obj>> {
        loop {
            let mut chunk = [0; READ];
            let Some(n) = self.stream.read(&mut chunk).map_err(Error::Io).no_block()? else { return Ok(None) };
            if let Some(head) = reader.push(&chunk[..n])? {
                return Ok(Some(head));
            }
        }
    }

    /// Writes and flushes. `false` when the stream would block.
    pub(crate) fn write(&mut self, output: &mut HeadWriter) -> Result<bool> {
        while let rest @ [_, ..] = output.rest() {
            let Some(n) = self.stream.write(rest).map_err(Error::Io).no_block()? else { return Ok(false) };
            output.advance(n)?;
        }
        Ok(self.stream.flush().map_err(Error::Io).no_block()?.is_some())
    }
}

/// Collects a head. It is parsed when its end may have come, and each time as many bytes have come as before, so that the cost is
/// linear however the bytes arrive.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    bytes: Vec<u8>,
    /// The length at the last attempt to parse.
    attempted: usize,
}

impl HeadReader {
    /// Adds the bytes of a read, and returns the head once it is complete.
    pub(crate) fn push<Obj: TryParse>(&mut self, read: &[u8]) -> Result<Option<Obj>> {
        if read.is_empty() {
            return Err(ProtocolError::HandshakeIncomplete.into());
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(read);
        let new = &self.bytes[before.saturating_sub(2)..];
        let may_end = new.windows(2).any(|end| end == b"\n\n") || new.windows(3).any(|end| end == b"\n\r\n");
        if may_end || self.bytes.len() >= 2 * self.attempted {
            self.attempted = self.bytes.len();
            if let Some((size, head)) = Obj::try_parse(&self.bytes)? {
                self.bytes.drain(..size);
                return Ok(Some(head));
            }
        }
        if self.bytes.len() > MOST {
            return Err(Error::AttackAttempt);
        }
        Ok(None)
    }

    /// The bytes behind the head.
    pub(crate) fn into_tail(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn has_tail(&self) -> bool {
        !self.bytes.is_empty()
    }
}

/// A head that is being written.
#[derive(Debug)]
pub(crate) struct HeadWriter {
    bytes: Vec<u8>,
    written: usize,
}

impl HeadWriter {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, written: 0 }
    }

    pub(crate) fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    pub(crate) fn advance(&mut self, n: usize) -> Result<()> {
        if n == 0 {
            return Err(Error::Io(std::io::ErrorKind::WriteZero.into()));
        }
        self.written += n;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_head_is_complete_however_it_arrives() {
        let head = [&b"A: b\r\n"[..], &b"C: d\r\n".repeat(50), b"\r\nrest"].concat();
        for step in [1, 2, 3, 7, 100, head.len()] {
            let mut reader = HeadReader::default();
            let mut parsed = None;
            for piece in head.chunks(step) {
                match parsed {
                    None => parsed = reader.push::<HeaderMap>(piece).unwrap(),
                    Some(_) => reader.bytes.extend_from_slice(piece),
                }
            }
            assert_eq!(parsed.unwrap().len(), 51, "{step}");
            assert_eq!(reader.into_tail(), b"rest");
        }
    }

    #[test]
    fn a_head_is_bounded_and_not_parsed_for_each_byte() {
        let mut reader = HeadReader::default();
        let mut attempts = 0;
        let error = loop {
            let before = reader.attempted;
            match reader.push::<HeaderMap>(b"x") {
                Ok(head) => assert!(head.is_none()),
                Err(error) => break error,
            }
            attempts += usize::from(reader.attempted != before);
        };
        assert!(matches!(error, Error::AttackAttempt));
        assert!(attempts < 20, "{attempts}");
        assert!(matches!(reader.push::<HeaderMap>(b""), Err(Error::Protocol(ProtocolError::HandshakeIncomplete))));
    }
}
