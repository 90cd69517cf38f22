//! The heap memory of idle subscriptions, beside their connections. The allocator counts the whole process, so this program has
//! no test harness and one check after another.

use std::sync::Arc;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use ws_hub::{Delivery, Hub, Membership, Offer, Subscriber, TopicOptions};
use ws_tokio::{Client, HandlerResult, Sender, Server, Tokio, WebSocket};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most that an idle subscription of a connection may hold, in bytes. What the program keeps, a `Membership`, is counted.
const MOST: usize = 200;

/// As many as fill a table to the worst: it has doubled a moment ago.
const SUBSCRIPTIONS: usize = (1 << 16) + 1;

/// Subscriptions of one process.
const MANY: usize = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let server = Server::new().bind("127.0.0.1:0").await?;
    let url = format!("ws://{}", server.local_addr()?);
    let serving = tokio::spawn(server.serve(wait));
    let ws = Client::new(&url).connect().await?;
    let history = TopicOptions::new().history(100, Duration::from_secs(3600));
    let hub = Hub::builder().topics("kept/", history).start::<Tokio>();
    for topic in ["plain", "kept/a"] {
        let held = held_by_each(&hub, topic, &ws.sender(), SUBSCRIPTIONS).await?;
        println!("an idle subscription of a connection on {topic} holds {held} bytes");
        assert!(held <= MOST, "an idle subscription holds {held} bytes, more than {MOST}");
        // After publications, too.
        for n in 0..3 {
            hub.publish(topic, format!("{n}")).await?;
        }
    }
    assert!(hub.stats().delivered == 0 && hub.stats().subscribers == 0);

    // Subscribers of the application's, in one topic.
    let subscriber: Arc<dyn Subscriber> = Arc::new(Nothing);
    let (before, mut all) = (HEAP.current_usage(), Vec::with_capacity(MANY));
    for _ in 0..MANY {
        all.push(hub.subscribe("many").to(Arc::clone(&subscriber)).await?);
    }
    let held = (HEAP.current_usage() - before) / MANY;
    println!("{MANY} subscriptions in one process hold {held} bytes each");
    assert!(held <= MOST, "{held} bytes");
    hub.publish("many", "to all").await?;
    assert_eq!((hub.stats().delivered, hub.subscribers("many")), (MANY as u64, MANY));
    drop(all);
    assert_eq!(hub.subscribers("many"), 0);
    drop(ws);
    serving.abort();
    Ok(())
}

async fn wait(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}

/// The bytes that each subscription holds, after all of them have got publications and took none.
async fn held_by_each(
    hub: &Hub,
    topic: &str,
    sender: &Sender,
    count: usize,
) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let before = HEAP.current_usage();
    let mut memberships: Vec<Membership> = Vec::with_capacity(count);
    for _ in 0..count {
        memberships.push(hub.subscribe(topic).forward(sender, |_| None).await?);
    }
    let held = HEAP.current_usage() - before;
    drop(memberships);
    Ok(held / count)
}

struct Nothing;

impl Subscriber for Nothing {
    fn offer(&self, _: &Delivery) -> Offer {
        Offer::Taken
    }

    fn end(&self) {}
}
