//! [`Table`]: the topics that are subscribed at this instance.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::entry::Entry;
use crate::topic::Topic;

/// In parts with a lock each, so that many threads publish on different topics at the same time.
pub(super) struct Table {
    parts: Vec<RwLock<HashMap<Topic, Arc<Entry>>>>,
    hasher: RandomState,
}

/// The number of parts, a power of two.
const PARTS: usize = 64;

impl Table {
    pub(super) fn new() -> Self {
        Self { parts: (0..PARTS).map(|_| RwLock::default()).collect(), hasher: RandomState::new() }
    }

    fn part(&self, topic: &str) -> &RwLock<HashMap<Topic, Arc<Entry>>> {
        let hash = self.hasher.hash_one(topic);
        &self.parts[hash as usize % PARTS]
    }

    pub(super) fn get(&self, topic: &str) -> Option<Arc<Entry>> {
        read(self.part(topic)).get(topic).map(Arc::clone)
    }

    /// The entry of a topic, and whether it was made now.
    pub(super) fn get_or_insert(&self, topic: &Topic, make: impl FnOnce() -> Entry) -> (Arc<Entry>, bool) {
        if let Some(entry) = self.get(topic.as_str()) {
            return (entry, false);
        }
        let mut part = write(self.part(topic.as_str()));
        if let Some(entry) = part.get(topic) {
            return (Arc::clone(entry), false);
        }
        let entry = Arc::new(make());
        part.insert(topic.clone(), Arc::clone(&entry));
        (entry, true)
    }

    /// Removes an entry, if it has no subscribers. Returns whether it was removed.
    pub(super) fn remove(&self, entry: &Arc<Entry>) -> bool {
        let mut part = write(self.part(entry.topic.as_str()));
        let is_same = part.get(&entry.topic).is_some_and(|other| Arc::ptr_eq(entry, other));
        is_same && entry.retire() && part.remove(&entry.topic).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| read(part).len()).sum()
    }

    /// Calls a function with each entry. Entries can be added and removed meanwhile.
    pub(super) fn for_each(&self, mut call: impl FnMut(&Arc<Entry>)) {
        for part in &self.parts {
            let entries: Vec<_> = read(part).values().map(Arc::clone).collect();
            entries.iter().for_each(&mut call);
        }
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
