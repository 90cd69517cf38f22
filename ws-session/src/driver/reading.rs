//! Reads from the transport into the connection.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tracing::warn;
use ws_proto::{Event, Timestamp};

use super::Driver;
use super::broken::MOST_READ;
use crate::logging::{TARGET, unless_heard};
use crate::memory::burst::Burst;
use crate::memory::scratch::with_read_buffer;
use crate::shared::State;
use crate::transport::{Timer, Transport};

/// The time that messages wait before the log warns of an application that has never received one.
const DEAF_AFTER: Duration = Duration::from_secs(1);

/// Input, and the number of its bytes that were handled.
pub(super) struct Unread {
    bytes: Vec<u8>,
    from: usize,
}

impl Unread {
    pub(super) fn new(bytes: Vec<u8>) -> Option<Box<Self>> {
        if bytes.is_empty() { None } else { Some(Box::new(Self { bytes, from: 0 })) }
    }

    /// The bytes that were not handled.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.drain(..self.from);
        self.bytes
    }
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Reads once, unless the application must take messages first. Returns whether anything was read.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        if state.mailbox.is_paused() {
            if !state.may_resume() {
                self.name_the_deaf(state, now);
                return false;
            }
            state.mailbox.set_paused(false);
            state.connection.hooks().set_paused(false, now);
            state.handle_held();
        } else if state.mailbox.has_waiting() && state.mailbox.is_full() {
            // The application no longer waits for the end only, so the limits count again.
            self.pause(state, now);
            return false;
        }
        if let Some(broken) = &mut self.broken {
            broken.taken_in = now;
        } else if state.connection.hooks().must_pause(now) {
            return false;
        }
        if let Some(unread) = self.unread.take() {
            self.take_unread(unread, state, now);
            return true;
        }
        if self.read_ended {
            return false;
        }
        match self.read_once(cx, state, now) {
            Poll::Pending => {
                // No more input is expected from a peer that takes no more output.
                self.read_ended |= self.last_read().is_some_and(|last_read| last_read <= now);
                false
            }
            Poll::Ready(Ok(0)) => {
                self.read_ended = true;
                // The write error tells how the connection ended.
                if self.broken.is_none()
                    && let Some(event) = state.connection.receive_eof(now)
                {
                    state.on_event(event, self.shared.info.id, now);
                }
                true
            }
            Poll::Ready(Ok(n)) => {
                if let Some(broken) = &mut self.broken {
                    broken.read += n;
                    self.read_ended |= broken.read > MOST_READ;
                }
                true
            }
            Poll::Ready(Err(error)) => {
                self.read_ended = true;
                // TCP has ended without a close_notify. Some peers end TLS so after our Close.
                if error.kind() == io::ErrorKind::UnexpectedEof
                    && state.connection.awaits_close()
                    && let Some(event) = state.connection.receive_eof(now)
                {
                    state.on_event(event, self.shared.info.id, now);
                    return true;
                }
                self.break_off(state, error, now);
                true
            }
        }
    }

    /// Reads into the connection's choice of memory, usually this thread's buffer.
    ///
    /// The read that follows an expected long message in the same poll finds nothing in most cases. Memory of its own would be
    /// taken for it in vain.
    fn read_once(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> Poll<io::Result<usize>> {
        with_read_buffer(|buffer| {
            let room = match self.is_drained {
                true => buffer.shared(),
                false => state.connection.read_buffer(buffer),
            };
            let size = room.len();
            let n = ready!(self.transport.poll_read(cx, room))?;
            // Memory for an expected message has room for one more byte.
            self.is_drained = n + 1 == size;
            if let Some(tap) = &mut self.tap {
                tap.received(room.get(..n).unwrap_or_default());
            }
            let input = state.connection.received(n, buffer);
            self.receive_or_keep(state, input, now);
            Poll::Ready(Ok(n))
        })
    }

    /// Handles the input that was read, and keeps the rest if the inbound queue is full.
    fn receive_or_keep(&mut self, state: &mut State, mut input: &mut [u8], now: Timestamp) {
        self.receive(state, &mut input, now);
        if !input.is_empty() {
            self.unread = Unread::new(input.to_vec());
        }
    }

    /// Continues with input that was read before.
    fn take_unread(&mut self, mut unread: Box<Unread>, state: &mut State, now: Timestamp) {
        let mut input = unread.bytes.get_mut(unread.from..).unwrap_or_default();
        self.receive(state, &mut input, now);
        let left = input.len();
        if left > 0 {
            unread.from = unread.bytes.len() - left;
            self.unread = Some(unread);
        }
    }

    /// Passes input to the connection until the input, or the room for messages, is used up.
    fn receive(&mut self, state: &mut State, input: &mut &mut [u8], now: Timestamp) {
        let mut burst = Burst::default();
        loop {
            match state.connection.receive(input, now) {
                Some(Event::Message(message)) => {
                    state.on_message(burst.message(message, input.len()), self.shared.info.id)
                }
                Some(Event::Chunk(chunk)) => {
                    if state.on_chunk(&chunk) {
                        break;
                    }
                }
                Some(Event::Held(_)) => {
                    if !state.on_held() {
                        break;
                    }
                }
                Some(event) => state.on_event(event, self.shared.info.id, now),
                None => return,
            }
            if state.mailbox.is_full() {
                break;
            }
        }
        self.pause(state, now);
    }

    /// Stops reading until the application has taken messages.
    fn pause(&mut self, state: &mut State, now: Timestamp) {
        self.paused_at = now;
        state.mailbox.set_paused(true);
        state.connection.hooks().set_paused(true, now);
    }

    /// Logs one warning for an application that has never received. One that has just started is given time.
    fn name_the_deaf(&self, state: &mut State, now: Timestamp) {
        if now - self.paused_at >= DEAF_AFTER && state.mailbox.is_first_warning() {
            let (id, messages) = (self.shared.info.id, state.mailbox.len());
            let told = format!(
                "{messages} messages wait, and the application has never received one. Reading stops, so pings are not \
                 answered and a Close is not seen. It should keep calling recv; a handler that only sends can call \
                 WebSocket::send_only instead"
            );
            warn!(target: TARGET, id, "{told}");
            unless_heard(format_args!("connection {id}: {told}"));
        }
    }
}
