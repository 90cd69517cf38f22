//! A row of the table for a limit on what comes in: what takes so much of it, accepted or refused.

use ws_proto::{Cause, Config, Delivery, Limits, Role, Violation};

use super::*;
use crate::common::*;

/// The limits on what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Message,
    Frame,
    Fragments,
}

/// How a limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Default,
    To(usize),
    Off,
}

impl Limit {
    pub(crate) fn default(self) -> usize {
        match self {
            Self::Message | Self::Frame => MIB,
            Self::Fragments => 16_384,
        }
    }

    /// A configuration with this limit as it is set and the other two out of the way.
    pub(crate) fn config(self, setting: Setting, delivery: Delivery) -> Config {
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

    pub(crate) fn violation(self, limit: usize) -> Violation {
        match self {
            Self::Message => Violation::MessageTooBig { limit },
            Self::Frame => Violation::FrameTooBig { limit },
            Self::Fragments => Violation::TooManyFragments { limit: limit as u32 },
        }
    }
}

/// What a peer sends, around the header that decides.
pub(crate) struct Case {
    pub(crate) before: Vec<u8>,
    pub(crate) deciding: Vec<u8>,
    pub(crate) after: Vec<u8>,
    /// The payload of the message that ends with it, if it ends.
    pub(crate) message: Option<Vec<u8>>,
}

impl Case {
    pub(crate) fn all(&self) -> Vec<u8> {
        [&self.before[..], &self.deciding, &self.after].concat()
    }
}

/// What a case is made for: so much of a limit.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) limit: Limit,
    pub(crate) role: Role,
    pub(crate) is_text: bool,
    pub(crate) amount: usize,
}

/// The compressed column.
pub(crate) fn compressed(of: Amount) -> Vec<Case> {
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
pub(crate) fn cases(shape: Shape, of: Amount) -> Vec<Case> {
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
pub(crate) fn assert_accepted(role: Role, config: &Config, case: &Case, what: &str) {
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
pub(crate) fn assert_refused(role: Role, config: &Config, case: &Case, violation: Violation, what: &str) {
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
pub(crate) fn payload(event: &Seen) -> Option<Vec<u8>> {
    match event {
        Seen::Text(text) => Some(text.as_bytes().into()),
        Seen::Binary(bytes) => Some(bytes.clone()),
        _ => None,
    }
}

/// One row of the table; how many cells it had.
pub(crate) fn row(limit: Limit, setting: Setting) -> usize {
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
