//! The source of memory for connections, made of the other modules of this folder.

use std::sync::{Arc, LazyLock};

use ws_proto::Memory;

use super::{recycle, scratch};

/// Long messages reuse memory of this process, and the outgoing queue uses memory of the thread.
#[derive(Debug)]
struct Supplied;

impl Memory for Supplied {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        recycle::take(capacity)
    }

    fn give_message(&self, memory: Vec<u8>) {
        recycle::give_back(memory);
    }

    fn take_queue(&self) -> Vec<u8> {
        scratch::take_queue()
    }

    fn give_queue(&self, memory: Vec<u8>) {
        scratch::give_queue(memory);
    }
}

/// The memory of all connections.
pub(crate) fn supplied() -> Arc<dyn Memory> {
    static SUPPLIED: LazyLock<Arc<Supplied>> = LazyLock::new(|| Arc::new(Supplied));
    Arc::clone(&SUPPLIED) as Arc<dyn Memory>
}
