//! The ways from a publisher to a receiver over a broker.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use ws_hub::{Delivery, Hub, Membership, Nats, Offer, Redis, Subscriber, TopicOptions};
use ws_tokio::{Message, Tokio};

/// The bytes of a publication.
pub(crate) const SIZE: usize = 125;
/// Without history, and with.
const TOPICS: [&str; 2] = ["live", "kept/a"];

#[derive(Clone)]
pub(crate) enum Broker {
    Redis(String),
    Nats(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The client crate.
    Crate,
    /// A hub on a topic without history.
    Hub,
    /// A hub on a topic with history.
    HubWithHistory,
}

impl Broker {
    pub(crate) fn new(url: &str) -> Result<Self> {
        match url.split("://").next() {
            Some("redis") => Ok(Self::Redis(url.to_owned())),
            Some("nats") => Ok(Self::Nats(url.to_owned())),
            _ => bail!("the broker is redis://… or nats://…, not {url}"),
        }
    }

    fn hub(&self) -> Result<Hub> {
        let builder = Hub::builder().topics("kept/", TopicOptions::new().history(1000, Duration::from_secs(3600)));
        Ok(match self {
            Self::Redis(url) => builder.backplane(Redis::new(url)?).start::<Tokio>(),
            Self::Nats(url) => builder.backplane(Nats::new(url)?).start::<Tokio>(),
        })
    }
}

impl Broker {
    /// Publishes on so many topics with history, once on each.
    pub(crate) async fn fill(&self, topics: usize) -> Result<()> {
        let Publisher::Hub(hub, _) = Publisher::hub(self, Way::HubWithHistory).await? else { bail!("no hub") };
        let publish = |n| {
            let hub = &hub;
            async move { hub.publish(&format!("kept/{n}"), vec![b'.'; SIZE]).await }
        };
        let mut publishing = futures_util::stream::iter((0..topics).map(publish)).buffer_unordered(64);
        while let Some(published) = publishing.next().await {
            published?;
        }
        Ok(())
    }
}

impl Way {
    pub(crate) fn name(self, broker: &Broker, subscribers: usize) -> String {
        let (name, live, kept) = match broker {
            Broker::Redis(_) => ("redis", "", "stream"),
            Broker::Nats(_) => ("async-nats", "", "JetStream"),
        };
        match self {
            Self::Crate => format!("the crate {name}{live}, 1 subscriber"),
            Self::Hub => format!("a hub over it, {subscribers} subscribers"),
            Self::HubWithHistory => format!("a hub with history ({kept}), {subscribers} subscribers"),
        }
    }

    fn topic(self) -> &'static str {
        TOPICS[usize::from(self == Self::HubWithHistory)]
    }
}

/// What publishes.
#[derive(Clone)]
pub(crate) enum Publisher {
    /// On a channel, with what stands before each payload.
    Redis(redis::aio::MultiplexedConnection, &'static str, &'static [u8]),
    /// On a subject.
    Nats(async_nats::Client, &'static str),
    Hub(Hub, &'static str),
}

impl Publisher {
    /// The publisher that costs least, for receivers of this way: the client crate, which writes what a hub would write. History
    /// is the hub's own matter.
    pub(crate) async fn cheapest(broker: &Broker, way: Way) -> Result<Self> {
        Ok(match (broker, way) {
            (_, Way::HubWithHistory) => Self::hub(broker, way).await?,
            (Broker::Redis(url), _) => {
                let connection = redis::Client::open(&**url)?.get_multiplexed_async_connection().await?;
                match way {
                    Way::Crate => Self::Redis(connection, TOPICS[0], b""),
                    _ => Self::Redis(connection, "ws-hub:0:live", b"w1 b -\n"),
                }
            }
            (Broker::Nats(url), _) => {
                let client = async_nats::connect(url).await?;
                Self::Nats(client, if way == Way::Crate { TOPICS[0] } else { "ws.topic.live" })
            }
        })
    }

    /// The publisher of this way.
    pub(crate) async fn open(broker: &Broker, way: Way) -> Result<Self> {
        if way == Way::Crate { Self::cheapest(broker, way).await } else { Self::hub(broker, way).await }
    }

    async fn hub(broker: &Broker, way: Way) -> Result<Self> {
        let hub = broker.hub()?;
        // Until it is connected.
        while hub.publish("other", "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(Self::Hub(hub, way.topic()))
    }

    /// Publishes, until the broker has it. The crate `async-nats` does not wait for that.
    pub(crate) async fn publish(&self, payload: Bytes) -> Result<()> {
        match self {
            Self::Redis(connection, channel, head) => {
                let mut connection = connection.clone();
                let payload = [head, &payload[..]].concat();
                redis::cmd("PUBLISH").arg(channel).arg(payload).query_async::<()>(&mut connection).await?;
            }
            Self::Nats(client, subject) => client.publish(*subject, payload).await?,
            Self::Hub(hub, topic) => drop(hub.publish(topic, Message::Binary(payload)).await?),
        }
        Ok(())
    }
}

/// What has arrived at the receiver.
pub(crate) struct Received {
    /// Publications that the last subscriber has, and so each.
    publications: AtomicU64,
    /// The payloads that arrived at the first subscriber, with the time of arrival.
    first: mpsc::UnboundedSender<(Instant, Bytes)>,
    gaps: AtomicU64,
    subscribers: usize,
}

impl Received {
    pub(crate) fn new(subscribers: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<(Instant, Bytes)>) {
        let (first, arrivals) = mpsc::unbounded_channel();
        (Arc::new(Self { publications: 0.into(), first, gaps: 0.into(), subscribers }), arrivals)
    }

    /// Publications that have arrived at all subscribers.
    pub(crate) fn publications(&self) -> u64 {
        self.publications.load(Ordering::Relaxed)
    }

    /// Fails if publications were lost.
    pub(crate) fn check(&self) -> Result<()> {
        match self.gaps.load(Ordering::Relaxed) {
            0 => Ok(()),
            gaps => bail!("{gaps} gaps"),
        }
    }
}

/// Receives, until it is dropped.
pub(crate) enum Receiver {
    Task(tokio::task::JoinHandle<()>),
    Hub { _hub: Hub, _members: Vec<Membership> },
}

impl Receiver {
    /// A receiver with its subscriptions, which are known to the broker.
    pub(crate) async fn open(broker: &Broker, way: Way, received: &Arc<Received>) -> Result<Self> {
        let last = received.subscribers - 1;
        let one = |at| {
            Arc::new(One { received: Arc::clone(received), is_first: at == 0, is_last: at == last, own: 0.into() })
        };
        let sink = one(0);
        Ok(match (broker, way) {
            (Broker::Redis(url), Way::Crate) => {
                let mut pubsub = redis::Client::open(&**url)?.get_async_pubsub().await?;
                pubsub.subscribe(TOPICS[0]).await?;
                Self::Task(tokio::spawn(async move {
                    let mut messages = pubsub.into_on_message();
                    while let Some(message) = messages.next().await {
                        sink.take(|| Bytes::copy_from_slice(message.get_payload_bytes()));
                    }
                    pending().await
                }))
            }
            (Broker::Nats(url), Way::Crate) => {
                let client = async_nats::connect(url).await?;
                let mut messages = client.subscribe(TOPICS[0]).await?;
                client.flush().await?;
                Self::Task(tokio::spawn(async move {
                    while let Some(message) = messages.next().await {
                        sink.take(|| message.payload);
                    }
                    drop(client);
                    pending().await
                }))
            }
            (_, way) => {
                let hub = broker.hub()?;
                let mut members = vec![hub.subscribe(way.topic()).to(sink).await.context("subscribing")?];
                for at in 1..=last {
                    members.push(hub.subscribe(way.topic()).to(one(at)).await?);
                }
                received.gaps.store(0, Ordering::Relaxed);
                Self::Hub { _hub: hub, _members: members }
            }
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

/// A subscriber.
struct One {
    received: Arc<Received>,
    is_first: bool,
    is_last: bool,
    /// What it has. No other thread looks at it, as at that of a connection.
    own: AtomicU64,
}

impl One {
    fn take(&self, payload: impl FnOnce() -> Bytes) {
        let own = self.own.load(Ordering::Relaxed) + 1;
        self.own.store(own, Ordering::Relaxed);
        if self.is_first {
            let _ = self.received.first.send((Instant::now(), payload()));
        }
        if self.is_last {
            self.received.publications.store(own, Ordering::Relaxed);
        }
    }
}

impl Subscriber for One {
    fn offer(&self, delivery: &Delivery) -> Offer {
        match delivery {
            Delivery::Publication(publication) => self.take(|| match &publication.message {
                Message::Binary(payload) => payload.clone(),
                Message::Text(_) => Bytes::new(),
            }),
            Delivery::Gap(_) => drop(self.received.gaps.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        Offer::Taken
    }

    fn end(&self) {}
}
