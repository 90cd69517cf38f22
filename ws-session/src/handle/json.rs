//! JSON messages (feature `json`).

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Sender, WebSocket};
use crate::typed::{JsonError, from_json};

impl Sender {
    /// Queues a value as JSON in a text message, as [`send`](Self::send) does. The value is serialized by the call itself. To
    /// send one value to many connections, make a [`Message`](ws_proto::Message) of it once with `serde_json::to_string`.
    ///
    /// Cancel-safe: when the future is dropped before it is ready, the message is not sent.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON, such as a map whose keys are not strings. Otherwise the same as
    /// [`send`](Self::send).
    pub fn send_json<T>(&self, value: &T) -> impl Future<Output = Result<(), JsonError>> + Send + use<'_, T>
    where
        T: Serialize + ?Sized,
    {
        let sending = serde_json::to_string(value).map(|text| self.send(text));
        async { Ok(sending?.await?) }
    }
}

impl WebSocket {
    /// Queues a value as JSON in a text message. See [`Sender::send_json`].
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_json`].
    pub fn send_json<T>(&self, value: &T) -> impl Future<Output = Result<(), JsonError>> + Send + use<'_, T>
    where
        T: Serialize + ?Sized,
    {
        let sending = serde_json::to_string(value).map(|text| self.send(text));
        async { Ok(sending?.await?) }
    }

    /// Waits for the next message, text or binary, and parses it as JSON. `None` after a normal end, as with
    /// [`recv`](Self::recv).
    ///
    /// Cancel-safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the message is not JSON of that type. That message is lost, and the connection continues. Otherwise the same as
    /// [`recv`](Self::recv).
    pub async fn recv_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, JsonError> {
        from_json(self.recv().await?)
    }
}
