//! Decoding undoes encoding.

use super::made_up::*;
use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use ws_proto::frame::{FrameHeader, OpCode, codec, mask};
use ws_proto::utf8::Utf8Stream;
use ws_proto::{Buf, CloseCode, Message};

pub(crate) fn any_header() -> impl Strategy<Value = FrameHeader> {
    use OpCode::*;
    let edges = vec![0, 125, 126, 127, 65_535, 65_536, u64::from(u32::MAX), (1 << 63) - 1];
    let len = prop_oneof![select(edges), 0..200u64, 0..100_000u64, any::<u64>().prop_map(|len| len >> 1)];
    (select(&[Continuation, Text, Binary, Close, Ping, Pong][..]), any::<bool>(), 0..8u8, any::<Option<[u8; 4]>>(), len)
        .prop_map(|(opcode, fin, rsv, mask, len)| match opcode.is_control() {
            true => FrameHeader { fin: true, rsv, opcode, mask, len: len % 126 },
            false => FrameHeader { fin, rsv, opcode, mask, len },
        })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn headers_are_decoded_as_they_were_encoded(header in any_header(), behind: Vec<u8>) {
        let mut bytes = vec![];
        codec::encode(&header, &mut bytes);
        let size = bytes.len();
        let len_size = match header.len { 0..126 => 0, 126..0x1_0000 => 2, _ => 8 };
        prop_assert_eq!(size, 2 + len_size + if header.mask.is_some() { 4 } else { 0 });
        for end in 0..size {
            prop_assert_eq!(codec::decode(&bytes[..end]), Ok(None));
        }
        bytes.extend(behind);
        prop_assert_eq!(codec::decode(&bytes), Ok(Some((header, size))));
    }

    #[test]
    fn decoded_headers_are_those_that_would_be_encoded(mut bytes in vec(any::<u8>(), 0..20), plausible: bool) {
        if plausible && let [first, second, ..] = &mut bytes[..] {
            *first = *first & 0xF8 | [0, 1, 2][usize::from(*first % 3)];
            *second |= [0, 126, 127][usize::from(*second % 3)];
        }
        match codec::decode(&bytes) {
            Ok(Some((header, size))) => {
                let mut encoded = vec![];
                codec::encode(&header, &mut encoded);
                prop_assert_eq!(&encoded, &bytes[..size]);
            }
            Ok(None) => prop_assert!(bytes.len() < FrameHeader::MAX_SIZE),
            Err(violation) => {
                prop_assert_eq!(violation.close_code(), CloseCode::PROTOCOL_ERROR);
                // It stays wrong, whatever follows.
                bytes.extend([0; 14]);
                prop_assert_eq!(codec::decode(&bytes), Err(violation));
            }
        }
    }

    #[test]
    fn masking_twice_changes_nothing_however_it_is_cut(payload in any_payload(5000), key: [u8; 4], cuts in any_cuts()) {
        let bytes = payload.bytes();
        let mut out = vec![1, 2, 3];
        mask::append(&mut out, &bytes, key);
        let masked = out.split_off(3);
        prop_assert!(masked.iter().zip(&bytes).enumerate().all(|(i, (masked, byte))| masked ^ byte == key[i % 4]));
        let (mut next, mut unmasked) = (key, vec![]);
        for piece in cuts.pieces(&masked) {
            let mut piece = piece.to_vec();
            next = mask::apply(&mut piece, next);
            unmasked.extend(piece);
        }
        prop_assert_eq!(unmasked, bytes);
    }

    #[test]
    fn text_is_refused_at_the_byte_that_makes_it_invalid(
        text: String, noise in vec((any::<Index>(), any::<u8>()), 0..3), cut: Index, cuts in any_cuts()
    ) {
        let mut bytes = text.into_bytes();
        for (index, byte) in noise {
            let at = index.index(bytes.len() + 1);
            bytes.insert(at, byte);
        }
        bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
        // What the library's own decoder says of each beginning.
        let hopeless = |bytes: &[u8]| std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_some());
        let mut stream = Utf8Stream::default();
        let (mut out, mut arrived) = (String::new(), 0);
        for piece in cuts.pieces(&bytes) {
            arrived += piece.len();
            match stream.push(piece) {
                Ok((head, body)) => {
                    prop_assert!(!hopeless(&bytes[..arrived]));
                    out.extend(head);
                    out.push_str(body);
                }
                Err(_) => {
                    prop_assert!(hopeless(&bytes[..arrived]));
                    return Ok(());
                }
            }
        }
        prop_assert_eq!(stream.finish().is_ok(), std::str::from_utf8(&bytes).is_ok());
        prop_assert!(bytes.starts_with(out.as_bytes()));
        prop_assert!(bytes.len() - out.len() < 4);
    }
}

/// What an application sends.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    Whole(Payload),
    Slice(Payload),
    Fragments(Vec<Payload>),
    Ping,
}

pub(crate) fn any_say(most: usize) -> impl Strategy<Value = Say> {
    prop_oneof![
        3 => any_payload(most).prop_map(Say::Whole),
        1 => any_payload(most).prop_map(Say::Slice),
        2 => vec(any_payload(most), 1..5).prop_map(Say::Fragments),
        1 => Just(Say::Ping),
    ]
}

impl Say {
    /// Sends it; the message that it makes, when it is sent.
    pub(crate) fn send(&self, end: &mut End) -> Option<Seen> {
        let connection = &mut end.connection;
        match self {
            Self::Whole(payload) => connection.send(payload.message()).ok().map(|()| payload.seen(payload.bytes())),
            Self::Slice(payload) => {
                let sent = match payload.message() {
                    Message::Text(text) => connection.send_text(&text),
                    Message::Binary(bytes) => connection.send_binary(&bytes),
                };
                sent.ok().map(|()| payload.seen(payload.bytes()))
            }
            Self::Fragments(fragments) => {
                let mut all = vec![];
                for (i, fragment) in fragments.iter().enumerate() {
                    let fragment = fragments[0].alike(fragment);
                    connection.send_fragment(fragment.message(), i + 1 == fragments.len()).ok()?;
                    all.extend(fragment.bytes());
                    if i % 2 == 1 {
                        let _ = connection.ping(end.now);
                    }
                }
                Some(fragments[0].seen(all))
            }
            Self::Ping => {
                let _ = connection.ping(end.now);
                None
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn messages_arrive_as_they_were_sent(
        role in any_role(), delivery in any_delivery(), says in vec(any_say(70_000), 0..6),
        writes in any_cuts(), reads in any_cuts()
    ) {
        let mut from = end(role, &config(|config| config.limits.high_water = usize::MAX));
        let said: Vec<Seen> = says.iter().filter_map(|say| say.send(&mut from)).collect();
        for &n in writes.0.iter().cycle() {
            if !from.connection.outgoing().has_remaining() {
                break;
            }
            from.take(n);
        }
        from.frames(); // as somebody else reads them

        let mut to = end(peer(role), &config(|config| config.delivery = delivery));
        for piece in reads.pieces(&from.written) {
            to.receive(piece);
        }
        prop_assert_eq!(messages(&to.seen), said);
        to.assert_open_so_far();
        prop_assert_eq!(to.deadline(), Some(at(20)), "nothing is half-way in");
    }
}
