//! A link in memory between two threads.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use shuttle::sync::{Mutex, MutexGuard};
use ws_session::Transport;

use crate::tasks::below;

/// How a link behaves.
#[derive(Clone, Copy)]
pub(crate) struct LinkOptions {
    /// How many bytes each direction holds.
    pub(crate) capacity: usize,
    /// Whether a read or a write may move fewer bytes than it could.
    pub(crate) portions: bool,
    /// Whether what is written stays with the writer until it is flushed.
    pub(crate) buffered: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self { capacity: 1 << 16, portions: false, buffered: false }
    }
}

/// Two ends of a link.
pub(crate) fn link(options: LinkOptions) -> (End, End) {
    let (there, back) = (Wire::default(), Wire::default());
    let end = |incoming, outgoing| End { incoming, outgoing, options, staged: VecDeque::new() };
    (end(back.clone(), there.clone()), end(there, back))
}

/// One end: a transport. Dropped, the other reads the end of the stream and can write no more.
pub(crate) struct End {
    incoming: Wire,
    pub(crate) outgoing: Wire,
    options: LinkOptions,
    staged: VecDeque<u8>,
}

/// One direction.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    /// All that was ever on it.
    history: Vec<u8>,
    ended: bool,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whether these bytes have ever been on it, one after the other.
    pub(crate) fn has_carried(&self, bytes: &[u8]) -> bool {
        self.lock().history.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl State {
    /// Takes as much from `from` as there is room for, and says how much.
    fn push<'a>(&mut self, capacity: usize, from: impl Iterator<Item = &'a u8>) -> usize {
        let before = self.bytes.len();
        let room = capacity.saturating_sub(before);
        self.bytes.extend(from.take(room));
        self.history.extend(self.bytes.range(before..));
        self.bytes.len() - before
    }
}

impl End {
    fn portion(&self, n: usize) -> usize {
        if self.options.portions && n > 1 && below(4) == 0 { 1 + below(n) } else { n }
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.incoming.lock();
        if state.bytes.is_empty() {
            if state.ended {
                return Poll::Ready(Ok(0));
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = self.portion(state.bytes.len().min(buffer.len()));
        let n = state.bytes.read(&mut buffer[..n])?;
        let writer = state.writer.take();
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let n = self.portion(buffers.iter().map(|buffer| buffer.len()).sum());
        let bytes = buffers.iter().flat_map(|buffer| buffer.iter()).take(n);
        let LinkOptions { capacity, buffered, .. } = self.options;
        let mut state = self.outgoing.lock();
        assert!(!state.ended, "a write after the end");
        if state.reader_gone {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let written = if buffered {
            if self.staged.len() >= capacity {
                let moved = state.push(capacity, self.staged.iter());
                self.staged.drain(..moved);
            }
            let before = self.staged.len();
            self.staged.extend(bytes.take(capacity.saturating_sub(before)));
            self.staged.len() - before
        } else {
            state.push(capacity, bytes)
        };
        if written == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.staged.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.outgoing.lock();
        if state.reader_gone {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let moved = state.push(self.options.capacity, self.staged.iter());
        self.staged.drain(..moved);
        let done = self.staged.is_empty();
        if !done {
            state.writer = Some(cx.waker().clone());
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.poll_flush(cx)?.is_pending() {
            return Poll::Pending;
        }
        let mut state = self.outgoing.lock();
        assert!(!state.ended, "a second shutdown");
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let writer = {
            let mut state = self.incoming.lock();
            state.reader_gone = true;
            state.writer.take()
        };
        let reader = {
            let mut state = self.outgoing.lock();
            state.ended = true;
            state.reader.take()
        };
        writer.into_iter().chain(reader).for_each(Waker::wake);
    }
}
