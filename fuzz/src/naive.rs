//! RFC 6455 §5 read in the plainest way: over the whole input at once, copying everything, keeping nothing between
//! calls, and going over text again whenever more of it is there. Slow on purpose: it is what a clever decoder is
//! compared with.
//!
//! It shares no code and no type with what it checks and needs `std` alone, so any suite can include this file.

use std::str;

/// What a receiver asks of the frames that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether frames must be masked: a client's must, a server's must not (RFC 6455 §5.1).
    pub masked: bool,
    /// The longest frame with data, in bytes.
    pub frame: Option<usize>,
    /// The longest message, in bytes.
    pub message: Option<usize>,
    /// The most frames a message may come in; a message in one frame is always fine.
    pub fragments: Option<u32>,
}

/// What an input says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Messages, pings and pongs, in order.
    pub items: Vec<Item>,
    /// How it ends.
    pub end: End,
}

/// A whole message, or a control frame that does not close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// How an input ends. `at` is how many bytes it takes to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// More may follow; `midway` says whether a frame or a message is incomplete.
    Open { midway: bool },
    /// A Close frame, and what it says (RFC 6455 §5.5.1). What follows it does not count.
    Close { code: Option<u16>, reason: String, at: usize },
    /// Something is wrong. All that can be said to be wrong at that byte, and nothing that shows only later.
    Fault { faults: Vec<Fault>, at: usize },
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    ReservedBits,
    ReservedOpcode,
    FragmentedControl,
    ControlTooLong,
    Unmasked,
    Masked,
    NonMinimalLength,
    LengthTooLarge,
    UnexpectedContinuation,
    UnfinishedMessage,
    FrameTooBig,
    MessageTooBig,
    TooManyFragments,
    InvalidUtf8,
    TruncatedCloseCode,
    InvalidCloseCode,
    InvalidCloseReason,
}

impl Fault {
    /// The close code it is answered with (RFC 6455 §7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Self::FrameTooBig | Self::MessageTooBig | Self::TooManyFragments => 1009,
            Self::InvalidUtf8 | Self::InvalidCloseReason => 1007,
            _ => 1002,
        }
    }
}

/// A frame as it lies in the input, right or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    /// The three reserved bits.
    pub rsv: u8,
    pub opcode: u8,
    pub masked: bool,
    /// Unmasked, if it was masked.
    pub payload: Vec<u8>,
    /// How many bytes of the input it takes.
    pub size: usize,
}

/// Decodes all of `input`.
pub fn decode(input: &[u8], rules: &Rules) -> Decoded {
    let mut items = vec![];
    let mut open: Option<Unfinished> = None;
    let mut at = 0;
    loop {
        let rest = &input[at..];
        let faults = faults(rest, open.as_ref(), rules);
        if let Some(first) = faults.iter().map(|(seen, _)| *seen).min() {
            let mut faults: Vec<_> =
                faults.into_iter().filter(|(seen, _)| *seen == first).map(|(_, fault)| fault).collect();
            faults.dedup();
            return Decoded { items, end: End::Fault { faults, at: at + first } };
        }
        let Some(Frame { fin, opcode, payload, size, .. }) = frame(rest) else {
            return Decoded { items, end: End::Open { midway: open.is_some() || !rest.is_empty() } };
        };
        at += size;
        match opcode {
            8 => {
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                let reason = str::from_utf8(payload.get(2..).unwrap_or_default()).expect("faults would tell").into();
                return Decoded { items, end: End::Close { code, reason, at } };
            }
            9 => items.push(Item::Ping(payload)),
            10 => items.push(Item::Pong(payload)),
            _ => {
                let mut message = open.take().unwrap_or(Unfinished { is_text: opcode == 1, frames: 0, bytes: vec![] });
                message.frames += 1;
                message.bytes.extend(payload);
                match (fin, message.is_text) {
                    (false, _) => open = Some(message),
                    (true, true) => {
                        items.push(Item::Text(String::from_utf8(message.bytes).expect("faults would tell")))
                    }
                    (true, false) => items.push(Item::Binary(message.bytes)),
                }
            }
        }
    }
}

/// Splits the frame off the front of `input`, whatever it is; `None` while it is incomplete.
pub fn frame(input: &[u8]) -> Option<Frame> {
    let header = header(input)?;
    let size = usize::try_from(header.len).ok()?.checked_add(header.size)?;
    Some(Frame {
        fin: input[0] & 0x80 != 0,
        rsv: input[0] >> 4 & 0b111,
        opcode: input[0] & 0x0F,
        masked: header.key.is_some(),
        payload: unmask(input.get(header.size..size)?, header.key),
        size,
    })
}

/// A message whose last frame has not come.
struct Unfinished {
    is_text: bool,
    frames: u32,
    bytes: Vec<u8>,
}

struct Header {
    len: u64,
    key: Option<[u8; 4]>,
    size: usize,
}

fn header(input: &[u8]) -> Option<Header> {
    let second = *input.get(1)?;
    let (len, end) = match second & 0x7F {
        126 => (u64::from(u16::from_be_bytes(*input.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*input.get(2..)?.first_chunk()?), 10),
        len => (u64::from(len), 2),
    };
    if second & 0x80 == 0 {
        return Some(Header { len, key: None, size: end });
    }
    Some(Header { len, key: Some(*input.get(end..)?.first_chunk()?), size: end + 4 })
}

fn unmask(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or([0; 4]);
    payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect()
}

/// All that is wrong with the frame at the front of `input`, each with how many of its bytes it takes to see it. Only
/// the first counts: what comes after it may be wrong because of it.
fn faults(input: &[u8], open: Option<&Unfinished>, rules: &Rules) -> Vec<(usize, Fault)> {
    let mut faults = vec![];
    let Some(&first) = input.first() else { return faults };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
    let is_control = opcode >= 8;

    // RFC 6455 §5.2, §5.4, §5.5: what the first byte tells.
    let mut wrong = |seen: usize, is_wrong: bool, fault: Fault| {
        if is_wrong {
            faults.push((seen, fault));
        }
    };
    wrong(1, first & 0x70 != 0, Fault::ReservedBits);
    wrong(1, !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10), Fault::ReservedOpcode);
    wrong(1, is_control && !fin, Fault::FragmentedControl);
    wrong(1, opcode == 0 && open.is_none(), Fault::UnexpectedContinuation);
    wrong(1, matches!(opcode, 1 | 2) && open.is_some(), Fault::UnfinishedMessage);

    // RFC 6455 §5.1, §5.5: the second.
    let Some(&second) = input.get(1) else { return faults };
    let is_masked = second & 0x80 != 0;
    wrong(2, rules.masked && !is_masked, Fault::Unmasked);
    wrong(2, !rules.masked && is_masked, Fault::Masked);
    wrong(2, is_control && second & 0x7F > 125, Fault::ControlTooLong);

    // RFC 6455 §5.2: the length, as soon as it is there; its first bit at once, and six zeros that make it too short.
    wrong(3, second & 0x7F == 127 && input.get(2).is_some_and(|byte| byte & 0x80 != 0), Fault::LengthTooLarge);
    if let Some(short) = input.get(2..).and_then(<[u8]>::first_chunk::<2>) {
        wrong(4, second & 0x7F == 126 && u16::from_be_bytes(*short) < 126, Fault::NonMinimalLength);
    }
    wrong(8, second & 0x7F == 127 && input.get(2..8) == Some(&[0; 6]), Fault::NonMinimalLength);

    // RFC 6455 §10.4: the limits, at the end of the header.
    let Some(Header { len, key, size }) = header(input) else { return faults };
    let before = open.map_or(0, |message| message.bytes.len());
    let over = |limit: Option<usize>, len: u128| limit.is_some_and(|limit| len > limit as u128);
    if !is_control {
        let frames = open.map_or(0, |message| message.frames) + 1;
        wrong(size, over(rules.frame, len.into()), Fault::FrameTooBig);
        wrong(size, over(rules.message, before as u128 + u128::from(len)), Fault::MessageTooBig);
        wrong(size, rules.fragments.is_some_and(|limit| frames > limit.max(1)), Fault::TooManyFragments);
    }

    // RFC 6455 §8.1: text, as far as it is there.
    let there = usize::try_from(len).unwrap_or(usize::MAX).min(input.len() - size);
    let is_whole = there as u64 == len;
    let payload = unmask(&input[size..size + there], key);
    let is_text = open.map_or(opcode == 1, |message| message.is_text);
    if !is_control && is_text {
        let mut text = open.map_or(vec![], |message| message.bytes.clone());
        text.extend(&payload);
        if let Some(valid) = longest_beginning_of_text(&text) {
            wrong(size + valid + 1 - before, true, Fault::InvalidUtf8);
        }
        wrong(size + there, is_whole && fin && str::from_utf8(&text).is_err(), Fault::InvalidUtf8);
    }

    // RFC 6455 §5.5.1, §7.4: what a Close frame says.
    if opcode == 8 && is_whole {
        wrong(size + there, there == 1, Fault::TruncatedCloseCode);
        if let Some((code, reason)) = payload.split_first_chunk::<2>() {
            let code = u16::from_be_bytes(*code);
            let may_travel = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            wrong(size + there, !may_travel, Fault::InvalidCloseCode);
            wrong(size + there, str::from_utf8(reason).is_err(), Fault::InvalidCloseReason);
        }
    }
    faults
}

/// How many bytes can be the beginning of some text, when not all of `bytes` can: the byte that follows is the one that
/// nothing could put right.
fn longest_beginning_of_text(bytes: &[u8]) -> Option<usize> {
    let is_beginning = |len: usize| match str::from_utf8(&bytes[..len]) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if is_beginning(bytes.len()) {
        return None;
    }
    let valid = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
    (valid..bytes.len()).rev().find(|&len| is_beginning(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Rules = Rules { masked: true, frame: Some(20), message: Some(30), fragments: Some(3) };
    const CLIENT: Rules = Rules { masked: false, frame: None, message: None, fragments: None };

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 6455 §5.7.
        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let end = End::Open { midway: false };
        assert_eq!(decode(masked, &SERVER), Decoded { items: vec![Item::Text("Hello".into())], end });
        let fragmented = b"\x01\x03Hel\x89\x05Hello\x80\x02lo\x8a\x00\x82\x7e";
        let items = vec![Item::Ping(b"Hello".into()), Item::Text("Hello".into()), Item::Pong(vec![])];
        assert_eq!(decode(fragmented, &CLIENT), Decoded { items, end: End::Open { midway: true } });
    }

    #[test]
    fn every_fault_is_seen_at_its_byte() {
        use Fault::*;
        for (input, expected, at) in [
            (&b"\xc1"[..], &[ReservedBits][..], 1),
            (b"\x3b", &[ReservedBits, ReservedOpcode, FragmentedControl], 1),
            (b"\x80", &[UnexpectedContinuation], 1),
            (b"\x02\x00\x01", &[UnfinishedMessage], 3),
            (b"\x89\x80", &[Masked], 2),
            (b"\x89\x7e", &[ControlTooLong], 2),
            (b"\x82\x7e\x00\x7d", &[NonMinimalLength], 4),
            (b"\x82\x7f\x80", &[LengthTooLarge], 3),
            (b"\x82\x7f\x00\x00\x00\x00\x00\x00", &[NonMinimalLength], 8),
            (b"\x81\x7e\x01\x00abc\xed\xa0", &[InvalidUtf8], 9),
            (b"\x01\x01\xe2\x80\x01a", &[InvalidUtf8], 6),
            (b"\x01\x01\xe2\x80\x00", &[InvalidUtf8], 5),
            (b"\x88\x01\x03", &[TruncatedCloseCode], 3),
            (b"\x88\x03\x03\xed\xff", &[InvalidCloseCode, InvalidCloseReason], 5),
        ] {
            let Decoded { end, .. } = decode(input, &CLIENT);
            assert_eq!(end, End::Fault { faults: expected.into(), at }, "{input:02x?}");
            assert!(matches!(decode(&input[..at - 1], &CLIENT).end, End::Open { .. }), "{input:02x?} less a byte");
        }
    }

    #[test]
    fn limits_count_at_the_end_of_the_header() {
        let key = [0; 4];
        let frames = |lens: &[u8]| -> Vec<u8> {
            let frame = |(i, &len): (usize, &u8)| {
                [&[if i == 0 { 2 } else { 0 }, 0x80 | len][..], &key, &vec![7; len.into()]].concat()
            };
            lens.iter().enumerate().flat_map(frame).collect()
        };
        for (lens, expected, at) in [
            (&[21][..], Fault::FrameTooBig, 6),
            (&[20, 11], Fault::MessageTooBig, 32),
            (&[0, 0, 0, 0], Fault::TooManyFragments, 24),
        ] {
            let end = End::Fault { faults: vec![expected], at };
            assert_eq!(decode(&frames(lens), &SERVER).end, end);
        }
        assert_eq!(decode(&frames(&[20, 10, 0]), &SERVER).end, End::Open { midway: true });
    }

    #[test]
    fn nothing_counts_after_a_close() {
        let end = End::Close { code: Some(1000), reason: "bye".into(), at: 7 };
        assert_eq!(decode(b"\x88\x05\x03\xe8bye\xff\xff", &CLIENT).end, end);
        let end = End::Close { code: None, reason: String::new(), at: 2 };
        assert_eq!(decode(b"\x88\x00", &CLIENT).end, end);
    }
}
