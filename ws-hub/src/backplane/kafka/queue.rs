//! [`Queue`]: publications on their way to a partition.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::backplane::{Outgoing, PublishError, Refusal};
use crate::position::Position;
use crate::topic::Topic;

/// Publications that wait at most, while the ones before them are written.
const WAITING: usize = 10_000;
/// Their bytes, unless it is one.
const WAITING_BYTES: usize = 16 << 20;
/// Publications that are sent together at most.
const BATCH: usize = 500;
/// Their bytes, unless it is one. A broker's limit is for all of them: `max.message.bytes`, 1 MiB by default.
const BATCH_BYTES: usize = 256 << 10;

#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    /// The partition cannot be reached.
    is_closed: bool,
}

pub(super) struct Item {
    pub(super) topic: Topic,
    pub(super) outgoing: Outgoing,
    pub(super) reply: oneshot::Sender<Result<Position, PublishError>>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a publication, if there is room, and if the partition can be reached or was not tried yet.
    pub(super) fn push(&self, item: Item) {
        let weight = item.weight();
        let mut waiting = self.lock();
        let is_full = waiting.items.len() >= WAITING || waiting.bytes + weight > WAITING_BYTES;
        let refusal = if waiting.is_closed {
            Refusal::Unavailable { locally: 0 }
        } else if is_full && !waiting.items.is_empty() {
            Refusal::Broker("too many publications wait for it".to_owned())
        } else {
            waiting.bytes += weight;
            waiting.items.push_back(item);
            drop(waiting);
            return self.arrived.notify_one();
        };
        drop(waiting);
        let _ = item.reply.send(Err(PublishError::Refused(refusal)));
    }

    /// The next publications, in order, that are sent together.
    pub(super) async fn next(&self) -> Vec<Item> {
        loop {
            let batch = self.lock().take();
            if !batch.is_empty() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    /// The partition can be reached.
    pub(super) fn open(&self) {
        self.lock().is_closed = false;
    }

    /// The partition cannot be reached: what waits was certainly not sent.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closed = true;
        let items = std::mem::take(&mut waiting.items);
        waiting.bytes = 0;
        drop(waiting);
        for item in items {
            let _ = item.reply.send(Err(PublishError::Refused(Refusal::Unavailable { locally: 0 })));
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Vec<Item> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(first) = self.items.front() {
            let weight = first.weight();
            if batch.len() >= BATCH || (!batch.is_empty() && bytes + weight > BATCH_BYTES) {
                break;
            }
            let Some(item) = self.items.pop_front() else { break };
            self.bytes -= weight;
            // Nobody waits for it any more: the publisher was told that its result is unknown.
            if !item.reply.is_closed() {
                bytes += weight;
                batch.push(item);
            }
        }
        batch
    }
}

impl Item {
    fn weight(&self) -> usize {
        // The headers are below 256 bytes beside the key.
        self.outgoing.message.len() + self.outgoing.key.as_ref().map_or(0, |key| key.len()) + 512
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reply = oneshot::Receiver<Result<Position, PublishError>>;

    fn item(bytes: usize) -> (Item, Reply) {
        let (reply, receiver) = oneshot::channel();
        let outgoing = Outgoing::new(vec![0; bytes]);
        (Item { topic: Topic::new("a").unwrap(), outgoing, reply }, receiver)
    }

    fn push(queue: &Queue, bytes: usize) -> Reply {
        let (item, reply) = item(bytes);
        queue.push(item);
        reply
    }

    #[test]
    fn batches_are_bounded_and_in_order() {
        let queue = Queue::default();
        let _replies: Vec<_> = [1, BATCH_BYTES * 2, 2, 3].map(|bytes| push(&queue, bytes)).into();
        let lens = |batch: Vec<Item>| batch.iter().map(|item| item.outgoing.message.len()).collect::<Vec<_>>();
        assert_eq!(lens(queue.lock().take()), [1]);
        assert_eq!(lens(queue.lock().take()), [BATCH_BYTES * 2]);
        assert_eq!(lens(queue.lock().take()), [2, 3]);
        let _replies: Vec<_> = (0..BATCH + 1).map(|_| push(&queue, 1)).collect();
        assert_eq!(queue.lock().take().len(), BATCH);
        assert_eq!(queue.lock().take().len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let queue = Queue::default();
        let mut large = push(&queue, WAITING_BYTES * 2);
        assert!(large.try_recv().is_err(), "one is taken, whatever its size");
        let refused = push(&queue, 1).try_recv().unwrap().unwrap_err();
        assert!(matches!(refused, PublishError::Refused(Refusal::Broker(_))), "{refused}");
        queue.lock().take();
        let _replies: Vec<_> = (0..WAITING).map(|_| push(&queue, 1)).collect();
        assert!(push(&queue, 1).try_recv().unwrap().is_err());
        assert_eq!(queue.lock().items.len(), WAITING);
    }

    #[test]
    fn what_waits_when_the_partition_is_lost_was_not_sent() {
        let queue = Queue::default();
        let mut replies = [push(&queue, 1), push(&queue, 1)];
        queue.close();
        let mut late = push(&queue, 1);
        for reply in replies.iter_mut().chain([&mut late]) {
            let refused = reply.try_recv().unwrap().unwrap_err();
            assert_eq!(refused, PublishError::Refused(Refusal::Unavailable { locally: 0 }));
        }
        assert_eq!(queue.lock().bytes, 0);
        queue.open();
        assert!(push(&queue, 1).try_recv().is_err());
        assert_eq!(queue.lock().items.len(), 1);
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent() {
        let queue = Queue::default();
        drop(push(&queue, 1));
        let _reply = push(&queue, 2);
        assert_eq!(queue.lock().take().len(), 1);
        assert_eq!(queue.lock().bytes, 0);
    }
}
