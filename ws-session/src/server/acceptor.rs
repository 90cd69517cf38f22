//! Accepts from the listening sockets, and waits while the system lacks descriptors or memory.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tracing::{debug, warn};
use ws_proto::Timestamp;

use super::sockets::Listener;
use crate::logging::{TARGET, unless_heard};
use crate::runtime::Runtime;
use crate::transport::{Addresses, MaybeTls, Timer};

/// The pause after the first failure of accepting. Each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The time without a failure after which accepting works again. A server at its limit of descriptors fails after every
/// few connections, and must not log each time.
const CALM: Duration = Duration::from_secs(5);

/// Accepts connections.
pub(super) struct Acceptor<'l, R: Runtime> {
    listeners: &'l [Listener<R>],
    /// The socket that had the last connection.
    last: usize,
    trouble: Option<Trouble>,
}

/// Failures that do not concern a single connection.
struct Trouble {
    since: Timestamp,
    last: Timestamp,
    failures: u64,
    /// The next pause.
    pause: Duration,
    /// The end of the pause.
    retry_at: Option<Timestamp>,
}

impl<'l, R: Runtime> Acceptor<'l, R> {
    pub(super) fn new(listeners: &'l [Listener<R>]) -> Self {
        Self { listeners, last: 0, trouble: None }
    }

    /// The next connection. After a failure, such as too many open files, it pauses and tries again. The first failure is
    /// logged, and the end of the trouble.
    pub(super) fn poll(
        &mut self,
        timer: &mut R::Timer,
        cx: &mut Context<'_>,
    ) -> Poll<(MaybeTls<R::Stream>, Addresses)> {
        loop {
            if let Some(at) = self.trouble.as_ref().and_then(|trouble| trouble.retry_at) {
                ready!(timer.poll_at(cx, at));
            }
            match self.poll_listeners(cx) {
                Poll::Ready(Ok(accepted)) => {
                    self.note_success(timer.now());
                    return Poll::Ready(accepted);
                }
                Poll::Ready(Err(error)) if is_of_one_connection(&error) => {
                    debug!(target: TARGET, "a connection ended before it was accepted: {error}");
                    // There may be many, so other tasks get their turn.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) => self.note_failure(&error, timer.now()),
                // A system without descriptors fails even if no connection waits.
                Poll::Pending => return self.poll_calm(timer, cx),
            }
        }
    }

    /// Accepts from the sockets in turn, so that a busy one does not delay the others.
    fn poll_listeners(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(MaybeTls<R::Stream>, Addresses)>> {
        let (before, after) = self.listeners.split_at_checked(self.last + 1).unwrap_or((self.listeners, &[]));
        let behind = after.iter().enumerate().map(|(n, listener)| (n + before.len(), listener));
        for (n, listener) in behind.chain(before.iter().enumerate()) {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.last = n;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    #[cold]
    fn note_failure(&mut self, error: &io::Error, now: Timestamp) {
        let trouble = self.trouble.get_or_insert_with(|| {
            let advice = advice(error);
            warn!(target: TARGET, "cannot accept connections: {error}. {advice}Trying again until it works");
            unless_heard(format_args!("cannot accept connections: {error}. {advice}Trying again until it works"));
            Trouble { since: now, last: now, failures: 0, pause: FIRST_PAUSE, retry_at: None }
        });
        trouble.failures += 1;
        trouble.last = now;
        trouble.retry_at = Some(now + trouble.pause);
        trouble.pause = (trouble.pause * 2).min(LONGEST_PAUSE);
    }

    fn note_success(&mut self, now: Timestamp) {
        if let Some(trouble) = &mut self.trouble {
            (trouble.pause, trouble.retry_at) = (FIRST_PAUSE, None);
            if trouble.last + CALM <= now {
                self.end_trouble();
            }
        }
    }

    /// Pending, and logs the end of trouble when it has come.
    fn poll_calm(&mut self, timer: &mut R::Timer, cx: &mut Context<'_>) -> Poll<(MaybeTls<R::Stream>, Addresses)> {
        self.note_success(timer.now());
        if let Some(trouble) = &self.trouble
            && timer.poll_at(cx, trouble.last + CALM).is_ready()
        {
            self.end_trouble();
        }
        Poll::Pending
    }

    #[cold]
    fn end_trouble(&mut self) {
        if let Some(Trouble { since, last, failures, .. }) = self.trouble.take() {
            let seconds = (last - since).as_secs_f32();
            warn!(target: TARGET, failures, "accepting connections works again, after {seconds:.1} s");
            unless_heard(format_args!("accepting connections works again, after {seconds:.1} s"));
        }
    }
}

/// Whether an error of accepting concerns only the connection that would have been accepted. Linux reports errors of its
/// network there, too.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::Interrupted
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
    )
}

/// A remedy, as a sentence.
fn advice(error: &io::Error) -> &'static str {
    /// `EMFILE` and `ENFILE` on all of Unix, and `WSAEMFILE`.
    const TOO_MANY_OPEN_FILES: [i32; 2] = if cfg!(windows) { [10_024, 10_024] } else { [24, 23] };
    match error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN_FILES.contains(&code)) {
        true => "Raise the limit of open files (ulimit -n), or set max_connections below it. ",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_open_files_come_with_a_remedy() {
        #[cfg(unix)]
        for code in [23, 24] {
            assert!(advice(&io::Error::from_raw_os_error(code)).contains("ulimit -n"), "{code}");
        }
        assert_eq!(advice(&ErrorKind::OutOfMemory.into()), "");
    }

    #[test]
    fn an_error_of_one_connection_is_no_reason_to_wait() {
        assert!(is_of_one_connection(&ErrorKind::ConnectionAborted.into()));
        assert!(!is_of_one_connection(&ErrorKind::OutOfMemory.into()));
        #[cfg(unix)]
        for code in [23, 24] {
            assert!(!is_of_one_connection(&io::Error::from_raw_os_error(code)), "{code}");
        }
    }
}
