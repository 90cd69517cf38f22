//! A link in memory: two streams of bytes, whose buffers, chunks, stalls and errors a test decides.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use ws_session::{InFlight, Transport};

use super::rng::Rng;
use super::world::add_witness;

/// How a link behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkOptions {
    /// How many bytes each direction holds.
    pub(crate) capacity: usize,
    /// The most bytes one read or write takes; how many exactly is random.
    pub(crate) chunk: usize,
    /// Whether reads and writes say `Pending` now and then for no reason, and wake at once.
    pub(crate) hiccups: bool,
    /// Whether what is written stays in the transport until it is flushed.
    pub(crate) buffered: bool,
    /// How many bytes of those that a direction holds its reader's system has taken at the most: the receive window. With
    /// `None` the transport knows nothing of what is in flight.
    pub(crate) window: Option<usize>,
    /// Whether the window that is told stays the same, however much of it is unread.
    pub(crate) steady_window: bool,
    /// Whether letting go of an end with input unread resets the other, as TCP does.
    pub(crate) resets: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            capacity: 1 << 20,
            chunk: usize::MAX,
            hiccups: false,
            buffered: false,
            window: None,
            steady_window: false,
            resets: false,
        }
    }
}

/// Two ends of a link.
pub(crate) fn link(options: LinkOptions, rng: &mut Rng) -> (End, End) {
    let there = Wire::new("a → b", options.capacity);
    let back = Wire::new("b → a", options.capacity);
    let a = End { incoming: back.clone(), outgoing: there.clone(), options, rng: rng.fork(), staged: Vec::new() };
    let b = End { incoming: there, outgoing: back, options, rng: rng.fork(), staged: Vec::new() };
    (a, b)
}

/// One end: a transport.
pub(crate) struct End {
    incoming: Wire,
    outgoing: Wire,
    options: LinkOptions,
    rng: Rng,
    /// What was written and not flushed, when the transport is buffered.
    staged: Vec<u8>,
}

/// One direction. Tests watch it and interfere with it.
#[derive(Clone)]
pub(crate) struct Wire {
    state: Arc<Mutex<WireState>>,
}

#[derive(Default)]
struct WireState {
    name: &'static str,
    capacity: usize,
    bytes: VecDeque<u8>,
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

/// How much a buffering transport keeps to itself.
const STAGED: usize = 1000;

impl WireState {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    /// Moves bytes from a transport's own buffer to the wire.
    fn take_over(&mut self, staged: &mut Vec<u8>) {
        let n = staged.len().min(self.room());
        self.bytes.extend(staged.drain(..n));
    }
}

impl Wire {
    fn new(name: &'static str, capacity: usize) -> Self {
        let wire = Self { state: Arc::new(Mutex::new(WireState { name, capacity, ..WireState::default() })) };
        let witness = wire.clone();
        add_witness(move || format!("{witness:?}"));
        wire
    }

    fn lock(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap()
    }

    /// Changes something and lets both sides look.
    fn change<R>(&self, change: impl FnOnce(&mut WireState) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(Waker::wake);
        result
    }

    // ---- for a peer without an end of its own ----

    /// Puts bytes in, whatever the capacity.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.change(|state| state.bytes.extend(bytes));
    }

    /// Takes all bytes out.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.take_up_to(usize::MAX)
    }

    /// Takes so many bytes out, or all.
    pub(crate) fn take_up_to(&self, n: usize) -> Vec<u8> {
        self.change(|state| {
            let n = n.min(state.bytes.len());
            state.bytes.drain(..n).collect()
        })
    }

    /// Ends it: the reader reads the end of the stream.
    pub(crate) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    // ---- what a test looks at ----

    pub(crate) fn len(&self) -> usize {
        self.lock().bytes.len()
    }

    /// Whether the writer has ended it, or is gone.
    pub(crate) fn is_ended(&self) -> bool {
        let state = self.lock();
        state.ended || state.writer_gone
    }

    /// Whether the writer is gone, and its transport with it.
    pub(crate) fn is_writer_gone(&self) -> bool {
        self.lock().writer_gone
    }

    pub(crate) fn reads(&self) -> u64 {
        self.lock().reads
    }

    pub(crate) fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// How many unsent bytes the writer's transport was told to hold, each time it was.
    pub(crate) fn notsent_lowats(&self) -> Vec<u32> {
        self.lock().notsent_lowats.clone()
    }

    // ---- faults ----

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.change(|state| state.capacity = capacity);
    }

    pub(crate) fn stall_writes(&self, stall: bool) {
        self.change(|state| state.writes_stall = stall);
    }

    pub(crate) fn stall_reads(&self, stall: bool) {
        self.change(|state| state.reads_stall = stall);
    }

    pub(crate) fn stall_shutdown(&self, stall: bool) {
        self.change(|state| state.shutdown_stalls = stall);
    }

    pub(crate) fn stall_flushes(&self, stall: bool) {
        self.change(|state| state.flushes_stall = stall);
    }

    /// Reads fail with this once all bytes have been read.
    pub(crate) fn fail_reads(&self, error: ErrorKind) {
        self.change(|state| state.read_error = Some(error));
    }

    pub(crate) fn fail_writes(&self, error: ErrorKind) {
        self.change(|state| state.write_error = Some(error));
    }

    pub(crate) fn fail_flushes(&self, error: ErrorKind) {
        self.change(|state| state.flush_error = Some(error));
    }

    pub(crate) fn fail_shutdown(&self, error: ErrorKind) {
        self.change(|state| state.shutdown_error = Some(error));
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
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
    }
}

impl End {
    /// What comes to this end, and what goes from it.
    pub(crate) fn wires(&self) -> (Wire, Wire) {
        (self.incoming.clone(), self.outgoing.clone())
    }

    fn hiccup(&mut self, cx: &Context<'_>) -> bool {
        let hiccup = self.options.hiccups && self.rng.one_in(4);
        if hiccup {
            cx.waker().wake_by_ref();
        }
        hiccup
    }

    /// How many of `n` bytes are moved at once.
    fn portion(&mut self, n: usize) -> usize {
        match self.options.chunk {
            usize::MAX => n,
            chunk => n.min(1 + self.rng.below(chunk)),
        }
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        assert!(!buffer.is_empty(), "a read into nothing");
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let n = self.portion(buffer.len());
        let mut state = self.incoming.lock();
        state.reads += 1;
        if state.reads_stall {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !state.bytes.is_empty() {
            let n = state.bytes.read(&mut buffer[..n])?;
            let writer = state.writer.take();
            drop(state);
            writer.into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(n));
        }
        if let Some(error) = state.read_error {
            return Poll::Ready(Err(error.into()));
        }
        if state.ended || state.writer_gone {
            return Poll::Ready(Ok(0));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(buffers.iter().any(|buffer| !buffer.is_empty()), "a write of nothing");
        if self.hiccup(cx) {
            return Poll::Pending;
        }
        let len = buffers.iter().map(|buffer| buffer.len()).sum();
        let n = self.portion(len);
        let mut state = self.outgoing.lock();
        state.writes += 1;
        assert!(!state.ended, "a write after the end");
        if let Some(error) = state.write_error {
            return Poll::Ready(Err(error.into()));
        }
        if state.reader_gone {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if state.writes_stall {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let buffered = self.options.buffered;
        if buffered && self.staged.len() >= STAGED {
            state.take_over(&mut self.staged);
        }
        let room = match buffered {
            true => STAGED.saturating_sub(self.staged.len()),
            false => state.room(),
        };
        if room == 0 {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let n = n.min(room);
        let mut left = n;
        for buffer in buffers {
            let part = &buffer[..buffer.len().min(left)];
            match buffered {
                true => self.staged.extend_from_slice(part),
                false => state.bytes.extend(part),
            }
            left -= part.len();
        }
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.outgoing.lock();
        if let Some(error) = state.flush_error {
            return Poll::Ready(Err(error.into()));
        }
        if !state.flushes_stall {
            state.take_over(&mut self.staged);
        }
        let done = !state.flushes_stall && self.staged.is_empty();
        // A flush that is done forgets who waited to write: some streams are like that, smol's among them.
        state.writer = (!done).then(|| cx.waker().clone());
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        if done { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        {
            let mut state = self.outgoing.lock();
            if let Some(error) = state.shutdown_error {
                return Poll::Ready(Err(error.into()));
            }
            if state.shutdown_stalls {
                state.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
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

    fn in_flight(&self) -> Option<InFlight> {
        let window = self.options.window?;
        let unread = self.outgoing.lock().bytes.len();
        let room = if self.options.steady_window { window } else { window.saturating_sub(unread) };
        Some(InFlight { unacknowledged: unread.saturating_sub(window) as u64, window: Some(room as u64) })
    }

    fn set_notsent_lowat(&self, bytes: u32) {
        self.outgoing.lock().notsent_lowats.push(bytes);
    }
}

impl Drop for End {
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
