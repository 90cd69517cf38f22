//! [`Session`]: one connection of a client.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures_core::Stream as _;
use ws_session::{ByteString, CloseCode, Error, HandlerResult, Message, WebSocket};

use super::Protocol;
use super::feed::{Awaited, Budget, Feed};
use super::payload::Payload;
use super::words::{CommandFrame, MemberFrame, ServerFrame};
use crate::backplane::{PublishError, Refusal};
use crate::hub::{Hub, Joined, Membership, PresenceError, PresenceWatch, SubscribeError, TopicPresence};
use crate::position::Position;
use crate::presence::{Member, PresenceEvent};
use crate::topic::Topic;

pub(super) struct Session<'a> {
    protocol: &'a Protocol,
    hub: &'a Hub,
    ws: WebSocket,
    subscriptions: HashMap<Topic, (Membership, Arc<Feed>)>,
    /// What waits for all of them.
    budget: Arc<Budget>,
    joined: HashMap<Topic, Joined>,
    watches: HashMap<Topic, PresenceWatch>,
    /// Whether messages or the watches are looked at first. It alternates, so that neither starves.
    watches_first: bool,
}

enum Event {
    Received(Option<Message>),
    Presence(Topic, PresenceEvent),
}

/// The answer to a command that failed: its code and its text.
struct Failure(&'static str, String);

impl<'a> Session<'a> {
    pub(super) fn new(protocol: &'a Protocol, hub: &'a Hub, ws: WebSocket) -> Self {
        Self {
            protocol,
            hub,
            ws,
            subscriptions: HashMap::new(),
            budget: Budget::new(hub.recovery()),
            joined: HashMap::new(),
            watches: HashMap::new(),
            watches_first: false,
        }
    }

    pub(super) async fn run(mut self) -> HandlerResult {
        loop {
            match self.next().await? {
                Event::Received(None) => return Ok(()),
                Event::Received(Some(Message::Binary(_))) => {
                    return self.end(CloseCode::UNSUPPORTED_DATA, "a command is a text message").await;
                }
                Event::Received(Some(Message::Text(text))) => match CommandFrame::parse(&text) {
                    Ok(command) => self.execute(command).await?,
                    Err(unreadable) => match unreadable.id {
                        Some(id) => self.answer(ServerFrame::error(id, "malformed", unreadable.text)).await?,
                        None => return self.end(CloseCode::INVALID_DATA, &unreadable.text).await,
                    },
                },
                Event::Presence(topic, event) => {
                    self.answer(ServerFrame::presence(topic.as_str(), &event)).await?;
                }
            }
        }
    }

    /// The next message, or change of members that are watched.
    async fn next(&mut self) -> Result<Event, Error> {
        let Self { ws, watches, watches_first, .. } = self;
        *watches_first = !*watches_first;
        poll_fn(|cx| {
            for is_watches in [*watches_first, !*watches_first] {
                if !is_watches {
                    if let Poll::Ready(received) = ws.poll_recv(cx) {
                        return Poll::Ready(received.map(Event::Received));
                    }
                    continue;
                }
                for (topic, watch) in watches.iter_mut() {
                    if let Poll::Ready(Some(event)) = Pin::new(watch).poll_next(cx) {
                        return Poll::Ready(Ok(Event::Presence(topic.clone(), event)));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Closes a connection whose message cannot be answered.
    async fn end(self, code: CloseCode, reason: &str) -> HandlerResult {
        self.ws.close(code, reason).await?;
        Ok(())
    }

    async fn answer(&self, frame: ServerFrame<'_>) -> Result<(), Error> {
        self.ws.send(frame.to_json()).await
    }

    async fn execute(&mut self, command: CommandFrame<'_>) -> Result<(), Error> {
        let id = command.id.unwrap_or_default();
        let result =
            match command.kind.as_deref() {
                Some("subscribe") => match self.subscribe(&command).await {
                    // It is answered before its pushes are let go.
                    Ok((feed, position)) => {
                        self.answer(ServerFrame { position: text(position), ..ServerFrame::ok(id) }).await?;
                        feed.open();
                        return Ok(());
                    }
                    Err(failure) => Err(failure),
                },
                Some("unsubscribe") => self.unsubscribe(&command).await,
                Some("publish") => match self.publish(&command).await {
                    Ok(position) => {
                        return self.answer(ServerFrame { position: text(position), ..ServerFrame::ok(id) }).await;
                    }
                    Err(failure) => Err(failure),
                },
                Some("ping") => Ok(()),
                Some("join") => self.join(&command).await,
                Some("leave") => topic(&command)
                    .and_then(|topic| self.joined.remove(&topic).map(drop).ok_or_else(|| absent("joined"))),
                Some("members") => match self.members(&command).await {
                    Ok(members) => {
                        let members = Some(members.iter().map(MemberFrame::of).collect());
                        return self.answer(ServerFrame { members, ..ServerFrame::ok(id) }).await;
                    }
                    Err(failure) => Err(failure),
                },
                Some("watch") => self.watch(&command).await,
                Some("unwatch") => topic(&command)
                    .and_then(|topic| self.watches.remove(&topic).map(drop).ok_or_else(|| absent("watched"))),
                Some(other) => Err(Failure("unknown_command", format!("there is no command {other:?}"))),
                None => Err(malformed("type is missing")),
            };
        self.answer(match &result {
            Ok(()) => ServerFrame::ok(id),
            Err(Failure(code, text)) => ServerFrame::error(id, code, text.clone()),
        })
        .await
    }

    async fn subscribe(&mut self, command: &CommandFrame<'_>) -> Result<(Arc<Feed>, Option<Position>), Failure> {
        let topic = topic(command)?;
        let since = position("since", command.since.as_deref())?;
        let last = usize::try_from(command.last.unwrap_or(0)).unwrap_or(usize::MAX);
        self.has_room(self.subscriptions.contains_key(&topic), "subscribed", self.subscriptions.len())?;
        let (hub, sender) = (self.hub, self.ws.sender());
        let (policy, awaited) = (hub.slow_policy(topic.as_str()), Awaited::new(since.is_some(), last > 0));
        let budget = Arc::clone(&self.budget);
        let feed = Feed::new(topic.clone(), sender, policy, awaited, hub.recovery(), budget, hub.clock());
        let subscribe = hub.subscribe(topic.as_str()).since(since).last(last);
        let membership = subscribe.to(Arc::clone(&feed) as _).await.map_err(not_subscribed)?;
        let start = membership.start();
        self.subscriptions.insert(topic, (membership, Arc::clone(&feed)));
        Ok((feed, start))
    }

    async fn unsubscribe(&mut self, command: &CommandFrame<'_>) -> Result<(), Failure> {
        let topic = topic(command)?;
        let (membership, feed) = self.subscriptions.remove(&topic).ok_or_else(|| absent("subscribed"))?;
        drop(membership);
        feed.stop().await;
        Ok(())
    }

    async fn publish(&self, command: &CommandFrame<'_>) -> Result<Option<Position>, Failure> {
        let topic = topic(command)?;
        let after = position("after", command.after.as_deref())?;
        let message = Payload::into_message(command.data, command.text.as_deref(), command.binary.as_deref());
        let message = message.map_err(malformed)?;
        let mut publish = self.hub.publish(topic.as_str(), message);
        if let Some(key) = &command.key {
            publish = publish.key(&**key);
        }
        if let Some(key) = &command.idempotency_key {
            publish = publish.idempotency_key(&**key);
        }
        if let Some(after) = after {
            publish = publish.after(after);
        }
        publish.await.map_err(not_published)
    }

    async fn join(&mut self, command: &CommandFrame<'_>) -> Result<(), Failure> {
        let topic = topic(command)?;
        let member = command.member.as_ref().ok_or_else(|| malformed("member is missing"))?;
        let data = member.data.map_or(ByteString::new(), |data| data.get().into());
        let member =
            Member::new(&*member.id, data).map_err(|invalid| Failure("invalid_member", invalid.to_string()))?;
        if !self.protocol.lets_join(&self.ws, &topic, &member) {
            return Err(Failure("forbidden", "this client may not join as this member".into()));
        }
        self.has_room(self.joined.contains_key(&topic), "joined", self.joined.len())?;
        let joined = self.presence(&topic).await?.join(member);
        self.joined.insert(topic, joined);
        Ok(())
    }

    async fn members(&self, command: &CommandFrame<'_>) -> Result<Vec<Member>, Failure> {
        let topic = topic(command)?;
        Ok(self.presence(&topic).await?.members())
    }

    async fn watch(&mut self, command: &CommandFrame<'_>) -> Result<(), Failure> {
        let topic = topic(command)?;
        self.has_room(self.watches.contains_key(&topic), "watched", self.watches.len())?;
        let watch = self.presence(&topic).await?.watch();
        self.watches.insert(topic, watch);
        Ok(())
    }

    async fn presence(&self, topic: &Topic) -> Result<TopicPresence, Failure> {
        self.hub.presence(topic.as_str()).await.map_err(|error| {
            let code = match error {
                PresenceError::Topic(_) => "invalid_topic",
                PresenceError::Forbidden => "forbidden",
            };
            Failure(code, error.to_string())
        })
    }

    /// Whether there may be one more of something.
    fn has_room(&self, is_there: bool, done: &str, count: usize) -> Result<(), Failure> {
        let most = self.protocol.max_subscriptions;
        if is_there {
            return Err(Failure("already", format!("this topic is {done} already")));
        }
        if count >= most {
            return Err(Failure("too_many", format!("{count} topics are {done}, and max_subscriptions is {most}")));
        }
        Ok(())
    }
}

fn topic(command: &CommandFrame<'_>) -> Result<Topic, Failure> {
    let topic = command.topic.as_deref().ok_or_else(|| malformed("topic is missing"))?;
    Topic::new(topic).map_err(invalid_topic)
}

fn position(field: &str, text: Option<&str>) -> Result<Option<Position>, Failure> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|invalid: crate::position::InvalidPosition| malformed(&format!("{field}: {invalid}")))
}

fn text(position: Option<Position>) -> Option<std::borrow::Cow<'static, str>> {
    position.map(|position| position.to_string().into())
}

fn malformed(text: &str) -> Failure {
    Failure("malformed", text.into())
}

fn absent(done: &str) -> Failure {
    Failure("absent", format!("this topic is not {done}"))
}

fn invalid_topic(invalid: crate::topic::InvalidTopic) -> Failure {
    Failure("invalid_topic", invalid.to_string())
}

fn not_subscribed(error: SubscribeError) -> Failure {
    let code = match error {
        SubscribeError::Topic(_) => "invalid_topic",
        SubscribeError::Full => "topic_full",
        SubscribeError::Forbidden => "forbidden",
    };
    Failure(code, error.to_string())
}

fn not_published(error: PublishError) -> Failure {
    let code = match &error {
        PublishError::Unknown(_) => "unknown_result",
        PublishError::Refused(refusal) => match refusal {
            Refusal::Topic(_) => "invalid_topic",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::KeyTooLong { .. } => "key_too_long",
            Refusal::Unavailable { .. } => "unavailable",
            Refusal::Conflict => "conflict",
            Refusal::Forbidden => "forbidden",
            Refusal::Unsupported(_) | Refusal::NoHistory(_) => "unsupported",
            Refusal::Broker(_) => "refused",
        },
    };
    Failure(code, error.to_string())
}
