//! The members of an endpoint: its open connections.

use std::collections::HashMap;

use ws_tokio::{CloseCode, Message, Prepared, SendError, Sender, WebSocket};

/// The connections that receive broadcasts, by ID.
#[derive(Default)]
pub(super) struct Audience {
    members: HashMap<u64, Sender>,
}

impl Audience {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn add(&mut self, ws: &WebSocket) {
        self.members.insert(ws.id(), ws.sender());
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.members.remove(&id);
    }

    /// Queues a message for every member, without waiting. A member whose queue is full is too slow. Its connection is
    /// closed with 1013, so that it costs the others neither time nor memory.
    ///
    /// The message is encoded once and compressed once.
    pub(super) fn broadcast(&mut self, message: impl Into<Message>) {
        let message = Prepared::new(message);
        self.members.retain(|_, member| keeps_up(member, member.try_send_prepared(&message)));
    }

    /// Queues a message for one member, in the same way.
    pub(super) fn send(&mut self, id: u64, message: Message) {
        if self.members.get(&id).is_some_and(|member| !keeps_up(member, member.try_send(message))) {
            self.members.remove(&id);
        }
    }
}

/// Whether the member stays, given the result of an attempt to send. Closes its connection if its queue is full.
fn keeps_up<M>(member: &Sender, sent: Result<(), SendError<M>>) -> bool {
    let Err(error) = sent else {
        return true;
    };
    if matches!(error, SendError::Full(_)) {
        tracing::warn!(client = member.id(), "closed: the client does not read its messages");
        let member = member.clone();
        tokio::spawn(async move { member.close(CloseCode::TRY_AGAIN_LATER, "too slow").await });
    }
    false
}
