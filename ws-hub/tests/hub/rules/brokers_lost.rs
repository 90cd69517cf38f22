//! Rules 8 to 10: without the broker, local publications go on; a silent broker is noticed; and the cost to the broker.

use std::future::ready;
use std::sync::{Arc, OnceLock};

use ws_hub::conformance::{Broker, Virtual, World};
use ws_hub::{
    Backplane, BoxFuture, GapCause, History, HistoryError, Hub, Inbound, Link, Outgoing, Page, Position, Promises,
    Publication, PublishError, Refusal, Topic, Unavailable,
};

use crate::setup::*;

#[test]
fn local_subscribers_get_local_publications_meanwhile() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut plain = subscribe(&mut world, &hubs[0], "plain");
    let mut kept = subscribe(&mut world, &hubs[0], "kept/a");
    let mut elsewhere = subscribe(&mut world, &hubs[1], "plain");
    broker.cut(0, 5 * SECOND);
    world.advance(SECOND);
    for topic in ["plain", "kept/a"] {
        let hub = hubs[0].clone();
        let result = world.block_on(async move { hub.publish(topic, "local").await });
        assert_eq!(result, Err(PublishError::Refused(Refusal::Unavailable { locally: 1 })));
    }
    publish(&mut world, &hubs[1], "plain", "there");
    publish(&mut world, &hubs[1], "kept/a", "there");
    world.advance(10 * SECOND);
    publish(&mut world, &hubs[1], "plain", "after");
    let lost = Got::Gap(GapCause::BrokerLost);
    assert_eq!(got(&mut plain), [lost.clone(), Got::Local("local".to_owned()), lost, text("after")]);
    assert_eq!(got(&mut kept), [Got::Local("local".to_owned()), text("there")]);
    assert_eq!(got(&mut elsewhere), [text("there"), text("after")]);
}

#[test]
fn a_subscription_is_made_without_the_broker_and_stands_when_it_is_back() {
    let (mut world, broker, hubs) = at_broker::<2>();
    broker.cut(0, 60 * SECOND);
    world.advance(SECOND);
    let before = world.now();
    let mut subscription = subscribe(&mut world, &hubs[0], "plain");
    assert!(world.now() - before <= 5 * SECOND);
    world.advance(70 * SECOND);
    publish(&mut world, &hubs[1], "plain", "after");
    let got = got(&mut subscription);
    assert_eq!(got.last(), Some(&text("after")));
    assert!(got.contains(&Got::Gap(GapCause::BrokerLost)), "{got:?}");
}

#[test]
fn a_frozen_broker_is_noticed_and_nothing_is_lost() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut plain = subscribe(&mut world, &hubs[0], "plain");
    let mut kept = subscribe(&mut world, &hubs[0], "kept/a");
    world.advance(10 * SECOND);
    broker.freeze(0, 30 * SECOND);
    publish(&mut world, &hubs[1], "plain", "1");
    publish(&mut world, &hubs[1], "kept/a", "1");
    world.advance(60 * SECOND);
    // What arrived before the first heartbeat after the silence proves nothing about the others.
    let silent = Got::Gap(GapCause::BrokerSilent);
    assert_eq!(got(&mut plain), [silent.clone(), text("1"), silent]);
    assert_eq!(got(&mut kept), [text("1")]);
}

#[test]
fn an_outage_is_told_while_it_lasts() {
    let (mut world, broker, hubs) = at_broker::<2>();
    world.advance(10 * SECOND);
    assert_eq!(hubs.each_ref().map(Hub::outage), [None, None]);
    broker.cut(0, 5 * SECOND);
    world.advance(SECOND);
    assert_eq!(hubs.each_ref().map(Hub::outage), [Some(GapCause::BrokerLost), None]);
    world.advance(20 * SECOND);
    assert_eq!(hubs.each_ref().map(Hub::outage), [None, None]);
    broker.freeze(1, 30 * SECOND);
    world.advance(20 * SECOND);
    assert_eq!(hubs.each_ref().map(Hub::outage), [None, Some(GapCause::BrokerSilent)]);
    world.advance(40 * SECOND);
    assert_eq!(hubs.each_ref().map(Hub::outage), [None, None]);
}

#[test]
fn a_topic_is_subscribed_once_and_a_little_longer_than_somebody_listens() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    world.advance(SECOND);
    let others = broker.subscriptions();
    let subscriptions: Vec<_> = (0..100).map(|_| subscribe(&mut world, &hub, "plain")).collect();
    assert_eq!(broker.subscriptions(), others + 1);
    drop(subscriptions);
    world.advance(4 * SECOND);
    let again = subscribe(&mut world, &hub, "plain");
    world.advance(4 * SECOND);
    assert_eq!((broker.subscriptions(), broker.subscribed()), (others + 1, others + 1));
    drop(again);
    world.advance(11 * SECOND);
    assert_eq!(broker.subscriptions(), others);
}

#[test]
fn a_storm_of_reconnecting_clients_reads_history_a_few_times() {
    let (mut world, broker, [hub]) = at_broker::<1>();
    let positions: Vec<_> = (0..50).map(|n| publish(&mut world, &hub, "kept/a", &n.to_string())).collect();
    for n in 0..1000 {
        let (hub, since) = (hub.clone(), positions[n % 50]);
        world.spawn(async move {
            let mut subscription = hub.subscribe("kept/a").since(since).await.unwrap();
            for _ in 0..50 - n % 50 {
                assert!(subscription.next().await.is_some());
            }
            std::mem::forget(subscription);
        });
    }
    world.advance(60 * SECOND);
    assert_eq!(hub.subscribers("kept/a"), 1000);
    assert!(broker.reads() <= 5, "{}", broker.reads());
}

#[test]
fn a_broker_that_is_reached_again_is_not_taken_for_silent() {
    let (mut world, broker, hubs) = at_broker::<2>();
    let mut plain = subscribe(&mut world, &hubs[0], "plain");
    // Longer than the silence that the heartbeat allows.
    broker.cut(0, 30 * SECOND);
    world.advance(30 * SECOND + SECOND / 10);
    assert_eq!(hubs[0].outage(), None);
    publish(&mut world, &hubs[1], "plain", "after");
    world.advance(30 * SECOND);
    assert_eq!(got(&mut plain), [Got::Gap(GapCause::BrokerLost), text("after")]);
}

#[test]
fn a_connection_that_is_lost_during_the_silence_is_another_gap() {
    let mut world = World::new(1);
    let link = Scripted::default();
    let hub = Hub::builder().backplane(link.clone()).start::<Virtual>();
    let mut plain = subscribe(&mut world, &hub, "plain");
    let inbound = link.inbound.get().unwrap().clone();
    let arrive = |text: &str| inbound.publication(&Arc::new(Publication::new(Topic::new("plain").unwrap(), text)));
    world.advance(20 * SECOND);
    arrive("1");
    inbound.lost(GapCause::BrokerLost);
    arrive("2");
    let expected = [Got::Gap(GapCause::BrokerSilent), text("1"), Got::Gap(GapCause::BrokerLost), text("2")];
    assert_eq!(got(&mut plain), expected);
}

/// A backplane on which nothing arrives but what a test hands over.
#[derive(Clone, Default)]
struct Scripted {
    inbound: Arc<OnceLock<Inbound>>,
}

impl Backplane for Scripted {
    fn promises(&self) -> Promises {
        let mut promises = Promises::new("scripted");
        promises.many_instances = true;
        promises
    }

    fn open(&self, inbound: Inbound) -> Box<dyn Link> {
        self.inbound.get_or_init(|| inbound);
        Box::new(self.clone())
    }
}

impl Link for Scripted {
    fn publish(&self, _: &Topic, _: Outgoing) -> BoxFuture<'static, Result<Option<Position>, PublishError>> {
        Box::pin(ready(Ok(None)))
    }

    fn subscribe(&self, _: &Topic, _: Option<&History>) -> BoxFuture<'static, Result<Option<Position>, Unavailable>> {
        Box::pin(ready(Ok(None)))
    }

    fn unsubscribe(&self, _: &Topic) {}

    fn history(&self, _: &Topic, _: &History, _: Position, _: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        Box::pin(ready(Err(HistoryError::Unavailable)))
    }

    fn latest(&self, _: &Topic, _: &History, _: usize) -> BoxFuture<'static, Result<Page, HistoryError>> {
        Box::pin(ready(Err(HistoryError::Unavailable)))
    }
}

/// Topics that were subscribed and left during an outage are not subscribed afterwards.
#[test]
fn what_was_left_during_an_outage_stays_left() {
    let (mut world, broker, hubs) = at_broker::<1>();
    world.advance(10 * SECOND);
    let before = broker.subscriptions();
    broker.cut(0, 60 * SECOND);
    world.advance(SECOND);
    for topic in ["plain/1", "plain/2", "kept/1"] {
        let began = world.now();
        drop(subscribe(&mut world, &hubs[0], topic));
        // Nobody waits for a broker that is known to be away.
        assert_eq!(world.now(), began);
    }
    world.advance(120 * SECOND);
    assert_eq!((broker.subscriptions(), hubs[0].topics()), (before, 1));
}

/// An option for all topics is none of the hub's own: without a heartbeat, an outage would last for ever.
#[test]
fn history_for_all_topics_is_none_of_the_heartbeat() {
    let (mut world, broker) = (World::new(1), Broker::new(1));
    let hub = Hub::builder().backplane(broker.clone()).topics("", kept(10)).start::<Virtual>();
    let mut subscription = subscribe(&mut world, &hub, "any");
    world.advance(10 * SECOND);
    broker.freeze(0, 30 * SECOND);
    world.advance(20 * SECOND);
    assert_eq!(hub.outage(), Some(GapCause::BrokerSilent));
    world.advance(20 * SECOND);
    assert_eq!(hub.outage(), None);
    publish(&mut world, &hub, "any", "after");
    assert_eq!(got(&mut subscription), [text("after")]);
}
