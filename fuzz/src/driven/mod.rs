//! The core of one end, driven as every adapter has to drive it, on a virtual clock. At every step it asserts
//! what must hold whatever the peer and the application do.

mod reading;

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use ws_proto::{
    Buf, Cause, CloseCode, CloseFrame, Connection, Event, Memory, Outcome, Outgoing, Role, Timestamp, TransportState,
};

use crate::events::{Seen, fault, merge};
use crate::input::{Ending, Reads, Setup};
use crate::memory;
use crate::naive::{self, Decoded, End, Fault, Frame, Item, Rules};

/// How many deadlines in a row, without anything read or written, it may take to get from anywhere to the end.
const MAX_ROUNDS: usize = 8;

/// How many bytes an idle connection may hold besides itself: where the last pongs ended, and the 16 keepalive pings that
/// are remembered when nobody answers any.
const IDLE: isize = 1024;

/// The longest control frame.
const MAX_CONTROL: usize = 2 + 4 + 125;

/// A frame in the outgoing stream.
pub struct Sent {
    pub frame: Frame,
    /// Where it ends in the stream.
    pub end: usize,
}

pub struct Driven {
    pub connection: Connection,
    pub now: Timestamp,
    /// All events so far.
    pub seen: Vec<Seen>,
    /// All bytes that were ever read.
    pub read: Vec<u8>,
    /// All bytes that were ever queued, less those thrown away at the end.
    pub stream: Vec<u8>,
    /// How many of them the transport has taken.
    pub written: usize,
    /// The frames of the stream.
    pub frames: Vec<Sent>,
    /// Whether what was queued has been thrown away.
    pub released: bool,
    /// The payload of the last ping that came while we could still answer.
    pub last_ping: Option<Vec<u8>>,
    rules: Rules,
    pending_pongs: usize,
    /// How many bytes the connection has said it has queued.
    queued: u64,
    /// How much of the stream lies in `frames`.
    parsed: usize,
    said: TransportState,
    /// How many bytes the connection holds.
    held: isize,
    /// How many bytes of messages the application has given it to send.
    given: usize,
    reads: Reads,
}

impl Driven {
    pub fn new(setup: &Setup) -> Self {
        let config = setup.config();
        let now = Timestamp::ZERO;
        let mut connection = match setup.role {
            Role::Server => Connection::server(config.clone(), now),
            Role::Client => {
                let mut key = 0_u32;
                let keys = move || {
                    key = key.wrapping_add(0x9E37_79B9);
                    key.to_be_bytes()
                };
                Connection::client(config.clone(), keys, now)
            }
        };
        connection.hooks().set_hold_close(setup.holds_close);
        let memory: Arc<dyn Memory> = match setup.reads {
            Reads::Elsewhere | Reads::Offered => Arc::new(reading::Fresh),
            Reads::Faulty | Reads::InTurns => Arc::new(reading::Faulty),
        };
        connection.set_memory(setup.keeps.then_some(memory));
        Self {
            connection,
            now,
            seen: vec![],
            read: vec![],
            stream: vec![],
            written: 0,
            frames: vec![],
            released: false,
            last_ping: None,
            rules: setup.rules(),
            pending_pongs: config.limits.pending_pongs.max(2),
            queued: 0,
            parsed: 0,
            said: TransportState::Open,
            held: 0,
            given: 0,
            reads: setup.reads,
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match self.seen.last() {
            Some(Seen::Closed(outcome)) => Some(outcome),
            _ => None,
        }
    }

    // ---- input ----

    pub fn eof(&mut self) {
        self.act(|connection, now| connection.receive_eof(now));
    }

    pub fn fail(&mut self) {
        self.act(|connection, _| connection.fail());
    }

    pub fn abort(&mut self) {
        self.act(|connection, _| connection.abort());
    }

    pub fn release_close(&mut self) {
        self.act(|connection, now| connection.hooks().release_close(now));
    }

    pub fn close(&mut self, frame: CloseFrame) {
        let may_be_sent = frame.code == CloseCode::NO_STATUS || frame.code.may_be_sent();
        let before = self.connection.outgoing().queued();
        let result = self.on(|connection, now| connection.close(frame, now));
        assert_eq!(result.is_ok(), may_be_sent);
        assert!(may_be_sent || self.connection.outgoing().queued() == before, "refused, but queued");
        self.settle();
    }

    /// The driver wakes up and acts on what is due. Little can be due at once, and nothing comes due again.
    pub fn wake(&mut self) {
        for round in 0.. {
            assert!(round < 3, "still due at {:?}: {:#?}", self.now, self.connection);
            self.act(Connection::handle_timeout);
            if self.connection.poll_timeout(self.now).is_none_or(|deadline| deadline > self.now) {
                return;
            }
        }
    }

    /// Time passes, and the driver wakes up.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.wake();
    }

    /// Time passes to the next deadline, if there is one.
    pub fn pass_to_deadline(&mut self) {
        if let Some(deadline) = self.connection.poll_timeout(self.now) {
            self.now = self.now.max(deadline);
            self.wake();
        }
    }

    /// Something the application does, given `bytes` to send.
    pub fn send<T>(&mut self, bytes: usize, f: impl FnOnce(&mut Connection, Timestamp) -> T) -> T {
        self.given += bytes;
        let value = self.on(f);
        self.settle();
        value
    }

    fn act(&mut self, f: impl FnOnce(&mut Connection, Timestamp) -> Option<Event<'static>>) {
        if let Some(event) = self.on(f) {
            self.saw(event);
        }
        self.settle();
    }

    fn on<T>(&mut self, f: impl FnOnce(&mut Connection, Timestamp) -> T) -> T {
        let (value, held) = memory::held(|| f(&mut self.connection, self.now));
        self.held += held;
        value
    }

    fn saw(&mut self, event: Event<'_>) {
        assert_eq!(self.outcome(), None, "{event:?} after Closed");
        let seen = Seen::of(&event);
        // What an event owns has left the connection.
        let ((), held) = memory::held(|| drop(event));
        self.held += held;
        if let Seen::Ping(payload) | Seen::Pong(payload, _) = &seen {
            assert!(payload.len() <= 125);
        }
        if let Seen::Closed(outcome) = &seen {
            assert!(!outcome.to_string().is_empty());
            assert!(outcome.is_clean() || !outcome.is_normal());
        }
        self.seen.push(seen);
    }

    // ---- output ----

    /// The transport takes up to `n` bytes, piece by piece.
    pub fn write(&mut self, n: usize) {
        let mut left = n;
        loop {
            self.tap();
            let outgoing: &Outgoing = self.connection.outgoing();
            let chunk = outgoing.chunk();
            assert_eq!(chunk.is_empty(), outgoing.is_empty(), "an empty chunk of a queue that is not");
            let n = chunk.len().min(left);
            if n == 0 {
                break;
            }
            assert_eq!(chunk[..n], self.stream[self.written..self.written + n], "what was queued has changed");
            self.on(|connection, _| connection.outgoing().advance(n));
            self.written += n;
            left -= n;
        }
        self.settle();
    }

    /// The transport takes up to `n` bytes in one vectored write.
    pub fn write_vectored(&mut self, n: usize) {
        self.tap();
        let mut slices = [IoSlice::new(&[]); 4];
        let outgoing: &Outgoing = self.connection.outgoing();
        let filled = outgoing.chunks_vectored(&mut slices);
        let bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).take(n).collect();
        let n = bytes.len();
        assert_eq!(bytes, self.stream[self.written..self.written + n], "what was queued has changed");
        self.on(|connection, _| connection.outgoing().advance(n));
        self.written += n;
        self.settle();
    }

    /// What a driver does after each round, and what must hold then.
    fn settle(&mut self) {
        self.tap();
        let said = self.on(|connection, _| connection.transport_state());
        let deadline = self.on(|connection, now| connection.poll_timeout(now));

        let order = |transport| {
            [TransportState::Open, TransportState::HalfClosed, TransportState::Closed]
                .iter()
                .position(|&t| t == transport)
        };
        assert!(order(said) >= order(self.said), "{said:?} after {:?}", self.said);
        self.said = said;
        assert_eq!(self.connection.is_over(), said == TransportState::Closed);
        if said != TransportState::Open {
            let waits = said == TransportState::HalfClosed && self.connection.awaits_close();
            assert!(self.outcome().is_some() || waits, "the transport ends, and nobody was told");
            assert_eq!(self.connection.queued(), 0);
        }
        if self.outcome().is_some() {
            assert!(!self.connection.is_open() && !self.connection.hooks().is_close_held());
            assert!(said == TransportState::Closed || deadline.is_some(), "closing, and nothing sees to its end");
        }
        if said == TransportState::Closed {
            assert_eq!(deadline, None);
        }

        // Nothing a peer sends makes us hold more than what came, twofold for growth, and a little.
        let message = self.rules.message.unwrap_or(usize::MAX).min(2 * self.read.len());
        let bound = message + 2 * self.read.len() + 2 * self.given + (12 << 10);
        assert!(self.held <= bound as isize, "{} bytes held after {} were read", self.held, self.read.len());
        if said == TransportState::Closed {
            assert!(self.held <= 1024, "{} bytes held at the end", self.held);
        }
    }

    /// Looks at what has been queued since the last time.
    fn tap(&mut self) {
        self.on(|connection, _| connection.outgoing().len());
        let outgoing: &Outgoing = self.connection.outgoing();
        let waiting = outgoing.remaining();
        assert_eq!(outgoing.is_empty(), waiting == 0);
        let fresh = usize::try_from(outgoing.queued() - self.queued).expect("it fits");
        self.queued = outgoing.queued();
        if waiting == self.stream.len() - self.written + fresh {
            if fresh > 0 {
                copy_last(outgoing, fresh, &mut self.stream);
            }
        } else {
            assert_eq!(waiting, 0, "a part of the queue is gone");
            assert!(!self.connection.is_open(), "the queue is gone, and we are not");
            self.released = true;
            self.stream.truncate(self.written);
            self.frames.retain(|sent| sent.end <= self.written);
            self.parsed = self.frames.last().map_or(0, |sent| sent.end);
        }

        while let Some(frame) = naive::frame(&self.stream[self.parsed..]) {
            self.parsed += frame.size;
            self.frames.push(Sent { frame, end: self.parsed });
        }
        assert!(self.released || self.parsed == self.stream.len(), "a part of a frame is queued");
        let unsent = self.frames.iter().rev().take_while(|sent| sent.end > self.written);
        let pongs = unsent.filter(|sent| sent.frame.opcode == 10).count();
        assert!(pongs <= self.pending_pongs, "{pongs} pongs wait in the queue");
        let waiting = self.connection.queued() - waiting;
        assert!(
            waiting <= (self.pending_pongs - pongs) * MAX_CONTROL,
            "{waiting} bytes of pongs wait, and {pongs} pongs"
        );
    }

    // ---- the end ----

    /// A connection that is midway in nothing, and has nothing to write, holds next to nothing.
    pub fn check_idle(&mut self) {
        if self.written < self.stream.len() || self.outcome().is_some() || self.connection.hooks().is_close_held() {
            return;
        }
        if naive::decode(&self.read, &self.rules).end == (End::Open { midway: false }) {
            assert!(self.held <= IDLE, "{} bytes held when idle", self.held);
        }
    }

    /// Ends the connection; what must hold in the end.
    pub fn end(&mut self, ending: Ending) {
        self.check_events();
        match ending {
            Ending::Eof => {
                self.write(usize::MAX);
                self.eof();
            }
            Ending::Failure => self.fail(),
            Ending::Abort => self.abort(),
            Ending::Silence => self.close(CloseFrame::new(CloseCode::NORMAL, "")),
        }
        for _ in 0..MAX_ROUNDS {
            if ending != Ending::Silence {
                self.write(usize::MAX);
            }
            if self.said == TransportState::Closed {
                break;
            }
            self.pass_to_deadline();
        }
        assert_eq!(self.said, TransportState::Closed, "it does not end: {:#?}", self.connection);
        self.check_over();
        self.check_stream();
    }

    /// After the end nothing has an effect any more.
    fn check_over(&mut self) {
        let (events, queued) = (self.seen.len(), self.connection.outgoing().queued());
        assert!(matches!(self.seen.last(), Some(Seen::Closed(_))));
        self.read(&[0x81, 0x80, 0, 0, 0, 0]);
        self.eof();
        self.fail();
        self.abort();
        self.release_close();
        self.close(CloseFrame::EMPTY);
        self.pass(Duration::from_secs(1 << 20));
        assert!(self.connection.send_text("").is_err());
        assert!(self.connection.ping(self.now).is_err());
        self.settle();
        assert_eq!(self.seen.len(), events);
        assert_eq!(self.connection.outgoing().queued(), queued);
    }

    /// The events agree with what a naive decoder makes of all that was read.
    pub fn check_events(&mut self) {
        let Decoded { items, end } = naive::decode(&self.read, &self.rules);
        let (seen, outcome) = merge(&self.seen);
        let seen: Vec<Item> = seen.into_iter().map(|(item, _)| item).collect();
        let so_far = items.get(..seen.len());
        assert_eq!(so_far, Some(&seen[..]), "other messages than a naive decoder's");
        let all = seen.len() == items.len();
        let Some(outcome) = outcome else {
            assert!(all, "a naive decoder finds more: {:?}", &items[seen.len()..]);
            assert_eq!(matches!(end, End::Open { .. }), !self.connection.hooks().is_close_held(), "{end:?}");
            return;
        };
        match (&outcome.cause, &end) {
            (Cause::Violation(violation), End::Fault { faults, .. }) => {
                let fault = fault(*violation);
                assert!(all && faults.contains(&fault), "{violation:?}, but {faults:?}");
                assert_eq!(u16::from(violation.close_code()), fault.close_code());
                let is_close =
                    matches!(fault, Fault::TruncatedCloseCode | Fault::InvalidCloseCode | Fault::InvalidCloseReason);
                assert_eq!((outcome.received.is_some(), outcome.malformed.is_some()), (is_close, is_close));
            }
            (Cause::Violation(violation), _) => panic!("{violation:?}, but {end:?}"),
            (Cause::Peer, End::Open { .. } | End::Fault { .. }) => panic!("closed by the peer, but {end:?}"),
            _ => {}
        }
        if outcome.malformed.is_some() {
            assert!(outcome.received.is_some() && all && matches!(end, End::Fault { .. }), "{outcome}, but {end:?}");
        } else if let Some(received) = &outcome.received {
            let End::Close { code, reason, .. } = &end else { panic!("received {received}, but {end:?}") };
            assert_eq!((u16::from(received.code), &*received.reason), (code.unwrap_or(1005), &**reason));
            assert!(all);
        }
    }

    /// What was written is what the other role must accept, and says how the connection was closed.
    fn check_stream(&self) {
        let rules = Rules { masked: !self.rules.masked, frame: None, message: None, fragments: None };
        let decoded = naive::decode(&self.stream, &rules);
        let sent = self.outcome().and_then(|outcome| outcome.sent.as_ref());
        match &decoded.end {
            End::Fault { .. } => panic!("what was written is wrong: {:?}", decoded.end),
            End::Close { code, reason, at } => {
                assert_eq!(*at, self.stream.len(), "something follows the Close frame");
                let sent = sent.expect("a Close frame was sent");
                assert_eq!((code.unwrap_or(1005), &**reason), (u16::from(sent.code), &*sent.reason));
            }
            End::Open { .. } => assert!(self.released || sent.is_none(), "sent {sent:?}, but it was not written"),
        }

        let mut pings = merge(&self.seen).0.into_iter();
        for item in &decoded.items {
            let Item::Pong(pong) = item else { continue };
            let answers = pings.any(|(item, _)| item == Item::Ping(pong.clone()));
            assert!(answers, "a pong without its ping, or out of order: {pong:02x?}");
        }
        if !self.released {
            let last = decoded.items.iter().rev().find_map(|item| match item {
                Item::Pong(payload) => Some(payload),
                _ => None,
            });
            assert_eq!(last, self.last_ping.as_ref(), "the last ping has not been answered");
        }
    }
}

/// Appends the last `n` bytes of a queue to `out`.
fn copy_last(queue: &Outgoing, n: usize, out: &mut Vec<u8>) {
    let mut slices = vec![IoSlice::new(&[]); 4];
    let filled = loop {
        let filled = queue.chunks_vectored(&mut slices);
        if filled < slices.len() {
            break filled;
        }
        slices.resize(slices.len() * 4, IoSlice::new(&[]));
    };
    let mut skip = queue.len() - n;
    for slice in &slices[..filled] {
        let skipped = skip.min(slice.len());
        out.extend_from_slice(&slice[skipped..]);
        skip -= skipped;
    }
    assert_eq!(skip, 0, "the queue is longer than its parts");
}
