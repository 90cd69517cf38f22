//! [`Collector`]: a connection, and small writes that wait to become one message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ws_proto::Bytes;

use super::error::write_error;
use crate::error::Error;
use crate::socket::MessageSocket;

/// A connection, and small writes that wait to become one message. They are queued when this is dropped.
#[derive(Debug)]
pub(super) struct Collector<S: MessageSocket> {
    /// `None` only once it has been taken out.
    socket: Option<S>,
    pub(super) unsent: Vec<u8>,
}

impl<S: MessageSocket> Collector<S> {
    pub(super) fn new(socket: S) -> Self {
        Self { socket: Some(socket), unsent: Vec::new() }
    }

    pub(super) fn get(&self) -> &S {
        self.socket.as_ref().unwrap_or_else(|| taken())
    }

    pub(super) fn get_mut(&mut self) -> &mut S {
        self.socket.as_mut().unwrap_or_else(|| taken())
    }

    pub(super) fn pin(&mut self) -> Pin<&mut S> {
        Pin::new(self.get_mut())
    }

    /// Queues the collected writes, and returns the connection.
    pub(super) fn into_socket(mut self) -> S {
        self.send();
        self.socket.take().unwrap_or_else(|| taken())
    }

    /// Queues the collected writes, once there is room.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.pin().poll_ready(cx)).map_err(write_error)?;
        let message = std::mem::take(&mut self.unsent);
        Poll::Ready(self.pin().start_send(message.into()).map_err(write_error))
    }

    /// Queues the collected writes, even above the high-water mark: only the writing side waits for room, because the task of
    /// the reading side may be another. What the queue has no place for stays here.
    pub(super) fn send(&mut self) {
        if !self.unsent.is_empty() {
            let message = Bytes::from(std::mem::take(&mut self.unsent));
            // A connection that has ended is reported by the next read or write.
            if let Err(Error::Full | Error::Unfinished) = self.pin().start_send(message.clone().into()) {
                self.unsent = message.into();
            }
        }
    }
}

impl<S: MessageSocket> Drop for Collector<S> {
    fn drop(&mut self) {
        self.send();
    }
}

fn taken() -> ! {
    unreachable!("a connection was taken out, and its collector is still used")
}
