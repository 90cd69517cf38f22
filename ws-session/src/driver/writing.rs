//! Writes from the connection to the transport.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Buf;
use ws_proto::Timestamp;

use super::Driver;
use crate::shared::State;
use crate::transport::{Timer, Transport};

/// The time that a transport is full before its unsent bytes are limited. Its peer takes longer than that for the bytes that
/// it holds then, and a ping or a Close frame waits behind them.
const FULL_FOR: Duration = Duration::from_secs(1);

/// The most pieces of one vectored write.
const SLICES: usize = 32;

impl<T: Transport, C: Timer> Driver<T, C> {
    /// Writes the outgoing queue, as far as the transport takes it.
    pub(super) fn write(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) {
        if self.broken.is_none()
            && let Err(error) = self.try_write(cx, state, now)
        {
            self.break_off(state, error, now);
        }
    }

    /// Limits the unsent bytes that the transport holds. It is done late, because on a fast link it costs throughput.
    #[cold]
    pub(super) fn hold_little(&mut self) {
        if let Some(bytes) = self.notsent_lowat.take() {
            self.transport.set_notsent_lowat(bytes);
        }
    }

    #[cold]
    fn hold_little_when_full_for_long(&mut self, now: Timestamp) {
        if self.full_since.is_some_and(|since| since + FULL_FOR <= now) {
            self.hold_little();
        }
    }

    fn try_write(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> io::Result<()> {
        if state.mailbox.is_write_blocked() {
            self.hold_little_when_full_for_long(now);
        }
        loop {
            let is_blocked = self.pass_on(cx, state, now)?;
            state.mailbox.set_write_blocked(is_blocked);
            if !self.needs_flush {
                break;
            }
            let Poll::Ready(flushed) = self.transport.poll_flush(cx) else {
                state.mailbox.set_write_blocked(true);
                break;
            };
            flushed?;
            self.needs_flush = false;
            if !is_blocked {
                break;
            }
            // Polled again: some streams, smol's among them, forget the waker of a write when they are flushed.
        }
        let written = state.connection.outgoing().written();
        if !self.needs_flush && state.flushed != written {
            state.flushed = written;
            state.wakers.announce();
        }
        Ok(())
    }

    /// Writes until the queue is empty or the transport takes no more. Then it is blocked.
    fn pass_on(&mut self, cx: &mut Context<'_>, state: &mut State, now: Timestamp) -> io::Result<bool> {
        loop {
            let outgoing = state.connection.outgoing();
            if outgoing.is_empty() {
                return Ok(false);
            }
            let chunk = outgoing.chunk();
            let written = if chunk.len() == outgoing.remaining() {
                self.transport.poll_write_vectored(cx, &[IoSlice::new(chunk)])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let filled = outgoing.chunks_vectored(&mut slices);
                self.transport.poll_write_vectored(cx, slices.get(..filled).unwrap_or_default())
            };
            match written {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(n)) => {
                    if let Some(tap) = &mut self.tap {
                        tap.written(outgoing, n);
                    }
                    outgoing.advance(n);
                    self.needs_flush = true;
                    self.full_since = None;
                    state.wakers.announce();
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.full_since.get_or_insert(now);
                    return Ok(true);
                }
            }
        }
    }
}
