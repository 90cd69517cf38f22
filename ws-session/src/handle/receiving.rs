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
    /// The next message; `None` when the connection has ended as it should: the peer's Close frame came, and neither it
    /// nor ours says anything but 1000, 1001 or no code. Messages that were complete before the end come first.
    ///
    /// Messages of up to 128 bytes that came together share memory, 1 KiB at most: copy one that is to be kept for long.
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// When the connection has ended otherwise; again and again when called again.
    #[doc(alias = "next", alias = "read", alias = "receive", alias = "on_message")]
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> + Send + '_ {
        Recv(self)
    }

    /// [`recv`](Self::recv), as a poll function.
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

    /// Takes all that has come in.
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
        // Both are empty: an idle connection keeps no room.
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
            // A Close that was put off until everything before it is dealt with waits no longer.
            driver = driver.or_else(|| state.wakers.driver());
        }
        drop(state);
        drop(replaced);
        wake(driver);
        Poll::Pending
    }

    /// Says how many messages are left here.
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

/// Written out, so that it is inlined where it is awaited.
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

    /// As [`WebSocket::recv`]; an error is the last item.
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
