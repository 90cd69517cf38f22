//! Messages between the driver and the application that receives them.

use std::collections::VecDeque;
use std::mem;

use ws_proto::{Bytes, Message};

use super::inbound::InboundLimits;
use super::incoming::Incoming;
use super::unwanted::Unwanted;

/// The least number of messages for which a queue allocates, if its limit allows as many.
const BURST: usize = 16;

/// The memory of a message beside its bytes, approximately, in bytes.
const OVERHEAD: usize = 64;

/// The inbound queue: messages that the application has not received yet. At the limits of [`InboundLimits`], the driver
/// stops reading.
///
/// The handle takes all of them at once ([`take`](Self::take)). They count as waiting until the handle says that the
/// application has them ([`set_taken`](Self::set_taken)).
#[derive(Debug)]
pub(crate) struct Mailbox {
    messages: VecDeque<Message>,
    /// Their size in bytes.
    bytes: usize,
    /// The messages that the handle has taken and the application has not received yet, as last reported.
    taken: u32,
    /// The bytes of those messages.
    taken_bytes: usize,
    /// The limits of messages and bytes, in both places together.
    limits: InboundLimits,
    /// The number of messages discarded because the application has given up receiving.
    discarded: u64,
    /// The number of the application's tasks that only wait for the end.
    awaiting_end: u32,
    /// The treatment of messages after the application has given up receiving.
    unwanted: Unwanted,
    intake: Intake,
    /// Whether the driver has stopped reading until the application takes messages.
    is_paused: bool,
    /// Whether the transport takes no output at the moment.
    is_write_blocked: bool,
    /// Whether the application has ever waited for a message, or was warned that it should.
    has_received: bool,
    /// Whether a message waits that is too long to be assembled.
    is_held: bool,
    /// Whether a task waits for the next message in chunks.
    wants_stream: bool,
    /// The message that is received in chunks. Boxed, because usually there is none.
    stream: Option<Box<Incoming>>,
}

/// The fate of an arriving message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    /// It waits for the application.
    Kept,
    /// It is discarded, because one before it was, while the application only waited for the end.
    Skipped,
    /// It is unwanted: the application has given up receiving.
    Unwanted,
}

impl Mailbox {
    pub(crate) fn new(limits: InboundLimits) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            taken: 0,
            taken_bytes: 0,
            limits,
            discarded: 0,
            awaiting_end: 0,
            unwanted: Unwanted::Discard,
            intake: Intake::Kept,
            is_paused: false,
            is_write_blocked: false,
            has_received: false,
            is_held: false,
            wants_stream: false,
            stream: None,
        }
    }

    // ---- the driver's side ----

    /// Keeps a message until it is received, unless it must be [skipped](Self::has_gap). Returns whether it is wanted: the
    /// application has not given up receiving.
    #[inline]
    pub(crate) fn put(&mut self, message: Message) -> bool {
        if (self.intake != Intake::Kept || self.awaiting_end > 0) && !self.admits() {
            return self.intake != Intake::Unwanted;
        }
        if self.messages.len() == self.messages.capacity() {
            self.grow();
        }
        self.bytes += message.len();
        self.messages.push_back(message);
        true
    }

    /// Whether a message that arrives is kept. Reading stops before the queue is full, unless the application only waits for
    /// the end.
    #[cold]
    fn admits(&mut self) -> bool {
        if self.intake == Intake::Kept && self.has_no_room() {
            self.intake = Intake::Skipped;
        }
        self.intake == Intake::Kept
    }

    /// Allocates for the limit of messages or, if that is high, for some more messages.
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.messages.len();
        let (most, larger) = (self.limits.messages(), len + len.max(BURST));
        // The usual limit is exceeded only while writing is blocked.
        let larger = if len < most { most.min(larger) } else { larger };
        self.messages.reserve_exact(larger - len);
    }

    /// Frees the memory that an empty queue keeps for the next burst.
    pub(crate) fn shrink(&mut self) {
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
    }

    /// Whether the inbound queue is full.
    ///
    /// It is never full for an application that receives no messages: those without room are discarded.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.has_no_room() && !self.is_receiving_over()
    }

    /// Whether a message waits. Without one there is room, whatever the limits are.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.unreceived() > 0
    }

    /// Records whether the driver has stopped reading until the application takes messages.
    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// Whether the driver has stopped reading.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether reading has stopped and enough messages have been taken to continue.
    pub(crate) fn may_resume(&self) -> bool {
        self.is_paused && self.may_take_more()
    }

    fn may_take_more(&self) -> bool {
        let has_room = self.stream.as_ref().is_none_or(|stream| stream.has_room_again());
        has_room && (self.has_room_again() || self.is_receiving_over())
    }

    /// Records whether the transport takes no output at the moment.
    #[inline]
    pub(crate) fn set_write_blocked(&mut self, blocked: bool) {
        self.is_write_blocked = blocked;
    }

    /// Whether the transport takes no output at the moment.
    #[inline]
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.is_write_blocked
    }

    /// Whether the application has never waited for a message, so that it must be warned once.
    pub(crate) fn is_first_warning(&mut self) -> bool {
        !mem::replace(&mut self.has_received, true)
    }

    /// The number of messages that can be taken.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    // ---- the application's side ----

    /// Whether no message can be taken.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes all messages. Returns the first, and leaves the others in `rest`. Also returns the number of those with which the
    /// handle must report, because reading may continue then.
    #[inline]
    pub(crate) fn take(&mut self, rest: &mut VecDeque<Message>) -> Option<(Message, usize)> {
        self.has_received = true;
        let first = self.messages.pop_front()?;
        mem::swap(rest, &mut self.messages);
        let bytes = mem::take(&mut self.bytes) - first.len();
        let tell_at = self.limits.resume_at(rest, bytes);
        self.set_taken(rest.len(), bytes);
        Some((first, tell_at))
    }

    /// Takes all messages, and stops counting those that the handle has taken.
    pub(crate) fn empty(&mut self) -> VecDeque<Message> {
        (self.taken, self.taken_bytes, self.bytes) = (0, 0, 0);
        mem::take(&mut self.messages)
    }

    /// Records whether the application cannot receive while it sends, because it drives the connection itself.
    pub(crate) fn set_polled(&mut self, polled: bool) {
        self.limits.is_polled = polled;
    }

    /// Records the messages, and their bytes, that the handle holds and the application has not received.
    pub(crate) fn set_taken(&mut self, taken: usize, bytes: usize) {
        self.taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.taken_bytes = bytes;
    }

    /// Whether messages were discarded because the application only waited for the end. Then all that follow are discarded
    /// too.
    pub(crate) fn has_gap(&self) -> bool {
        self.intake == Intake::Skipped
    }

    /// Adds a task of the application that only waits for the end. Reading continues even when the queue is full.
    pub(crate) fn begin_awaiting_end(&mut self) {
        self.awaiting_end += 1;
    }

    /// Removes such a task.
    pub(crate) fn stop_awaiting_end(&mut self) {
        self.awaiting_end -= 1;
    }

    /// Whether the application takes no messages: it only waits for the end, or has dropped the handle.
    pub(crate) fn is_receiving_over(&self) -> bool {
        self.awaiting_end > 0 || self.is_abandoned()
    }

    // ---- a message in chunks ----

    /// Begins a message that the application receives in chunks.
    pub(super) fn begin_stream(&mut self, beginning: &[u8]) {
        self.is_held = false;
        let mut stream = Box::<Incoming>::default();
        stream.push(beginning, false);
        self.stream = Some(stream);
    }

    /// Begins a message that is discarded as it arrives. Returns whether it leaves a gap: the application may still receive
    /// the messages before it.
    pub(super) fn discard_begun(&mut self) -> bool {
        self.stream = Some(Box::new(Incoming::unwanted()));
        if self.intake == Intake::Kept {
            self.intake = Intake::Skipped;
        }
        self.intake == Intake::Skipped
    }

    /// Whether the application takes the chunks of that message.
    pub(super) fn wants_chunks(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_unwanted())
    }

    /// Keeps a piece of that message, which is its last or not. Returns whether reading must stop.
    pub(super) fn put_chunk(&mut self, piece: &[u8], last: bool) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        stream.push(piece, last);
        let is_full = stream.is_full();
        self.stream.take_if(|stream| stream.is_unwanted() && stream.is_over());
        is_full
    }

    /// Takes the next chunk of that message.
    pub(crate) fn next_chunk(&mut self) -> Option<Bytes> {
        self.stream.as_mut()?.pop()
    }

    /// Whether all chunks of that message have been taken. Then its memory is freed.
    pub(crate) fn end_stream(&mut self) -> bool {
        self.stream.take_if(|stream| stream.is_over());
        self.stream.is_none()
    }

    /// Discards the rest of that message. Returns the chunks that wait, to be dropped once the lock is released.
    pub(crate) fn discard_stream(&mut self) -> VecDeque<Vec<u8>> {
        let discarded = self.stream.as_mut().map(|stream| stream.discard()).unwrap_or_default();
        self.end_stream();
        discarded
    }

    /// Records whether a message waits that is too long to be assembled.
    pub(super) fn set_held(&mut self, held: bool) {
        self.is_held = held;
    }

    /// Whether a message waits that is too long to be assembled.
    #[inline]
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Records whether a task waits for the next message in chunks.
    pub(crate) fn set_wants_stream(&mut self, wants: bool) {
        self.wants_stream = wants;
        self.has_received |= wants;
    }

    /// Whether a task waits for the next message in chunks.
    pub(super) fn wants_stream(&self) -> bool {
        self.wants_stream
    }

    // ---- receiving was given up ----

    /// Gives up receiving. Returns the waiting messages, to be dropped once the lock is released.
    pub(crate) fn abandon(&mut self) -> VecDeque<Message> {
        self.intake = Intake::Unwanted;
        self.discard_stream();
        self.empty()
    }

    /// Whether the application has given up receiving.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.intake == Intake::Unwanted
    }

    /// Sets the treatment of messages after giving up receiving.
    pub(crate) fn set_unwanted(&mut self, unwanted: Unwanted) {
        self.unwanted = unwanted;
    }

    /// Counts this many unwanted messages, and returns their treatment.
    pub(crate) fn discard(&mut self, messages: usize) -> Unwanted {
        self.discarded += messages as u64;
        self.unwanted
    }

    /// The number of messages discarded because the application has given up receiving.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded
    }

    // ---- the limits ----

    /// Whether the waiting messages reach the limits.
    ///
    /// While our own writing is blocked, only the number of messages counts, because the peer may also be waiting for us to
    /// read. The write-stall deadline bounds that time. An application that drives the connection by polling cannot receive
    /// while it waits to send. Then the memory of short messages is limited, not their number.
    #[inline]
    fn has_no_room(&self) -> bool {
        let (messages, waiting) = (self.unreceived(), self.unreceived_bytes());
        (messages >= self.limits.messages() || waiting >= self.limits.bytes) && self.is_over_limits(messages, waiting)
    }

    /// [`has_no_room`](Self::has_no_room) where one of the limits is reached.
    #[inline(never)]
    fn is_over_limits(&self, messages: usize, waiting: usize) -> bool {
        let InboundLimits { is_polled, bytes, .. } = self.limits;
        let is_full = messages >= self.limits.messages();
        match self.is_write_blocked && self.awaiting_end == 0 {
            true if is_polled => is_full && waiting + messages * OVERHEAD >= bytes,
            true => is_full,
            false => is_full || waiting >= bytes,
        }
    }

    /// Whether enough messages were received to continue reading.
    fn has_room_again(&self) -> bool {
        let limits = &self.limits;
        let is_half = self.unreceived() <= limits.messages() / 2 && self.unreceived_bytes() <= limits.bytes / 2;
        is_half || (self.is_write_blocked && !self.has_no_room())
    }

    /// The number of messages that wait.
    #[inline]
    fn unreceived(&self) -> usize {
        self.messages.len() + self.taken as usize
    }

    /// Their size in bytes.
    fn unreceived_bytes(&self) -> usize {
        self.bytes + self.taken_bytes
    }
}

#[cfg(test)]
mod tests {
    use ws_proto::CloseCode;

    use super::*;

    fn mailbox(messages: usize, bytes: usize) -> Mailbox {
        let mut limits = InboundLimits::default();
        limits.set_messages(messages);
        limits.set_bytes(bytes);
        Mailbox::new(limits)
    }

    fn fill(mailbox: &mut Mailbox, messages: usize) {
        assert!((0..messages).all(|n| mailbox.put(vec![n as u8; 10].into())));
    }

    #[test]
    fn messages_wait_in_order_and_are_taken_together() {
        let (mut mailbox, mut rest) = (mailbox(4, 1000), VecDeque::new());
        assert!(mailbox.take(&mut rest).is_none() && mailbox.is_empty());
        fill(&mut mailbox, 4);
        assert_eq!((mailbox.len(), mailbox.is_full()), (4, true));
        let (first, tell_at) = mailbox.take(&mut rest).unwrap();
        assert_eq!((first, tell_at), (Message::from([0; 10]), 2));
        assert_eq!(rest, [Message::from([1; 10]), [2; 10].into(), [3; 10].into()]);
        assert!(mailbox.is_empty() && !mailbox.is_full(), "one has been received");
        fill(&mut mailbox, 1);
        assert!(mailbox.is_full(), "three that the handle has taken wait, too");
    }

    #[test]
    fn reading_goes_on_when_half_is_left() {
        let (mut mailbox, mut rest) = (mailbox(4, 1000), VecDeque::new());
        fill(&mut mailbox, 4);
        mailbox.set_paused(true);
        mailbox.take(&mut rest).unwrap();
        assert!(!mailbox.may_resume());
        mailbox.set_taken(2, 20);
        assert!(mailbox.may_resume());
        mailbox.set_paused(false);
        assert!(!mailbox.may_resume(), "it has gone on");
    }

    #[test]
    fn bytes_count_unless_writing_is_blocked() {
        let mut mailbox = mailbox(4, 20);
        fill(&mut mailbox, 2);
        assert!(mailbox.is_full());
        mailbox.set_paused(true);
        mailbox.set_write_blocked(true);
        assert!(!mailbox.is_full() && mailbox.may_resume());
        fill(&mut mailbox, 2);
        assert!(mailbox.is_full(), "the number counts");
    }

    #[test]
    fn one_that_waits_for_the_end_lets_all_come_and_none_behind_a_gap() {
        let (mut mailbox, mut rest) = (mailbox(2, 1000), VecDeque::new());
        mailbox.begin_awaiting_end();
        fill(&mut mailbox, 3);
        assert!(!mailbox.is_full() && mailbox.has_gap());
        mailbox.stop_awaiting_end();
        mailbox.take(&mut rest).unwrap();
        mailbox.set_taken(0, 0);
        fill(&mut mailbox, 1);
        assert!(mailbox.is_empty(), "it would follow a message that was thrown away");
    }

    #[test]
    fn unreceived_messages_are_counted() {
        let mut mailbox = mailbox(2, 1000);
        fill(&mut mailbox, 2);
        assert_eq!(mailbox.abandon().len(), 2);
        assert!(mailbox.is_abandoned() && mailbox.is_empty() && !mailbox.is_full() && !mailbox.has_gap());
        assert_eq!(mailbox.discard(2), Unwanted::Discard);
        mailbox.set_unwanted(Unwanted::Refuse(CloseCode::POLICY_VIOLATION));
        assert_eq!(mailbox.discard(1), Unwanted::Refuse(CloseCode::POLICY_VIOLATION));
        assert_eq!(mailbox.discarded(), 3);
    }

    #[test]
    fn an_application_that_never_receives_is_warned_of_once() {
        let mut silent = mailbox(2, 1000);
        assert!(silent.is_first_warning() && !silent.is_first_warning());
        let mut receiving = mailbox(2, 1000);
        receiving.take(&mut VecDeque::new());
        assert!(!receiving.is_first_warning());
    }

    #[test]
    fn an_empty_queue_gives_its_room_back() {
        let (mut mailbox, mut rest) = (mailbox(100, 10_000), VecDeque::new());
        fill(&mut mailbox, 3);
        assert_eq!(mailbox.messages.capacity(), BURST);
        mailbox.shrink();
        assert_eq!(mailbox.messages.capacity(), BURST);
        mailbox.take(&mut rest);
        mailbox.messages.reserve(1);
        mailbox.shrink();
        assert_eq!(mailbox.messages.capacity(), 0);
    }
}
