//! Bytes in, events out.

use alloc::vec::Vec;
use core::mem;

use crate::connection::Connection;
use crate::error::Violation;
use crate::event::{Event, Pong};
use crate::outgoing::Scratch;
use crate::receive::Item;
use crate::time::Timestamp;

impl Connection {
    /// Takes bytes from the front of `input`, unmasking them in place, and returns the next event. Call it until it
    /// returns `None`; `input` is empty then, and what was incomplete is kept inside. (Where there is a budget for
    /// inflating that is spent, some of `input` may be left: see `Hooks::set_inflate_budget`, with the feature
    /// `deflate`.) Between two calls anything else may be called, [`send`](Self::send) for one.
    ///
    /// What an event borrows is the input, not the connection.
    #[inline(always)]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        if !self.state.receives() {
            self.discard(mem::take(input).len());
            return None;
        }
        // Small enough to be inlined where it is called; all else is not.
        match self.receiver.short_message(input) {
            Some(Ok(message)) => Some(Event::Message(message)),
            Some(Err(violation)) => self.receive_violation(violation, input, now),
            None if input.is_empty() => None,
            None => self.receive_next(input, now),
        }
    }

    fn receive_next<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        self.heard = true;
        match self.receiver.next(&self.config, input) {
            Ok(None) => None,
            Ok(Some(Item::Message(message))) => Some(Event::Message(message)),
            Ok(Some(Item::Chunk(chunk))) => Some(Event::Chunk(chunk)),
            Ok(Some(Item::Ping(payload))) => {
                if self.state.sends() {
                    self.sender.pong(&payload, &self.config.limits);
                }
                Some(Event::Ping(payload))
            }
            Ok(Some(Item::Pong(payload))) => {
                let answers = self.keepalive.pong(&payload, self.sender.outgoing().written(), now);
                Some(Event::Pong(Pong { payload, answers }))
            }
            Ok(Some(Item::Close(received))) => {
                let ended = self.peer_closed(received, now);
                self.discard_behind(input, ended)
            }
            Err(violation) => self.receive_violation(violation, input, now),
        }
    }

    #[cold]
    fn receive_violation<'i>(
        &mut self,
        violation: Violation,
        input: &mut &'i mut [u8],
        now: Timestamp,
    ) -> Option<Event<'i>> {
        let ended = self.violated(violation, now);
        self.discard_behind(input, ended)
    }

    /// No message follows. Unless that is reported now, and the input looked at once more, it is thrown away.
    fn discard_behind<'i>(&mut self, input: &mut &'i mut [u8], ended: Option<Event<'i>>) -> Option<Event<'i>> {
        if ended.is_none() {
            self.discard(mem::take(input).len());
        }
        ended
    }

    /// For a caller that keeps messages: binary ones of 4 KiB and more are copied as they are unmasked, in one pass, and
    /// come owned. The memory of long ones, of 16 KiB and more, is made by `buffers`, with at least the capacity it was
    /// asked for. It may hand out the same memory again and again, which saves the system clearing it each time; what lies
    /// in it means nothing, and is best left there: it need not be cleared to be read into.
    ///
    /// With `None`, as at first, what lies in the input as a whole is unmasked there and borrowed.
    pub fn set_buffers(&mut self, buffers: Option<fn(usize) -> Vec<u8>>) {
        self.receiver.set_buffers(buffers);
    }

    /// Says where the memory of what is queued and copied comes from, and goes to when it has been written, instead of
    /// allocating and freeing it each time. A queue of large payloads needs little of it: they are referred to.
    pub fn set_scratch(&mut self, scratch: Option<&'static Scratch>) {
        self.sender.outgoing_mut().set_scratch(scratch);
    }

    /// Room for what is read next, when that is the payload of a long binary message and the caller keeps messages
    /// ([`set_buffers`](Self::set_buffers)): it lies in the message, and saves a copy. At least 16 KiB, at most 256 KiB, and
    /// never beyond the frame. After a read into it call [`payload_received`](Self::payload_received); with `None` read
    /// elsewhere, and call [`receive`](Self::receive). Both ways may take turns.
    #[inline]
    pub fn payload_buffer(&mut self) -> Option<&mut [u8]> {
        if self.state.receives() { self.receiver.payload_buffer(&self.config) } else { None }
    }

    /// `n` bytes have been read to the front of [`payload_buffer`](Self::payload_buffer), which was called last; the message,
    /// when they complete it.
    pub fn payload_received(&mut self, n: usize, _now: Timestamp) -> Option<Event<'static>> {
        if !self.state.receives() || n == 0 {
            return None;
        }
        self.heard = true;
        self.receiver.payload_received(n).map(Event::Message)
    }

    /// How many bytes to read at once for the next message to be there as a whole, if it is binary and as long as the last
    /// that had more than 125 bytes: to give it to [`receive_whole`](Self::receive_whole). One byte more than that takes, so
    /// that a read that is not filled has left nothing behind; from 16 KiB to 256 KiB and 15 bytes, without the part of its
    /// header that has come. With `None` read as it suits the caller: always between the beginning of a message and its end,
    /// and while there are no buffers ([`set_buffers`](Self::set_buffers)).
    #[inline]
    pub fn whole_message_size(&self) -> Option<usize> {
        if self.state.receives() { self.receiver.whole_size() } else { None }
    }

    /// For a caller that keeps messages ([`set_buffers`](Self::set_buffers)), before [`receive`](Self::receive): a binary
    /// message of 16 KiB or more that `input` begins with, in one frame and not compressed, keeps that memory, which saves a
    /// copy. A message of which only the beginning has come does so, too, and goes on there. Its capacity may be about twice what
    /// the message takes, no more.
    ///
    /// What is left in `input` is to be received: what follows the message, in other memory then, or all that was in it.
    pub fn receive_whole(&mut self, input: &mut Vec<u8>, _now: Timestamp) -> Option<Event<'static>> {
        if !self.state.receives() {
            return None;
        }
        self.heard |= !input.is_empty();
        self.receiver.whole(&self.config, input).map(Event::Message)
    }
}
