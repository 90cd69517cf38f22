//! Frames put together by hand, and taken apart.

use ws_proto::Role;

/// The masking key of RFC 6455 §5.7, which masks everything here unless a test is about keys.
pub(crate) const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

// First bytes of frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const BINARY_BEGINS: u8 = 0x02;
pub(crate) const CONTINUES: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;

/// The bit that a compressed message begins with (RFC 7692 §6).
pub(crate) const RSV1: u8 = 0x40;

/// A frame: its first byte as given, the shortest length, the payload masked when there is a key.
pub(crate) fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = header(first, payload.len() as u64, key);
    let key = key.unwrap_or_default();
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A frame's header, for a payload that may never come.
pub(crate) fn header(first: u8, len: u64, key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    if len < 126 {
        bytes.push(masked | len as u8);
    } else if len < 65_536 {
        bytes.push(masked | 126);
        bytes.extend((len as u16).to_be_bytes());
    } else {
        bytes.push(masked | 127);
        bytes.extend(len.to_be_bytes());
    }
    bytes.extend(key.into_iter().flatten());
    bytes
}

/// The key with which the peer of `role` masks.
pub(crate) fn key_to(role: Role) -> Option<[u8; 4]> {
    (role == Role::Server).then_some(KEY)
}

/// A frame as the peer of `role` sends it.
pub(crate) fn to(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload.as_ref(), key_to(role))
}

/// A header as the peer of `role` sends it.
pub(crate) fn header_to(role: Role, first: u8, len: u64) -> Vec<u8> {
    header(first, len, key_to(role))
}

/// A frame as `role` itself sends it.
pub(crate) fn from(role: Role, first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(first, payload.as_ref(), (role == Role::Client).then_some(KEY))
}

/// A Close frame's payload.
pub(crate) fn close_body(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_ref()].concat()
}

/// A frame as it was found in what an end wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) key: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

/// Takes apart what `role` wrote: whole frames, lengths in their shortest form, masked by a client and by nobody else.
#[track_caller]
pub(crate) fn frames(role: Role, mut bytes: &[u8]) -> Vec<Frame> {
    fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
        assert!(bytes.len() >= n, "a frame is cut short");
        let (front, rest) = bytes.split_at(n);
        *bytes = rest;
        front
    }
    let mut frames = vec![];
    while !bytes.is_empty() {
        let [first, second] = take(&mut bytes, 2).try_into().unwrap();
        let len = match second & 0x7F {
            126 => u64::from(u16::from_be_bytes(take(&mut bytes, 2).try_into().unwrap())),
            127 => u64::from_be_bytes(take(&mut bytes, 8).try_into().unwrap()),
            short => u64::from(short),
        };
        let shortest = if len < 126 { len } else { 126 + u64::from(len > 65_535) };
        assert_eq!(u64::from(second & 0x7F), shortest, "a length of {len} not in its shortest form");
        assert_eq!(second & 0x80 != 0, role == Role::Client, "clients mask and servers do not");
        let key = (second & 0x80 != 0).then(|| <[u8; 4]>::try_from(take(&mut bytes, 4)).unwrap());
        let payload = take(&mut bytes, len as usize);
        let cycle = key.unwrap_or_default();
        let payload = payload.iter().zip(cycle.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        frames.push(Frame { first, key, payload });
    }
    frames
}

/// The frames that the peer of `role` sends, one behind the other.
pub(crate) fn all_to(role: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| to(role, *first, payload)).collect()
}

/// Letters, `len` of them, for a payload.
pub(crate) fn alphabet(len: usize) -> String {
    ('a'..='z').cycle().take(len).collect()
}
