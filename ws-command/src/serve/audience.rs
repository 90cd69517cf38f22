//! Everyone connected to an endpoint.

use std::collections::HashMap;

use ws_tokio::{CloseCode, Message, Prepared, SendError, Sender, WebSocket};

/// The connections that get what is broadcast, by id.
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

    /// Queues a message for everyone, and waits for nobody: a member whose queue is full does not keep up, and
    /// is sent away, so that it costs the others neither time nor memory.
    ///
    /// It is encoded once, and compressed once.
    pub(super) fn broadcast(&mut self, message: impl Into<Message>) {
        let message = Prepared::new(message);
        self.members.retain(|_, member| keeps_up(member, member.try_send_prepared(&message)));
    }

    /// Queues a message for one member, on the same terms.
    pub(super) fn send(&mut self, id: u64, message: Message) {
        if self.members.get(&id).is_some_and(|member| !keeps_up(member, member.try_send(message))) {
            self.members.remove(&id);
        }
    }
}

/// Whether the member still is one, after that attempt to send.
fn keeps_up<M>(member: &Sender, sent: Result<(), SendError<M>>) -> bool {
    let Err(error) = sent else {
        return true;
    };
    if matches!(error, SendError::Full(_)) {
        tracing::warn!(client = member.id(), "sent away: does not read what it is sent");
        let member = member.clone();
        tokio::spawn(async move { member.close(CloseCode::TRY_AGAIN_LATER, "too slow").await });
    }
    false
}
