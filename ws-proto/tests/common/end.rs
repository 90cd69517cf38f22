//! One end of a connection, with the driver that every adapter has to be.

use std::time::Duration;

use ws_proto::{Buf, Cause, CloseCode, Config, Connection, Outcome, Role, Timestamp, TransportState, Violation};

use super::*;

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

    /// An end with which compression was agreed on.
    #[cfg(feature = "deflate")]
    pub(crate) fn compressing(
        role: Role,
        config: &Config,
        agreed: ws_proto::permessage_deflate::DeflateParams,
    ) -> Self {
        let mut end = Self::new(role, config);
        end.connection.set_deflate(Some(agreed));
        end
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
        let counted = self.connection.stats().received.wire_bytes + buffer.len() as u64;
        let mut input = buffer.as_mut_slice();
        while let Some(event) = self.connection.receive(&mut input, self.now) {
            let event = Seen::from(event);
            self.saw(event);
        }
        assert!(input.is_empty(), "input is left over");
        assert_eq!(self.connection.stats().received.wire_bytes, counted, "every byte counts once");
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

    /// A write has failed.
    #[track_caller]
    pub(crate) fn fail_writing(&mut self) {
        if let Some(event) = self.connection.fail_writing() {
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
        self.connection.transport_state();
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

    pub(crate) fn transport(&mut self) -> TransportState {
        self.connection.transport_state()
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
        assert_eq!(self.transport(), TransportState::Open);
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
        let (received, malformed) = (None, None);
        let mut outcome = Outcome::new(sent, received, cause);
        outcome.malformed = malformed;
        assert_eq!(self.seen.last(), Some(&Seen::Closed(outcome)));
        assert_eq!(self.outcome().unwrap().code(), CloseCode::ABNORMAL);
        self.assert_wrote_last(code, &reason);
    }

    /// A Close frame with `code` and `reason` is the last thing written, and the transport is to be half-closed.
    #[track_caller]
    pub(crate) fn assert_wrote_last(&mut self, code: u16, reason: &str) {
        let close = from(self.role(), CLOSE, close_body(code, reason));
        assert!(self.written.ends_with(&close), "wrote {:02x?}, not {close:02x?} last", self.written);
        assert_eq!(self.payloads(CLOSE).len(), 1);
        assert!(!self.connection.is_open());
        assert_eq!(self.transport(), TransportState::HalfClosed);
    }

    #[track_caller]
    pub(crate) fn assert_violated(&mut self, code: u16, violation: Violation) {
        self.assert_failed(code, Cause::Violation(violation));
    }

    /// All is over, and nothing keeps the driver waiting.
    #[track_caller]
    pub(crate) fn assert_over(&mut self) {
        assert!(matches!(self.seen.last(), Some(Seen::Closed(_))), "ends with {:?}", self.seen.last());
        assert_eq!(self.transport(), TransportState::Closed);
        assert_eq!(self.deadline(), None);
        assert!(!self.connection.is_open());
        assert!(!self.connection.outgoing().has_remaining());
    }
}
