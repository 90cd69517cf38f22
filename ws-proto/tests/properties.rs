//! What holds whatever is sent, received and waited for. Each property is tried on inputs that are generated anew each
//! time; a failure prints the smallest input that fails, to be written down as a test of its own beside the others.
//! (So nothing is kept in `proptest-regressions`.) `PROPTEST_CASES=100000` tries longer, `PROPTEST_RNG_SEED=1` repeats.
//!
//! - Decoding undoes encoding: headers, masks, messages by either role, fragmented or not, whole or in chunks.
//! - However a stream is cut, good, damaged or noise: the same events, the same bytes out.
//! - In which order and how often a connection is asked what it wants changes neither.
//! - Time may stand still, jump, even run backwards: no panic, no deadline left in the past, no busy loop.
//! - Two ends over a link that is slow, or dies: both end, and agree as far as they can; see [`assert_agreement`].

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use ws_proto::frame::{FrameHeader, OpCode, codec, mask};
use ws_proto::utf8::Utf8Stream;
use ws_proto::{
    Buf, Cause, CloseCode, Config, Connection, Delivery, Message, Outcome, Role, Timestamp, Transport, Violation,
};

/// So many cases, unless the environment says otherwise.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { default.cases } else { cases };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

// ---- what is made up ----

fn any_role() -> impl Strategy<Value = Role> {
    select(&ROLES[..])
}

fn any_delivery() -> impl Strategy<Value = Delivery> {
    select(&[Delivery::Messages, Delivery::Chunks][..])
}

/// Text or bytes that are short to print however long they are.
#[derive(Clone, Debug)]
enum Payload {
    Text { word: String, times: usize },
    Binary { byte: u8, len: usize },
}

impl Payload {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text { word, times } => word.repeat(*times).into_bytes(),
            Self::Binary { byte, len } => vec![*byte; *len],
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::Text { word, times } => word.repeat(*times).into(),
            Self::Binary { byte, len } => vec![*byte; *len].into(),
        }
    }

    /// A message of this kind that is whole.
    fn seen(&self, bytes: Vec<u8>) -> Seen {
        match self {
            Self::Text { .. } => Seen::Text(String::from_utf8(bytes).unwrap()),
            Self::Binary { .. } => Seen::Binary(bytes),
        }
    }

    /// Another one of the same kind.
    fn alike(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Text { .. }, Self::Binary { len, .. }) => Self::Text { word: "κ".into(), times: *len / 2 },
            (Self::Binary { .. }, Self::Text { times, .. }) => Self::Binary { byte: 0xFF, len: *times },
            _ => other.clone(),
        }
    }
}

fn any_payload(most: usize) -> impl Strategy<Value = Payload> {
    let edges = [0, 1, 2, 124, 125, 126, 127, 4095, 4096, 65_535, 65_536];
    let edges: Vec<usize> = edges.into_iter().filter(|&len| len <= most).collect();
    let len = prop_oneof![3 => 0..200usize, 1 => select(edges)];
    prop_oneof![
        (any::<String>(), 0..3usize).prop_map(|(word, times)| Payload::Text { word, times }),
        len.clone().prop_map(|times| Payload::Text { word: "x".into(), times }),
        (0..most.min(3000) / 4).prop_map(|times| Payload::Text { word: "é😀".into(), times: times / 2 }),
        (any::<u8>(), len).prop_map(|(byte, len)| Payload::Binary { byte, len }),
    ]
}

/// The sizes of reads or writes, one after the other, over and over.
#[derive(Clone, Debug)]
struct Cuts(Vec<usize>);

fn any_cuts() -> impl Strategy<Value = Cuts> {
    let size = prop_oneof![4 => 1..10usize, 2 => 10..300usize, 1 => 300..70_000usize];
    prop_oneof![1 => Just(Cuts(vec![1])), 6 => vec(size, 1..8).prop_map(Cuts)]
}

impl Cuts {
    fn pieces<'a>(&self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = vec![];
        for &size in self.0.iter().cycle() {
            if bytes.is_empty() {
                break;
            }
            let (piece, rest) = bytes.split_at(size.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// An end of a connection whose client uses a new key for each frame.
fn end(role: Role, config: &Config) -> End {
    let mut n = 0u32;
    let keys = move || {
        n = n.wrapping_mul(0x9E37_79B9).wrapping_add(0x7F4A_7C15);
        n.to_be_bytes()
    };
    let connection = match role {
        Role::Server => Connection::server(config.clone(), Timestamp::ZERO),
        Role::Client => Connection::client(config.clone(), keys, Timestamp::ZERO),
    };
    End { connection, now: Timestamp::ZERO, seen: vec![], written: vec![], writable: false }
}

fn peer(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// The messages among events, put together where they came in chunks.
fn messages(seen: &[Seen]) -> Vec<Seen> {
    let mut seen = put_together(seen);
    seen.retain(|event| matches!(event, Seen::Text(_) | Seen::Binary(_)));
    seen
}

// ---- decoding undoes encoding ----

fn any_header() -> impl Strategy<Value = FrameHeader> {
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
    fn what_decodes_is_what_would_have_been_encoded(mut bytes in vec(any::<u8>(), 0..20), plausible: bool) {
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
enum Say {
    Whole(Payload),
    Slice(Payload),
    Fragments(Vec<Payload>),
    Ping,
}

fn any_say(most: usize) -> impl Strategy<Value = Say> {
    prop_oneof![
        3 => any_payload(most).prop_map(Say::Whole),
        1 => any_payload(most).prop_map(Say::Slice),
        2 => vec(any_payload(most), 1..5).prop_map(Say::Fragments),
        1 => Just(Say::Ping),
    ]
}

impl Say {
    /// Sends it; the message that it makes, when it is sent.
    fn send(&self, end: &mut End) -> Option<Seen> {
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

// ---- streams, and who reads them ----

/// A frame as a peer writes it, or something else.
#[derive(Clone, Debug)]
enum Bit {
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

fn any_bit() -> impl Strategy<Value = Bit> {
    prop_oneof![
        8 => (any_payload(5000), vec(any::<Index>(), 0..4), any::<bool>())
            .prop_map(|(payload, fragments, pings)| Bit::Message { payload, fragments, pings }),
        4 => (select(&[PING, PING, PONG][..]), 0..126usize).prop_map(|(first, len)| Bit::Control { first, len }),
    ]
}

fn any_bad_bit() -> impl Strategy<Value = Bit> {
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
    fn bytes(&self, role: Role) -> Vec<u8> {
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
enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Truncate),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
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
struct Stream {
    bits: Vec<Bit>,
    damage: Vec<Damage>,
}

fn any_stream() -> impl Strategy<Value = Stream> {
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
    fn bytes(&self, role: Role) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.bits.iter().flat_map(|bit| bit.bytes(role)).collect();
        self.damage.iter().for_each(|damage| damage.apply(&mut bytes));
        bytes
    }
}

/// How an end is set up, and what its application does.
#[derive(Clone, Debug)]
struct Setup {
    role: Role,
    delivery: Delivery,
    limits: Small,
    /// Whether messages are sent back.
    echoes: bool,
    /// Whether answers to the end are put off.
    puts_off: bool,
    /// After how many messages it closes.
    closes_after: Option<usize>,
}

/// Limits that are easy to reach; the default where there is none.
#[derive(Clone, Debug)]
struct Small {
    message: Option<usize>,
    frame: Option<usize>,
    fragments: Option<u32>,
    pending_pongs: Option<usize>,
    high_water: Option<usize>,
    hard_cap: Option<usize>,
}

impl Setup {
    fn config(&self) -> Config {
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

fn any_setup() -> impl Strategy<Value = Setup> {
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
        |(role, delivery, limits, echoes, puts_off, closes_after)| Setup {
            role,
            delivery,
            limits,
            echoes,
            puts_off,
            closes_after,
        },
    )
}

/// Something that a driver may ask at any time.
#[derive(Clone, Copy, Debug)]
enum Question {
    Outgoing,
    PollTimeout,
    Transport,
    HandleTimeout,
    Queries,
}

fn any_polls() -> impl Strategy<Value = Vec<Question>> {
    use Question::*;
    vec(select(&[Outgoing, PollTimeout, Transport, HandleTimeout, Queries][..]), 0..6)
}

/// An end with its application.
struct Subject {
    end: End,
    setup: Setup,
    messages: usize,
}

impl Subject {
    fn new(setup: &Setup) -> Self {
        let mut end = end(setup.role, &setup.config());
        end.connection.set_putting_off(setup.puts_off);
        Self { end, setup: setup.clone(), messages: 0 }
    }

    /// One read; `between` is done before each event is asked for.
    fn read(&mut self, bytes: &[u8], polls: &[Question]) {
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
    fn react(&mut self, event: &Seen) {
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

    fn saw(&mut self, event: Seen) {
        assert!(self.end.outcome().is_none(), "{event:?} after Closed");
        self.end.seen.push(event);
    }

    fn poll(&mut self, polls: &[Question]) {
        let (connection, now) = (&mut self.end.connection, self.end.now);
        for poll in polls {
            match poll {
                Question::Outgoing => drop(connection.outgoing().chunk().len()),
                Question::PollTimeout => drop(connection.poll_timeout(now)),
                Question::Transport => drop(connection.transport()),
                // Early: a driver that is late reads first.
                Question::HandleTimeout if connection.poll_timeout(now).is_none_or(|deadline| deadline > now) => {
                    assert_eq!(connection.handle_timeout(now), None, "nothing is due");
                }
                Question::HandleTimeout => {}
                Question::Queries => {
                    let _ = (connection.is_open(), connection.is_ending(), connection.is_above_high_water());
                    let _ = (connection.queued(), connection.latency(), connection.role(), connection.config());
                }
            }
        }
    }

    fn handle_timeout(&mut self) {
        if let Some(event) = self.end.connection.handle_timeout(self.end.now) {
            self.saw(event.into());
        }
    }

    /// The rest is written, and the transport ends.
    fn finish(mut self) -> Ending {
        if let Some(event) = self.end.connection.conclude(self.end.now) {
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
struct Ending {
    seen: Vec<Seen>,
    written: Vec<u8>,
}

impl Ending {
    /// How many pongs were asked for.
    fn pings(&self) -> usize {
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

// ---- polling ----

/// What happens in one round of a driver: time passes, there is a read, there is a write.
#[derive(Clone, Debug)]
struct Round {
    passes: Duration,
    reads: usize,
    writes: usize,
    says: Option<Say>,
    /// What it asks beside what it should: first, after reading, after sending, after writing, last.
    polls: [Vec<Question>; 5],
}

fn any_round() -> impl Strategy<Value = Round> {
    let passes = select(&[0, 0, 0, 1, 500, 5000, 19_000, 20_000, 30_000][..]).prop_map(Duration::from_millis);
    let size = || prop_oneof![2 => Just(0), 2 => 1..20usize, 1 => 20..2000usize, 1 => Just(usize::MAX)];
    let polls = (any_polls(), any_polls(), any_polls(), any_polls(), any_polls());
    (passes, size(), size(), proptest::option::weighted(0.2, any_say(300)), polls).prop_map(
        |(passes, reads, writes, says, polls)| Round {
            passes,
            reads,
            writes,
            says,
            polls: [polls.0, polls.1, polls.2, polls.3, polls.4],
        },
    )
}

proptest! {
    #![proptest_config(cases(600))]

    /// While the clock stands still (it does within a round), asking changes nothing, wherever it is done. Between two
    /// events of one read it is not done here: a driver looks at deadlines after a read, not during it. (With the clock
    /// standing still altogether, it is: the property above asks before every event.)
    #[test]
    fn the_order_of_polling_changes_neither_bytes_nor_events(
        setup in any_setup(), stream in any_stream(), rounds in vec(any_round(), 1..30)
    ) {
        let bytes = stream.bytes(setup.role);
        let run = |polls: bool| {
            let ask = |subject: &mut Subject, round: &Round, place: usize| {
                if polls {
                    subject.poll(&round.polls[place]);
                }
            };
            let mut subject = Subject::new(&setup);
            let (mut rest, mut transports) = (&bytes[..], vec![]);
            for round in &rounds {
                subject.end.now = subject.end.now + round.passes;
                ask(&mut subject, round, 0);
                let (piece, left) = rest.split_at(round.reads.min(rest.len()));
                rest = left;
                subject.read(piece, &[]);
                ask(&mut subject, round, 1);
                if let Some(say) = &round.says {
                    say.send(&mut subject.end);
                }
                ask(&mut subject, round, 2);
                subject.end.take(round.writes);
                ask(&mut subject, round, 3);
                subject.handle_timeout();
                ask(&mut subject, round, 4);
                transports.push((subject.end.transport(), subject.end.deadline(), subject.end.written.len()));
            }
            subject.read(rest, &[]);
            (subject.finish(), transports)
        };
        prop_assert_eq!(run(true), run(false));
    }
}

// What the property has found, each on its own.

#[test]
fn a_pong_that_waits_counts_as_queued_whether_or_not_it_has_been_asked_for() {
    for role in ROLES {
        for asks in [false, true] {
            let tight = config(|config| (config.limits.high_water, config.limits.hard_cap) = (1, 0));
            let mut end = end(role, &tight);
            end.read_frame(PING, "p");
            if asks {
                end.connection.outgoing();
            }
            assert!(end.connection.is_above_high_water());
            assert!(end.connection.send_text("").is_err(), "asked: {asks}");
            assert!(end.connection.ping(end.now).is_err(), "asked: {asks}");
        }
    }
}

#[test]
fn a_pong_goes_out_before_a_ping_that_comes_after_it() {
    for role in ROLES {
        for asks in [false, true] {
            for keepalive in [false, true] {
                let mut end = end(role, &Config::default());
                end.receive(to(role, PING, "p"));
                if asks {
                    end.connection.outgoing();
                }
                if keepalive {
                    end.now = at(20);
                    assert_eq!(end.connection.handle_timeout(end.now), None);
                } else {
                    end.connection.ping(end.now).unwrap();
                }
                end.take(usize::MAX);
                let sent: Vec<u8> = end.frames().iter().map(|frame| frame.first).collect();
                assert_eq!(sent, [PONG, PING], "asked: {asks}, keepalive: {keepalive}");
            }
        }
    }
}

// ---- time ----

/// What happens next, to an end whose clock does as it likes.
#[derive(Clone, Debug)]
enum Step {
    Passes(Duration),
    /// The clock is set back.
    Back(Duration),
    Reads(usize),
    Writes(usize),
    Says(Say),
    Pauses(bool),
    Closes,
    Concludes,
    Eof,
    Fails,
}

fn any_step() -> impl Strategy<Value = Step> {
    let nanos = [0, 1, 1_000_000, 999_999_999].map(Duration::from_nanos);
    let seconds = [1, 2, 10, 20, 30, 60, 61, 3600, 1 << 20, 1 << 40, u64::MAX / 4, u64::MAX].map(secs);
    let time = move || select([&nanos[..], &seconds[..]].concat());
    let size = || prop_oneof![1..20usize, 20..2000usize, Just(usize::MAX)];
    prop_oneof![
        8 => time().prop_map(Step::Passes),
        1 => time().prop_map(Step::Back),
        6 => size().prop_map(Step::Reads),
        4 => size().prop_map(Step::Writes),
        3 => any_say(300).prop_map(Step::Says),
        1 => any::<bool>().prop_map(Step::Pauses),
        1 => Just(Step::Closes),
        1 => Just(Step::Concludes),
        1 => Just(Step::Eof),
        1 => Just(Step::Fails),
    ]
}

/// Deadlines of any length, also of none.
#[derive(Clone, Debug)]
struct Times {
    optional: [Option<Duration>; 4],
    others: [Duration; 3],
}

fn any_times() -> impl Strategy<Value = Times> {
    let time = || {
        prop_oneof![
            3 => select(&[1, 20, 60, 3600][..]).prop_map(secs),
            1 => select(vec![Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(1), Duration::MAX]),
        ]
    };
    let optional = || proptest::option::weighted(0.9, time());
    ([optional(), optional(), optional(), optional()], [time(), time(), time()])
        .prop_map(|(optional, others)| Times { optional, others })
}

impl Times {
    fn set(&self, config: &mut Config) {
        let deadlines = &mut config.deadlines;
        [deadlines.ping_interval, deadlines.pong, deadlines.message_progress, deadlines.write_stall] = self.optional;
        [deadlines.close, deadlines.answer, deadlines.discard] = self.others;
    }
}

impl Subject {
    /// Acts on what is due until nothing is. Of deadlines of no length one can follow from the other; but a driver that
    /// is told of the past again and again is in a busy loop.
    #[track_caller]
    fn act(&mut self) {
        for round in 0.. {
            assert!(round < 4, "still due: {:?}", self.end.connection);
            self.handle_timeout();
            if self.end.deadline().is_none_or(|deadline| deadline > self.end.now) {
                break;
            }
        }
        assert_eq!(self.end.connection.handle_timeout(self.end.now), None, "nothing is due");
        assert_eq!(self.end.deadline(), self.end.deadline(), "asking does not change the answer");
    }

    fn step(&mut self, step: &Step, rest: &mut &[u8]) {
        let now = self.end.now;
        let connection = &mut self.end.connection;
        match step {
            // The end of time is a test of its own.
            Step::Passes(time) => self.end.now = (now + *time).min(Timestamp::new(Duration::MAX - secs(1))),
            Step::Back(time) => self.end.now = Timestamp::new(now.since_origin().saturating_sub(*time)),
            Step::Reads(n) => {
                let (piece, left) = rest.split_at((*n).min(rest.len()));
                *rest = left;
                self.read(piece, &[]);
            }
            Step::Writes(n) => self.end.take(*n),
            Step::Says(say) => drop(say.send(&mut self.end)),
            Step::Pauses(paused) => connection.set_paused(*paused, now),
            Step::Closes => connection.close(close_frame(1000, ""), now).unwrap(),
            Step::Concludes => {
                if let Some(event) = connection.conclude(now) {
                    self.saw(event.into());
                }
            }
            Step::Eof => {
                if let Some(event) = connection.receive_eof(now) {
                    self.saw(event.into());
                }
            }
            Step::Fails => {
                if let Some(event) = connection.fail() {
                    self.saw(event.into());
                }
            }
        }
        self.end.transport();
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn time_may_stand_still_or_jump(
        setup in any_setup(), times in any_times(), stream in any_stream(), steps in vec(any_step(), 1..40)
    ) {
        let bytes = stream.bytes(setup.role);
        let mut rest = &bytes[..];
        let mut subject = Subject::new(&setup);
        subject.end = end(setup.role, &config(|config| {
            *config = setup.config();
            times.set(config);
        }));
        subject.end.connection.set_putting_off(setup.puts_off);
        for step in &steps {
            subject.step(step, &mut rest);
            subject.act();
        }

        // From here on it wakes up when it must, and not much more often than its intervals say.
        let [ping, pong, progress, _] = times.optional;
        let interval = [ping, pong, progress].into_iter().flatten().min().unwrap_or(secs(1)).max(Duration::from_millis(1));
        let until = subject.end.now + interval.saturating_mul(20);
        let mut wakes = 0;
        while let Some(deadline) = subject.end.deadline().filter(|&deadline| deadline < until) {
            prop_assert!(deadline > subject.end.now);
            subject.end.now = deadline;
            subject.act();
            subject.end.take(usize::MAX);
            subject.end.transport();
            subject.act();
            wakes += 1;
            prop_assert!(wakes < 100, "a busy loop");
        }
    }
}

#[test]
fn while_reading_is_paused_a_short_pong_deadline_is_no_busy_loop() {
    for role in ROLES {
        for pong in [Duration::ZERO, Duration::from_nanos(1)] {
            let mut config = keepalive(20, None);
            config.deadlines.pong = Some(pong);
            let mut end = end(role, &config);
            end.connection.set_paused(true, end.now);
            end.writable = true;
            let mut wakes = 0;
            while let Some(deadline) = end.deadline().filter(|&deadline| deadline < at(21)) {
                end.now = end.now.max(deadline);
                assert_eq!(end.connection.handle_timeout(end.now), None, "nobody listens for the pong");
                end.settle();
                wakes += 1;
                assert!(wakes < 3000, "a busy loop");
            }
        }
    }
}

/// A deadline too far ahead to be told is one that never comes, not one that comes over and over.
#[test]
fn at_the_end_of_time_nothing_loops() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for role in ROLES {
            for before in [Duration::ZERO, Duration::from_nanos(1), secs(1), secs(20), secs(60)] {
                for bytes in [vec![], header_to(role, TEXT, 100), to(role, PING, "p"), to(role, CLOSE, "")] {
                    let mut end = end(role, &Config::default());
                    end.read(&bytes);
                    end.now = Timestamp::new(Duration::MAX - before);
                    for _ in 0..3 {
                        end.connection.handle_timeout(end.now);
                        assert!(end.deadline().is_none_or(|deadline| deadline > end.now), "{before:?}, {bytes:?}");
                        end.take(usize::MAX);
                        end.now = Timestamp::new(Duration::MAX);
                    }
                }
            }
        }
        done.send(()).unwrap();
    });
    wait.recv_timeout(secs(20)).expect("it ends, and none is left in the past");
}

// ---- two ends and a link ----

/// One direction of a link. Bytes stay in order, and are lost only with everything behind them.
#[derive(Clone, Debug)]
struct Link {
    latency: Duration,
    /// In bytes a second.
    rate: u64,
    /// The most bytes that travel as one piece, and that are on their way.
    piece: usize,
    window: usize,
    /// After how many bytes it dies, and how.
    dies: Option<(u64, Death)>,
}

/// How a direction dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// Without a sign: what is written after it never arrives, nor does an end.
    Silent,
    /// The reader finds an end of the stream there; the writer finds that it cannot write.
    End,
    /// Both are told that the connection is broken.
    Reset,
}

fn any_link() -> impl Strategy<Value = Link> {
    let latency = select(&[0, 1, 40, 400, 5000][..]).prop_map(Duration::from_millis);
    let rate = select(&[1_000, 20_000, 1_000_000, 100_000_000][..]);
    let piece = select(&[1, 7, 100, 1500, 65_536][..]);
    let window = select(&[1000, 65_536, 1 << 24][..]);
    let after = prop_oneof![2 => 0..30u64, 2 => 0..1000u64, 1 => 0..200_000u64];
    let death = select(&[Death::Silent, Death::End, Death::Reset][..]);
    let dies = prop_oneof![1 => Just(None), 1 => (after, death).prop_map(Some)];
    (latency, rate, piece, window, dies).prop_map(|(latency, rate, piece, window, dies)| {
        // Small pieces on fast links only take long to try.
        let piece = if rate > 1_000_000 {
            piece.max(1000)
        } else if rate > 1000 {
            piece.max(100)
        } else {
            piece
        };
        Link { latency, rate, piece, window, dies }
    })
}

fn any_good_link() -> impl Strategy<Value = Link> {
    (select(&[0, 1, 40, 400][..]), select(&[500, 1500, 65_536][..])).prop_map(|(latency, piece)| Link {
        latency: Duration::from_millis(latency),
        rate: 10_000_000,
        piece,
        window: 1 << 24,
        dies: None,
    })
}

/// How each end is set up.
#[derive(Clone, Debug)]
struct Party {
    delivery: Delivery,
    echoes: bool,
    /// Whether its answers wait for the application, and for how long.
    puts_off: Option<Duration>,
    message_limit: Option<usize>,
}

fn any_parties() -> impl Strategy<Value = [Party; 2]> {
    let puts_off = || proptest::option::of(select(&[0, 1, 900, 5000][..]).prop_map(Duration::from_millis));
    let party = || {
        (any_delivery(), puts_off()).prop_map(|(delivery, puts_off)| Party {
            delivery,
            echoes: false,
            puts_off,
            message_limit: None,
        })
    };
    // Two echoes would never end.
    (party(), party(), proptest::option::of(0..2usize)).prop_map(|(server, client, echo)| {
        let mut parties = [server, client];
        echo.into_iter().for_each(|i| parties[i].echoes = true);
        parties
    })
}

/// What an application does.
#[derive(Clone, Debug)]
enum Act {
    Say(Say),
    /// The first fragment of a message that never ends.
    Begin(Payload),
    Close {
        code: u16,
        reason: String,
    },
    Abort,
}

/// A whole story. It ends with a Close by one end or both, if nothing has ended it before.
#[derive(Clone, Debug)]
struct Story {
    parties: [Party; 2],
    links: [Link; 2],
    /// How long after the one before, by whom, what.
    acts: Vec<(Duration, usize, Act)>,
}

fn any_wait() -> impl Strategy<Value = Duration> {
    select(&[0, 0, 1, 100, 1000, 10_000, 25_000][..]).prop_map(Duration::from_millis)
}

fn any_close() -> impl Strategy<Value = Act> {
    let code = select(&[1000, 1001, 1005, 1011, 3000, 4999][..]);
    (code, prop_oneof![Just(String::new()), "\\PC{0,30}"]).prop_map(|(code, reason)| Act::Close { code, reason })
}

fn any_end() -> impl Strategy<Value = Vec<(Duration, usize, Act)>> {
    let who = select(vec![vec![SERVER], vec![CLIENT], vec![SERVER, CLIENT]]);
    (any_wait(), who, any_close(), any_close()).prop_map(|(wait, who, first, second)| {
        who.into_iter().zip([(wait, first), (Duration::ZERO, second)]).map(|(i, (wait, act))| (wait, i, act)).collect()
    })
}

fn any_story() -> impl Strategy<Value = Story> {
    let act = prop_oneof![
        12 => any_say(20_000).prop_map(Act::Say),
        1 => any_payload(100).prop_map(Act::Begin),
        1 => any_close(),
        1 => Just(Act::Abort),
    ];
    let acts = (vec((any_wait(), 0..2usize, act), 0..8), any_end()).prop_map(|(acts, end)| [acts, end].concat());
    let limit = || prop_oneof![4 => Just(None), 1 => (0..300usize).prop_map(Some)];
    (any_parties(), [limit(), limit()], [any_link(), any_link()], acts).prop_map(
        |(mut parties, limits, links, acts)| {
            [parties[SERVER].message_limit, parties[CLIENT].message_limit] = limits;
            Story { parties, links, acts }
        },
    )
}

fn any_good_story() -> impl Strategy<Value = Story> {
    let acts = (vec((any_wait(), 0..2usize, any_say(20_000).prop_map(Act::Say)), 0..8), any_end());
    let acts = acts.prop_map(|(acts, end)| [acts, end].concat());
    (any_parties(), [any_good_link(), any_good_link()], acts).prop_map(|(parties, links, acts)| Story {
        parties,
        links,
        acts,
    })
}

const SERVER: usize = 0;
const CLIENT: usize = 1;

/// What travels.
#[derive(Debug)]
enum Parcel {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// A direction and what is on it.
struct Wire {
    link: Link,
    /// When the next piece can be put on it.
    free_at: Timestamp,
    parcels: VecDeque<(Timestamp, Parcel)>,
    carried: u64,
    /// How many bytes are on their way, those lost included: nobody says that they have come.
    on_their_way: usize,
    dead: Option<Death>,
}

impl Wire {
    fn put(&mut self, now: Timestamp, parcel: Parcel) {
        if self.dead.is_none() {
            self.parcels.push_back((self.free_at.max(now) + self.link.latency, parcel));
        }
    }
}

/// The two ends as the story goes.
struct World {
    now: Timestamp,
    parties: [Party; 2],
    ends: [End; 2],
    /// What leads away from each end.
    wires: [Wire; 2],
    /// What each end has sent.
    said: [Vec<Seen>; 2],
    /// Whether each has begun a message that it does not end.
    begun: [bool; 2],
    /// When each has closed, if it has.
    closed: [Option<Timestamp>; 2],
    /// Since when an answer waits for the application.
    ending: [Option<Timestamp>; 2],
    /// When each has said that it will write no more, and when it has let go.
    finished: [Option<Timestamp>; 2],
    gone: [Option<Timestamp>; 2],
}

impl World {
    fn new(story: &Story) -> Self {
        let ends = [SERVER, CLIENT].map(|i| {
            let party = &story.parties[i];
            let config = config(|config| {
                config.delivery = party.delivery;
                config.limits.message = party.message_limit.or(config.limits.message);
            });
            let mut end = end([Role::Server, Role::Client][i], &config);
            end.connection.set_putting_off(party.puts_off.is_some());
            end
        });
        let wires = story.links.clone().map(|link| Wire {
            link,
            free_at: Timestamp::ZERO,
            parcels: VecDeque::new(),
            carried: 0,
            on_their_way: 0,
            dead: None,
        });
        let mut world = Self {
            now: Timestamp::ZERO,
            parties: story.parties.clone(),
            ends,
            wires,
            said: [vec![], vec![]],
            begun: [false; 2],
            closed: [None; 2],
            ending: [None; 2],
            finished: [None; 2],
            gone: [None; 2],
        };
        world.die_if_due(SERVER);
        world.die_if_due(CLIENT);
        world
    }

    /// Tells the story to its end.
    #[track_caller]
    fn run(&mut self, story: &Story) {
        let mut acts = VecDeque::new();
        let mut time = Timestamp::ZERO;
        for (wait, i, act) in &story.acts {
            time = time + *wait;
            acts.push_back((time, *i, act));
        }
        // After the last Close: that it is not answered (10 s), or is never heard of, so that the next ping (20 s) is
        // stuck (30 s) or not answered (20 s) and the end takes its time (10 s); and what is under way until then.
        let transit = |link: &Link| link.latency * 2 + Duration::from_secs(link.window.min(200_000) as u64 / link.rate);
        let slack: Duration = story.links.iter().map(transit).sum();
        let latest = time + secs(100) + slack;

        for round in 0.. {
            assert!(round < 1_000_000, "it never comes to rest");
            self.ends.iter_mut().for_each(|end| end.now = self.now);
            while acts.front().is_some_and(|(time, ..)| *time <= self.now) {
                let Some((_, i, act)) = acts.pop_front() else { break };
                self.act(i, act);
            }
            for i in [SERVER, CLIENT] {
                while self.write(i) || self.deliver(i) {}
                self.settle(i);
            }
            let Some(next) = self.next_time(acts.front().map(|(time, ..)| *time)) else { break };
            self.now = self.now.max(next);
            assert!(self.now <= latest, "still there at {:?}: {:?}", self.now, self.ends.each_ref().map(End::outcome));
        }
    }

    fn act(&mut self, i: usize, act: &Act) {
        let end = &mut self.ends[i];
        match act {
            // It would go on with the message that does not end.
            Act::Say(Say::Fragments(_)) if self.begun[i] => {}
            Act::Say(say) => self.said[i].extend(say.send(end)),
            Act::Begin(payload) => self.begun[i] |= end.connection.send_fragment(payload.message(), false).is_ok(),
            Act::Close { code, reason } => {
                if end.connection.is_open() && !end.connection.is_ending() {
                    self.closed[i] = Some(self.now);
                }
                end.close(*code, reason);
            }
            Act::Abort if end.outcome().is_none() => end.abort(),
            Act::Abort => {}
        }
    }

    /// A piece of what an end wants to write.
    fn write(&mut self, i: usize) -> bool {
        let (end, wire) = (&mut self.ends[i], &mut self.wires[i]);
        let room = wire.link.window.saturating_sub(wire.on_their_way).min(wire.link.piece);
        let ready = wire.free_at <= self.now && room > 0 && end.connection.outgoing().has_remaining();
        if self.gone[i].is_some() || !ready {
            return false;
        }
        if matches!(wire.dead, Some(Death::End | Death::Reset)) {
            end.fail();
            return true;
        }
        assert_eq!(self.finished[i], None, "something follows a half-close");
        let left = wire.link.dies.map_or(u64::MAX, |(after, _)| after.saturating_sub(wire.carried));
        let room = if wire.dead.is_none() { room.min(usize::try_from(left).unwrap_or(usize::MAX)) } else { room };
        let before = end.written.len();
        end.take(room);
        let bytes = end.written[before..].to_vec();
        wire.free_at = self.now + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / wire.link.rate);
        wire.on_their_way += bytes.len();
        if wire.dead.is_none() {
            wire.carried += bytes.len() as u64;
            wire.put(self.now, Parcel::Bytes(bytes));
            self.die_if_due(i);
        }
        true
    }

    fn die_if_due(&mut self, i: usize) {
        let wire = &mut self.wires[i];
        let Some((_, death)) = wire.link.dies.filter(|(after, _)| *after <= wire.carried) else { return };
        match death {
            Death::Silent => {}
            Death::End => wire.put(self.now, Parcel::End),
            Death::Reset => {
                wire.put(self.now, Parcel::Reset);
                self.wires[1 - i].put(self.now, Parcel::Reset);
            }
        }
        self.wires[i].dead = Some(death);
    }

    /// What has arrived at an end.
    fn deliver(&mut self, i: usize) -> bool {
        let wire = &mut self.wires[1 - i];
        if wire.parcels.front().is_none_or(|(arrives, _)| *arrives > self.now) {
            return false;
        }
        let Some((_, parcel)) = wire.parcels.pop_front() else { return false };
        if let Parcel::Bytes(bytes) = &parcel {
            wire.on_their_way -= bytes.len();
        }
        let end = &mut self.ends[i];
        match parcel {
            // Nobody is there to read it: its writer is told.
            Parcel::Bytes(_) if self.gone[i].is_some() => self.wires[i].put(self.now, Parcel::Reset),
            _ if self.gone[i].is_some() => {}
            Parcel::Bytes(bytes) => {
                let before = end.seen.len();
                end.read(bytes);
                if self.parties[i].echoes {
                    let echoes: Vec<Seen> = end.seen[before..].to_vec();
                    for event in echoes {
                        let sent = match &event {
                            Seen::Text(text) => end.connection.send_text(text),
                            Seen::Binary(bytes) => end.connection.send_binary(bytes),
                            _ => continue,
                        };
                        self.said[i].extend(sent.is_ok().then_some(event));
                    }
                }
            }
            Parcel::End => end.eof(),
            Parcel::Reset => end.fail(),
        }
        true
    }

    /// Deadlines, the application's answer, and what the protocol asks of the transport.
    #[track_caller]
    fn settle(&mut self, i: usize) {
        let end = &mut self.ends[i];
        if self.gone[i].is_none() && end.deadline().is_some_and(|deadline| deadline <= self.now) {
            end.wake();
        }
        if end.connection.is_ending() {
            let since = *self.ending[i].get_or_insert(self.now);
            if self.parties[i].puts_off.is_some_and(|time| since + time <= self.now) {
                let event = end.connection.conclude(self.now).expect("an answer was put off");
                end.seen.push(event.into());
            }
        }
        let transport = end.transport();
        if transport != Transport::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            self.wires[i].put(self.now, Parcel::End);
        }
        if transport == Transport::Close && self.gone[i].is_none() {
            self.gone[i] = Some(self.now);
        }
    }

    /// When something happens next; `None` when both have let go.
    fn next_time(&mut self, act: Option<Timestamp>) -> Option<Timestamp> {
        if self.gone.iter().all(Option::is_some) {
            return None;
        }
        let mut times: Vec<Timestamp> = act.into_iter().collect();
        for i in [SERVER, CLIENT] {
            let (end, wire) = (&mut self.ends[i], &self.wires[i]);
            times.extend(wire.parcels.front().map(|(arrives, _)| *arrives));
            if self.gone[i].is_none() {
                times.extend(end.deadline());
                let ready = end.connection.outgoing().has_remaining() && wire.on_their_way < wire.link.window;
                times.extend(ready.then_some(wire.free_at));
                if end.connection.is_ending() {
                    times.extend(self.ending[i].zip(self.parties[i].puts_off).map(|(since, time)| since + time));
                }
            }
        }
        Some(times.into_iter().min().expect("who has not let go waits for something"))
    }

    fn outcome(&self, i: usize) -> &Outcome {
        self.ends[i].outcome().expect("it has ended")
    }

    /// What holds at the end of every story.
    #[track_caller]
    fn assert_ended(&mut self) {
        for i in [SERVER, CLIENT] {
            self.ends[i].assert_over();
            if let (Some(closed), Some(gone)) = (self.closed[i], self.gone[i]) {
                assert!(gone <= closed + secs(10), "who closes has let go 10 s later");
            }
            // What arrived is what was sent, in order; and all of it, when the Close behind it arrived.
            let received = messages(&self.ends[i].seen);
            assert!(self.said[1 - i].starts_with(&received), "{i} has received something else");
            if self.outcome(i).received.is_some() {
                assert_eq!(self.said[1 - i].len(), received.len(), "what was sent before a Close comes before it");
            }
        }
        assert_agreement(self.outcome(SERVER), self.outcome(CLIENT));
    }
}

/// "The same outcome on both sides", where a link may die at any byte. The last frame before silence is never known to
/// have arrived, so the two cannot always say the same. What they can, they do:
///
/// 1. Nothing is made up. What one end says it received, the other says it sent: code and reason.
/// 2. Both received a Close frame: they agree. What one sent the other received, both are clean, one is normal if the
///    other is; and somebody closed first, or both did: not both say that the other was it.
/// 3. One received a Close frame: it says what the other said last, if its cause is that. The other was cut off before
///    the answer, or had stopped listening; it says why, and 1006.
/// 4. Neither did: both say why they stopped, and 1006.
///
/// And each outcome is in itself consistent: clean means that both Close frames were there and nobody was at fault;
/// what ended a connection without the peer's Close is never told as a Close by anybody.
#[track_caller]
fn assert_agreement(a: &Outcome, b: &Outcome) {
    let both = format!("{a}\n{b}");
    for (this, other) in [(a, b), (b, a)] {
        if let Some(received) = &this.received {
            assert_eq!(Some(received), other.sent.as_ref(), "1: {both}");
            assert_eq!((this.code(), this.reason()), (received.code, &*received.reason), "{both}");
        } else {
            assert_eq!((this.code(), this.reason()), (CloseCode::ABNORMAL, ""), "3, 4: {both}");
            assert!(!matches!(this.cause, Cause::Local | Cause::Peer), "3, 4: {both}");
            assert!(!this.is_clean() && !this.is_normal(), "3, 4: {both}");
        }
        let by_frames = this.sent.is_some() && this.received.is_some();
        assert_eq!(this.is_clean(), by_frames, "a Close that came was the end, and nothing else: {both}");
        if let Cause::Violation(violation) = this.cause {
            assert!(matches!(violation, Violation::MessageTooBig { .. }), "neither breaks the protocol: {both}");
            assert_eq!(this.received, None, "who is at fault is not listened to: {both}");
        }
        if let Some(sent) = &this.sent {
            assert!(sent.code.may_be_sent() || sent.is_empty(), "{both}");
        }
    }
    if a.received.is_some() && b.received.is_some() {
        assert!(a.is_clean() && b.is_clean(), "2: {both}");
        assert_eq!(a.is_normal(), b.is_normal(), "2: {both}");
        assert!(a.cause == Cause::Local || b.cause == Cause::Local, "2: {both}");
    }
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn over_a_link_that_may_die_both_ends_end_and_agree_as_far_as_they_can(story in any_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn over_a_good_link_both_ends_are_clean_and_say_the_same(story in any_good_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();

        let [server, client] = [SERVER, CLIENT].map(|i| world.outcome(i));
        prop_assert!(server.is_clean() && client.is_clean());
        prop_assert!(server.received == client.sent && client.received == server.sent);
        prop_assert!(world.finished[SERVER] <= world.finished[CLIENT], "the server closes first");
        for i in [SERVER, CLIENT] {
            // Who closed said what the story has it say; who did not sent the code back, without the reason.
            let (outcome, other) = (world.outcome(i), world.outcome(1 - i));
            let act = story.acts.iter().find_map(|(_, who, act)| match act {
                Act::Close { code, reason } if *who == i => Some((*code, reason)),
                _ => None,
            });
            let sent = outcome.sent.as_ref().unwrap();
            match (&outcome.cause, act) {
                (Cause::Local, Some((1005, _))) => prop_assert!(sent.is_empty()),
                (Cause::Local, Some((code, reason))) => prop_assert_eq!(sent, &close_frame(code, reason)),
                (Cause::Peer, _) => {
                    prop_assert_eq!((sent.code, &*sent.reason), (other.sent.as_ref().unwrap().code, ""));
                }
                cause => prop_assert!(false, "{cause:?}"),
            }
        }
    }
}
