//! Messages between the driver and the application that receives them.

use std::collections::VecDeque;
use std::mem;

use ws_proto::Message;

use super::inbound::InboundLimits;
use super::unwanted::Unwanted;

/// How many messages a queue makes room for at once, at least, where so many may wait.
const BURST: usize = 16;

/// What a message takes beside its bytes, about.
const OVERHEAD: usize = 64;

/// Messages that have come in and that the application has not asked for yet. As many wait as [`InboundLimits`] allow; then
/// the driver stops reading.
///
/// The handle takes all of them at once ([`take`](Self::take)). They count as waiting until the handle says that the
/// application has them ([`set_taken`](Self::set_taken)).
#[derive(Debug)]
pub(crate) struct Mailbox {
    messages: VecDeque<Message>,
    /// How many bytes they have.
    bytes: usize,
    /// How many messages the handle has taken that the application has not asked for yet, as far as it has told.
    taken: u32,
    /// How many bytes those have.
    taken_bytes: usize,
    /// How many messages and bytes may wait, in both places.
    limits: InboundLimits,
    /// How many messages were discarded because nobody receives any more.
    discarded: u64,
    /// How many tasks of the application wait for nothing but the end.
    awaiting_end: u32,
    /// What is done with messages that nobody receives.
    unwanted: Unwanted,
    intake: Intake,
    /// Whether the driver has stopped reading, until the application takes messages.
    is_paused: bool,
    /// Whether the transport takes nothing at the moment.
    is_write_blocked: bool,
    /// Whether the application has ever waited for a message, or was told that it should.
    has_received: bool,
}

/// What becomes of a message that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    /// It waits for the application.
    Kept,
    /// It is thrown away: one before it was, because the application waited for nothing but the end.
    Skipped,
    /// It is unwanted: nobody can receive any more.
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
        }
    }

    // ---- the driver's side ----

    /// Keeps a message until it is asked for, unless it is to be [skipped](Self::has_gap).
    #[inline]
    pub(crate) fn put(&mut self, message: Message) {
        // Reading stops before a message finds no room, unless the application waits for nothing but the end.
        if self.intake != Intake::Kept || (self.awaiting_end > 0 && self.has_no_room()) {
            self.skip();
            return;
        }
        if self.messages.len() == self.messages.capacity() {
            self.grow();
        }
        self.bytes += message.len();
        self.messages.push_back(message);
    }

    #[cold]
    fn skip(&mut self) {
        if self.intake == Intake::Kept {
            self.intake = Intake::Skipped;
        }
    }

    /// Makes room for as many messages as may wait, or, where that is many, for some more.
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.messages.len();
        let (most, larger) = (self.limits.messages(), len + len.max(BURST));
        // There are more than may wait in general only while writing is blocked.
        let larger = if len < most { most.min(larger) } else { larger };
        self.messages.reserve_exact(larger - len);
    }

    /// Gives back the room that an empty queue keeps for the next burst.
    pub(crate) fn shrink(&mut self) {
        if self.messages.is_empty() {
            self.messages = VecDeque::new();
        }
    }

    /// Whether the application has as many messages waiting as it may have.
    ///
    /// An application that takes none lets all come: messages that find no room are thrown away.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.has_no_room() && !self.is_receiving_over()
    }

    /// Whether the application has a message waiting. Without one there is room, whatever the limits are.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.unreceived() > 0
    }

    /// Says whether the driver has stopped reading, until the application takes messages.
    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.is_paused = paused;
    }

    /// Whether the driver has stopped reading.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Whether reading has stopped and enough messages have been taken for it to go on.
    pub(crate) fn may_resume(&self) -> bool {
        self.is_paused && (self.has_room_again() || self.is_receiving_over())
    }

    /// Says whether the transport takes nothing at the moment.
    #[inline]
    pub(crate) fn set_write_blocked(&mut self, blocked: bool) {
        self.is_write_blocked = blocked;
    }

    /// Whether the transport takes nothing at the moment.
    #[inline]
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.is_write_blocked
    }

    /// Whether this is an application that has never asked for a message, to be told once that it should.
    pub(crate) fn is_first_warning(&mut self) -> bool {
        !mem::replace(&mut self.has_received, true)
    }

    /// How many messages wait to be taken.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    // ---- the application's side ----

    /// Whether no message waits to be taken.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Takes all messages, the first apart from the others, which are left in `rest`. With how many of those left the handle
    /// is to say so, because reading may go on.
    pub(crate) fn take(&mut self, rest: &mut VecDeque<Message>) -> Option<(Message, usize)> {
        self.has_received = true;
        let first = self.messages.pop_front()?;
        mem::swap(rest, &mut self.messages);
        let bytes = mem::take(&mut self.bytes) - first.len();
        let tell_at = self.limits.resume_at(rest, bytes);
        self.set_taken(rest.len(), bytes);
        Some((first, tell_at))
    }

    /// Takes all messages, and no longer counts those that the handle has taken.
    pub(crate) fn empty(&mut self) -> VecDeque<Message> {
        (self.taken, self.taken_bytes, self.bytes) = (0, 0, 0);
        mem::take(&mut self.messages)
    }

    /// Says whether the application cannot receive while it sends, because it drives the connection itself.
    pub(crate) fn set_polled(&mut self, polled: bool) {
        self.limits.is_polled = polled;
    }

    /// The handle has so many messages left, of so many bytes, that the application has not asked for.
    pub(crate) fn set_taken(&mut self, taken: usize, bytes: usize) {
        self.taken = u32::try_from(taken).unwrap_or(u32::MAX);
        self.taken_bytes = bytes;
    }

    /// Whether messages were thrown away because the application waited for nothing but the end: those that would follow
    /// are, too.
    pub(crate) fn has_gap(&self) -> bool {
        self.intake == Intake::Skipped
    }

    /// One more task of the application waits for nothing but the end: reading goes on, whatever waits.
    pub(crate) fn begin_awaiting_end(&mut self) {
        self.awaiting_end += 1;
    }

    /// One less does.
    pub(crate) fn stop_awaiting_end(&mut self) {
        self.awaiting_end -= 1;
    }

    /// Whether the application takes no message: it waits for nothing but the end, or has let go of the handle.
    pub(crate) fn is_receiving_over(&self) -> bool {
        self.awaiting_end > 0 || self.is_abandoned()
    }

    // ---- nobody receives any more ----

    /// Nobody receives any more: the messages that wait, to be dropped once the lock is released.
    pub(crate) fn abandon(&mut self) -> VecDeque<Message> {
        self.intake = Intake::Unwanted;
        self.empty()
    }

    /// Whether nobody can receive any more.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.intake == Intake::Unwanted
    }

    /// Says what is done with messages that nobody receives.
    pub(crate) fn set_unwanted(&mut self, unwanted: Unwanted) {
        self.unwanted = unwanted;
    }

    /// So many messages have come that nobody receives; what is to be done about it.
    pub(crate) fn discard(&mut self, messages: usize) -> Unwanted {
        self.discarded += messages as u64;
        self.unwanted
    }

    /// How many messages were discarded because nobody receives any more.
    pub(crate) fn discarded(&self) -> u64 {
        self.discarded
    }

    // ---- how much waits ----

    /// Whether the application has as much waiting as may wait.
    ///
    /// While our own writing is blocked, the number of messages alone decides: the peer may be waiting, as we are, for the
    /// other to read on. How long that can last the deadline for writes bounds. An application that drives the connection by
    /// polling it cannot receive while it waits to send: then short messages may be as many as their memory allows.
    #[inline]
    fn has_no_room(&self) -> bool {
        let InboundLimits { is_polled, bytes, .. } = self.limits;
        let (messages, waiting) = (self.unreceived(), self.unreceived_bytes());
        let is_full = messages >= self.limits.messages();
        match self.is_write_blocked && self.awaiting_end == 0 {
            true if is_polled => is_full && waiting + messages * OVERHEAD >= bytes,
            true => is_full,
            false => is_full || waiting >= bytes,
        }
    }

    /// Whether so much has been received that reading may go on.
    fn has_room_again(&self) -> bool {
        let limits = &self.limits;
        let is_half = self.unreceived() <= limits.messages() / 2 && self.unreceived_bytes() <= limits.bytes / 2;
        is_half || (self.is_write_blocked && !self.has_no_room())
    }

    /// How many messages the application has waiting.
    #[inline]
    fn unreceived(&self) -> usize {
        self.messages.len() + self.taken as usize
    }

    /// How many bytes they have.
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
        (0..messages).for_each(|n| mailbox.put(vec![n as u8; 10].into()));
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
    fn what_nobody_receives_is_counted() {
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
