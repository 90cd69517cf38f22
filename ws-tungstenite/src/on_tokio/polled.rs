//! A stream of tokio's for one poll, as a stream that does not block; and the tasks that a write wakes.

use std::io::{ErrorKind, IoSlice, Read, Result, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream for the time of one poll. What is pending would block.
pub(super) struct Polled<'p, 'c, S> {
    pub(super) stream: &'p mut S,
    pub(super) cx: &'p mut Context<'c>,
    pub(super) writers: &'p mut Writers,
    pub(super) by: By,
}

/// The two tasks that may poll one connection: its `Stream` and its `Sink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Reader,
    Writer,
}

/// The tasks that wait for the stream to take bytes. A stream remembers only one waker for writing, and a reader writes, too: pongs
/// and Close frames.
#[derive(Debug, Default)]
pub(super) struct Writers {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Writers {
    /// The waker to poll a write with. If another task waits for the stream to take bytes, it wakes both.
    fn waker(&self, by: By, cx: &Context<'_>) -> Option<Waker> {
        let other = match by {
            By::Reader => self.writer.as_ref()?,
            By::Writer => self.reader.as_ref()?,
        };
        (!other.will_wake(cx.waker())).then(|| Arc::new(Both(other.clone(), cx.waker().clone())).into())
    }

    #[cold]
    fn wait(&mut self, by: By, cx: &Context<'_>) {
        let waker = Some(cx.waker().clone());
        match by {
            By::Reader => self.reader = waker,
            By::Writer => self.writer = waker,
        }
    }

    #[inline]
    fn done(&mut self, by: By) {
        match by {
            By::Reader => self.reader = None,
            By::Writer => self.writer = None,
        }
    }
}

struct Both(Waker, Waker);

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
        self.1.wake_by_ref();
    }
}

impl<S: AsyncRead + Unpin> Read for Polled<'_, '_, S> {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut buf = ReadBuf::new(buf);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buf) {
            Poll::Ready(read) => read.map(|()| buf.filled().len()),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncWrite + Unpin> Polled<'_, '_, S> {
    #[inline]
    fn poll<T>(&mut self, poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<Result<T>>) -> Result<T> {
        let stream = Pin::new(&mut *self.stream);
        let polled = match self.writers.waker(self.by, self.cx) {
            None => poll(stream, self.cx),
            Some(both) => poll(stream, &mut Context::from_waker(&both)),
        };
        match polled {
            Poll::Ready(result) => {
                self.writers.done(self.by);
                result
            }
            Poll::Pending => {
                self.writers.wait(self.by, self.cx);
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Write for Polled<'_, '_, S> {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        self.poll(|stream, cx| stream.poll_write(cx, buf))
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        self.poll(|stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    #[inline]
    fn flush(&mut self) -> Result<()> {
        self.poll(|stream, cx| stream.poll_flush(cx))
    }
}
