//! [`Shared`]: what the handles of a client and its task share: commands, answers, and what is subscribed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use futures_channel::oneshot;

use super::ClientError;
use super::presence::{JoinedEntry, WatchEntry};
use super::subscription::SubscriptionEntry;
use crate::position::Position;
use crate::presence::Member;
use crate::protocol::{CommandFrame, ServerFrame};

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    is_open: bool,
    is_closing: bool,
    ended: Option<ClientError>,
    next_id: u64,
    outbox: VecDeque<String>,
    pending: HashMap<u64, Pending>,
    /// The task of the client.
    task: Option<Waker>,
    pub(super) subscriptions: HashMap<String, SubscriptionEntry>,
    pub(super) joined: HashMap<String, JoinedEntry>,
    pub(super) watches: HashMap<String, Arc<WatchEntry>>,
}

/// What waits for an answer.
pub(super) enum Pending {
    Command(Reply<Answer>),
    /// The topic, and which of its subscriptions it is.
    Subscribe(String, u64),
    Join(String, u64),
    Watch(String, u64),
    /// Nobody.
    Nobody,
}

/// The fields of an `ok`.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) position: Option<Position>,
    pub(super) members: Vec<Member>,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, ClientError>>;

/// What the task is to do.
pub(super) enum Next {
    Command(String),
    Nothing,
    Closing,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().is_open
    }

    pub(super) fn command(
        &self,
        frame: CommandFrame<'_>,
    ) -> Result<oneshot::Receiver<Result<Answer, ClientError>>, ClientError> {
        let mut state = self.lock();
        state.check()?;
        if !state.is_open {
            return Err(ClientError::Offline);
        }
        let (reply, answer) = oneshot::channel();
        state.send(frame, Pending::Command(reply));
        Ok(answer)
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closing = true;
        state.wake();
    }

    // ---- for the task ----

    pub(super) fn is_closing(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        state.task = Some(cx.waker().clone());
        state.is_closing
    }

    pub(super) fn next_command(&self, cx: &Context<'_>) -> Next {
        let mut state = self.lock();
        state.task = Some(cx.waker().clone());
        match state.outbox.pop_front() {
            Some(text) => Next::Command(text),
            None if state.is_closing => Next::Closing,
            None => Next::Nothing,
        }
    }

    /// A connection is there: everything is subscribed again.
    pub(super) fn opened(&self) {
        let state = &mut *self.lock();
        state.is_open = true;
        for topic in state.subscriptions.keys().cloned().collect::<Vec<_>>() {
            state.subscribe(&topic);
        }
        for topic in state.joined.keys().cloned().collect::<Vec<_>>() {
            state.join(&topic);
        }
        for topic in state.watches.keys().cloned().collect::<Vec<_>>() {
            state.watch(&topic);
        }
    }

    /// The connection is lost. Calls that wait for an answer are told.
    pub(super) fn lost(&self) {
        let mut state = self.lock();
        state.is_open = false;
        state.outbox.clear();
        // Dropping a reply tells it.
        let pending = std::mem::take(&mut state.pending);
        state.subscriptions.values_mut().for_each(SubscriptionEntry::lost);
        drop(state);
        drop(pending);
    }

    /// There is no other connection.
    pub(super) fn end(&self, reason: &str) {
        let error = ClientError::Ended(reason.to_owned());
        let mut state = self.lock();
        state.is_open = false;
        state.ended = Some(error.clone());
        let pending = std::mem::take(&mut state.pending);
        let subscriptions = std::mem::take(&mut state.subscriptions);
        let joined = std::mem::take(&mut state.joined);
        let watches = std::mem::take(&mut state.watches);
        drop(state);
        drop(pending);
        subscriptions.into_values().for_each(|entry| entry.end(error.clone()));
        joined.into_values().for_each(|entry| entry.end(error.clone()));
        watches.into_values().for_each(|entry| entry.end(error.clone()));
    }

    /// A message has come. `false` if it is none of the protocol.
    pub(super) fn received(&self, text: &str) -> bool {
        let Ok(frame) = serde_json::from_str::<ServerFrame<'_>>(text) else { return false };
        let mut state = self.lock();
        match (&*frame.kind, frame.topic.as_deref()) {
            ("ok" | "error", _) => {
                let pending = frame.id.and_then(|id| state.pending.remove(&id));
                let (Some(pending), Some(answer)) = (pending, answer(&frame)) else { return frame.id.is_some() };
                state.answered(pending, answer);
                true
            }
            ("members" | "joined" | "changed" | "left", Some(topic)) => {
                let entry = state.watches.get(topic).map(Arc::clone);
                drop(state);
                entry.is_none_or(|entry| entry.push(&frame))
            }
            (_, Some(topic)) => {
                let Some(entry) = state.subscriptions.get_mut(topic) else { return true };
                let Some(overflow) = entry.push(&frame) else { return false };
                if overflow {
                    state.unsubscribe(topic);
                }
                true
            }
            // A later version of the protocol.
            _ => true,
        }
    }
}

impl State {
    /// Whether there may still be a connection.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        self.ended.clone().map_or(Ok(()), Err)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Sends a command, if there is a connection.
    pub(super) fn send(&mut self, frame: CommandFrame<'_>, pending: Pending) {
        if !self.is_open {
            return;
        }
        let id = self.next_id();
        // Strings, numbers and JSON that was parsed can always be written.
        let text = serde_json::to_string(&CommandFrame { id: Some(id), ..frame }).unwrap_or_default();
        self.outbox.push_back(text);
        self.pending.insert(id, pending);
        self.wake();
    }

    /// Sends a command about a topic, and needs no answer.
    pub(super) fn tell(&mut self, kind: &str, topic: &str) {
        let frame = CommandFrame { kind: Some(kind.into()), topic: Some(topic.into()), ..CommandFrame::default() };
        self.send(frame, Pending::Nobody);
    }

    pub(super) fn subscribe(&mut self, topic: &str) {
        if !self.is_open {
            return;
        }
        let Some(entry) = self.subscriptions.get_mut(topic) else { return };
        let Some((since, last)) = entry.request() else { return };
        let pending = Pending::Subscribe(topic.to_owned(), entry.serial);
        let since = since.map(|since| since.to_string().into());
        let frame = CommandFrame {
            kind: Some("subscribe".into()),
            topic: Some(topic.into()),
            since,
            last,
            ..CommandFrame::default()
        };
        self.send(frame, pending);
    }

    pub(super) fn unsubscribe(&mut self, topic: &str) {
        self.tell("unsubscribe", topic);
    }

    pub(super) fn join(&mut self, topic: &str) {
        let Some(entry) = self.joined.get(topic) else { return };
        let (member, pending) = (entry.member.clone(), Pending::Join(topic.to_owned(), entry.serial));
        let frame = CommandFrame {
            kind: Some("join".into()),
            topic: Some(topic.into()),
            member: Some(crate::protocol::MemberFrame::of(&member)),
            ..CommandFrame::default()
        };
        self.send(frame, pending);
    }

    pub(super) fn watch(&mut self, topic: &str) {
        let Some(entry) = self.watches.get(topic) else { return };
        entry.begins();
        let pending = Pending::Watch(topic.to_owned(), entry.serial);
        let frame = CommandFrame { kind: Some("watch".into()), topic: Some(topic.into()), ..CommandFrame::default() };
        self.send(frame, pending);
    }

    fn answered(&mut self, pending: Pending, answer: Result<Answer, ClientError>) {
        match pending {
            Pending::Command(reply) => drop(reply.send(answer)),
            Pending::Subscribe(topic, serial) => {
                let Some(entry) = self.subscriptions.get_mut(&topic).filter(|entry| entry.serial == serial) else {
                    return;
                };
                match answer {
                    Ok(answer) => entry.answered(answer.position),
                    Err(error) => {
                        if let Some(entry) = self.subscriptions.remove(&topic) {
                            entry.end(error);
                        }
                    }
                }
            }
            Pending::Join(topic, serial) => {
                let Some(entry) = self.joined.get_mut(&topic).filter(|entry| entry.serial == serial) else { return };
                match answer {
                    Ok(_) => entry.answered(),
                    Err(error) => {
                        if let Some(entry) = self.joined.remove(&topic) {
                            entry.end(error);
                        }
                    }
                }
            }
            Pending::Watch(topic, serial) => {
                let Err(error) = answer else { return };
                if self.watches.get(&topic).is_some_and(|entry| entry.serial == serial)
                    && let Some(entry) = self.watches.remove(&topic)
                {
                    entry.end(error);
                }
            }
            Pending::Nobody => {}
        }
    }
}

/// The result that an answer tells. `None` if its fields are not what they must be.
fn answer(frame: &ServerFrame<'_>) -> Option<Result<Answer, ClientError>> {
    if frame.kind == "error" {
        let word = |word: &Option<std::borrow::Cow<'_, str>>| word.as_deref().unwrap_or_default().to_owned();
        return Some(Err(ClientError::Refused { code: word(&frame.code), text: word(&frame.text) }));
    }
    let position = frame.position.as_deref().map(str::parse).transpose().ok()?;
    let members = frame.members.iter().flatten().map(|member| member.to_member()).collect::<Option<_>>()?;
    Some(Ok(Answer { position, members }))
}
