//! Messages of JSON (feature `json`).

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WebSocketStream;
use crate::transport::{Timer, Transport};
use crate::typed::{JsonError, from_json};

impl<T: Transport, C: Timer> WebSocketStream<T, C> {
    /// Sends a value as JSON in a text message, as [`send`](Self::send) does. The value is serialized by the call itself.
    ///
    /// # Errors
    ///
    /// The same as [`Sender::send_json`](crate::Sender::send_json).
    pub fn send_json<V: Serialize + ?Sized>(
        &mut self,
        value: &V,
    ) -> impl Future<Output = Result<(), JsonError>> + use<'_, T, C, V> {
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
    /// The same as [`WebSocket::recv_json`](crate::WebSocket::recv_json).
    pub async fn recv_json<V: DeserializeOwned>(&mut self) -> Result<Option<V>, JsonError> {
        from_json(self.recv().await?)
    }
}
