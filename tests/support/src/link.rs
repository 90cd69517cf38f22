//! A link in memory: two streams of bytes, whose buffers, chunks, stalls and errors a test decides.
//!
//! It has the methods of a transport, not the trait: one suite builds the trait's crate anew, with other locks.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::random::Chance;

/// How a link behaves.
#[derive(Clone, Copy, Debug)]
pub struct LinkOptions {
    /// How many bytes each direction holds.
    pub capacity: usize,
    /// The most bytes one read or write moves; how many exactly is random.
    pub chunk: usize,
    /// Whether a read or a write moves fewer bytes than it could, in one of four times.
    pub portions: bool,
    /// Whether reads and writes say `Pending` now and then for no reason, and wake at once.
    pub hiccups: bool,
    /// Whether what is written stays in the transport until it is flushed.
    pub buffered: bool,
    /// How many bytes such a transport keeps to itself.
    pub staged: usize,
    /// How many bytes of those that a direction holds its reader's system has taken at the most: the receive window. With
    /// `None` the transport knows nothing of what is in flight.
    pub window: Option<usize>,
    /// Whether the window that is told stays the same, however much of it is unread.
    pub steady_window: bool,
    /// Whether letting go of an end with input unread resets the other, as TCP does.
    pub resets: bool,
    /// Whether a direction remembers all that it has carried.
    pub remembers: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            capacity: 1 << 20,
            chunk: usize::MAX,
            portions: false,
            hiccups: false,
            buffered: false,
            staged: 1000,
            window: None,
            steady_window: false,
            resets: false,
            remembers: false,
        }
    }
}

/// The lock around a direction: a suite that decides which thread goes on brings its own.
pub trait Lock: Clone {
    /// A new lock.
    fn new(state: State) -> Self;

    /// Looks at what it guards, or changes it. Wakes nobody.
    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R;
}

impl Lock for Arc<Mutex<State>> {
    fn new(state: State) -> Self {
        Arc::new(Mutex::new(state))
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.lock().expect("nothing panics while it has the lock"))
    }
}

/// Two ends of a link, with a source of random numbers each.
pub fn link<L: Lock, C: Chance>(options: LinkOptions, chances: [C; 2]) -> (End<L, C>, End<L, C>) {
    let there = Wire::new("a → b", options);
    let back = Wire::new("b → a", options);
    let [for_a, for_b] = chances;
    let a = End { incoming: back.clone(), outgoing: there.clone(), options, chance: for_a, staged: Vec::new() };
    let b = End { incoming: there, outgoing: back, options, chance: for_b, staged: Vec::new() };
    (a, b)
}

/// One end: what a transport needs. Dropped, the other reads the end of the stream and can write no more.
pub struct End<L: Lock, C> {
    incoming: Wire<L>,
    outgoing: Wire<L>,
    options: LinkOptions,
    chance: C,
    /// What was written and not flushed, when the transport is buffered.
    staged: Vec<u8>,
}

/// One direction. Tests watch it and interfere with it.
#[derive(Clone)]
pub struct Wire<L> {
    state: L,
}

/// What a direction holds.
#[derive(Default)]
pub struct State {
    name: &'static str,
    capacity: usize,
    bytes: VecDeque<u8>,
    /// All that was ever on it, when it is to remember that.
    history: Option<Vec<u8>>,
    /// Whether the writer has ended it.
    ended: bool,
    /// Whether the reader, or the writer, is gone.
    reader_gone: bool,
    writer_gone: bool,
    /// What reads say once the bytes have been read.
    read_error: Option<ErrorKind>,
    write_error: Option<ErrorKind>,
    flush_error: Option<ErrorKind>,
    shutdown_error: Option<ErrorKind>,
    reads_stall: bool,
    writes_stall: bool,
    flushes_stall: bool,
    shutdown_stalls: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// How often it was read and written, successfully or not.
    reads: u64,
    writes: u64,
    /// How many unsent bytes the writer's transport was told to hold, each time.
    notsent_lowats: Vec<u32>,
}

impl State {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        if let Some(history) = &mut self.history {
            history.extend(bytes);
        }
    }

    /// Moves bytes from a transport's own buffer to the wire.
    fn take_over(&mut self, staged: &mut Vec<u8>) {
        let n = staged.len().min(self.room());
        self.append(&staged[..n]);
        staged.drain(..n);
    }
}

impl<L: Lock> Wire<L> {
    fn new(name: &'static str, options: LinkOptions) -> Self {
        let history = options.remembers.then(Vec::new);
        Self { state: L::new(State { name, capacity: options.capacity, history, ..State::default() }) }
    }

    /// Changes something and lets both sides look.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (result, wakers) = self.state.with(|state| {
            let result = change(state);
            (result, [state.reader.take(), state.writer.take()])
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
        result
    }

    // ---- for a peer without an end of its own ----

    /// Puts bytes in, whatever the capacity.
    pub fn push(&self, bytes: &[u8]) {
        self.change(|state| state.append(bytes));
    }

    /// Takes all bytes out.
    pub fn take(&self) -> Vec<u8> {
        self.take_up_to(usize::MAX)
    }

    /// Takes so many bytes out, or all.
    pub fn take_up_to(&self, n: usize) -> Vec<u8> {
        self.change(|state| {
            let n = n.min(state.bytes.len());
            state.bytes.drain(..n).collect()
        })
    }

    /// Ends it: the reader reads the end of the stream.
    pub fn end(&self) {
        self.change(|state| state.ended = true);
    }

    // ---- what a test looks at ----

    /// How many bytes are on it.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.state.with(|state| state.bytes.len())
    }

    /// Whether the writer has ended it, or is gone.
    pub fn is_ended(&self) -> bool {
        self.state.with(|state| state.ended || state.writer_gone)
    }

    /// Whether the writer is gone, and its transport with it.
    pub fn is_writer_gone(&self) -> bool {
        self.state.with(|state| state.writer_gone)
    }

    /// How often it was read, successfully or not.
    pub fn reads(&self) -> u64 {
        self.state.with(|state| state.reads)
    }

    /// How often it was written, successfully or not.
    pub fn writes(&self) -> u64 {
        self.state.with(|state| state.writes)
    }

    /// How many unsent bytes the writer's transport was told to hold, each time it was.
    pub fn notsent_lowats(&self) -> Vec<u32> {
        self.state.with(|state| state.notsent_lowats.clone())
    }

    /// Whether these bytes have ever been on it, one after the other.
    ///
    /// # Panics
    ///
    /// When it does not remember.
    pub fn has_carried(&self, bytes: &[u8]) -> bool {
        self.state.with(|state| {
            let history = state.history.as_ref().expect("a wire that remembers");
            history.windows(bytes.len()).any(|window| window == bytes)
        })
    }

    // ---- faults ----

    /// From now on it holds so many bytes.
    pub fn set_capacity(&self, capacity: usize) {
        self.change(|state| state.capacity = capacity);
    }

    /// Whether writes wait.
    pub fn stall_writes(&self, stall: bool) {
        self.change(|state| state.writes_stall = stall);
    }

    /// Whether reads wait.
    pub fn stall_reads(&self, stall: bool) {
        self.change(|state| state.reads_stall = stall);
    }

    /// Whether its end waits.
    pub fn stall_shutdown(&self, stall: bool) {
        self.change(|state| state.shutdown_stalls = stall);
    }

    /// Whether flushes wait.
    pub fn stall_flushes(&self, stall: bool) {
        self.change(|state| state.flushes_stall = stall);
    }

    /// Reads fail with this once all bytes have been read.
    pub fn fail_reads(&self, error: ErrorKind) {
        self.change(|state| state.read_error = Some(error));
    }

    /// Writes fail with this.
    pub fn fail_writes(&self, error: ErrorKind) {
        self.change(|state| state.write_error = Some(error));
    }

    /// Flushes fail with this.
    pub fn fail_flushes(&self, error: ErrorKind) {
        self.change(|state| state.flush_error = Some(error));
    }

    /// Its end fails with this.
    pub fn fail_shutdown(&self, error: ErrorKind) {
        self.change(|state| state.shutdown_error = Some(error));
    }
}

impl<L: Lock> fmt::Debug for Wire<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.with(|state| {
            write!(f, "wire {}: {} of {} bytes", state.name, state.bytes.len(), state.capacity)?;
            write!(f, ", {} reads, {} writes", state.reads, state.writes)?;
            for (is_so, what) in [
                (state.ended, "ended"),
                (state.reader_gone, "reader gone"),
                (state.writer_gone, "writer gone"),
                (state.reads_stall, "reads stall"),
                (state.writes_stall, "writes stall"),
                (state.flushes_stall, "flushes stall"),
                (state.reader.is_some(), "reader waits"),
                (state.writer.is_some(), "writer waits"),
            ] {
                if is_so {
                    write!(f, ", {what}")?;
                }
            }
            Ok(())
        })
    }
}

impl<L: Lock, C> End<L, C> {
    /// What comes to this end, and what goes from it.
    pub fn wires(&self) -> (Wire<L>, Wire<L>) {
        (self.incoming.clone(), self.outgoing.clone())
    }

    /// Bytes that the reader's system has not taken, and the window that it tells, when the link has one.
    pub fn in_flight(&self) -> Option<(u64, u64)> {
        let window = self.options.window?;
        let unread = self.outgoing.len();
        let room = if self.options.steady_window { window } else { window.saturating_sub(unread) };
        Some((unread.saturating_sub(window) as u64, room as u64))
    }

    /// Notes what it is told; see [`Wire::notsent_lowats`].
    pub fn set_notsent_lowat(&self, bytes: u32) {
        self.outgoing.state.with(|state| state.notsent_lowats.push(bytes));
    }
}

impl<L: Lock, C: Chance> End<L, C> {
    fn hiccup(&mut self, cx: &Context<'_>) -> bool {
        let hiccup = self.options.hiccups && self.chance.one_in(4);
        if hiccup {
            cx.waker().wake_by_ref();
        }
        hiccup
    }

    /// How many of `n` bytes are moved at once.
    fn portion(&mut self, n: usize) -> usize {
        let n = match self.options.chunk {
            usize::MAX => n,
            chunk => n.min(1 + self.chance.below(chunk)),
        };
        if self.options.portions && n > 1 && self.chance.one_in(4) { 1 + self.chance.below(n) } else { n }
    }

    /// Reads.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buffer.is_empty(), "a read into nothing");
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let n = self.portion(buffer.len());
        let (result, writer) = self.incoming.state.with(|state| {
            state.reads += 1;
            if state.reads_stall {
                state.reader = Some(cx.waker().clone());
                return (Poll::Pending, None);
            }
            if !state.bytes.is_empty() {
                return (Poll::Ready(state.bytes.read(&mut buffer[..n])), state.writer.take());
            }
            if let Some(error) = state.read_error {
                return (Poll::Ready(Err(error.into())), None);
            }
            if state.ended || state.writer_gone {
                return (Poll::Ready(Ok(0)), None);
            }
            state.reader = Some(cx.waker().clone());
            (Poll::Pending, None)
        });
        writer.into_iter().for_each(Waker::wake);
        result
    }

    /// Writes.
    pub fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(buffers.iter().any(|buffer| !buffer.is_empty()), "a write of nothing");
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let n = self.portion(buffers.iter().map(|buffer| buffer.len()).sum());
        let LinkOptions { buffered, staged: most_staged, .. } = self.options;
        let staged = &mut self.staged;
        let (result, reader) = self.outgoing.state.with(|state| {
            state.writes += 1;
            assert!(!state.ended, "a write after the end");
            if let Some(error) = state.write_error {
                return (Poll::Ready(Err(error.into())), None);
            }
            if state.reader_gone {
                return (Poll::Ready(Err(ErrorKind::BrokenPipe.into())), None);
            }
            if state.writes_stall {
                state.writer = Some(cx.waker().clone());
                return (Poll::Pending, None);
            }
            if buffered && staged.len() >= most_staged {
                state.take_over(staged);
            }
            let room = match buffered {
                true => most_staged.saturating_sub(staged.len()),
                false => state.room(),
            };
            if room == 0 {
                state.writer = Some(cx.waker().clone());
                return (Poll::Pending, None);
            }
            let n = n.min(room);
            let mut left = n;
            for buffer in buffers {
                let part = &buffer[..buffer.len().min(left)];
                match buffered {
                    true => staged.extend_from_slice(part),
                    false => state.append(part),
                }
                left -= part.len();
            }
            (Poll::Ready(Ok(n)), state.reader.take())
        });
        reader.into_iter().for_each(Waker::wake);
        result
    }

    /// Flushes.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let staged = &mut self.staged;
        let (result, reader) = self.outgoing.state.with(|state| {
            if let Some(error) = state.flush_error {
                return (Poll::Ready(Err(error.into())), None);
            }
            if state.reader_gone && !staged.is_empty() {
                return (Poll::Ready(Err(ErrorKind::BrokenPipe.into())), None);
            }
            if !state.flushes_stall {
                state.take_over(staged);
            }
            let done = !state.flushes_stall && staged.is_empty();
            // A flush that is done forgets who waited to write: some streams are like that, smol's among them.
            state.writer = (!done).then(|| cx.waker().clone());
            (if done { Poll::Ready(Ok(())) } else { Poll::Pending }, state.reader.take())
        });
        reader.into_iter().for_each(Waker::wake);
        result
    }

    /// Ends the stream, after a flush.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let refused = self.outgoing.state.with(|state| match state.shutdown_error {
            Some(error) => Some(Poll::Ready(Err(error.into()))),
            None if state.shutdown_stalls => {
                state.writer = Some(cx.waker().clone());
                Some(Poll::Pending)
            }
            None => None,
        });
        if let Some(refused) = refused {
            return refused;
        }
        if self.poll_flush(cx)?.is_pending() {
            return Poll::Pending;
        }
        self.outgoing.change(|state| {
            assert!(!state.ended, "a second shutdown");
            state.ended = true;
        });
        Poll::Ready(Ok(()))
    }
}

impl<L: Lock, C> Drop for End<L, C> {
    fn drop(&mut self) {
        let unread = self.incoming.change(|state| {
            state.reader_gone = true;
            !state.bytes.is_empty()
        });
        let resets = self.options.resets && unread;
        self.outgoing.change(|state| {
            state.writer_gone = true;
            if resets {
                state.bytes.clear();
                state.read_error = Some(ErrorKind::ConnectionReset);
            }
        });
        if resets {
            self.incoming.fail_writes(ErrorKind::ConnectionReset);
        }
    }
}
