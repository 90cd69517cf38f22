//! The encoding of frame headers (RFC 6455 §5.2).
//!
//! The decoder reads byte by byte from the front. It reports an error at the first byte that shows it, however the bytes are
//! split.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{FrameHeader, OpCode};
use crate::error::Violation;

/// Decodes the header at the beginning of `input`. Returns it with its size in bytes, or `None` while it is incomplete.
///
/// # Errors
///
/// A reserved opcode, a control frame that is fragmented or too long, a length that is not minimal or not below 2^63.
/// Reserved bits and masking are not checked: the rules depend on the sender's role and on the negotiated extensions.
pub fn decode(input: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
    decode_checked(input, |_| Ok(()), |_| Ok(()))
}

/// [`decode`] with the rules of a connection added where the bytes they need are: after the first, after the second.
#[inline]
pub(crate) fn decode_checked(
    input: &[u8],
    check_first: impl FnOnce(FirstByte) -> Result<(), Violation>,
    check_masked: impl FnOnce(bool) -> Result<(), Violation>,
) -> Result<Option<(FrameHeader, usize)>, Violation> {
    let Some((&first, rest)) = input.split_first() else { return Ok(None) };
    let first = FirstByte::parse(first)?;
    check_first(first)?;

    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    let masked = second & 0x80 != 0;
    check_masked(masked)?;
    let short = second & 0x7F;
    if first.opcode.is_control() && short > 125 {
        return Err(Violation::ControlTooLong);
    }

    let (len, len_size, rest) = match short {
        126 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
            let len = u64::from(u16::from_be_bytes(*bytes));
            if len < 126 {
                return Err(Violation::NonMinimalLength);
            }
            (len, 2, rest)
        }
        127 => {
            let Some((bytes, rest)) = rest.split_first_chunk::<8>() else { return incomplete_length(rest) };
            let len = u64::from_be_bytes(*bytes);
            if len >> 63 != 0 {
                return Err(Violation::LengthTooLarge);
            }
            if len < 1 << 16 {
                return Err(Violation::NonMinimalLength);
            }
            (len, 8, rest)
        }
        short => (u64::from(short), 0, rest),
    };

    let (mask, mask_size) = match masked {
        false => (None, 0),
        true => match rest.first_chunk::<4>() {
            Some(key) => (Some(*key), 4),
            None => return Ok(None),
        },
    };
    let header = FrameHeader { fin: first.fin, rsv: first.rsv, opcode: first.opcode, mask, len };
    Ok(Some((header, 2 + len_size + mask_size)))
}

/// Refuses what the first bytes of a length in eight already show: a first bit that is set makes it too large, and after
/// six zeros two bytes would have done.
#[cold]
fn incomplete_length(partial: &[u8]) -> Result<Option<(FrameHeader, usize)>, Violation> {
    match partial {
        [0x80..=0xFF, ..] => Err(Violation::LengthTooLarge),
        [0, 0, 0, 0, 0, 0, ..] => Err(Violation::NonMinimalLength),
        _ => Ok(None),
    }
}

/// The first byte of a header.
#[derive(Clone, Copy)]
pub(crate) struct FirstByte {
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) opcode: OpCode,
}

impl FirstByte {
    #[inline]
    fn parse(byte: u8) -> Result<Self, Violation> {
        let Some(opcode) = OpCode::from_bits(byte) else { return Err(Violation::ReservedOpcode(byte & 0x0F)) };
        let first = Self { fin: byte & 0x80 != 0, rsv: byte >> 4 & 0b111, opcode };
        if opcode.is_control() && !first.fin {
            return Err(Violation::FragmentedControl);
        }
        Ok(first)
    }
}

/// The header of a frame that is short and not masked, as most are that a server sends.
#[inline]
pub(crate) fn encode_short(header: &FrameHeader) -> Option<[u8; 2]> {
    (header.len < 126 && header.mask.is_none()).then_some([first_byte(header), header.len as u8])
}

#[inline]
fn first_byte(header: &FrameHeader) -> u8 {
    u8::from(header.fin) << 7 | (header.rsv & 0b111) << 4 | header.opcode as u8
}

/// Appends the shortest encoding of a header.
#[inline]
pub fn encode(header: &FrameHeader, out: &mut Vec<u8>) {
    let first = first_byte(header);
    let masked = u8::from(header.mask.is_some()) << 7;
    match header.len {
        len @ 0..126 => out.extend_from_slice(&[first, masked | len as u8]),
        len @ 126..0x1_0000 => {
            let [high, low] = (len as u16).to_be_bytes();
            out.extend_from_slice(&[first, masked | 126, high, low]);
        }
        len => {
            out.extend_from_slice(&[first, masked | 127]);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    if let Some(key) = header.mask {
        out.extend_from_slice(&key);
    }
}

/// A frame in one piece.
pub(crate) fn frame(header: &FrameHeader, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(FrameHeader::MAX_SIZE + payload.len());
    encode(header, &mut frame);
    frame.extend_from_slice(payload);
    frame.into()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn text(len: u64) -> FrameHeader {
        FrameHeader::new(OpCode::Text, len)
    }

    #[test]
    fn lengths_use_their_shortest_form() {
        for (len, bytes) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xFF, 0xFF]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            ((1 << 63) - 1, vec![0x81, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] {
            let mut out = vec![];
            encode(&text(len), &mut out);
            assert_eq!(out, bytes);
            assert_eq!(decode(&out), Ok(Some((text(len), out.len()))));
            for end in 0..out.len() {
                assert_eq!(decode(&out[..end]), Ok(None), "{len} cut to {end}");
            }
        }
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_refused() {
        assert_eq!(decode(&[0x81, 126, 0, 125]), Err(Violation::NonMinimalLength));
        assert_eq!(decode(&[0x81, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]), Err(Violation::NonMinimalLength));
        assert_eq!(decode(&[0x81, 127, 0, 0, 0, 0, 0]), Ok(None));
        assert_eq!(decode(&[0x81, 127, 0, 0, 0, 0, 0, 0]), Err(Violation::NonMinimalLength));
        assert_eq!(decode(&[0x81, 127, 0x80]), Err(Violation::LengthTooLarge));
        assert_eq!(decode(&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]), Err(Violation::LengthTooLarge));
    }

    #[test]
    fn masks_and_reserved_bits_are_carried() {
        let header = FrameHeader { fin: false, rsv: 0b101, opcode: OpCode::Binary, mask: Some([1, 2, 3, 4]), len: 300 };
        let mut out = vec![];
        encode(&header, &mut out);
        assert_eq!(out, [0x52, 0xFE, 0x01, 0x2C, 1, 2, 3, 4]);
        assert_eq!(decode(&out), Ok(Some((header, 8))));
    }
}
