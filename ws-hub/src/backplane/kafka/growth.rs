//! [`Growth`]: topics that have moved, because the Kafka topic has got more partitions.
//!
//! Instances notice that one after the other. One that has not noticed yet publishes where those that have do not read any more.
//! So what was published until all have noticed may be missing, and that is told when it is over.

use std::collections::HashMap;

use super::hash;

/// A change of the number of partitions.
pub(super) struct Growth {
    before: i32,
    now: i32,
    /// For each partition, the place that it had when all instances had noticed.
    places: HashMap<i32, u64>,
}

impl Growth {
    pub(super) fn new(before: i32, now: i32, places: HashMap<i32, u64>) -> Self {
        Self { before, now, places }
    }

    /// The partition where a topic was, and the one where it is.
    pub(super) fn of(topic: &str, before: i32, now: i32) -> Option<(i32, i32)> {
        let (old, new) = (hash::partition(topic, before), hash::partition(topic, now));
        (old != new).then_some((old, new))
    }

    /// Whether publications after this place of the topic's partition may have gone to the one where it was.
    pub(super) fn is_in_doubt(&self, topic: &str, place: u64) -> bool {
        Self::of(topic, self.before, self.now)
            .and_then(|(_, new)| self.places.get(&new))
            .is_some_and(|last| place <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_while_a_topic_moved_is_in_doubt() {
        let names: Vec<_> = (0..100).map(|number| format!("topic {number}")).collect();
        let growth = Growth::new(2, 3, (0..3).map(|partition| (partition, 10)).collect());
        let (moved, stayed): (Vec<_>, Vec<_>) = names.iter().partition(|name| Growth::of(name, 2, 3).is_some());
        assert!(!moved.is_empty() && !stayed.is_empty());
        for name in moved {
            assert!(growth.is_in_doubt(name, 9) && growth.is_in_doubt(name, 10) && !growth.is_in_doubt(name, 11));
            let elsewhere = Growth::new(2, 3, HashMap::new());
            assert!(!elsewhere.is_in_doubt(name, 0), "a partition that was not read then");
        }
        for name in stayed {
            assert!(!growth.is_in_doubt(name, 0));
        }
    }
}
