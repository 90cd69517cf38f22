//! [`ClientPresence`]: the members of a topic of a hub at another place.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_channel::oneshot;
use futures_core::Stream;
use ws_session::ByteString;

use super::state::Reply;
use super::{ClientError, HubClient};
use crate::presence::{Member, PresenceEvent};
use crate::protocol::{CommandFrame, ServerFrame};

/// Events that wait for the application. Above it, it gets all members anew instead.
const BOUND: usize = 1000;

/// The members of a topic: [`HubClient::presence`].
#[derive(Clone, Debug)]
pub struct ClientPresence {
    client: HubClient,
    topic: String,
}

impl ClientPresence {
    pub(super) fn new(client: HubClient, topic: String) -> Self {
        Self { client, topic }
    }

    /// Makes the connection a member, and again after each loss of one, until the returned value is dropped. Waits for the first
    /// answer of the server. A client can be one member of a topic. Data that are not JSON are refused.
    ///
    /// Cancel-safe: if the future is dropped, it is no member.
    ///
    /// # Errors
    ///
    /// If the server refuses it, or there is no other connection.
    pub async fn join(&self, member: Member) -> Result<ClientJoined, ClientError> {
        let (ready, is_ready) = oneshot::channel();
        let joined = {
            let mut state = self.client.shared().lock();
            state.check()?;
            if state.joined.contains_key(&self.topic) {
                return Err(ClientError::Already);
            }
            let serial = state.next_id();
            state.joined.insert(self.topic.clone(), JoinedEntry { serial, member, ready: Some(ready) });
            state.join(&self.topic);
            ClientJoined { client: self.client.clone(), topic: self.topic.clone(), serial }
        };
        is_ready.await.unwrap_or(Err(ClientError::Disconnected))?;
        Ok(joined)
    }

    /// The members now.
    ///
    /// # Errors
    ///
    /// If there is no connection, or the server refuses it.
    pub async fn members(&self) -> Result<Vec<Member>, ClientError> {
        let frame = CommandFrame {
            kind: Some("members".into()),
            topic: Some((&*self.topic).into()),
            ..CommandFrame::default()
        };
        Ok(self.client.command(frame).await?.members)
    }

    /// The members as a stream: all of them, then each change. After a loss of the connection, all of them again. A client can
    /// watch a topic once.
    ///
    /// # Errors
    ///
    /// If the topic is watched already, or there is no other connection.
    pub fn watch(&self) -> Result<ClientWatch, ClientError> {
        let mut state = self.client.shared().lock();
        state.check()?;
        if state.watches.contains_key(&self.topic) {
            return Err(ClientError::Already);
        }
        let entry = Arc::new(WatchEntry { serial: state.next_id(), state: Mutex::default() });
        state.watches.insert(self.topic.clone(), Arc::clone(&entry));
        state.watch(&self.topic);
        drop(state);
        Ok(ClientWatch { client: self.client.clone(), topic: self.topic.clone(), entry })
    }
}

/// A membership. When it is dropped, the member leaves.
#[must_use = "dropping it ends the membership"]
#[derive(Debug)]
pub struct ClientJoined {
    client: HubClient,
    topic: String,
    serial: u64,
}

impl Drop for ClientJoined {
    fn drop(&mut self) {
        let mut state = self.client.shared().lock();
        if state.joined.get(&self.topic).is_some_and(|entry| entry.serial == self.serial) {
            state.joined.remove(&self.topic);
            state.tell("leave", &self.topic);
        }
    }
}

/// A membership in the client's list.
pub(super) struct JoinedEntry {
    pub(super) serial: u64,
    pub(super) member: Member,
    ready: Option<Reply<()>>,
}

impl JoinedEntry {
    pub(super) fn answered(&mut self) {
        if let Some(ready) = self.ready.take() {
            drop(ready.send(Ok(())));
        }
    }

    pub(super) fn end(self, error: ClientError) {
        if let Some(ready) = self.ready {
            drop(ready.send(Err(error)));
        }
    }
}

/// The members of a topic: first all of them, then each change. It is a [`Stream`], too.
#[must_use = "dropping it ends it"]
pub struct ClientWatch {
    client: HubClient,
    topic: String,
    entry: Arc<WatchEntry>,
}

impl ClientWatch {
    /// Waits for the next event.
    ///
    /// Cancel-safe: when the future is dropped, no event is lost.
    ///
    /// # Errors
    ///
    /// If the server has refused it, or there is no other connection. Then each call has the same error.
    pub async fn next(&mut self) -> Result<PresenceEvent, ClientError> {
        poll_fn(|cx| self.entry.poll(cx)).await
    }
}

impl Stream for ClientWatch {
    type Item = Result<PresenceEvent, ClientError>;

    /// Does not end: after an error, it has the same again.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.entry.poll(cx).map(Some)
    }
}

impl Drop for ClientWatch {
    fn drop(&mut self) {
        let mut state = self.client.shared().lock();
        if state.watches.get(&self.topic).is_some_and(|entry| entry.serial == self.entry.serial) {
            state.watches.remove(&self.topic);
            state.tell("unwatch", &self.topic);
        }
    }
}

impl fmt::Debug for ClientWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientWatch").field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// A watch in the client's list.
pub(super) struct WatchEntry {
    pub(super) serial: u64,
    state: Mutex<WatchState>,
}

#[derive(Default)]
struct WatchState {
    members: BTreeMap<ByteString, Member>,
    /// All members have come. What came before is of an earlier watch.
    is_known: bool,
    events: VecDeque<PresenceEvent>,
    /// The next event is to be all members.
    is_behind: bool,
    waker: Option<Waker>,
    end: Option<ClientError>,
}

impl WatchEntry {
    fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server is asked.
    pub(super) fn begins(&self) {
        self.lock().is_known = false;
    }

    pub(super) fn end(&self, error: ClientError) {
        let mut state = self.lock();
        state.end = Some(error);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Takes a push. `false` if it is none of the protocol.
    pub(super) fn push(&self, frame: &ServerFrame<'_>) -> bool {
        let mut state = self.lock();
        if frame.kind == "members" {
            let members = frame.members.iter().flatten().map(|member| member.to_member()).collect::<Option<Vec<_>>>();
            let Some(members) = members else { return false };
            state.members = members.into_iter().map(|member| (member.id.clone(), member)).collect();
            (state.is_known, state.is_behind) = (true, true);
            state.events.clear();
        } else {
            let Some(member) = frame.member.as_ref().and_then(|member| member.to_member()) else { return false };
            if !state.is_known {
                return true;
            }
            let event = match &*frame.kind {
                "joined" => PresenceEvent::Joined(member.clone()),
                "changed" => PresenceEvent::Changed(member.clone()),
                _ => PresenceEvent::Left(member.clone()),
            };
            if frame.kind == "left" {
                state.members.remove(&member.id);
            } else {
                state.members.insert(member.id.clone(), member);
            }
            if state.events.len() >= BOUND {
                state.events.clear();
                state.is_behind = true;
            }
            if !state.is_behind {
                state.events.push_back(event);
            }
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        true
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<PresenceEvent, ClientError>> {
        let mut state = self.lock();
        if std::mem::take(&mut state.is_behind) {
            return Poll::Ready(Ok(PresenceEvent::Members(state.members.values().cloned().collect())));
        }
        if let Some(event) = state.events.pop_front() {
            return Poll::Ready(Ok(event));
        }
        if let Some(end) = &state.end {
            return Poll::Ready(Err(end.clone()));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
