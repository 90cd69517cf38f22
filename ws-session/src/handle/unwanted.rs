//! `send_only`: handles of applications that receive no messages.

use super::{Sender, WebSocket};
use crate::shared::Unwanted;

impl WebSocket {
    /// Gives up receiving, for an application that only sends. Messages that arrive are discarded.
    ///
    /// The connection is still read: pings are answered, pongs count, and the peer's Close is seen and answered at once. With
    /// a `WebSocket` on which the application never receives, reading stops when the inbound queue is full
    /// ([`Server::inbound_queue`](crate::Server::inbound_queue)). Then pings and the Close behind the queued messages are not
    /// read. Dropping the `WebSocket` while a [`Sender`] is left does the same as this method.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use ws_session::{HandlerResult, WebSocket};
    /// # async fn sleep(_: Duration) {}
    /// async fn clock(ws: WebSocket) -> HandlerResult {
    ///     let ws = ws.send_only();
    ///     loop {
    ///         ws.send("tick").await?; // fails when the peer has closed the connection
    ///         sleep(Duration::from_secs(1)).await;
    ///     }
    /// }
    /// ```
    #[must_use = "dropping the last handle closes a client's connection"]
    pub fn send_only(self) -> Sender {
        self.send_only_with(Unwanted::Discard)
    }

    /// Gives up receiving as [`send_only`](Self::send_only) does, and sets the treatment of messages that arrive or are in
    /// the inbound queue.
    #[must_use = "dropping the last handle closes a client's connection"]
    pub fn send_only_with(self, unwanted: Unwanted) -> Sender {
        let sender = self.sender();
        sender.shared.lock().mailbox.set_unwanted(unwanted);
        sender
    }
}

impl Sender {
    /// The number of messages discarded because the application has given up receiving. See [`WebSocket::send_only`].
    pub fn discarded(&self) -> u64 {
        self.shared.lock().mailbox.discarded()
    }
}
