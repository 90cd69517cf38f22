//! Frames put together by hand, and taken apart.

use std::fmt;

use ws_proto::Role;

/// A masking key: that of RFC 6455 §5.7.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// The first byte of a text message in one frame.
pub const TEXT: u8 = 0x81;
/// The first byte of a binary message in one frame.
pub const BINARY: u8 = 0x82;
/// The first byte of a Close frame.
pub const CLOSE: u8 = 0x88;
/// The first byte of a ping.
pub const PING: u8 = 0x89;
/// The first byte of a pong.
pub const PONG: u8 = 0x8A;
/// The first byte of a text message's first fragment.
pub const TEXT_BEGINS: u8 = 0x01;
/// The first byte of a binary message's first fragment.
pub const BINARY_BEGINS: u8 = 0x02;
/// The first byte of a fragment that is neither the first nor the last.
pub const CONTINUES: u8 = 0x00;
/// The first byte of the last fragment.
pub const LAST: u8 = 0x80;
/// The bit of a compressed message's first frame (RFC 7692 §6).
pub const RSV1: u8 = 0x40;

/// A frame: its first byte as given, the length in its shortest form, the payload masked when there is a key.
pub fn frame(first: u8, payload: impl AsRef<[u8]>, key: Option<[u8; 4]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(first, payload.len() as u64, key);
    bytes.extend(with_mask(payload, key));
    bytes
}

/// A frame as clients send it, masked with [`KEY`].
pub fn masked(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload, Some(KEY))
}

/// A frame's header, for a payload that may never come.
pub fn header(first: u8, len: u64, key: Option<[u8; 4]>) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    if len < 126 {
        bytes.push(mask_bit | len as u8);
    } else if len < 65_536 {
        bytes.push(mask_bit | 126);
        bytes.extend((len as u16).to_be_bytes());
    } else {
        bytes.push(mask_bit | 127);
        bytes.extend(len.to_be_bytes());
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

/// The key with which the peer of `role` masks.
pub fn key_to(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some(KEY)
}

/// A frame as the peer of `role` sends it.
pub fn to(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload, key_to(role))
}

/// A header as the peer of `role` sends it.
pub fn header_to(role: Role, first: u8, len: u64) -> Vec<u8> {
    header(first, len, key_to(role))
}

/// A frame as `role` itself sends it.
pub fn from(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload, (role == Role::Client).then_some(KEY))
}

/// The frames that the peer of `role` sends, one behind the other.
pub fn all_to(role: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| to(role, *first, payload)).collect()
}

/// A Close frame's payload.
pub fn close_body(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

/// Masks, and unmasks.
fn with_mask(payload: &[u8], key: Option<[u8; 4]>) -> impl Iterator<Item = u8> {
    let key = key.unwrap_or_default();
    payload.iter().enumerate().map(move |(at, byte)| byte ^ key[at % 4])
}

/// The first byte of a frame, and its payload without the mask.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(pub u8, pub Vec<u8>);

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.1[..self.1.len().min(40)];
        write!(f, "{:02X} {:?} [{}]", self.0, String::from_utf8_lossy(shown), self.1.len())
    }
}

/// A text message in one frame.
pub fn text(payload: &str) -> Frame {
    Frame(TEXT, payload.into())
}

/// A ping.
pub fn ping(payload: impl AsRef<[u8]>) -> Frame {
    Frame(PING, payload.as_ref().into())
}

/// A pong.
pub fn pong(payload: impl AsRef<[u8]>) -> Frame {
    Frame(PONG, payload.as_ref().into())
}

/// A Close frame.
pub fn close(code: u16, reason: &str) -> Frame {
    Frame(CLOSE, close_body(code, reason))
}

/// A frame at the beginning of bytes.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it says.
    pub frame: Frame,
    /// The key it was masked with.
    pub key: Option<[u8; 4]>,
    /// Bytes of header and payload.
    pub size: usize,
}

/// The frame that `bytes` begin with; `None` until all of it is there.
///
/// # Panics
///
/// When its length is not in the shortest form.
#[track_caller]
pub fn decode(bytes: &[u8]) -> Option<Found> {
    let (&[first, second], mut rest) = bytes.split_first_chunk()?;
    let len = match second & 0x7F {
        126 => take(&mut rest).map(|len| u64::from(u16::from_be_bytes(len)))?,
        127 => take(&mut rest).map(u64::from_be_bytes)?,
        short => u64::from(short),
    };
    let shortest = if len < 126 { len } else { 126 + u64::from(len > 65_535) };
    assert_eq!(u64::from(second & 0x7F), shortest, "a length of {len} not in its shortest form");
    let key = if second & 0x80 != 0 { Some(take(&mut rest)?) } else { None };
    let payload = rest.get(..usize::try_from(len).ok()?)?;
    let size = bytes.len() - rest.len() + payload.len();
    Some(Found { frame: Frame(first, with_mask(payload, key).collect()), key, size })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

/// What was received and has not been looked at: heads and frames come out of it when they are whole.
#[derive(Debug, Default)]
pub struct Received {
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Received {
    /// A head of HTTP, with the empty line that ends it.
    pub fn head(&mut self) -> Option<String> {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        Some(String::from_utf8(self.bytes.drain(..end + 4).collect()).expect("a head is text"))
    }

    /// A frame.
    #[track_caller]
    pub fn frame(&mut self) -> Option<Found> {
        let found = decode(&self.bytes)?;
        self.bytes.drain(..found.size);
        Some(found)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
