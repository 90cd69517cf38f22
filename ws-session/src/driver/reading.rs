//! From the transport to the connection.

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

/// How long messages wait before an application that has never received one is named.
const DEAF_AFTER: Duration = Duration::from_secs(1);

/// Input, and how much of it has been taken since.
pub(super) struct Unread {
    bytes: Vec<u8>,
    from: usize,
}

impl Unread {
    pub(super) fn new(bytes: Vec<u8>) -> Option<Box<Self>> {
        if bytes.is_empty() { None } else { Some(Box::new(Self { bytes, from: 0 })) }
    }

    /// What has not been taken.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.drain(..self.from);
        self.bytes
    }
}

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Reads once, unless the application must take messages first; whether anything came.
    pub(super) fn read(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> bool {
        if state.mailbox.is_paused() {
            if !state.mailbox.may_resume() {
                self.name_the_deaf(state, now);
                return false;
            }
            state.mailbox.set_paused(false);
            state.connection.hooks().set_paused(false, now);
        } else if state.mailbox.has_waiting() && state.mailbox.is_full() {
            // Who waited for nothing but the end, and let more come, no longer does.
            self.pause(state, now);
            return false;
        }
        if let Some(broken) = &mut self.broken {
            broken.taken_in = now;
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
                // Nothing more comes from a peer that takes nothing more.
                self.read_ended |= self.last_read().is_some_and(|last_read| last_read <= now);
                false
            }
            Poll::Ready(Ok(0)) => {
                self.read_ended = true;
                // How a connection ended that could not be written to, the write tells.
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
                // TCP has ended, without a word of TLS. After our Close that is how some take leave.
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

    /// Reads to where the connection says: to this thread's buffer, mostly.
    fn read_once(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> Poll<io::Result<usize>> {
        with_read_buffer(|buffer| {
            let room = state.connection.read_buffer(buffer);
            let n = ready!(self.transport.poll_read(cx, room))?;
            if let Some(tap) = &mut self.tap {
                tap.received(room.get(..n).unwrap_or_default());
            }
            let input = state.connection.received(n, buffer);
            self.receive_or_keep(state, input, now);
            Poll::Ready(Ok(n))
        })
    }

    /// Takes in what was read, and keeps what there is no room for.
    fn receive_or_keep(&mut self, state: &mut State, mut input: &mut [u8], now: Timestamp) {
        self.receive(state, &mut input, now);
        if !input.is_empty() {
            self.unread = Unread::new(input.to_vec());
        }
    }

    /// Goes on with input that was read before.
    fn take_unread(&mut self, mut unread: Box<Unread>, state: &mut State, now: Timestamp) {
        let mut input = unread.bytes.get_mut(unread.from..).unwrap_or_default();
        self.receive(state, &mut input, now);
        let left = input.len();
        if left > 0 {
            unread.from = unread.bytes.len() - left;
            self.unread = Some(unread);
        }
    }

    /// Feeds the connection until the input or the room for messages, which there is, is used up.
    fn receive(&mut self, state: &mut State, input: &mut &mut [u8], now: Timestamp) {
        let mut burst = Burst::default();
        loop {
            match state.connection.receive(input, now) {
                Some(Event::Message(message)) => {
                    state.on_message(burst.message(message, input.len()), self.shared.info.id)
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

    /// An application that has never asked for a message may not know that it has to, and is named once. One that has just
    /// begun will ask.
    fn name_the_deaf(&self, state: &mut State, now: Timestamp) {
        if now - self.paused_at >= DEAF_AFTER && state.mailbox.is_first_warning() {
            let (id, messages) = (self.shared.info.id, state.mailbox.len());
            let told = format!(
                "{messages} messages wait, and the application has never received one: reading stops, so that pings are not \
                 answered and a Close is not seen; if it only sends, it should call WebSocket::send_only"
            );
            warn!(target: TARGET, id, "{told}");
            unless_heard(format_args!("connection {id}: {told}"));
        }
    }
}
