//! Bytes in, events out.

use alloc::sync::Arc;
use core::mem;

use crate::buffer::{ReadBuffer, ReadTarget};
use crate::connection::Connection;
use crate::error::Violation;
use crate::event::{Event, Pong};
use crate::memory::Memory;
use crate::receive::Item;
use crate::time::Timestamp;

impl Connection {
    /// The memory for the next read, at least 1 byte. Pass the number of bytes read to [`received`](Self::received). If nothing
    /// was read, no call is needed.
    ///
    /// This is usually the memory of `buffer` that connections share. A connection with [`Memory`](Self::set_memory) reads long
    /// binary messages directly into the memory that the message keeps, which saves a copy:
    ///
    /// - The rest of an incomplete message is read in place, 16 to 256 KiB at a time.
    /// - After a message of 16 to 256 KiB, another of the same length is expected. It is read with its header into memory of its
    ///   own.
    ///
    /// A driver with a read buffer of its own passes that to [`receive`](Self::receive) instead. Both ways can be mixed.
    ///
    /// ```
    /// use std::io::Read;
    ///
    /// use ws_proto::{Connection, Event, ReadBuffer, Timestamp};
    ///
    /// /// Reads once and handles what came; whether there is more to read.
    /// fn read(
    ///     stream: &mut impl Read,
    ///     connection: &mut Connection,
    ///     buffer: &mut ReadBuffer, // one for each thread
    ///     now: Timestamp,
    ///     mut on_event: impl FnMut(&mut Connection, Event<'_>),
    /// ) -> std::io::Result<bool> {
    ///     let n = stream.read(connection.read_buffer(buffer))?;
    ///     let mut input = connection.received(n, buffer);
    ///     while let Some(event) = connection.receive(&mut input, now) {
    ///         on_event(connection, event);
    ///     }
    ///     Ok(n > 0)
    /// }
    /// # let mut connection = Connection::server(ws_proto::Config::default(), Timestamp::ZERO);
    /// # let (mut buffer, mut pings) = (ReadBuffer::new(64 << 10), 0);
    /// # let mut stream = &b"\x89\x80\0\0\0\0"[..];
    /// # let on_event = |_: &mut Connection, event: Event<'_>| pings += usize::from(matches!(event, Event::Ping(_)));
    /// # assert!(read(&mut stream, &mut connection, &mut buffer, Timestamp::ZERO, on_event).unwrap());
    /// # assert_eq!(pings, 1);
    /// ```
    #[inline]
    pub fn read_buffer<'b>(&'b mut self, buffer: &'b mut ReadBuffer) -> &'b mut [u8] {
        match self.decoder.may_read_own() {
            true => self.read_buffer_of_own(buffer),
            false => buffer.shared(),
        }
    }

    #[inline(never)]
    fn read_buffer_of_own<'b>(&'b mut self, buffer: &'b mut ReadBuffer) -> &'b mut [u8] {
        match self.encoder.outgoing().memory() {
            Some(memory) if self.state.receives() => self.decoder.read_buffer(&self.config, memory, buffer),
            _ => buffer.shared(),
        }
    }

    /// Takes in the `n` bytes that were read into [`read_buffer`](Self::read_buffer), which was called last, with the same
    /// `buffer`. Returns the input for [`receive`](Self::receive).
    ///
    /// Call [`receive`](Self::receive) at least once, until it returns `None`, even if the input is empty: all bytes may lie in
    /// a message already. The caller keeps the rest of the input when receiving stops before its end.
    #[inline]
    pub fn received<'b>(&mut self, n: usize, buffer: &'b mut ReadBuffer) -> &'b mut [u8] {
        if buffer.target() == ReadTarget::Shared {
            self.decoder.set_last_read(n);
            return buffer.first_shared(n);
        }
        self.received_own(n, buffer)
    }

    /// [`received`](Self::received), for bytes that were read into the memory of a message.
    fn received_own<'b>(&mut self, n: usize, buffer: &'b mut ReadBuffer) -> &'b mut [u8] {
        self.heard |= n > 0;
        if buffer.target() == ReadTarget::Payload {
            self.decoder.payload_received(n);
            self.count_later(n);
            self.decoder.count_input(n);
            return &mut [];
        }
        self.decoder.set_last_read(n);
        let rest = self.decoder.message_received(&self.config, n, buffer.message(), self.state.receives()).len();
        self.count_later(n - rest);
        self.decoder.count_input(n.saturating_sub(rest));
        buffer.first_of_message(rest)
    }

    /// Takes bytes from the front of `input`, unmasks them in place, and returns the next event. Call it until it returns
    /// `None`. Then `input` is empty, and the connection keeps incomplete frames and messages.
    ///
    /// `input` is not empty at the end when a budget for inflating is spent: see `Hooks::set_inflate_budget`, with the feature
    /// `deflate`. Neither is it while the peer is over a rate: see [`Hooks::must_pause`](crate::Hooks::must_pause). Other methods, such as [`send`](Self::send), may be called between two calls.
    ///
    /// Events borrow from the input, not from the connection.
    #[inline(always)]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        if !self.state.receives() {
            self.discard(mem::take(input).len());
            return None;
        }
        // Small enough to be inlined where it is called; all else is not.
        match self.decoder.short_message(input) {
            Some(Ok(message)) => Some(Event::Message(message)),
            Some(Err(violation)) => self.receive_violation(violation, input, now),
            None if self.decoder.is_complete() => self.receive_complete(input, now),
            None if input.is_empty() => None,
            None => self.receive_next(input, now),
        }
    }

    #[inline(never)]
    fn receive_complete<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        self.heard = true;
        if self.meter.is_some()
            && let Err(violation) = self.count(0, now)
        {
            return self.receive_violation(violation, input, now);
        }
        self.decoder.take_complete().map(Event::Message)
    }

    fn receive_next<'i>(&mut self, input: &mut &'i mut [u8], now: Timestamp) -> Option<Event<'i>> {
        if self.meter.is_some() && self.must_pause(now) {
            return None;
        }
        self.heard = true;
        let before = input.len();
        let mark = self.decoder.mark(before);
        let mut item = self.decoder.next(&self.config, self.encoder.outgoing().memory(), input);
        self.decoder.count_since(mark, input.len(), item.as_ref().ok().and_then(Option::as_ref));
        if self.meter.is_some() {
            item = self.count_item(item, before - input.len(), now);
        }
        match item {
            Ok(None) => None,
            Ok(Some(Item::Message(message))) => Some(Event::Message(message)),
            Ok(Some(Item::Chunk(chunk))) => Some(Event::Chunk(chunk)),
            Ok(Some(Item::Begun(kind))) => Some(Event::Begun(kind)),
            Ok(Some(Item::Held(kind))) => Some(Event::Held(kind)),
            Ok(Some(Item::Ping(payload))) => {
                if self.state.sends() {
                    self.encoder.pong(&payload, &self.config.limits);
                }
                Some(Event::Ping(payload))
            }
            Ok(Some(Item::Pong(payload))) => {
                let answers = self.keepalive.pong(&payload, self.encoder.outgoing().written(), now);
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

    /// Discards the input after the last message, unless the end is reported now: then the next call does.
    fn discard_behind<'i>(&mut self, input: &mut &'i mut [u8], ended: Option<Event<'i>>) -> Option<Event<'i>> {
        if ended.is_none() {
            self.discard(mem::take(input).len());
        }
        ended
    }

    /// Sets the supplier of memory, for a caller that keeps messages or sends many. `None` at first.
    ///
    /// With a supplier, binary messages of 4 KiB and more are owned: they are copied and unmasked in one pass. From 16 KiB on
    /// they use supplied memory, and [`read_buffer`](Self::read_buffer) avoids the copy where possible. A message keeps at most
    /// about twice the memory that it needs. Copied bytes of the outgoing queue use supplied memory, too.
    ///
    /// With `None`, a message that lies in the input as a whole is unmasked in place and borrowed, and memory comes from the
    /// global allocator.
    pub fn set_memory(&mut self, memory: Option<Arc<dyn Memory>>) {
        self.encoder.outgoing_mut().set_memory(memory);
    }
}
