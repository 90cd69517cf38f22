//! Topics over the connections of one server and of several.

use std::sync::Arc;
use std::time::Duration;

use ws_hub::{
    Delivery, GapCause, Hub, HubBuilder, Member, Memory, Offer, Position, PresenceEvent, RESUMABLE, SlowPolicy,
    Subscriber, TopicOptions,
};

use super::super::{Rt, sleep};
use super::setup::*;

fn settings() -> HubBuilder {
    let kept = TopicOptions::new().history(100, Duration::from_secs(3600));
    let closing = TopicOptions::new().slow(SlowPolicy::Close);
    let newest = TopicOptions::new().slow(SlowPolicy::Newest);
    Hub::builder().topics("kept/", kept).topics("closing/", closing).topics("newest/", newest)
}

/// A delivery as a message: `position text`, or the words for a gap.
fn encode(delivery: &Delivery) -> Option<Prepared> {
    match delivery {
        Delivery::Publication(publication) => {
            let text = String::from_utf8_lossy(publication.message.as_bytes());
            Some(match publication.position {
                Some(position) => format!("{position} {text}").into(),
                None => publication.prepared().clone(),
            })
        }
        Delivery::Gap(gap) => Some(gap.to_string().into()),
        Delivery::Recovered { publications } => Some(format!("{publications} recovered").into()),
        _ => None,
    }
}

/// Subscribes the topic that the path names, since the position of the query, and publishes what comes.
async fn serve(hub: Hub, mut ws: WebSocket) -> HandlerResult {
    let topic = ws.path().trim_start_matches('/').to_owned();
    let since = ws.query("since").and_then(|since| since.parse::<Position>().ok());
    let _membership = hub.subscribe(&topic).since(since).forward(&ws.sender(), encode).await?;
    ws.send("subscribed").await?;
    while let Some(message) = ws.recv().await? {
        hub.publish(&topic, message).await?;
    }
    Ok(())
}

fn start_at(hub: &Hub) -> Running {
    let hub = hub.clone();
    start(uncompressed(), move |ws| serve(hub.clone(), ws))
}

fn join(server: &Running, path: &str) -> WebSocket {
    let mut ws = block_on(Client::new(server.url(path)).connect()).unwrap();
    assert_eq!(text(&mut ws), "subscribed");
    ws
}

#[test]
fn instances_share_topics() {
    let memory = Memory::new();
    let hubs = [(); 2].map(|()| block_on(async { settings().backplane(memory.clone()).start::<Rt>() }));
    let servers = hubs.each_ref().map(start_at);
    let mut members = servers.each_ref().map(|server| join(server, "/chat"));
    let mut elsewhere = join(&servers[0], "/other");
    for n in 0..10 {
        send(&members[n % 2], format!("{n}"));
        for member in &mut members {
            assert_eq!(text(member), format!("{n}"));
        }
    }
    send(&elsewhere, "alone");
    assert_eq!(text(&mut elsewhere), "alone");
    members.into_iter().for_each(close);
    close(elsewhere);
    servers.into_iter().for_each(Running::stop);
}

#[test]
fn a_client_that_comes_again_gets_what_it_missed() {
    let hub = block_on(async { settings().start::<Rt>() });
    let server = start_at(&hub);
    let mut ws = join(&server, "/kept/a");
    send(&ws, "1");
    let first = text(&mut ws);
    let position = first.split(' ').next().unwrap();
    close(ws);
    for text in ["2", "3"] {
        block_on(async { hub.publish("kept/a", text).await.unwrap() });
    }
    let mut ws = block_on(Client::new(server.url(&format!("/kept/a?since={position}"))).connect()).unwrap();
    let got: Vec<_> = (0..4).map(|_| text(&mut ws)).collect();
    let words: Vec<_> = got.iter().map(|line| line.rsplit_once(' ').map_or(&**line, |(_, text)| text)).collect();
    // "subscribed" and what was missed come as they are ready.
    let missed: Vec<_> = words.iter().filter(|word| **word != "subscribed").copied().collect();
    assert_eq!(missed, ["2", "3", "recovered"]);
    close(ws);
    server.stop();
}

#[test]
fn a_slow_connection_delays_no_other_and_is_treated_by_the_topic() {
    let hub = block_on(async { settings().start::<Rt>() });
    let server = start_at(&hub);
    for topic in ["skipping/a", "closing/a", "newest/a"] {
        let path = format!("/{topic}");
        let (mut slow, mut quick) = (join(&server, &path), join(&server, &path));
        // More than the sockets of the slow one and its queue hold.
        let large = pattern(64 * KIB);
        let count = 600;
        for _ in 0..count {
            block_on(async { hub.publish(topic, large.clone()).await.unwrap() });
            assert_eq!(block_on(quick.recv()).unwrap().unwrap().len(), 64 * KIB);
        }
        block_on(async { hub.publish(topic, "last").await.unwrap() });
        assert_eq!(text(&mut quick), "last");
        // What waited is taken. Then there is room again, and a gap comes before the next publication.
        let mut got = 0;
        let end = loop {
            match for_a_while(slow.recv()) {
                Some(Ok(Some(Message::Text(text)))) => break text.to_string(),
                Some(Ok(Some(Message::Binary(_)))) => got += 1,
                Some(Ok(None)) => break "closed".to_owned(),
                Some(Err(error)) => break u16::from(outcome(&error).code()).to_string(),
                None => assert!(block_on(async { hub.publish(topic, "after").await }).is_ok()),
            }
        };
        assert!(got < count, "{topic}: nothing was slow");
        match topic {
            "closing/a" => assert_eq!(end, RESUMABLE.to_string()),
            "newest/a" => assert_eq!(end, "last"),
            _ => assert_eq!(end, format!("publications may be missing: {}", GapCause::SlowSubscriber)),
        }
        close(quick);
    }
    server.stop();
}

/// Threads that know no runtime use a hub: nothing panics, and what was begun goes on.
#[test]
fn everything_but_awaiting_works_on_any_thread() {
    let memory = Memory::new();
    let (hub, other) = block_on(async {
        let start = || settings().linger(Duration::ZERO).presence_grace(Duration::ZERO).backplane(memory.clone());
        (start().start::<Rt>(), start().start::<Rt>())
    });
    let (membership, subscription, room, watch) = block_on(async {
        let first = hub.publish("kept/a", "1").await.unwrap();
        let to = hub.subscribe("plain").to(Arc::new(Nobody)).await.unwrap();
        let subscription = hub.subscribe("kept/a").since(first).await.unwrap();
        let room = hub.presence("room").await.unwrap();
        let watch = room.watch();
        (to, subscription, room, watch)
    });
    let mut seen = block_on(async { other.presence("room").await.unwrap().watch() });
    assert_eq!(block_on(seen.next()), PresenceEvent::Members(vec![]));
    let alice = Member::new("alice", "").unwrap();
    let joined = std::thread::spawn({
        let (room, alice) = (room.clone(), alice.clone());
        move || room.join(alice)
    })
    .join()
    .unwrap();
    assert_eq!(block_on(seen.next()), PresenceEvent::Joined(alice.clone()));
    let here = hub.clone();
    std::thread::spawn(move || {
        let begun = (here.publish("kept/a", "2"), here.subscribe("kept/a").last(1));
        assert_eq!((here.subscribers("plain"), here.subscribers("kept/a")), (1, 1));
        drop((membership, subscription, joined, room, watch));
        drop(begun);
        drop(here);
    })
    .join()
    .unwrap();
    assert_eq!(block_on(seen.next()), PresenceEvent::Left(alice));
    // The heartbeat is not needed in memory, and nobody else subscribes.
    block_on(async {
        while hub.topics() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    });
    std::thread::spawn(move || drop((hub, seen, other))).join().unwrap();
}

struct Nobody;

impl Subscriber for Nobody {
    fn offer(&self, _: &Delivery) -> Offer {
        Offer::Taken
    }

    fn end(&self) {}
}

#[test]
fn presence_follows_connections() {
    let hub = block_on(async { settings().presence_grace(Duration::ZERO).start::<Rt>() });
    let here = hub.clone();
    let server = start(uncompressed(), move |ws| {
        let hub = here.clone();
        async move {
            let name = ws.path().trim_start_matches('/').to_owned();
            let _joined = hub.presence("room").await?.join(Member::new(name, "")?);
            drain(ws).await
        }
    });
    let mut watch = block_on(async { hub.presence("room").await.unwrap().watch() });
    let mut next = || block_on(watch.next());
    assert_eq!(next(), PresenceEvent::Members(vec![]));
    let alice = Member::new("alice", "").unwrap();
    let ws = block_on(Client::new(server.url("/alice")).connect()).unwrap();
    assert_eq!(next(), PresenceEvent::Joined(alice.clone()));
    close(ws);
    assert_eq!(next(), PresenceEvent::Left(alice));
    server.stop();
}
