//! [`Inbox`]: where the server's answers to one connection arrive, and this connection's own echoes.
//!
//! A server handles what a connection sends in its order. A message to oneself that arrives says that the server has handled
//! everything sent before it. The client library's own flush says only that it was written to the socket.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Message as Raw;
use tokio::sync::{mpsc, oneshot};

use crate::backplane::Refusal;

pub(super) struct Inbox {
    /// Subjects are this, a dot, and a token.
    subject: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_closed: bool,
    last: u64,
    waiting: HashMap<u64, Waiting>,
    /// Those that wait for an echo, in the order in which the echoes were sent.
    echoes: VecDeque<Vec<Sent>>,
}

/// Something that was sent, and has no answer of its own.
pub(super) struct Sent {
    pub(super) done: Done,
    /// What the server may refuse, if it is not known yet whether it does.
    pub(super) doubt: Option<Doubt>,
}

/// The server tells a refusal beside everything else, so that it can be heard after the echo that comes after it.
pub(super) struct Doubt {
    pub(super) subject: String,
    pub(super) is_subscription: bool,
    /// It waits for the second echo.
    pub(super) is_second: bool,
}

/// Tells once what became of something that was sent: the server has handled it, or it was refused. Dropped, if that is unknown.
pub(super) struct Done(oneshot::Sender<Option<Refusal>>);

impl Done {
    pub(super) fn new() -> (Self, oneshot::Receiver<Option<Refusal>>) {
        let (tx, rx) = oneshot::channel();
        (Self(tx), rx)
    }

    pub(super) fn tell(self, refusal: Option<Refusal>) {
        let _ = self.0.send(refusal);
    }
}

enum Waiting {
    One(oneshot::Sender<Raw>),
    Many(mpsc::UnboundedSender<Raw>),
}

/// An answer that is expected. Dropping it forgets it.
pub(super) struct Expected<T> {
    inbox: Arc<Inbox>,
    id: u64,
    /// Where to ask the server to send it.
    pub(super) subject: String,
    /// It ends without an answer if the connection ends.
    pub(super) answer: T,
}

impl<T> Drop for Expected<T> {
    fn drop(&mut self) {
        self.inbox.lock().waiting.remove(&self.id);
    }
}

const ECHO: &str = "echo";

impl Inbox {
    pub(super) fn new(subject: String) -> Arc<Self> {
        Arc::new(Self { subject, state: Mutex::default() })
    }

    /// The subject to subscribe to.
    pub(super) fn all(&self) -> String {
        format!("{}.*", self.subject)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect<T>(self: &Arc<Self>, waiting: Waiting, answer: T) -> Expected<T> {
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        if !state.is_closed {
            state.waiting.insert(id, waiting);
        }
        Expected { inbox: Arc::clone(self), id, subject: format!("{}.{id}", self.subject), answer }
    }

    /// Expects one answer.
    pub(super) fn one(self: &Arc<Self>) -> Expected<oneshot::Receiver<Raw>> {
        let (tx, rx) = oneshot::channel();
        self.expect(Waiting::One(tx), rx)
    }

    /// Expects any number of answers.
    pub(super) fn many(self: &Arc<Self>) -> Expected<mpsc::UnboundedReceiver<Raw>> {
        let (tx, rx) = mpsc::unbounded_channel();
        self.expect(Waiting::Many(tx), rx)
    }

    /// An echo is about to be sent, to the subject that this returns. All of these are told when it arrives.
    pub(super) fn echo(&self, waiting: Vec<Sent>) -> String {
        let mut state = self.lock();
        if !state.is_closed {
            state.echoes.push_back(waiting);
        }
        format!("{}.{ECHO}", self.subject)
    }

    /// An answer arrived. Returns those that wait for an echo, if it is one.
    pub(super) fn arrived(&self, raw: Raw) -> Vec<Sent> {
        let Some(token) = raw.subject.strip_prefix(self.subject.as_str()).and_then(|token| token.strip_prefix('.'))
        else {
            return Vec::new();
        };
        let mut state = self.lock();
        if token == ECHO {
            return state.echoes.pop_front().unwrap_or_default();
        }
        let Ok(id) = token.parse::<u64>() else { return Vec::new() };
        match state.waiting.remove(&id) {
            Some(Waiting::One(tx)) => {
                drop(state);
                let _ = tx.send(raw);
            }
            Some(Waiting::Many(tx)) => {
                let _ = tx.send(raw);
                state.waiting.insert(id, Waiting::Many(tx));
            }
            // Nobody waits any more.
            None => {}
        }
        Vec::new()
    }

    /// The connection has ended: nothing arrives any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let ended = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.echoes));
        drop(state);
        drop(ended);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(subject: &str) -> Raw {
        let subject = subject.into();
        Raw {
            subject,
            reply: None,
            payload: bytes::Bytes::new(),
            headers: None,
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn answers_find_those_who_wait() {
        let inbox = Inbox::new("in".to_owned());
        assert_eq!(inbox.all(), "in.*");
        let (mut one, mut many, forgotten) = (inbox.one(), inbox.many(), inbox.one());
        let subject = forgotten.subject.clone();
        drop(forgotten);
        inbox.arrived(raw(&subject));
        for stray in ["in", "in.", "in.x", "in.99", "other.1", "in.echo"] {
            inbox.arrived(raw(stray));
        }
        assert!(one.answer.try_recv().is_err());
        inbox.arrived(raw(&one.subject));
        assert!(one.answer.try_recv().is_ok());
        inbox.arrived(raw(&many.subject));
        inbox.arrived(raw(&many.subject));
        assert!(many.answer.try_recv().is_ok() && many.answer.try_recv().is_ok());
        drop((one, many));
        assert!(inbox.lock().waiting.is_empty());
    }

    #[test]
    fn echoes_are_told_in_order_and_none_after_the_end() {
        let inbox = Inbox::new("in".to_owned());
        let (tx1, mut rx1) = Done::new();
        let (tx2, mut rx2) = Done::new();
        let subject = inbox.echo(vec![Sent { done: tx1, doubt: None }]);
        inbox.echo(vec![Sent { done: tx2, doubt: None }]);
        inbox.arrived(raw(&subject)).into_iter().for_each(|sent| sent.done.tell(None));
        assert_eq!(rx1.try_recv(), Ok(None));
        assert_eq!(rx2.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        let mut one = inbox.one();
        inbox.close();
        assert_eq!(rx2.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        assert_eq!(one.answer.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
        let mut late = inbox.one();
        assert_eq!(late.answer.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
    }
}
