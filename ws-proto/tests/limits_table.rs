//! Every limit there is, as a table: exactly at it all is well, one over it is refused; in one frame, in many
//! fragments, compressed, and incomplete; by default, set to something else, and off; for both roles and both ways to
//! hand messages out. (How each limit is found, and what it says, is in `limits_10_4`.)
//!
//! | limit | one frame | fragments | compressed | incomplete |
//! | --- | --- | --- | --- | --- |
//! | `limits.message` | a whole message | two frames and a ping | one frame, two frames | never ends: one frame, two frames |
//! | `limits.frame` | a whole message | the second frame | one frame | never ends: first frame, second frame |
//! | `limits.fragments` | counts as one | empty frames and others | empty frames | never ends |
//! | `limits.pending_pongs` | pings in one read | among fragments | among compressed fragments | cut into bytes, one never ends |
//! | a close reason: 123 bytes | alone | amid a message | is never compressed | the header alone |
//! | `limits.high_water`, `limits.hard_cap` | `send` | `send_fragment`, last | `send_with` | `send_fragment`, not last |
//!
//! The other limits live elsewhere; [`ELSEWHERE`] names the tests that cover them, and their being there is a test.

mod common;

use std::path::Path;

use common::*;
use ws_proto::{
    Buf, Cause, CloseCode, CloseFrame, Config, Delivery, Limits, Message, Role, SendError, Transport, Violation,
};

const MIB: usize = 1 << 20;
const DELIVERIES: [Delivery; 2] = [Delivery::Messages, Delivery::Chunks];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OneFrame,
    Fragments,
    Compressed,
    Incomplete,
}

const SHAPES: [Shape; 4] = [Shape::OneFrame, Shape::Fragments, Shape::Compressed, Shape::Incomplete];

/// The limits on what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Message,
    Frame,
    Fragments,
}

/// How a limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Default,
    To(usize),
    Off,
}

impl Limit {
    fn default(self) -> usize {
        match self {
            Self::Message | Self::Frame => MIB,
            Self::Fragments => 16_384,
        }
    }

    /// A configuration with this limit as it is set and the other two out of the way.
    fn config(self, setting: Setting, delivery: Delivery) -> Config {
        let defaults = Limits::default();
        config(|config| {
            config.delivery = delivery;
            let Limits { message, frame, fragments, .. } = &mut config.limits;
            (*message, *frame, *fragments) = (None, None, None);
            let set = match setting {
                Setting::Default => None,
                Setting::To(limit) => Some(Some(limit)),
                Setting::Off => Some(None),
            };
            match self {
                Self::Message => *message = set.unwrap_or(defaults.message),
                Self::Frame => *frame = set.unwrap_or(defaults.frame),
                Self::Fragments => *fragments = set.map_or(defaults.fragments, |set| set.map(|limit| limit as u32)),
            }
        })
    }

    fn violation(self, limit: usize) -> Violation {
        match self {
            Self::Message => Violation::MessageTooBig { limit },
            Self::Frame => Violation::FrameTooBig { limit },
            Self::Fragments => Violation::TooManyFragments { limit: limit as u32 },
        }
    }
}

/// What a peer sends, around the header that decides.
struct Case {
    before: Vec<u8>,
    deciding: Vec<u8>,
    after: Vec<u8>,
    /// The payload of the message that ends with it, if it ends.
    message: Option<Vec<u8>>,
}

impl Case {
    fn all(&self) -> Vec<u8> {
        [&self.before[..], &self.deciding, &self.after].concat()
    }
}

/// What a case is made for: so much of a limit.
#[derive(Clone, Copy)]
struct Amount {
    limit: Limit,
    role: Role,
    is_text: bool,
    amount: usize,
}

/// The bit that a compressed message begins with.
const RSV1: u8 = 0x40;

/// An end with which compression was agreed on, where there is any.
fn agreed_end(role: Role, config: &Config) -> End {
    #[allow(unused_mut)]
    let mut end = End::new(role, config);
    #[cfg(feature = "deflate")]
    end.connection.set_deflate(Some(ws_proto::deflate::Agreed {
        send_window_bits: 15,
        receive_window_bits: 15,
        send_context_takeover: false,
        receive_context_takeover: false,
        level: 6,
        mem_level: 8,
        threshold: usize::MAX,
    }));
    end
}

/// How many cases the compressed column has for a limit.
const COMPRESSED: usize = if cfg!(feature = "deflate") { 1 } else { 0 };

/// Bytes as DEFLATE that does not make them shorter (RFC 1951 §3.2.4), and the end of a message. So it is known which byte
/// inflates to which.
fn stored(payload: &[u8]) -> Vec<u8> {
    let mut data = vec![];
    for block in payload.chunks(0xFFFF) {
        let len = block.len() as u16;
        data.push(0x00);
        data.extend(len.to_le_bytes());
        data.extend((!len).to_le_bytes());
        data.extend(block);
    }
    data.push(0x00);
    data
}

/// The compressed column.
fn compressed(of: Amount) -> Vec<Case> {
    let Amount { limit, role, is_text, amount } = of;
    let begins = RSV1 | if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
    let x = vec![b'x'; amount];
    let data = stored(&x);
    // What decides is the last byte that inflates to something.
    let case = |frames: Vec<u8>| {
        let at = frames.len() - if amount == 0 { 1 } else { 2 };
        let (before, rest) = frames.split_at(at);
        let (deciding, after) = rest.split_at(1);
        Case { before: before.into(), deciding: deciding.into(), after: after.into(), message: Some(x.clone()) }
    };
    match limit {
        _ if COMPRESSED == 0 => vec![],
        Limit::Message => {
            let (front, back) = data.split_at(data.len() / 2);
            vec![
                case(to(role, begins | LAST, &data)),
                case([to(role, begins, front), to(role, PING, "p"), to(role, LAST, back)].concat()),
            ]
        }
        Limit::Frame => vec![case(to(role, begins | LAST, &data))],
        Limit::Fragments => {
            let empty = amount.saturating_sub(1);
            let before = (0..empty).flat_map(|n| to(role, if n == 0 { begins } else { CONTINUES }, "")).collect();
            let first = LAST | if empty == 0 { begins } else { CONTINUES };
            let header = header_to(role, first, 1);
            let after = to(role, first, [0x00])[header.len()..].to_vec();
            vec![Case { before, deciding: header, after, message: Some(vec![]) }]
        }
    }
}

/// What takes so much of a limit in this shape, in every way there is.
fn cases(shape: Shape, of: Amount) -> Vec<Case> {
    let Amount { limit, role, is_text, amount } = of;
    let begins = if is_text { TEXT_BEGINS } else { BINARY_BEGINS };
    let whole = begins | LAST;
    let x = |n| vec![b'x'; n];
    let masked = |n: usize| to(role, whole, x(n))[header_to(role, whole, n as u64).len()..].to_vec();
    let case = |before: Vec<u8>, first: u8, len: usize, arrived: usize, message: Option<usize>| Case {
        before,
        deciding: header_to(role, first, len as u64),
        after: masked(arrived),
        message: message.map(x),
    };
    let amid = |len: usize| [to(role, begins, x(len)), to(role, PING, "p")].concat();
    let (front, back) = (amount / 2, amount - amount / 2);

    match (limit, shape) {
        (_, Shape::Compressed) => compressed(of),

        (Limit::Message | Limit::Frame, Shape::OneFrame) => vec![case(vec![], whole, amount, amount, Some(amount))],
        (Limit::Message, Shape::Fragments) => vec![
            case(amid(front), LAST, back, back, Some(amount)),
            case([amid(front), to(role, CONTINUES, "")].concat(), LAST, back, back, Some(amount)),
        ],
        (Limit::Message, Shape::Incomplete) => vec![
            case(vec![], begins, amount, amount.saturating_sub(1), None),
            case(amid(front), CONTINUES, back, back, None),
            case(amid(front), CONTINUES, back, 0, None),
        ],

        (Limit::Frame, Shape::Fragments) => vec![
            case(amid(amount.clamp(1, 2) - 1), LAST, amount, amount, Some(amount + amount.clamp(1, 2) - 1)),
            case(vec![], begins, amount, amount, None),
        ],
        (Limit::Frame, Shape::Incomplete) => vec![
            case(vec![], if amount == 0 { begins } else { whole }, amount, amount.saturating_sub(1), None),
            case(amid(0), CONTINUES, amount, amount / 2, None),
        ],

        // Whatever the limit, a message in one frame is never in too many.
        (Limit::Fragments, Shape::OneFrame) => vec![case(vec![], whole, 5, 5, Some(5))],
        (Limit::Fragments, Shape::Fragments | Shape::Incomplete) => {
            let is_last = shape == Shape::Fragments;
            let mut ways = vec![];
            for len in [0, 1] {
                let mut before = vec![];
                for n in 1..amount {
                    before.extend(to(role, if n == 1 { begins } else { CONTINUES }, x(len)));
                    if n % 1000 == 1 {
                        before.extend(to(role, PING, "p"));
                    }
                }
                let first = if amount <= 1 { begins } else { CONTINUES } | if is_last { LAST } else { 0 };
                ways.push(case(before, first, len, len, is_last.then_some(len * amount.max(1))));
            }
            ways
        }
    }
}

/// All of a case in one read, or in reads of some size: a message, or one that is not over.
#[track_caller]
fn assert_accepted(role: Role, config: &Config, case: &Case, what: &str) {
    let input = case.all();
    let sizes = if input.len() < 200_000 { vec![input.len(), 1009] } else { vec![50_021] };
    for size in sizes {
        let mut end = agreed_end(role, config);
        input.chunks(size).for_each(|piece| end.read(piece));
        assert_eq!(end.cause(), None, "{what}");
        let messages: Vec<Vec<u8>> = match config.delivery {
            Delivery::Messages => end.seen.iter().filter_map(payload).collect(),
            Delivery::Chunks => put_together(&end.seen).iter().filter_map(payload).collect(),
            delivery => panic!("{delivery:?} is new"),
        };
        assert!(messages.iter().eq(&case.message), "{what}: {} messages", messages.len());
        end.assert_open();
    }
}

/// Refused with the last byte of the deciding header, in a read of its own or with all that stands around it.
#[track_caller]
fn assert_refused(role: Role, config: &Config, case: &Case, violation: Violation, what: &str) {
    let mut bytewise = agreed_end(role, config);
    bytewise.read(&case.before);
    for byte in &case.deciding {
        assert_eq!(bytewise.cause(), None, "{what}: refused too early");
        bytewise.read([*byte]);
    }
    let mut at_once = agreed_end(role, config);
    at_once.read(case.all());
    for mut end in [bytewise, at_once] {
        assert_eq!(end.cause(), Some(&Cause::Violation(violation)), "{what}");
        assert!(!end.seen.iter().any(|event| payload(event).is_some()), "{what}: delivered nonetheless");
        end.assert_violated(1009, violation);
    }
}

/// The payload of a whole message.
fn payload(event: &Seen) -> Option<Vec<u8>> {
    match event {
        Seen::Text(text) => Some(text.as_bytes().into()),
        Seen::Binary(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// One row of the table; how many cells it had.
fn row(limit: Limit, setting: Setting) -> usize {
    let most = match setting {
        Setting::Default => limit.default(),
        Setting::To(most) => most,
        Setting::Off => usize::MAX,
    };
    let mut cells = 0;
    for shape in SHAPES {
        for role in ROLES {
            for delivery in DELIVERIES {
                let config = limit.config(setting, delivery);
                for is_text in [true, false] {
                    // What is long is not done in every combination.
                    if !matches!(setting, Setting::To(_)) && is_text != (delivery == Delivery::Messages) {
                        continue;
                    }
                    let what = format!("{limit:?} {setting:?}, {shape:?}, {role:?}, {delivery:?}, text {is_text}");
                    // Where there is no limit, more than the default is fine.
                    let fine = if setting == Setting::Off { limit.default() + 1 } else { most };
                    for case in cases(shape, Amount { limit, role, is_text, amount: fine }) {
                        assert_accepted(role, &config, &case, &format!("{what}, at {fine}"));
                        cells += 1;
                    }
                    if setting == Setting::Off || (limit, shape) == (Limit::Fragments, Shape::OneFrame) {
                        continue;
                    }
                    for case in cases(shape, Amount { limit, role, is_text, amount: most + 1 }) {
                        assert_refused(
                            role,
                            &config,
                            &case,
                            limit.violation(most),
                            &format!("{what}, one over {most}"),
                        );
                        cells += 1;
                    }
                }
            }
        }
    }
    cells
}

// ---- what comes in ----

#[test]
fn the_message_limit() {
    assert_eq!(Limits::default().message, Some(MIB));
    for setting in [0, 1, 2, 125, 126, 65_536].map(Setting::To) {
        assert_eq!(row(Limit::Message, setting), (6 + 2 * COMPRESSED) * 2 * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Message, Setting::Default), (6 + 2 * COMPRESSED) * 2 * 4);
    assert_eq!(row(Limit::Message, Setting::Off), (6 + 2 * COMPRESSED) * 4);
}

#[test]
fn the_frame_limit() {
    assert_eq!(Limits::default().frame, Some(MIB));
    for setting in [0, 1, 2, 125, 126, 65_536].map(Setting::To) {
        assert_eq!(row(Limit::Frame, setting), (5 + COMPRESSED) * 2 * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Frame, Setting::Default), (5 + COMPRESSED) * 2 * 4);
    assert_eq!(row(Limit::Frame, Setting::Off), (5 + COMPRESSED) * 4);
}

#[test]
fn the_fragment_limit() {
    assert_eq!(Limits::default().fragments, Some(16_384));
    for setting in [1, 2, 3, 100].map(Setting::To) {
        assert_eq!(row(Limit::Fragments, setting), (1 + (4 + COMPRESSED) * 2) * 8, "{setting:?}");
    }
    assert_eq!(row(Limit::Fragments, Setting::Default), (1 + (4 + COMPRESSED) * 2) * 4);
    assert_eq!(row(Limit::Fragments, Setting::Off), (5 + COMPRESSED) * 4);
}

#[test]
fn a_limit_of_no_fragments_is_a_limit_of_one() {
    for role in ROLES {
        for delivery in DELIVERIES {
            let config = Limit::Fragments.config(Setting::To(0), delivery);
            let mut end = End::new(role, &config);
            end.read_frame(TEXT, "whole");
            end.assert_open();
            end.read_frame(TEXT_BEGINS, "begins");
            end.assert_open();
            end.read(header_to(role, LAST, 0));
            end.assert_violated(1009, Violation::TooManyFragments { limit: 0 });
        }
    }
}

/// Where both have the same limit, a frame over it is said to be one; a message over it in frames that are not is.
#[test]
fn both_size_limits_at_their_defaults() {
    for role in ROLES {
        let mut end = End::new(role, &Config::default());
        end.read(header_to(role, BINARY, MIB as u64 + 1));
        end.assert_violated(1009, Violation::FrameTooBig { limit: MIB });

        let mut end = End::new(role, &Config::default());
        end.read_frame(BINARY_BEGINS, vec![0; MIB]);
        end.assert_open();
        end.read(header_to(role, LAST, 1));
        end.assert_violated(1009, Violation::MessageTooBig { limit: MIB });
    }
}

#[test]
fn without_limits_a_frame_may_be_as_long_as_a_header_can_say() {
    let config = config(|config| {
        config.limits.message = None;
        config.limits.frame = None;
        config.limits.fragments = None;
    });
    for role in ROLES {
        for first in [TEXT, BINARY, TEXT_BEGINS, BINARY_BEGINS] {
            let mut end = End::new(role, &config);
            end.read(header_to(role, first, (1 << 63) - 1));
            // Its first letters.
            let header = header_to(role, BINARY, 1000).len();
            end.read(&to(role, BINARY, [b'x'; 1000])[header..]);
            end.assert_open();
        }
    }
}

// ---- pings ----

/// Reads `n` numbered pings in this shape; `None` where there is no such shape.
fn pinged(role: Role, config: &Config, shape: Shape, n: u32) -> Option<End> {
    let mut end = agreed_end(role, config);
    end.writable = false;
    let ping = |i: u32| to(role, PING, i.to_be_bytes());
    match shape {
        Shape::OneFrame => end.read((1..=n).flat_map(ping).collect::<Vec<u8>>()),
        Shape::Fragments => {
            end.read_frame(TEXT_BEGINS, "");
            for i in 1..=n {
                end.read(ping(i));
                end.read_frame(CONTINUES, "x");
            }
            end.read_frame(LAST, "");
            assert_eq!(put_together(&end.seen).last(), Some(&text(&"x".repeat(n as usize))));
        }
        Shape::Compressed if COMPRESSED == 0 => return None,
        Shape::Compressed => {
            let payload = vec![b'x'; n as usize];
            end.read_frame(TEXT_BEGINS | RSV1, "");
            for (i, byte) in (1..).zip(stored(&payload)) {
                if i <= n {
                    end.read(ping(i));
                }
                end.read_frame(CONTINUES, [byte]);
            }
            end.read_frame(LAST, "");
            assert_eq!(put_together(&end.seen).last(), Some(&text(&"x".repeat(n as usize))));
        }
        Shape::Incomplete => {
            for i in 1..=n {
                ping(i).iter().for_each(|byte| end.read([*byte]));
            }
            end.read(&ping(n + 1)[..3]);
        }
    }
    Some(end)
}

#[test]
fn the_limit_on_pending_pongs() {
    assert_eq!(Limits::default().pending_pongs, 16);
    // What is set, and what it comes to.
    for (setting, limit) in [(None, 16), (Some(0), 2), (Some(1), 2), (Some(2), 2), (Some(3), 3), (Some(100), 100)] {
        for role in ROLES {
            for delivery in DELIVERIES {
                let config = config(|config| {
                    config.delivery = delivery;
                    config.limits.pending_pongs = setting.unwrap_or(config.limits.pending_pongs);
                });
                for shape in SHAPES {
                    // At the limit each is answered; past it the newest stands for those between.
                    for n in [limit, limit + 1, limit + 2, 10 * limit] {
                        let Some(mut end) = pinged(role, &config, shape, n) else { continue };
                        let frame = from(role, PONG, [0; 4]).len();
                        assert_eq!(end.connection.queued(), n.min(limit) as usize * frame);
                        end.take(usize::MAX);
                        let expected: Vec<u32> = (1..limit).chain([n]).collect();
                        let answered = end.payloads(PONG);
                        let expected: Vec<Vec<u8>> = expected.iter().map(|i| i.to_be_bytes().to_vec()).collect();
                        assert_eq!(answered, expected, "{shape:?}, {n} pings, at most {limit} pongs");
                        end.writable = true;
                        end.assert_open();
                    }
                }
            }
        }
    }
}

// ---- close reasons ----

#[test]
fn a_close_reason_that_is_sent_is_cut_at_123_bytes() {
    assert_eq!(CloseFrame::MAX_REASON, 123);
    for (reason, cut) in [
        ("x".repeat(122), 122),
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        ("x".repeat(100_000), 123),
        ("é".repeat(61), 122),
        ("é".repeat(62), 122),
        (format!("x{}", "é".repeat(61)), 123),
        (format!("x{}", "é".repeat(62)), 123),
        ("€".repeat(41), 123),
        ("€".repeat(42), 123),
        (format!("xx{}", "€".repeat(41)), 122),
        ("😀".repeat(31), 120),
        (format!("xxx{}", "😀".repeat(30)), 123),
        (format!("xxx{}", "😀".repeat(31)), 123),
    ] {
        for role in ROLES {
            for shape in SHAPES {
                let mut end = End::new(role, &Config::default());
                match shape {
                    Shape::OneFrame => {}
                    Shape::Fragments => end.connection.send_fragment("amid a message".into(), false).unwrap(),
                    Shape::Compressed => continue, // control frames never are
                    Shape::Incomplete => end.read(header_to(role, TEXT, 5)),
                }
                end.close(1000, &reason);
                assert_eq!(end.payloads(CLOSE), [close_body(1000, &reason[..cut])]);
                end.read(to(role, CLOSE, close_body(1000, "")).repeat(1));
                if shape != Shape::Incomplete {
                    let sent = end.outcome().unwrap().sent.clone().unwrap();
                    assert_eq!((sent.code, &*sent.reason), (CloseCode::NORMAL, &reason[..cut]));
                }
            }
        }
    }
}

#[test]
fn a_close_reason_that_is_received_has_at_most_123_bytes() {
    for role in ROLES {
        for shape in SHAPES {
            let before = match shape {
                Shape::Compressed => continue, // control frames never are
                Shape::Fragments => to(role, TEXT_BEGINS, "amid a message"),
                Shape::OneFrame | Shape::Incomplete => vec![],
            };
            let fits = to(role, CLOSE, close_body(1000, [b'r'; 123]));
            // Two bytes of header say it all.
            let over = header_to(role, CLOSE, 126)[..2].to_vec();
            let mut end = End::new(role, &Config::default());
            end.read(&before);
            if shape == Shape::Incomplete {
                end.read(&fits[..fits.len() - 1]);
                end.assert_open();
            } else {
                end.read(&fits);
                assert_eq!(end.outcome().map(|outcome| outcome.reason().len()), Some(123));
                assert!(end.outcome().is_some_and(|outcome| outcome.is_normal()));
            }
            let mut end = End::new(role, &Config::default());
            end.read(&before);
            end.read(&over[..1]);
            end.assert_open();
            end.read(&over[1..]);
            end.assert_violated(1002, Violation::ControlTooLong);
        }
    }
}

// ---- what goes out ----

/// A client's frames are longer by the key.
fn overhead(role: Role, len: usize) -> usize {
    header(BINARY, len as u64, (role == Role::Client).then_some(KEY)).len()
}

/// An end that writes nothing and has exactly `queued` bytes queued.
fn filled(role: Role, config: &Config, shape: Shape, queued: usize) -> End {
    let mut end = if shape == Shape::Compressed { agreed_end(role, config) } else { End::new(role, config) };
    end.writable = false;
    if matches!(shape, Shape::Fragments | Shape::Incomplete) {
        end.connection.send_fragment(Message::from(vec![]), false).unwrap();
    }
    while end.connection.queued() < queued {
        let left = queued - end.connection.queued();
        // Frames that end exactly there: none is too short to be one.
        let len = (0..=left).rev().find(|&len| {
            let frame = len + overhead(role, len);
            frame <= left && (frame == left || left - frame > 20)
        });
        // Not compressed, whatever the shape: exactly so long.
        let shape = if shape == Shape::Compressed { Shape::OneFrame } else { shape };
        send(&mut end, shape, vec![7; len.expect("a frame can be that short")]).unwrap();
    }
    assert_eq!(end.connection.queued(), queued);
    end
}

fn send(end: &mut End, shape: Shape, payload: Vec<u8>) -> Result<(), SendError<Message>> {
    match shape {
        Shape::OneFrame => end.connection.send(payload.into()),
        // What counts is how long it is, not what it becomes.
        #[cfg(feature = "deflate")]
        Shape::Compressed => end.connection.send_with(payload.into(), ws_proto::deflate::Compress::Always),
        #[cfg(not(feature = "deflate"))]
        Shape::Compressed => unreachable!("there is no compression"),
        Shape::Fragments | Shape::Incomplete => end.connection.send_fragment(payload.into(), false),
    }
}

/// The last of `payload` in this shape.
fn send_last(end: &mut End, shape: Shape, payload: Vec<u8>) -> Result<(), SendError<Message>> {
    match shape {
        Shape::Fragments => end.connection.send_fragment(payload.into(), true),
        shape => send(end, shape, payload),
    }
}

#[test]
fn high_water_mark_and_hard_cap() {
    let defaults = Limits::default();
    assert_eq!((defaults.high_water, defaults.hard_cap), (64 << 10, MIB + (64 << 10)));
    /// The most bytes of header there are, counted for every message.
    const HEADER: usize = 14;
    for (high_water, hard_cap) in [(64 << 10, MIB + (64 << 10)), (100, 200), (100, 100), (1000, 0), (0, 1000)] {
        let config = config(|config| {
            config.limits.high_water = high_water;
            config.limits.hard_cap = hard_cap;
        });
        for role in ROLES {
            for shape in SHAPES {
                if shape == Shape::Compressed && COMPRESSED == 0 {
                    continue;
                }
                if high_water > 0 {
                    // One below the mark: no need to wait, and room for anything.
                    let mut end = filled(role, &config, shape, high_water - 1);
                    assert!(!end.connection.is_above_high_water());
                    send_last(&mut end, shape, vec![7; 2 * hard_cap]).unwrap();
                    assert!(end.connection.is_above_high_water());
                    assert!(send_last(&mut end, Shape::OneFrame, vec![7; hard_cap]).is_err());
                }
                if high_water < 20 {
                    continue;
                }
                // At the mark: wait; and what is sent nonetheless must stay below the cap.
                let mut end = filled(role, &config, shape, high_water);
                assert!(end.connection.is_above_high_water());
                let room = hard_cap.checked_sub(high_water + HEADER);
                let over = vec![7; room.map_or(0, |room| room + 1)];
                let refused = send_last(&mut end, shape, over.clone());
                assert_eq!(refused, Err(SendError::Full(Message::from(over))), "{role:?}, {shape:?}");
                assert_eq!(end.connection.queued(), high_water, "nothing was queued");
                if let Some(room) = room {
                    send_last(&mut end, shape, vec![7; room]).unwrap();
                    assert!(end.connection.queued() <= hard_cap);
                }
                // Pings are refused like messages, but not what the protocol owes.
                let queued = end.connection.queued();
                assert_eq!(end.connection.ping(end.now).is_err(), queued + 8 + HEADER > hard_cap);
                end.read_frame(PING, "p");
                end.close(1000, "");
                end.take(usize::MAX);
                assert_eq!((end.payloads(PONG).len(), end.payloads(CLOSE).len()), (1, 1));
                end.read_frame(CLOSE, close_body(1000, ""));
                assert!(end.outcome().is_some_and(|outcome| outcome.is_normal()));
                assert_ne!(end.transport(), Transport::Close);
            }
        }
    }
}

#[test]
fn from_an_empty_queue_the_mark_of_zero_leaves_only_the_cap() {
    let config = config(|config| {
        config.limits.high_water = 0;
        config.limits.hard_cap = 1000;
    });
    for role in ROLES {
        let mut end = End::new(role, &config);
        assert!(end.connection.is_above_high_water());
        assert!(matches!(end.connection.send(vec![7; 1000 - 13].into()), Err(SendError::Full(_))));
        end.connection.send(vec![7; 1000 - 14].into()).unwrap();
        assert!(end.connection.outgoing().remaining() <= 1000);
    }
}

// ---- elsewhere ----

/// Limits that this table does not reach, and the tests that cover them: what it is, in which file, which tests.
const ELSEWHERE: &[(&str, &str, &[&str])] = &[
    (
        "1 MiB of input discarded after an error Close",
        "ws-proto/tests/transport.rs",
        &["after_a_fault_up_to_one_mib_is_discarded", "how_much_is_discarded_can_be_set"],
    ),
    (
        "16 KiB a minute is progress",
        "ws-proto/tests/deadlines.rs",
        &["sixteen_kib_a_minute_is_progress_and_a_byte_less_is_not", "progress_can_be_set"],
    ),
    ("1,024 pings that nobody has answered", "ws-proto/tests/memory.rs", &["pings_that_nobody_answers_do_not_add_up"]),
    (
        "a request's head: 16 KiB, 100 headers, a target of 8 KiB",
        "ws-proto/tests/handshake_server.rs",
        &["h17_too_many_headers", "h17_head_too_large", "h18_target_too_long", "limits_can_be_set"],
    ),
    (
        "a response's head: 16 KiB, 100 headers; 64 KiB of a rejection's body",
        "ws-proto/tests/handshake_client.rs",
        &["limits", "k1_the_body_of_a_rejection"],
    ),
    ("64 KiB of a rejection's body", "tests/adapters/answers.rs", &["of_an_endless_body_the_first_64_kib_are_kept"]),
    (
        "16 messages in the inbound queue",
        "ws-endpoint/tests/endpoint/pressure.rs",
        &["with_16_messages_waiting_reading_stops_until_half_are_taken", "the_size_of_the_inbound_queue_can_be_set"],
    ),
    (
        "the high-water mark and the hard cap, as senders see them",
        "ws-endpoint/tests/endpoint/pressure.rs",
        &["send_waits_above_the_high_water_mark_and_goes_on_below_it", "try_send_hands_the_message_back_at_the_cap"],
    ),
    (
        "1,024 opening handshakes at a time",
        "tests/adapters/limits.rs",
        &["further_handshakes_wait_for_those_under_way", "handshakes_that_come_together_wait_too"],
    ),
];

/// What is not there yet, and the file that will have come with it: then it belongs into the table, or into
/// [`ELSEWHERE`].
const NOT_YET: &[(&str, &str)] = &[("a hub's subscriber: 256 messages or 1 MiB", "ws-endpoint/src/hub")];

#[test]
fn the_tests_of_the_other_limits_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in a folder");
    for (limit, file, tests) in ELSEWHERE {
        // A package on its own has no neighbours to look into.
        let package = file.split('/').next().expect("a path has a beginning");
        if !root.join(package).join("Cargo.toml").exists() {
            continue;
        }
        let source =
            std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{limit}: {file}: {error}"));
        for test in *tests {
            assert!(source.contains(&format!("fn {test}(")), "{limit}: no test {test} in {file}");
        }
    }
    for (limit, path) in NOT_YET {
        let exists = root.join(path).exists() || root.join(format!("{path}.rs")).exists();
        assert!(!exists, "{path} is there: {limit} needs its tests");
    }
}
