//! Handles of applications that receive no messages.

use super::{Sender, WebSocket};
use crate::shared::Unwanted;

impl WebSocket {
    /// Gives up receiving, for an application that only sends: messages that come are discarded.
    ///
    /// The connection goes on being read, so that the peer's pings are answered, its pongs count, and its Close is seen
    /// and answered at once. With a `WebSocket` that nobody receives from, reading stops when as many messages wait as may
    /// ([`Server::inbound_queue`](crate::Server::inbound_queue)), and none of that happens any more: TCP lets nobody look
    /// behind what is unread. Dropping the `WebSocket` while a [`Sender`] is left does the same as this.
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

    /// Gives up receiving, as [`send_only`](Self::send_only) does, and says what is done with messages that come, or that
    /// wait to be received.
    #[must_use = "dropping the last handle closes a client's connection"]
    pub fn send_only_with(self, unwanted: Unwanted) -> Sender {
        let sender = self.sender();
        sender.shared.lock().mailbox.set_unwanted(unwanted);
        sender
    }
}

impl Sender {
    /// How many messages were discarded because nobody receives any more: see [`WebSocket::send_only`].
    pub fn discarded(&self) -> u64 {
        self.shared.lock().mailbox.discarded()
    }
}
