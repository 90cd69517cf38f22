//! Streams, and who reads them.

use super::made_up::*;
use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use ws_proto::{Buf, Config, Delivery, Role};

/// A frame as a peer writes it, or something else.
#[derive(Clone, Debug)]
pub(crate) enum Bit {
    Message {
        payload: Payload,
        fragments: Vec<Index>,
        pings: bool,
    },
    Control {
        first: u8,
        len: usize,
    },
    Close {
        code: u16,
        reason: String,
    },
    /// Any first byte, masked or not.
    Frame {
        first: u8,
        payload: Payload,
        wrong_mask: bool,
    },
    Noise(Vec<u8>),
}

pub(crate) fn any_bit() -> impl Strategy<Value = Bit> {
    prop_oneof![
        8 => (any_payload(5000), vec(any::<Index>(), 0..4), any::<bool>())
            .prop_map(|(payload, fragments, pings)| Bit::Message { payload, fragments, pings }),
        4 => (select(&[PING, PING, PONG][..]), 0..126usize).prop_map(|(first, len)| Bit::Control { first, len }),
    ]
}

pub(crate) fn any_bad_bit() -> impl Strategy<Value = Bit> {
    let code = prop_oneof![4 => select(&[1000, 1001, 1002, 1011, 3000, 4999][..]), 1 => any::<u16>()];
    prop_oneof![
        2 => (code, "\\PC{0,40}").prop_map(|(code, reason)| Bit::Close { code, reason }),
        1 => (any::<u8>(), any_payload(200), proptest::bool::weighted(0.2))
            .prop_map(|(first, payload, wrong_mask)| Bit::Frame { first, payload, wrong_mask }),
        1 => vec(any::<u8>(), 0..40).prop_map(Bit::Noise),
    ]
}

impl Bit {
    /// Its bytes, as the peer of `role` writes them.
    pub(crate) fn bytes(&self, role: Role) -> Vec<u8> {
        match self {
            Self::Message { payload, fragments, pings } => {
                let bytes = payload.bytes();
                let mut ends: Vec<usize> = fragments.iter().map(|index| index.index(bytes.len() + 1)).collect();
                ends.sort();
                let opcode = if matches!(payload, Payload::Text { .. }) { TEXT_BEGINS } else { BINARY_BEGINS };
                let (mut out, mut start) = (vec![], 0);
                for (i, end) in ends.iter().enumerate() {
                    out.extend(to(role, if i == 0 { opcode } else { CONTINUES }, &bytes[start..*end]));
                    if *pings {
                        out.extend(to(role, PING, i.to_string()));
                    }
                    start = *end;
                }
                out.extend(to(role, if ends.is_empty() { opcode | LAST } else { LAST }, &bytes[start..]));
                out
            }
            Self::Control { first, len } => to(role, *first, vec![b'c'; *len]),
            Self::Close { code, reason } => {
                let mut end = reason.len().min(123);
                while !reason.is_char_boundary(end) {
                    end -= 1;
                }
                to(role, CLOSE, close_body(*code, &reason[..end]))
            }
            Self::Frame { first, payload, wrong_mask: false } => to(role, *first, payload.bytes()),
            Self::Frame { first, payload, wrong_mask: true } => to(peer(role), *first, payload.bytes()),
            Self::Noise(bytes) => bytes.clone(),
        }
    }
}

/// Something done to a stream on its way.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

pub(crate) fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Truncate),
    ]
}

impl Damage {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
            Self::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(bytes.len()))),
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

/// What the peer of an end sends.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) bits: Vec<Bit>,
    pub(crate) damage: Vec<Damage>,
}

pub(crate) fn any_stream() -> impl Strategy<Value = Stream> {
    let good = || vec(any_bit(), 0..8);
    let bits =
        || (good(), vec(any_bad_bit(), 0..2), vec(any_bit(), 0..2)).prop_map(|bits| [bits.0, bits.1, bits.2].concat());
    prop_oneof![
        2 => good().prop_map(|bits| Stream { bits, damage: vec![] }),
        3 => bits().prop_map(|bits| Stream { bits, damage: vec![] }),
        4 => (bits(), vec(any_damage(), 1..4)).prop_map(|(bits, damage)| Stream { bits, damage }),
        1 => vec(any::<u8>(), 0..200).prop_map(|noise| Stream { bits: vec![Bit::Noise(noise)], damage: vec![] }),
    ]
}

impl Stream {
    pub(crate) fn bytes(&self, role: Role) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.bits.iter().flat_map(|bit| bit.bytes(role)).collect();
        self.damage.iter().for_each(|damage| damage.apply(&mut bytes));
        bytes
    }
}

/// How an end is set up, and what its application does.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) delivery: Delivery,
    pub(crate) limits: Small,
    /// Whether messages are sent back.
    pub(crate) echoes: bool,
    /// Whether answers to the end are put off.
    pub(crate) holds_close: bool,
    /// After how many messages it closes.
    pub(crate) closes_after: Option<usize>,
}

/// Limits that are easy to reach; the default where there is none.
#[derive(Clone, Debug)]
pub(crate) struct Small {
    pub(crate) message: Option<usize>,
    pub(crate) frame: Option<usize>,
    pub(crate) fragments: Option<u32>,
    pub(crate) pending_pongs: Option<usize>,
    pub(crate) high_water: Option<usize>,
    pub(crate) hard_cap: Option<usize>,
}

impl Setup {
    pub(crate) fn config(&self) -> Config {
        config(|config| {
            config.delivery = self.delivery;
            let (limits, small) = (&mut config.limits, &self.limits);
            limits.message = small.message.or(limits.message);
            limits.frame = small.frame.or(limits.frame);
            limits.fragments = small.fragments.or(limits.fragments);
            limits.pending_pongs = small.pending_pongs.unwrap_or(limits.pending_pongs);
            limits.high_water = small.high_water.unwrap_or(limits.high_water);
            limits.hard_cap = small.hard_cap.unwrap_or(limits.hard_cap);
        })
    }
}

pub(crate) fn any_setup() -> impl Strategy<Value = Setup> {
    let or_default = |limits: &[usize]| prop_oneof![2 => Just(None), 1 => select(limits.to_vec()).prop_map(Some)];
    let limits = (
        or_default(&[0, 1, 100, 125, 300, 5000]),
        or_default(&[0, 1, 100, 125, 300, 5000]),
        or_default(&[1, 2, 3]),
        or_default(&[2, 3, 5]),
        or_default(&[0, 1, 50, 1000]),
        or_default(&[0, 100, 200, 2000]),
    )
        .prop_map(|(message, frame, fragments, pending_pongs, high_water, hard_cap)| Small {
            message,
            frame,
            fragments: fragments.map(|limit| limit as u32),
            pending_pongs,
            high_water,
            hard_cap,
        });
    let closes_after = prop_oneof![3 => Just(None), 1 => (0..4usize).prop_map(Some)];
    (any_role(), any_delivery(), limits, any::<bool>(), any::<bool>(), closes_after).prop_map(
        |(role, delivery, limits, echoes, holds_close, closes_after)| Setup {
            role,
            delivery,
            limits,
            echoes,
            holds_close,
            closes_after,
        },
    )
}

/// Something that a driver may ask at any time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    Outgoing,
    PollTimeout,
    Transport,
    HandleTimeout,
    Queries,
}

pub(crate) fn any_polls() -> impl Strategy<Value = Vec<Question>> {
    use Question::*;
    vec(select(&[Outgoing, PollTimeout, Transport, HandleTimeout, Queries][..]), 0..6)
}

/// An end with its application.
pub(crate) struct Subject {
    pub(crate) end: End,
    pub(crate) setup: Setup,
    pub(crate) messages: usize,
}

impl Subject {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut end = end(setup.role, &setup.config());
        end.connection.hooks().set_hold_close(setup.holds_close);
        Self { end, setup: setup.clone(), messages: 0 }
    }

    /// One read; `between` is done before each event is asked for.
    pub(crate) fn read(&mut self, bytes: &[u8], polls: &[Question]) {
        let mut buffer = bytes.to_vec();
        let mut input = buffer.as_mut_slice();
        loop {
            self.poll(polls);
            let Some(event) = self.end.connection.receive(&mut input, self.end.now) else { break };
            let event = Seen::from(event);
            self.react(&event);
            self.saw(event);
        }
        assert!(input.is_empty(), "input is left over");
    }

    /// The application answers a message before the next event is looked at.
    pub(crate) fn react(&mut self, event: &Seen) {
        let connection = &mut self.end.connection;
        match event {
            // Refused at the cap, and when our Close is out.
            Seen::Text(text) if self.setup.echoes => drop(connection.send_text(text)),
            Seen::Binary(bytes) if self.setup.echoes => drop(connection.send(bytes.clone().into())),
            Seen::Chunk { last: true, .. } if self.setup.echoes => drop(connection.send_text("thank you")),
            _ => {}
        }
        if matches!(event, Seen::Text(_) | Seen::Binary(_) | Seen::Chunk { last: true, .. }) {
            self.messages += 1;
            if self.setup.closes_after == Some(self.messages) {
                connection.close(close_frame(4000, "enough"), self.end.now).unwrap();
            }
        }
    }

    pub(crate) fn saw(&mut self, event: Seen) {
        assert!(self.end.outcome().is_none(), "{event:?} after Closed");
        self.end.seen.push(event);
    }

    pub(crate) fn poll(&mut self, polls: &[Question]) {
        let (connection, now) = (&mut self.end.connection, self.end.now);
        for poll in polls {
            match poll {
                Question::Outgoing => drop(connection.outgoing().chunk().len()),
                Question::PollTimeout => drop(connection.poll_timeout(now)),
                Question::Transport => drop(connection.transport_state()),
                // Early: a driver that is late reads first.
                Question::HandleTimeout if connection.poll_timeout(now).is_none_or(|deadline| deadline > now) => {
                    assert_eq!(connection.handle_timeout(now), None, "nothing is due");
                }
                Question::HandleTimeout => {}
                Question::Queries => {
                    let _ =
                        (connection.is_open(), connection.hooks().is_close_held(), connection.is_above_high_water());
                    let _ = (connection.queued(), connection.latency(), connection.role(), connection.config());
                }
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self) {
        if let Some(event) = self.end.connection.handle_timeout(self.end.now) {
            self.saw(event.into());
        }
    }

    /// The rest is written, and the transport ends.
    pub(crate) fn finish(mut self) -> Ending {
        if let Some(event) = self.end.connection.hooks().release_close(self.end.now) {
            self.saw(event.into());
        }
        self.end.take(usize::MAX);
        if let Some(event) = self.end.connection.receive_eof(self.end.now) {
            self.saw(event.into());
        }
        self.end.take(usize::MAX);
        self.end.assert_over();
        if self.end.connection.outgoing().queued() == self.end.written.len() as u64 {
            self.end.frames(); // they are well-formed
        }
        // A message that did not end was handed out in part, and how much of it depends on the reads.
        Ending { seen: put_together(&self.end.seen), written: self.end.written }
    }
}

/// All that an end has reported, and all it has written.
#[derive(Debug, PartialEq)]
pub(crate) struct Ending {
    pub(crate) seen: Vec<Seen>,
    pub(crate) written: Vec<u8>,
}

impl Ending {
    /// How many pongs were asked for.
    pub(crate) fn pings(&self) -> usize {
        self.seen.iter().filter(|event| matches!(event, Seen::Ping(_))).count()
    }
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn however_a_stream_is_cut_events_and_bytes_are_the_same(
        setup in any_setup(), stream in any_stream(), cuts in any_cuts(), more in any_cuts(), polls in any_polls()
    ) {
        let bytes = stream.bytes(setup.role);
        let run = |pieces: Vec<&[u8]>, polls: &[Question], writes: bool| {
            let mut subject = Subject::new(&setup);
            for piece in pieces {
                subject.read(piece, polls);
                if writes {
                    subject.end.take(usize::MAX);
                    subject.end.settle();
                }
            }
            subject.finish()
        };
        let whole = run(vec![&bytes], &[], false);
        prop_assert_eq!(&run(cuts.pieces(&bytes), &[], false), &whole);
        prop_assert_eq!(&run(more.pieces(&bytes), &polls, false), &whole);
        // Writing as one goes changes nothing either, as long as no pong has to wait for room and nothing is refused.
        let limits = setup.config().limits;
        let roomy = limits.hard_cap > 100_000 || !setup.echoes;
        if whole.pings() < limits.pending_pongs && roomy {
            prop_assert_eq!(&run(more.pieces(&bytes), &[], true), &whole);
        }
    }
}
