//! Single frames.

use std::fmt;
use std::io::{Cursor, Read, Write};
use std::str::Utf8Error;

use bytes::{BufMut, Bytes, BytesMut};
use ws_proto::frame::{self as core, codec, mask};

use super::coding::{CloseCode, Control, OpCode};
use super::utf8::Utf8Bytes;
use crate::error::{Error, ProtocolError, Result};

/// The code and the reason of a Close frame (RFC 6455 §5.5.1).
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct CloseFrame {
    /// The close code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes.
    pub reason: Utf8Bytes,
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.code)
    }
}

/// The header of a frame, without the length of its payload (RFC 6455 §5.2).
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct FrameHeader {
    /// Whether the frame ends its message.
    pub is_final: bool,
    /// The first reserved bit: in the first frame of a message, that the message is compressed.
    pub rsv1: bool,
    /// The second reserved bit.
    pub rsv2: bool,
    /// The third reserved bit.
    pub rsv3: bool,
    /// The opcode.
    pub opcode: OpCode,
    /// The masking key, if the payload is masked.
    pub mask: Option<[u8; 4]>,
}

impl Default for FrameHeader {
    /// The header of a Close frame that is not masked.
    fn default() -> Self {
        let opcode = OpCode::Control(Control::Close);
        Self { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None }
    }
}

impl FrameHeader {
    /// Reads a header. Returns it with the length of the payload, or `None` while it is incomplete; then nothing is taken.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::InvalidOpcode`] for a reserved opcode, and other [`ProtocolError`]s for a header against RFC 6455 §5.2.
    pub fn parse(cursor: &mut Cursor<impl AsRef<[u8]>>) -> Result<Option<(Self, u64)>> {
        let position = cursor.position();
        let mut bytes = [0; core::FrameHeader::MAX_SIZE];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty())
            && let n @ 1.. = cursor.read(rest)?
        {
            filled += n;
        }
        let header = codec::decode(&bytes[..filled]).map_err(Error::from);
        let size = header.as_ref().map_or(0, |header| header.map_or(0, |(_, size)| size));
        cursor.set_position(position + size as u64);
        Ok(header?.map(|(header, _)| (Self::from(&header), header.len)))
    }

    /// The size of the encoded header in bytes, for a payload of `length` bytes.
    pub fn len(&self, length: u64) -> usize {
        let extended = match length {
            0..126 => 0,
            126..0x1_0000 => 2,
            _ => 8,
        };
        2 + extended + if self.mask.is_some() { 4 } else { 0 }
    }

    /// Writes the header, for a payload of `length` bytes.
    ///
    /// # Errors
    ///
    /// Those of `output`; [`ProtocolError::InvalidOpcode`] for a reserved opcode.
    pub fn format(&self, length: u64, output: &mut impl Write) -> Result<()> {
        let mut bytes = Vec::with_capacity(core::FrameHeader::MAX_SIZE);
        codec::encode(&core::FrameHeader { len: length, ..self.to_core()? }, &mut bytes);
        Ok(output.write_all(&bytes)?)
    }

    pub(crate) fn to_core(&self) -> Result<core::FrameHeader> {
        let bits = u8::from(self.opcode);
        let opcode = core::OpCode::from_bits(bits).ok_or(ProtocolError::InvalidOpcode(bits))?;
        let rsv = u8::from(self.rsv1) << 2 | u8::from(self.rsv2) << 1 | u8::from(self.rsv3);
        Ok(core::FrameHeader { fin: self.is_final, rsv, mask: self.mask, ..core::FrameHeader::new(opcode, 0) })
    }
}

impl From<&core::FrameHeader> for FrameHeader {
    fn from(header: &core::FrameHeader) -> Self {
        Self {
            is_final: header.fin,
            rsv1: header.rsv & 0b100 != 0,
            rsv2: header.rsv & 0b010 != 0,
            rsv3: header.rsv & 0b001 != 0,
            opcode: (header.opcode as u8).into(),
            mask: header.mask,
        }
    }
}

/// A frame: a header, and a payload that is not masked.
#[derive(Debug, Clone, Eq, PartialEq)]
pub struct Frame {
    header: FrameHeader,
    payload: Bytes,
}

impl Frame {
    /// The size of the encoded frame in bytes.
    pub fn len(&self) -> usize {
        self.header.len(self.payload.len() as u64) + self.payload.len()
    }

    /// Whether the encoded frame has no bytes, which is never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The header.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The header, to be changed.
    pub fn header_mut(&mut self) -> &mut FrameHeader {
        &mut self.header
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as text.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes, Utf8Error> {
        self.payload.try_into()
    }

    /// The payload.
    pub fn into_payload(self) -> Bytes {
        self.payload
    }

    /// The payload as text.
    ///
    /// # Errors
    ///
    /// When it is not UTF-8.
    pub fn to_text(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(&self.payload)
    }

    /// A data frame.
    pub fn message(data: impl Into<Bytes>, opcode: OpCode, is_final: bool) -> Self {
        debug_assert!(matches!(opcode, OpCode::Data(_)), "{opcode:?} is not of a data frame");
        Self { header: FrameHeader { is_final, opcode, ..FrameHeader::default() }, payload: data.into() }
    }

    /// A pong.
    pub fn pong(data: impl Into<Bytes>) -> Self {
        Self::control(Control::Pong, data.into())
    }

    /// A ping.
    pub fn ping(data: impl Into<Bytes>) -> Self {
        Self::control(Control::Ping, data.into())
    }

    fn control(control: Control, payload: Bytes) -> Self {
        Self { header: FrameHeader { opcode: OpCode::Control(control), ..FrameHeader::default() }, payload }
    }

    /// A Close frame.
    pub fn close(frame: Option<CloseFrame>) -> Self {
        let mut payload = BytesMut::new();
        if let Some(CloseFrame { code, reason }) = frame {
            payload.put_u16(code.into());
            payload.put_slice(reason.as_bytes());
        }
        Self { header: FrameHeader::default(), payload: payload.freeze() }
    }

    /// A frame of a header and a payload.
    pub fn from_payload(header: FrameHeader, payload: Bytes) -> Self {
        Self { header, payload }
    }

    /// Writes the frame, with the payload masked if the header has a key.
    ///
    /// # Errors
    ///
    /// Those of `output`; [`ProtocolError::InvalidOpcode`] for a reserved opcode.
    pub fn format(self, output: &mut impl Write) -> Result<()> {
        self.header.format(self.payload.len() as u64, output)?;
        match self.header.mask {
            None => output.write_all(&self.payload)?,
            Some(key) => {
                let mut masked = Vec::new();
                mask::append(&mut masked, &self.payload, key);
                output.write_all(&masked)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, .. } = self.header;
        write!(f, "final: {is_final}, reserved: {rsv1} {rsv2} {rsv3}, opcode: {opcode}, length: {}, ", self.len())?;
        write!(f, "payload length: {}, payload: 0x", self.payload.len())?;
        self.payload.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<&CloseFrame> for ws_proto::CloseFrame {
    fn from(frame: &CloseFrame) -> Self {
        Self::new(u16::from(frame.code).into(), frame.reason.clone().into_core())
    }
}

impl From<&ws_proto::CloseFrame> for CloseFrame {
    fn from(frame: &ws_proto::CloseFrame) -> Self {
        Self { code: u16::from(frame.code).into(), reason: Utf8Bytes::from_core(frame.reason.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::coding::Data;
    use super::*;

    #[test]
    fn frames_are_encoded_and_parsed() {
        for (frame, bytes) in [
            (Frame::ping(vec![1, 2]), &b"\x89\x02\x01\x02"[..]),
            (Frame::pong(&b""[..]), b"\x8A\x00"),
            (Frame::close(None), b"\x88\x00"),
            (Frame::close(Some(CloseFrame { code: CloseCode::Away, reason: "bye".into() })), b"\x88\x05\x03\xE9bye"),
            (Frame::message("Hi", OpCode::Data(Data::Text), false), b"\x01\x02Hi"),
        ] {
            let mut out = Vec::new();
            assert_eq!(frame.len(), bytes.len());
            frame.clone().format(&mut out).unwrap();
            assert_eq!(out, bytes);
            let mut cursor = Cursor::new(bytes);
            let (header, len) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
            assert_eq!((&header, len as usize), (frame.header(), frame.payload().len()));
            assert_eq!(cursor.position() as usize, bytes.len() - frame.payload().len());
        }
        let mut frame = Frame::message(vec![0; 300], OpCode::Data(Data::Binary), true);
        frame.header_mut().mask = Some([1, 2, 3, 4]);
        let mut out = Vec::new();
        frame.format(&mut out).unwrap();
        assert_eq!(out[..12], [0x82, 0xFE, 0x01, 0x2C, 1, 2, 3, 4, 1, 2, 3, 4]);
    }

    #[test]
    fn an_incomplete_header_is_left_and_a_reserved_opcode_is_refused() {
        let mut cursor = Cursor::new(&b"??\x82\xFE\x01"[..]);
        cursor.set_position(2);
        assert_eq!(FrameHeader::parse(&mut cursor).unwrap(), None);
        assert_eq!(cursor.position(), 2);
        let error = FrameHeader::parse(&mut Cursor::new(&[0x83, 0])).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::InvalidOpcode(3))), "{error:?}");
        let header = FrameHeader { opcode: OpCode::Control(Control::Reserved(11)), ..FrameHeader::default() };
        assert!(header.format(0, &mut Vec::new()).is_err());
    }
}
