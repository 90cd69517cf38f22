//! Receiving: messages out of the mailbox.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use ws_proto::Message;

use super::WebSocket;
use crate::error::Error;
use crate::shared::wake;

impl WebSocket {
    /// Waits for the next message. `None` after a normal end: the peer's Close frame has arrived, and both Close frames have
    /// 1000, 1001 or no code. Messages that were complete before the end are returned first.
    ///
    /// Messages of up to 128 bytes that arrived together share memory, 1 KiB at most. Copy a message that you keep for long.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the connection has ended in another way. Further calls return the error again.
    #[doc(alias = "next", alias = "read", alias = "receive", alias = "on_message")]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + Send + '_ {
        Recv(self)
    }

    /// Receives as [`recv`](Self::recv) does, as a poll function.
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        if let Some(message) = self.taken.pop_front() {
            if self.taken.len() == self.tell_at {
                self.tell_driver();
            }
            return Poll::Ready(Ok(Some(message)));
        }
        self.poll_inbound(cx)
    }

    /// Takes all messages out of the inbound queue.
    fn poll_inbound(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut state = self.sender.shared.lock();
        if let Some((message, tell_at)) = state.mailbox.take(&mut self.taken) {
            self.tell_at = tell_at;
            state.wakers.stop_receiving();
            let driver = state.driver_to_resume();
            drop(state);
            wake(driver);
            return Poll::Ready(Ok(Some(message)));
        }
        // Both are empty, and an idle connection keeps no memory for them.
        self.taken = VecDeque::new();
        let has_gap = state.mailbox.has_gap();
        if let Some(closed) = state.lifecycle.closed() {
            return Poll::Ready(match closed.outcome.is_normal() {
                true if has_gap => Err(Error::Skipped),
                true => Ok(None),
                false => Err(state.lifecycle.error()),
            });
        }
        if has_gap {
            return Poll::Ready(Err(Error::Skipped));
        }
        let replaced = state.wakers.receive(cx);
        state.mailbox.set_taken(0, 0);
        let mut driver = state.driver_to_resume();
        if state.connection.hooks().is_close_held() {
            // A Close that was put off until the application had answered is sent now.
            driver = driver.or_else(|| state.wakers.driver());
        }
        drop(state);
        drop(replaced);
        wake(driver);
        Poll::Pending
    }

    /// Reports the number of messages that are left here.
    #[cold]
    fn tell_driver(&self) {
        let bytes = self.taken.iter().map(Message::len).sum();
        let mut state = self.sender.shared.lock();
        state.mailbox.set_taken(self.taken.len(), bytes);
        let driver = state.driver_to_resume();
        drop(state);
        wake(driver);
    }
}

/// The future of `recv`, written by hand so that it is inlined into the caller.
struct Recv<'a>(&'a mut WebSocket);

impl Future for Recv<'_> {
    type Output = Result<Option<Message>, Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll_recv(cx)
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    /// Receives as [`WebSocket::recv`] does. An error is the last item.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stream_ended {
            return Poll::Ready(None);
        }
        self.poll_recv(cx).map(|received| {
            self.note_end(&received);
            received.transpose()
        })
    }
}

impl FusedStream for WebSocket {
    fn is_terminated(&self) -> bool {
        self.stream_ended
    }
}
