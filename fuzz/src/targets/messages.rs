//! Operations of the peer, the application, the transport and the clock, in any order. Besides the assertions of [`Driven`]:
//! accepted messages are written in order; refused messages are returned with the right reason.
//!
//! A script is the two bytes of [`Setup`] and then operations, each one byte (modulo 23) and what the table says. A size
//! is one byte, an index into [`SIZES`] in its low four bits and how much to add in the others; a fill is one byte, below
//! 4 a kind of text and else the byte that is repeated.
//!
//! | byte | operation | bytes that follow |
//! | --- | --- | --- |
//! | 0 | the peer sends a frame, right but for what its first byte may say | first byte, size, fill, where it is cut in two: below 128 in bytes, else in parts of 64; what follows comes with the next when bit 6 is set then |
//! | 1 | the peer sends anything | length, bytes |
//! | 2 | the peer closes | code (2, low byte first), size of the reason |
//! | 3 | the peer answers the last of our pings that was written | |
//! | 4 | `send` | bit 0 text, bit 1 from a slice; size; fill |
//! | 5 | `send_fragment` | bit 0 text, bit 1 the last; size; fill |
//! | 6 | `ping` | |
//! | 7 | `close` | code (2, low byte first), size of the reason |
//! | 8 | `abort` | |
//! | 9 | `release_close` | |
//! | 10 | `set_hold_close` | bit 0 |
//! | 11 | `set_paused` | bit 0 |
//! | 12 | the transport takes a few bytes | how many |
//! | 13 | the transport takes everything | |
//! | 14 | a vectored write | how many bytes (2, low byte first) |
//! | 15 | EOF | |
//! | 16 | the transport fails | |
//! | 17 | time passes | milliseconds (2, low byte first) |
//! | 18 | time passes to the next deadline | |
//! | 19 | time passes to just before the next deadline | |
//! | 20 | time jumps past many deadlines | hours |
//! | 21 | time goes backward | seconds |
//! | 22 | the driver wakes up for nothing | |

use std::mem;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ws_proto::{Bytes, CloseCode, CloseFrame, Message, MessageKind, PingId, SendError, Timestamp};

use crate::driven::Driven;
use crate::events::Seen;
use crate::input::{Setup, frame_to};

/// How many operations of a script count.
const MAX_OPS: usize = 300;

/// How many bytes of payload a script may have in all; then all sizes are small.
const BUDGET: usize = 256 << 10;

const SIZES: [usize; 16] = [0, 1, 2, 3, 7, 16, 100, 123, 124, 125, 126, 1000, 4090, 16_375, 65_530, 70_000];

#[derive(Debug)]
pub struct Script {
    pub setup: Setup,
    pub ops: Vec<Op>,
}

#[derive(Debug)]
pub enum Op {
    Frame { first: u8, size: usize, fill: u8, cut: u8 },
    Bytes(Vec<u8>),
    PeerCloses { code: u16, size: usize },
    PeerAnswers,
    Send { kind: MessageKind, is_slice: bool, size: usize, fill: u8 },
    SendFragment { kind: MessageKind, last: bool, size: usize, fill: u8 },
    Ping,
    Close { code: u16, size: usize },
    Abort,
    ReleaseClose,
    SetHoldClose(bool),
    SetPaused(bool),
    Write(u8),
    WriteAll,
    WriteVectored(u16),
    Eof,
    Fail,
    Pass { millis: u16 },
    PassToDeadline,
    PassAlmostToDeadline,
    Jump { hours: u8 },
    Backward { seconds: u8 },
    Wake,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let (setup, mut ops) = (u.arbitrary()?, vec![]);
        while !u.is_empty() && ops.len() < MAX_OPS {
            ops.push(u.arbitrary()?);
        }
        Ok(Self { setup, ops })
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (2, None)
    }
}

impl<'a> Arbitrary<'a> for Op {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let op: u8 = u.arbitrary()?;
        Ok(match op % 23 {
            0 => Self::Frame { first: u.arbitrary()?, size: size(u)?, fill: u.arbitrary()?, cut: u.arbitrary()? },
            1 => {
                let len: u8 = u.arbitrary()?;
                Self::Bytes(u.bytes(u.len().min(len.into()))?.into())
            }
            2 => Self::PeerCloses { code: u.arbitrary()?, size: size(u)? },
            3 => Self::PeerAnswers,
            4 => {
                let flags: u8 = u.arbitrary()?;
                Self::Send { kind: kind(flags), is_slice: flags & 2 != 0, size: size(u)?, fill: u.arbitrary()? }
            }
            5 => {
                let flags: u8 = u.arbitrary()?;
                Self::SendFragment { kind: kind(flags), last: flags & 2 != 0, size: size(u)?, fill: u.arbitrary()? }
            }
            6 => Self::Ping,
            7 => Self::Close { code: u.arbitrary()?, size: size(u)? },
            8 => Self::Abort,
            9 => Self::ReleaseClose,
            10 => Self::SetHoldClose(u.arbitrary()?),
            11 => Self::SetPaused(u.arbitrary()?),
            12 => Self::Write(u.arbitrary()?),
            13 => Self::WriteAll,
            14 => Self::WriteVectored(u.arbitrary()?),
            15 => Self::Eof,
            16 => Self::Fail,
            17 => Self::Pass { millis: u.arbitrary()? },
            18 => Self::PassToDeadline,
            19 => Self::PassAlmostToDeadline,
            20 => Self::Jump { hours: u.arbitrary()? },
            21 => Self::Backward { seconds: u.arbitrary()? },
            _ => Self::Wake,
        })
    }
}

fn size(u: &mut Unstructured<'_>) -> arbitrary::Result<usize> {
    let byte: u8 = u.arbitrary()?;
    Ok(SIZES[usize::from(byte & 15)] + usize::from(byte >> 4))
}

fn kind(flags: u8) -> MessageKind {
    if flags & 1 != 0 { MessageKind::Text } else { MessageKind::Binary }
}

pub fn messages(script: Script) {
    let mut run = Run {
        end: Driven::new(&script.setup),
        unsent: vec![],
        taken: vec![],
        unfinished: None,
        pings: vec![],
        budget: BUDGET,
    };
    for op in script.ops {
        run.step(op);
    }
    // Every ping that is not answered is remembered.
    if run.pings.is_empty() {
        run.end.check_idle();
    }
    run.end.end(script.setup.ending);
    run.check_taken();
    run.check_pongs();
}

struct Run {
    end: Driven,
    /// What the peer sends in front of its next frame.
    unsent: Vec<u8>,
    /// The frames of the messages that were taken to be sent: final, opcode, payload.
    taken: Vec<(bool, u8, Bytes)>,
    /// The kind of the fragmented message that is being sent.
    unfinished: Option<MessageKind>,
    /// The application's pings.
    pings: Vec<PingId>,
    budget: usize,
}

impl Run {
    fn step(&mut self, op: Op) {
        match op {
            Op::Frame { first, size, fill, cut } => {
                let is_text = first & 0x0F == 1 || first & 0x0F == 0 && fill < 4;
                let limit = if first & 0x08 == 0 { usize::MAX } else { 125 };
                let size = self.afford(size).min(limit);
                let payload = match is_text {
                    true => text(size, fill).into_bytes(),
                    false => vec![fill; size],
                };
                self.peer_sends(first, &payload, cut);
            }
            Op::Bytes(bytes) => self.end.read(&bytes),
            Op::PeerCloses { code, size } => {
                let reason = text(size.min(CloseFrame::MAX_REASON), size as u8);
                self.peer_sends(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat(), 0);
            }
            Op::PeerAnswers => self.peer_answers(),
            Op::Send { kind, is_slice, size, fill } => self.send(kind, is_slice, size, fill),
            Op::SendFragment { kind, last, size, fill } => self.send_fragment(kind, last, size, fill),
            Op::Ping => {
                if let Ok(id) = self.end.send(100, |connection, now| connection.ping(now)) {
                    assert!(self.pings.last().is_none_or(|&last| last < id));
                    self.pings.push(id);
                }
            }
            Op::Close { code, size } => {
                let reason = text(size.min(200), size as u8);
                self.end.close(CloseFrame { code: CloseCode::from(code), reason: reason.into() });
            }
            Op::Abort => self.end.abort(),
            Op::ReleaseClose => self.end.release_close(),
            Op::SetHoldClose(on) => self.end.send(0, |connection, _| connection.hooks().set_hold_close(on)),
            Op::SetPaused(on) => self.end.send(0, |connection, now| connection.hooks().set_paused(on, now)),
            Op::Write(n) => self.end.write(n.into()),
            Op::WriteAll => self.end.write(usize::MAX),
            Op::WriteVectored(n) => self.end.write_vectored(n.into()),
            Op::Eof => self.end.eof(),
            Op::Fail => self.end.fail(),
            Op::Pass { millis } => self.end.pass(Duration::from_millis(millis.into())),
            Op::PassToDeadline => self.end.pass_to_deadline(),
            Op::PassAlmostToDeadline => {
                let deadline = self.end.connection.poll_timeout(self.end.now);
                if let Some(deadline) = deadline.filter(|&deadline| deadline > self.end.now) {
                    self.end.now = Timestamp::new(deadline.since_origin() - Duration::from_nanos(1));
                    let events = self.end.seen.len();
                    self.end.wake();
                    assert_eq!(self.end.seen.len(), events, "a deadline came early");
                }
            }
            Op::Jump { hours } => self.end.pass(Duration::from_secs(3600 * u64::from(hours))),
            Op::Backward { seconds } => {
                let earlier = Duration::from_secs(seconds.into());
                self.end.now = Timestamp::new(self.end.now.since_origin().saturating_sub(earlier));
                self.end.wake();
            }
            Op::Wake => self.end.wake(),
        }
    }

    fn afford(&mut self, size: usize) -> usize {
        let size = if size <= self.budget { size } else { size.min(16) };
        self.budget = self.budget.saturating_sub(size);
        size
    }

    // ---- the peer ----

    fn peer_sends(&mut self, first: u8, payload: &[u8], cut: u8) {
        let mut bytes = vec![];
        frame_to(self.end.connection.role(), first, payload, &mut bytes);
        let (cut, comes_later) = match usize::from(cut) {
            cut @ 0..128 => (cut.min(bytes.len()), false),
            cut => (bytes.len() * (cut & 63) / 64, cut & 64 != 0),
        };
        let rest = bytes.split_off(cut);
        let mut pieces = vec![[mem::take(&mut self.unsent), bytes].concat()];
        match comes_later {
            true => self.unsent = rest,
            false => pieces.push(rest),
        }
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            self.end.read(piece);
        }
    }

    /// A pong to the newest ping that was written answers it, unless that or a later one was answered before.
    fn peer_answers(&mut self) {
        let mut written = self.end.frames.iter().filter(|sent| sent.frame.opcode == 9 && sent.end <= self.end.written);
        let Some(payload) = written.next_back().map(|sent| sent.frame.payload.clone()) else { return };
        let answered = self.end.seen.iter().rev().find_map(|seen| match seen {
            Seen::Pong(_, Some((id, _))) => Some(id.payload().to_vec()),
            _ => None,
        });
        let events = self.end.seen.len();
        self.peer_sends(0x8A, &payload, 0);
        if let [Seen::Pong(pong, answers)] = &self.end.seen[events..]
            && *pong == payload
        {
            assert_eq!(answers.is_some(), answered.is_none_or(|before| before < payload), "{payload:02x?}");
        }
    }

    // ---- the application ----

    fn send(&mut self, kind: MessageKind, is_slice: bool, size: usize, fill: u8) {
        let size = self.afford(size);
        let message = message(kind, size, fill);
        let expected = self.refusal(message.len(), self.unfinished.is_some());
        let sent = message.clone();
        let result = self.end.send(message.len(), |connection, _| match (is_slice, &message) {
            (false, _) => connection.send(sent),
            (true, Message::Text(text)) => connection.send_text(text).map_err(|error| with(error, sent)),
            (true, Message::Binary(bytes)) => connection.send_binary(bytes).map_err(|error| with(error, sent)),
        });
        self.sent(result, expected, message, true, kind);
    }

    fn send_fragment(&mut self, kind: MessageKind, last: bool, size: usize, fill: u8) {
        let size = self.afford(size);
        let message = message(kind, size, fill);
        let expected = self.refusal(message.len(), self.unfinished.is_some_and(|begun| begun != kind));
        let sent = message.clone();
        let result = self.end.send(message.len(), |connection, _| connection.send_fragment(sent, last));
        let is_first = self.unfinished.is_none();
        if self.sent(result, expected, message, last, kind) {
            self.unfinished = (!last).then_some(kind);
            if !is_first && let Some((_, opcode, _)) = self.taken.last_mut() {
                *opcode = 0;
            }
        }
    }

    /// What a message of that length must be refused with.
    fn refusal(&mut self, len: usize, is_out_of_place: bool) -> Option<Refusal> {
        let (queued, limits) = (self.end.connection.outgoing().len(), self.end.connection.config().limits.clone());
        if !self.end.connection.is_open() {
            Some(Refusal::Closed)
        } else if is_out_of_place {
            Some(Refusal::Unfinished)
        } else if queued >= limits.high_water && queued + len + 14 > limits.hard_cap {
            Some(Refusal::Full)
        } else {
            None
        }
    }

    fn sent(
        &mut self,
        result: Result<(), SendError<Message>>,
        expected: Option<Refusal>,
        message: Message,
        fin: bool,
        kind: MessageKind,
    ) -> bool {
        let refusal = match result {
            Ok(()) => None,
            Err(error) => {
                let refusal = match &error {
                    SendError::Closed(_) => Refusal::Closed,
                    SendError::Full(_) => Refusal::Full,
                    SendError::Unfinished(_) => Refusal::Unfinished,
                    error => panic!("{error:?} is new"),
                };
                assert_eq!(error.into_message(), message, "it is handed back");
                Some(refusal)
            }
        };
        assert_eq!(refusal, expected);
        if refusal.is_none() {
            let opcode = if kind == MessageKind::Text { 1 } else { 2 };
            self.taken.push((fin, opcode, message.into_bytes()));
        }
        refusal.is_none()
    }

    // ---- the end ----

    /// What was taken was written, as it was and in order; all of it, unless the connection broke.
    fn check_taken(&self) {
        let data = self.end.frames.iter().filter(|sent| sent.frame.opcode < 8);
        let written: Vec<_> = data.map(|sent| (sent.frame.fin, sent.frame.opcode, &sent.frame.payload[..])).collect();
        let taken: Vec<_> = self.taken.iter().map(|(fin, opcode, payload)| (*fin, *opcode, &payload[..])).collect();
        assert!(taken.starts_with(&written), "something else than what was taken is written");
        assert!(self.end.released || written.len() == taken.len(), "what was taken is not written");
    }

    /// Pings are numbered, and each of the application's is answered at most once.
    fn check_pongs(&self) {
        let pings: Vec<_> =
            self.end.frames.iter().filter(|sent| sent.frame.opcode == 9).map(|sent| &sent.frame.payload).collect();
        assert!(pings.windows(2).all(|pair| pair[0] < pair[1]), "pings that cannot be told apart");
        let mut last = None;
        for seen in &self.end.seen {
            let Seen::Pong(payload, Some((id, _))) = seen else { continue };
            assert!(last < Some(*id), "{payload:02x?} answers again");
            last = Some(*id);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Closed,
    Full,
    Unfinished,
}

fn with(error: SendError<()>, message: Message) -> SendError<Message> {
    match error {
        SendError::Closed(()) => SendError::Closed(message),
        SendError::Full(()) => SendError::Full(message),
        SendError::Unfinished(()) => SendError::Unfinished(message),
        error => panic!("{error:?} is new"),
    }
}

fn message(kind: MessageKind, size: usize, fill: u8) -> Message {
    match kind {
        MessageKind::Text => text(size, fill).into(),
        MessageKind::Binary => vec![fill; size].into(),
    }
}

/// Text of at most `size` bytes.
fn text(size: usize, fill: u8) -> String {
    let character = ['a', 'é', '日', '😀'][usize::from(fill % 4)];
    std::iter::repeat_n(character, size / character.len_utf8()).collect()
}
