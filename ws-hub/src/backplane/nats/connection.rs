//! [`Connection`]: one connection to a server, from its beginning to its end.
//!
//! The client library would connect again by itself, and send late what had waited meanwhile. Here, a connection that is lost is
//! given up with all that belongs to it, and the link makes another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectErrorKind, Event, HeaderMap, PublishErrorKind, ServerAddr, ServerError};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};
use ws_session::MessageKind;

use super::chain::Numbers;
use super::inbox::{Done, Doubt, Inbox, Sent};
use super::permissions::{self, May, Permissions};
use super::settings::Settings;
use super::subscription::Subscribed;
use super::{TARGET, next, wire};
use crate::backplane::Refusal;
use crate::inbound::Inbound;
use crate::publication::GapCause;
use crate::topic::Topic;

pub(super) struct Connection {
    /// Servers of a cluster learn of a subscription a little later.
    pub(super) is_clustered: bool,
    pub(super) inbox: Arc<Inbox>,
    commands: mpsc::UnboundedSender<Command>,
    ended: Arc<Ended>,
}

/// What to send, in order.
pub(super) enum Command {
    Publish(Box<Sending>),
    Request {
        subject: String,
        reply: String,
        payload: Bytes,
    },
    /// `done` is told when the server has it.
    Subscribe {
        subscribed: Arc<Subscribed>,
        done: Done,
    },
    Unsubscribe(Arc<Subscribed>),
    /// What was sent waits for one more echo.
    Again(Vec<Sent>),
}

/// A publication.
pub(super) struct Sending {
    pub(super) topic: Topic,
    pub(super) subject: String,
    pub(super) kind: MessageKind,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
    pub(super) to: To,
    /// Bounds those that are not yet handed to the client library, which has a bound of its own.
    pub(super) permit: tokio::sync::OwnedSemaphorePermit,
}

pub(super) enum To {
    /// Subscribers. The server sends no answer, so an echo tells when it has handled it.
    Subscribers { done: Done },
    /// A stream, which answers to this subject.
    Stream { reply: String, done: Done },
}

/// The end of a connection, and its cause.
pub(super) struct Ended {
    cause: watch::Sender<Option<GapCause>>,
    permissions: Permissions,
}

impl Ended {
    pub(super) fn end(&self, cause: GapCause) {
        self.cause.send_if_modified(|now| now.is_none() && now.insert(cause) == &cause);
    }

    pub(super) fn is_over(&self) -> bool {
        self.cause.borrow().is_some()
    }

    /// Waits for it.
    pub(super) async fn over(&self) {
        let _ = self.cause.subscribe().wait_for(Option::is_some).await;
    }
}

/// The client library's third ping without an answer ends the connection.
const PING: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(5);
/// Nobody listens there. The client library connects again by itself, to one of the servers that it knows; there is no way to
/// tell it not to.
const NOWHERE: &str = "nats://127.0.0.1:0";
/// Commands that are sent before one echo at most.
const BATCH: usize = 256;

impl Connection {
    /// Connects, and answers when the server has answered.
    pub(super) async fn open(
        settings: &Settings,
        numbers: &Arc<Mutex<Numbers>>,
        inbound: &Inbound,
        denied: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let ended = Arc::new(Ended { cause: watch::Sender::new(None), permissions: Permissions::default() });
        let options = settings.options().await?.ping_interval(PING).connection_timeout(CONNECT);
        let options = options.max_reconnects(settings.servers.len()).reconnect_delay_callback(|_| Duration::ZERO);
        let told = Arc::clone(&ended);
        let denied = Arc::new(denied);
        let options = options.event_callback(move |event| {
            tell(&told, &event, &*denied);
            std::future::ready(())
        });
        let client = options.connect(&settings.servers[..]).await.map_err(|error| reason(&error))?;
        let nowhere = NOWHERE.parse::<ServerAddr>().map_err(|error| error.to_string())?;
        client.set_server_pool(vec![nowhere]).await.map_err(|error| error.to_string())?;

        let info = client.server_info();
        if !info.headers {
            return Err("the server does not support headers".to_owned());
        }
        let inbox = Inbox::new(client.new_inbox());
        let mut answers = client.subscribe(inbox.all()).await.map_err(|error| error.to_string())?;
        let (commands, queue) = mpsc::unbounded_channel();
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let this = Self {
            is_clustered: info.cluster.is_some(),
            inbox: Arc::clone(&inbox),
            commands,
            ended: Arc::clone(&ended),
        };

        let (mut end, over, again) = (ended.cause.subscribe(), Arc::clone(&ended), this.commands.downgrade());
        tokio::spawn(async move {
            loop {
                let answer = tokio::select! {
                    answer = next(&mut answers) => answer,
                    _ = end.wait_for(Option::is_some) => None,
                };
                let Some(answer) = answer else { break };
                let waiting = over.permissions.settle(inbox.arrived(answer));
                if !waiting.is_empty()
                    && let Some(again) = again.upgrade()
                {
                    let _ = again.send(Command::Again(waiting));
                }
            }
            over.end(GapCause::BrokerLost);
            inbox.close();
        });
        let writer = Writer {
            id,
            is_clustered: this.is_clustered,
            client,
            inbox: Arc::clone(&this.inbox),
            ended: Arc::clone(&ended),
            numbers: Arc::clone(numbers),
            inbound: inbound.clone(),
        };
        let mut end = ended.cause.subscribe();
        tokio::spawn(async move {
            let mut queue = queue;
            tokio::select! {
                () = writer.run(&mut queue) => {}
                _ = end.wait_for(Option::is_some) => {}
            }
            ended.end(GapCause::BrokerLost);
            // What was not handed over is not sent any more.
            queue.close();
            while let Ok(command) = queue.try_recv() {
                if let Command::Publish(sending) = command {
                    sending.to.refuse(Refusal::Unavailable { locally: 0 });
                }
            }
        });
        this.barrier().await.ok_or("the connection was lost at once")?;
        debug!(target: TARGET, "connected to the NATS server {} ({})", info.server_name, info.version);
        Ok(this)
    }

    /// Hands over a command. It is dropped if the connection has ended.
    pub(super) fn send(&self, command: Command) {
        if let Err(mpsc::error::SendError(Command::Publish(sending))) = self.commands.send(command) {
            sending.to.refuse(Refusal::Unavailable { locally: 0 });
        }
    }

    /// Waits until the server has handled everything that was handed over before.
    async fn barrier(&self) -> Option<()> {
        let mut round = self.inbox.one();
        let (subject, reply) = (round.subject.clone(), String::new());
        self.send(Command::Request { subject, reply, payload: Bytes::new() });
        tokio::time::timeout(CONNECT, &mut round.answer).await.ok()?.ok().map(drop)
    }

    pub(super) fn end(&self, cause: GapCause) {
        self.ended.end(cause);
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended.is_over()
    }

    /// Waits until it ends.
    pub(super) async fn over(&self) -> GapCause {
        let mut cause = self.ended.cause.subscribe();
        let cause = cause.wait_for(Option::is_some).await.ok().and_then(|cause| *cause);
        cause.unwrap_or(GapCause::BrokerLost)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.ended.end(GapCause::BrokerLost);
    }
}

impl To {
    fn refuse(self, refusal: Refusal) {
        let (Self::Subscribers { done } | Self::Stream { done, .. }) = self;
        done.tell(Some(refusal));
    }
}

/// The client library tells something. It drops events if there are many.
fn tell(ended: &Ended, event: &Event, denied: &dyn Fn(&str)) {
    match event {
        Event::Disconnected | Event::Closed => ended.end(GapCause::BrokerLost),
        // It has dropped newer messages of a subscription than those that still wait. Which ones is not known.
        Event::SlowConsumer(_) => ended.end(GapCause::BrokerOverflow),
        Event::ServerError(error) => {
            warn!(target: TARGET, "the NATS server says: {error}");
            let ServerError::Other(text) = error else { return };
            if let Some(subject) = quoted(text, "permissions violation for subscription to") {
                ended.permissions.deny_subscription(subject);
                denied(subject);
            } else if let Some(subject) = quoted(text, "permissions violation for publish to") {
                ended.permissions.deny_publication(subject);
            }
        }
        _ => {}
    }
}

/// What stands in quotes after a text.
fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.get(..before.len()).filter(|start| start.eq_ignore_ascii_case(before))?;
    text[before.len()..].split('"').nth(1)
}

/// Without addresses: they can hold credentials.
fn reason(error: &async_nats::ConnectError) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    match error.kind() {
        // It has tried all of them, and does not say why the last one failed.
        ConnectErrorKind::MaxReconnects => "no server can be reached".to_owned(),
        kind => format!("{kind}{}", source.unwrap_or_default()),
    }
}

fn too_large(size: usize, limit: usize) -> Refusal {
    Refusal::Broker(format!("{size} bytes with headers are more than the {limit} of the NATS server's max_payload"))
}

struct Writer {
    /// The connection's, unique in the process.
    id: u64,
    is_clustered: bool,
    client: Client,
    inbox: Arc<Inbox>,
    ended: Arc<Ended>,
    numbers: Arc<Mutex<Numbers>>,
    inbound: Inbound,
}

impl Writer {
    async fn run(&self, queue: &mut mpsc::UnboundedReceiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            let mut waiting = Vec::new();
            for command in batch.drain(..) {
                match command {
                    Command::Publish(sending) => self.publish(*sending, &mut waiting).await,
                    Command::Request { subject, reply, payload } if reply.is_empty() => {
                        drop(self.client.publish(subject, payload).await);
                    }
                    Command::Request { subject, reply, payload } => {
                        drop(self.client.publish_with_reply(subject, reply, payload).await);
                    }
                    Command::Subscribe { subscribed, done } => {
                        if let Some(doubt) = self.subscribe(&subscribed).await {
                            waiting.push(Sent { done, doubt });
                        }
                    }
                    Command::Unsubscribe(subscribed) => subscribed.detach(),
                    Command::Again(sent) => waiting.extend(sent),
                }
            }
            if !waiting.is_empty() {
                let echo = self.inbox.echo(waiting);
                if self.client.publish(echo, Bytes::new()).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn publish(&self, sending: Sending, waiting: &mut Vec<Sent>) {
        let Sending { topic, subject, kind, headers, payload, to, permit } = sending;
        let doubt = match (self.ended.permissions.may_publish(&subject), &to) {
            (May::No, _) => return to.refuse(permissions::refusal(&subject, false)),
            (May::Unknown, To::Subscribers { .. }) => {
                Some(Doubt { subject: subject.clone(), is_subscription: false, is_second: false })
            }
            // A stream answers.
            (May::Unknown, To::Stream { .. }) | (May::Yes, _) => None,
        };
        let limit = self.client.max_payload();
        let size = payload.len() + headers.as_ref().map_or(0, wire::size);
        if size > limit {
            // Before it has a number, whose absence would be taken for a loss.
            return to.refuse(too_large(size, limit));
        }
        let tag = self.numbers.lock().unwrap_or_else(PoisonError::into_inner).next(&topic, kind, Instant::now());
        let result = match &to {
            To::Subscribers { .. } => {
                let reply = wire::reply(&tag);
                match headers {
                    Some(headers) => self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await,
                    None => self.client.publish_with_reply(subject, reply, payload).await,
                }
            }
            To::Stream { reply, .. } => {
                let mut headers = headers.unwrap_or_default();
                wire::add_tag(&mut headers, &tag);
                self.client.publish_with_reply_and_headers(subject, reply.clone(), headers, payload).await
            }
        };
        match (result, to) {
            (Ok(()), To::Subscribers { done }) => waiting.push(Sent { done, doubt }),
            (Ok(()), To::Stream { .. }) => {}
            (Err(error), to) => to.refuse(match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => too_large(size, limit),
                PublishErrorKind::InvalidSubject => Refusal::Broker("the subject is not valid".to_owned()),
                PublishErrorKind::Send => Refusal::Unavailable { locally: 0 },
            }),
        }
        drop(permit);
    }

    /// Subscribes, unless this connection has already, and returns what the server may refuse. `None` if it could not.
    async fn subscribe(&self, subscribed: &Arc<Subscribed>) -> Option<Option<Doubt>> {
        if !subscribed.is_wanted_on(self.id) {
            return Some(None);
        }
        let subject = subscribed.subject.clone();
        self.ended.permissions.forget_subscription(&subject);
        match self.client.subscribe(subscribed.subject.clone()).await {
            Ok(subscriber) => {
                subscribed.attach(self.id, self.is_clustered, subscriber, &self.ended, &self.inbound);
                Some(Some(Doubt { subject, is_subscription: true, is_second: false }))
            }
            Err(error) => {
                warn!(target: TARGET, "cannot subscribe to {subject}: {error}");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_of_a_refusal_is_in_quotes() {
        let text = r#"Permissions Violation for Subscription to "ws.topic.a""#;
        assert_eq!(quoted(text, "permissions violation for subscription to"), Some("ws.topic.a"));
        assert_eq!(quoted(text, "permissions violation for publish to"), None);
        assert_eq!(quoted("ü", "permissions violation"), None);
    }
}
