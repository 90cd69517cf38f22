//! What the scenario tests share: frames put together by hand, a virtual clock, and one end of a connection with the
//! driver that every adapter has to be.

#![allow(dead_code)] // every test file uses a part of it

use std::time::Duration;

use ws_proto::{
    Buf, Cause, CloseCode, CloseFrame, Config, Connection, Delivery, Event, Incoming, MessageKind, Outcome, PingId,
    Role, Timestamp, Transport, Violation,
};

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

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

/// The smallest step of the virtual clock that the tests take.
pub(crate) const TICK: Duration = Duration::from_millis(1);

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The time `n` seconds after the origin.
pub(crate) fn at(n: u64) -> Timestamp {
    Timestamp::new(secs(n))
}

/// The last moment before `n` seconds after the origin.
pub(crate) fn just_before(n: u64) -> Timestamp {
    Timestamp::new(secs(n) - TICK)
}

pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    change(&mut config);
    config
}

pub(crate) fn chunks() -> Config {
    config(|config| config.delivery = Delivery::Chunks)
}

/// No deadline but those that `change` sets; the two that cannot be off stay.
pub(crate) fn deadlines(change: impl FnOnce(&mut Config)) -> Config {
    config(|config| {
        config.deadlines.ping_interval = None;
        config.deadlines.pong = None;
        config.deadlines.message_progress = None;
        config.deadlines.write_stall = None;
        change(config);
    })
}

/// Keepalive and no other deadline, in seconds.
pub(crate) fn keepalive(interval: u64, pong: Option<u64>) -> Config {
    deadlines(|config| {
        config.deadlines.ping_interval = Some(secs(interval));
        config.deadlines.pong = pong.map(secs);
    })
}

// ---- bytes by hand ----

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

// ---- events ----

/// An event that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Chunk { kind: MessageKind, payload: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>, Option<(PingId, Duration)>),
    Closed(Outcome),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Message(Incoming::Text(text)) => Self::Text(text.into()),
            Event::Message(Incoming::Binary(bytes)) => Self::Binary(bytes.into()),
            Event::Chunk(chunk) => {
                Self::Chunk { kind: chunk.kind, payload: chunk.payload.into(), first: chunk.first, last: chunk.last }
            }
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(pong) => Self::Pong(pong.payload.into(), pong.answers),
            Event::Closed(outcome) => Self::Closed(outcome),
            event => panic!("{event:?} is new"),
        }
    }
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub(crate) fn binary(bytes: impl AsRef<[u8]>) -> Seen {
    Seen::Binary(bytes.as_ref().into())
}

pub(crate) fn ping(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Ping(payload.as_ref().into())
}

/// A pong that nobody asked for.
pub(crate) fn pong(payload: impl AsRef<[u8]>) -> Seen {
    Seen::Pong(payload.as_ref().into(), None)
}

pub(crate) fn close_frame(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code: code.into(), reason: reason.into() }
}

/// Whole messages, made of chunks that must begin and end as they should; and the other events.
#[track_caller]
pub(crate) fn put_together(seen: &[Seen]) -> Vec<Seen> {
    let mut open: Option<(MessageKind, Vec<u8>)> = None;
    let mut out = vec![];
    for event in seen {
        let Seen::Chunk { kind, payload, first, last } = event else {
            out.push(event.clone());
            continue;
        };
        assert_eq!(*first, open.is_none(), "the first chunk of a message, and no other, says so");
        let (begun, so_far) = open.get_or_insert_with(|| (*kind, vec![]));
        assert_eq!(begun, kind);
        assert!(!payload.is_empty() || *last, "an empty chunk says nothing");
        so_far.extend(payload);
        if *kind == MessageKind::Text && so_far.len() < 1000 {
            let valid = std::str::from_utf8(so_far).map_or_else(|error| error.error_len().is_none(), |_| true);
            assert!(valid, "what was handed out is the beginning of valid text");
        }
        if *last {
            let (kind, payload) = open.take().unwrap();
            out.push(match kind {
                MessageKind::Text => Seen::Text(String::from_utf8(payload).unwrap()),
                MessageKind::Binary => Seen::Binary(payload),
            });
        }
    }
    out
}

// ---- one end and its driver ----

/// One end of a connection, with a driver that does what the documentation asks of one, on a virtual clock.
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) now: Timestamp,
    /// All events so far.
    pub(crate) seen: Vec<Seen>,
    /// All bytes that the transport has taken so far.
    pub(crate) written: Vec<u8>,
    /// Whether the transport takes all there is, as soon as it is there.
    pub(crate) writable: bool,
}

impl End {
    pub(crate) fn new(role: Role, config: &Config) -> Self {
        let now = Timestamp::ZERO;
        let connection = match role {
            Role::Server => Connection::server(config.clone(), now),
            Role::Client => Connection::client(config.clone(), || KEY, now),
        };
        Self { connection, now, seen: vec![], written: vec![], writable: true }
    }

    pub(crate) fn role(&self) -> Role {
        self.connection.role()
    }

    /// One read of `bytes`, and what follows from it.
    #[track_caller]
    pub(crate) fn read(&mut self, bytes: impl AsRef<[u8]>) {
        self.receive(bytes);
        self.settle();
    }

    /// One read of `bytes`, and nothing else yet.
    #[track_caller]
    pub(crate) fn receive(&mut self, bytes: impl AsRef<[u8]>) {
        let mut buffer = bytes.as_ref().to_vec();
        let mut input = buffer.as_mut_slice();
        while let Some(event) = self.connection.receive(&mut input, self.now) {
            let event = Seen::from(event);
            self.saw(event);
        }
        assert!(input.is_empty(), "input is left over");
    }

    /// One read of a frame from the peer.
    #[track_caller]
    pub(crate) fn read_frame(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.read(to(self.role(), first, payload));
    }

    /// The peer answers the last ping.
    #[track_caller]
    pub(crate) fn answer_ping(&mut self) {
        let payload = self.payloads(PING).pop().expect("a ping was sent");
        self.read_frame(PONG, payload);
    }

    #[track_caller]
    pub(crate) fn eof(&mut self) {
        if let Some(event) = self.connection.receive_eof(self.now) {
            self.saw(event.into());
        }
        self.settle();
    }

    #[track_caller]
    pub(crate) fn fail(&mut self) {
        if let Some(event) = self.connection.fail() {
            self.saw(event.into());
        }
        self.settle();
    }

    #[track_caller]
    pub(crate) fn abort(&mut self) {
        if let Some(event) = self.connection.abort() {
            self.saw(event.into());
        }
        self.settle();
    }

    #[track_caller]
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.connection.close(close_frame(code, reason), self.now).unwrap();
        self.settle();
    }

    #[track_caller]
    fn saw(&mut self, event: Seen) {
        assert!(self.outcome().is_none(), "{event:?} after Closed");
        self.seen.push(event);
    }

    /// What a driver does after each round of input: write, look at the transport, set the alarm.
    pub(crate) fn settle(&mut self) {
        if self.writable {
            self.take(usize::MAX);
        }
        self.connection.transport();
        self.connection.poll_timeout(self.now);
    }

    /// The transport takes up to `n` bytes.
    pub(crate) fn take(&mut self, n: usize) {
        let mut left = n;
        while left > 0 && self.connection.outgoing().has_remaining() {
            let outgoing = self.connection.outgoing();
            let chunk = outgoing.chunk();
            let n = chunk.len().min(left);
            assert!(n > 0, "an empty chunk of a queue that is not");
            self.written.extend_from_slice(&chunk[..n]);
            outgoing.advance(n);
            left -= n;
        }
    }

    /// Lets time pass until `then`, waking up at each deadline on the way.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, then: Timestamp) {
        let mut rounds = 0;
        while let Some(deadline) = self.connection.poll_timeout(self.now).filter(|&deadline| deadline <= then) {
            self.now = self.now.max(deadline);
            self.wake();
            rounds += 1;
            assert!(rounds < 1_000_000, "the deadlines never end");
        }
        self.now = then;
    }

    #[track_caller]
    pub(crate) fn wait(&mut self, time: Duration) {
        self.wait_until(self.now + time);
    }

    /// Time passes at once, as when a machine sleeps: the driver wakes up late.
    #[track_caller]
    pub(crate) fn jump_to(&mut self, then: Timestamp) {
        self.connection.poll_timeout(self.now);
        self.now = then;
        self.wake();
    }

    /// The driver wakes up and acts on the deadlines that have passed. None may be left: that would be a busy loop.
    #[track_caller]
    pub(crate) fn wake(&mut self) {
        if let Some(event) = self.connection.handle_timeout(self.now) {
            self.saw(event.into());
        }
        self.settle();
        let next = self.connection.poll_timeout(self.now);
        assert!(next.is_none_or(|next| next > self.now), "still due after handle_timeout: {next:?} at {:?}", self.now);
    }

    // ---- what can be asked ----

    pub(crate) fn transport(&mut self) -> Transport {
        self.connection.transport()
    }

    pub(crate) fn deadline(&mut self) -> Option<Timestamp> {
        self.connection.poll_timeout(self.now)
    }

    /// What was written, as frames.
    #[track_caller]
    pub(crate) fn frames(&self) -> Vec<Frame> {
        frames(self.role(), &self.written)
    }

    /// The payloads of the frames written that begin with `first`.
    #[track_caller]
    pub(crate) fn payloads(&self, first: u8) -> Vec<Vec<u8>> {
        self.frames().into_iter().filter(|frame| frame.first == first).map(|frame| frame.payload).collect()
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        match self.seen.last() {
            Some(Seen::Closed(outcome)) => Some(outcome),
            _ => None,
        }
    }

    pub(crate) fn cause(&self) -> Option<&Cause> {
        self.outcome().map(|outcome| &outcome.cause)
    }

    /// The events before the end.
    pub(crate) fn before_closed(&self) -> &[Seen] {
        match self.seen.split_last() {
            Some((Seen::Closed(_), before)) => before,
            _ => &self.seen,
        }
    }

    #[track_caller]
    pub(crate) fn assert_open(&mut self) {
        self.assert_open_so_far();
        assert_eq!(self.payloads(CLOSE), [[0; 0]; 0]);
    }

    /// Open, though a frame may be half-way out.
    #[track_caller]
    pub(crate) fn assert_open_so_far(&mut self) {
        assert_eq!(self.outcome(), None);
        assert!(self.connection.is_open());
        assert_eq!(self.transport(), Transport::Open);
    }

    /// The connection has been failed (RFC 6455 §7.1.7): `Closed` is the last event and says why, one Close frame with
    /// `code` is the last thing written, and the transport is to be half-closed.
    #[track_caller]
    pub(crate) fn assert_failed(&mut self, code: u16, cause: Cause) {
        let reason = match &cause {
            Cause::Violation(violation) => violation.to_string(),
            cause => cause.to_string(),
        };
        let sent = Some(close_frame(code, &reason));
        assert_eq!(self.seen.last(), Some(&Seen::Closed(Outcome { sent, received: None, cause })));
        assert_eq!(self.outcome().unwrap().code(), CloseCode::ABNORMAL);
        let close = from(self.role(), CLOSE, close_body(code, &reason));
        assert!(self.written.ends_with(&close), "wrote {:02x?}, not {close:02x?} last", self.written);
        assert_eq!(self.payloads(CLOSE).len(), 1);
        assert!(!self.connection.is_open());
        assert_eq!(self.transport(), Transport::HalfClose);
    }

    #[track_caller]
    pub(crate) fn assert_violated(&mut self, code: u16, violation: Violation) {
        self.assert_failed(code, Cause::Violation(violation));
    }

    /// All is over, and nothing keeps the driver waiting.
    #[track_caller]
    pub(crate) fn assert_over(&mut self) {
        assert!(matches!(self.seen.last(), Some(Seen::Closed(_))), "ends with {:?}", self.seen.last());
        assert_eq!(self.transport(), Transport::Close);
        assert_eq!(self.deadline(), None);
        assert!(!self.connection.is_open());
        assert!(!self.connection.outgoing().has_remaining());
    }
}

// ---- each case, in every way it can come ----

/// Says which case it was, when a check fails.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("case: {}", self.0);
        }
    }
}

/// The ways to cut `input`: not at all, into bytes, and, when it is short, in two at every place.
pub(crate) fn ways(input: &[u8]) -> Vec<(String, Vec<&[u8]>)> {
    let mut ways = vec![("whole".into(), vec![input]), ("byte by byte".into(), input.chunks(1).collect())];
    if input.len() <= 80 {
        for at in 1..input.len() {
            let (front, back) = input.split_at(at);
            ways.push((format!("split at {at}"), vec![front, back]));
        }
    }
    ways
}

/// Runs `check` on an end of `role` that has read `input`, in every way it can come.
#[track_caller]
pub(crate) fn each_way(role: Role, config: &Config, input: &[u8], check: impl Fn(&mut End)) {
    for (way, pieces) in ways(input) {
        let head = &input[..input.len().min(40)];
        let _case = Case(format!("{role:?}, {way}: {} bytes, {head:02x?}", input.len()));
        let mut end = End::new(role, config);
        for piece in pieces {
            end.read(piece);
        }
        check(&mut end);
    }
}

/// [`each_way`] for both roles, with default limits and deadlines.
#[track_caller]
pub(crate) fn each_role(input: impl Fn(Role) -> Vec<u8>, check: impl Fn(&mut End)) {
    for role in ROLES {
        each_way(role, &Config::default(), &input(role), &check);
    }
}

/// The frames that the peer of `role` sends, one behind the other.
pub(crate) fn all_to(role: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| to(role, *first, payload)).collect()
}

/// How many bytes of `input`, one read each, it takes until the connection is closed.
pub(crate) fn bytes_until_closed(role: Role, config: &Config, input: &[u8]) -> Option<usize> {
    let mut end = End::new(role, config);
    for (i, byte) in input.iter().enumerate() {
        end.read([*byte]);
        if end.outcome().is_some() {
            return Some(i + 1);
        }
    }
    None
}

// ---- chance ----

/// A small generator, so that each seed is one case for ever.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
