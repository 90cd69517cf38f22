//! [`broadcast`]: one message to many connections, without waiting for any.

use std::borrow::Borrow;

use ws_proto::{CloseCode, CloseFrame, Prepared, SendError};

use super::{Sender, outbound};

/// The reason in the Close frame to a slow connection.
const REASON: &str = "too slow for the messages sent here";

/// The treatment of slow connections by [`broadcast`]. A connection is slow if its outgoing queue is at its high-water mark
/// ([`Limits::high_water`](crate::Limits::high_water), 64 KiB by default).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlowConsumer {
    /// It does not get this message. For messages that the next one replaces, such as prices or positions.
    #[default]
    Skip,
    /// The message is queued up to the cap of the queue ([`Limits::hard_cap`](crate::Limits::hard_cap)). Beyond that the
    /// connection does not get it.
    Queue,
    /// The connection is closed with this code, such as [`CloseCode::POLICY_VIOLATION`] (1008) or
    /// [`CloseCode::TRY_AGAIN_LATER`] (1013). For messages none of which may be missing: the client connects again and asks for
    /// the state. A code that must not be sent (RFC 6455 §7.4) is replaced by 1008.
    ///
    /// The Close frame follows the queued messages. A peer that takes no bytes is cut off by
    /// [`Deadlines::write_stall`](crate::Deadlines::write_stall), and a very slow one by
    /// [`Deadlines::close_total`](crate::Deadlines::close_total).
    Close(CloseCode),
}

/// The outcome of [`broadcast`] for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BroadcastOutcome {
    /// The message is queued.
    Queued,
    /// The connection is slow, and does not get the message.
    Skipped,
    /// The connection is slow, and is being closed by this call.
    ClosedAsSlow,
    /// A message is being sent on it as a stream or in fragments, and no other can be queued before its end. The message is
    /// not queued.
    Busy,
    /// The connection was closing, or had ended.
    Closed,
}

/// Queues a message on many connections without waiting, and returns the outcome of each, in their order.
///
/// The message is encoded once, and compressed once for all connections with the same settings. The queues refer to the same
/// bytes. `slow` decides what happens to connections whose queue is full already.
///
/// The connections are [`Sender`]s or references to them, in any collection. A lock around the collection can be released
/// before anything is written, because the connections' drivers write.
///
/// ```
/// # use std::collections::HashSet;
/// # use ws_session::{BroadcastOutcome, Prepared, Sender, SlowConsumer, broadcast};
/// # fn publish(members: &mut HashSet<Sender>) {
/// let message = Prepared::new("news");
/// let outcomes = broadcast(&*members, &message, SlowConsumer::Skip);
/// let reached = outcomes.iter().filter(|(_, outcome)| *outcome == BroadcastOutcome::Queued).count();
/// println!("{reached} of {} connections", outcomes.len());
/// # }
/// ```
pub fn broadcast<C: Borrow<Sender>>(
    connections: impl IntoIterator<Item = C>,
    message: &Prepared,
    slow: SlowConsumer,
) -> Vec<(C, BroadcastOutcome)> {
    let send = |connection: C| {
        let outcome = connection.borrow().offer(message, slow);
        (connection, outcome)
    };
    connections.into_iter().map(send).collect()
}

impl Sender {
    /// Queues a message without waiting, as [`broadcast`] does on each connection. For collections of which each connection
    /// has a treatment of its own.
    pub fn offer(&self, message: &Prepared, slow: SlowConsumer) -> BroadcastOutcome {
        let is_urgent = slow == SlowConsumer::Queue;
        match outbound::queue(&self.shared, &mut Some(message), is_urgent) {
            Ok(()) => BroadcastOutcome::Queued,
            Err(SendError::Closed(())) => BroadcastOutcome::Closed,
            Err(SendError::Full(())) if !self.shared.lock().wakers.senders_wait => match slow {
                SlowConsumer::Close(code) => {
                    let code = if code.may_be_sent() { code } else { CloseCode::POLICY_VIOLATION };
                    self.shared.close(CloseFrame::new(code, REASON));
                    BroadcastOutcome::ClosedAsSlow
                }
                _ => BroadcastOutcome::Skipped,
            },
            Err(_) => BroadcastOutcome::Busy,
        }
    }
}
