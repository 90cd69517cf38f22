//! The link in memory, behind the locks of this suite: each look at it is a step of the schedule.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use shuttle::sync::Mutex;
use ws_session::Transport;
pub(crate) use ws_test_support::link::LinkOptions;
use ws_test_support::link::{self, State};
use ws_test_support::random::Chance;

use crate::tasks::below;

pub(crate) type Wire = link::Wire<Lock>;
pub(crate) type Peer = ws_test_support::peer::Peer<Lock, Scheduled>;

#[derive(Clone)]
pub(crate) struct Lock(Arc<Mutex<State>>);

impl link::Lock for Lock {
    fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.0.lock().unwrap())
    }
}

/// Numbers that belong to the schedule: a replay finds the same.
pub(crate) struct Scheduled;

impl Chance for Scheduled {
    fn below(&mut self, n: usize) -> usize {
        below(n)
    }
}

/// Two ends of a link. A transport that buffers keeps no more to itself than the link holds.
pub(crate) fn link(options: LinkOptions) -> (End, End) {
    let options = LinkOptions { staged: options.capacity, remembers: true, ..options };
    let (a, b) = link::link(options, [Scheduled, Scheduled]);
    (End(a), End(b))
}

/// One end.
pub(crate) struct End(link::End<Lock, Scheduled>);

impl End {
    /// What goes from this end.
    pub(crate) fn outgoing(&self) -> Wire {
        self.0.wires().1
    }
}

impl From<End> for link::End<Lock, Scheduled> {
    fn from(end: End) -> Self {
        end.0
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, buffers)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
