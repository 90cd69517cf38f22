//! Hubs on virtual time, and what their subscribers got.

use std::time::Duration;

use ws_hub::conformance::{Broker, Virtual, World};
use ws_hub::{Delivery, GapCause, Hub, HubBuilder, Position, Subscription, TopicOptions, Unrecoverable};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Topics that begin with `kept/` have history.
pub(crate) fn settings() -> HubBuilder {
    Hub::builder().topics("kept/", kept(100))
}

pub(crate) fn kept(size: usize) -> TopicOptions {
    TopicOptions::new().history(size, 3600 * SECOND)
}

/// A hub in memory.
pub(crate) fn memory() -> (World, Hub) {
    let world = World::new(1);
    let hub = settings().start::<Virtual>();
    (world, hub)
}

/// Hubs at one broker.
pub(crate) fn at_broker<const N: usize>() -> (World, Broker, [Hub; N]) {
    let (world, broker) = (World::new(1), Broker::new(1));
    let hubs = std::array::from_fn(|_| settings().backplane(broker.clone()).start::<Virtual>());
    (world, broker, hubs)
}

pub(crate) fn subscribe(world: &mut World, hub: &Hub, topic: &'static str) -> Subscription {
    since(world, hub, topic, None)
}

pub(crate) fn since(
    world: &mut World,
    hub: &Hub,
    topic: &'static str,
    position: impl Into<Option<Position>>,
) -> Subscription {
    let (hub, position) = (hub.clone(), position.into());
    world.block_on(async move { hub.subscribe(topic).since(position).await.unwrap() })
}

pub(crate) fn last(world: &mut World, hub: &Hub, topic: &'static str, publications: usize) -> Subscription {
    let hub = hub.clone();
    world.block_on(async move { hub.subscribe(topic).last(publications).await.unwrap() })
}

/// Publishes, and lets it arrive.
pub(crate) fn publish(world: &mut World, hub: &Hub, topic: &'static str, text: &str) -> Option<Position> {
    let (hub, text) = (hub.clone(), text.to_owned());
    let position = world.block_on(async move { hub.publish(topic, text).await.unwrap() });
    world.advance(SECOND);
    position
}

/// A delivery in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Text(String),
    Local(String),
    Gap(GapCause),
    Recovered(usize),
    Unrecoverable(Unrecoverable),
}

pub(crate) fn text(text: &str) -> Got {
    Got::Text(text.to_owned())
}

/// What waits for a subscriber.
pub(crate) fn got(subscription: &mut Subscription) -> Vec<Got> {
    std::iter::from_fn(|| subscription.try_next())
        .map(|delivery| match delivery {
            Delivery::Publication(publication) => {
                let text = String::from_utf8(publication.message.as_bytes().to_vec()).unwrap();
                if publication.is_local { Got::Local(text) } else { Got::Text(text) }
            }
            Delivery::Gap(gap) => Got::Gap(gap.cause),
            Delivery::Recovered { publications } => Got::Recovered(publications),
            Delivery::Unrecoverable(reason) => Got::Unrecoverable(reason),
            other => panic!("{other:?}"),
        })
        .collect()
}
