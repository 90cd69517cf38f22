//! No broker: one process.

use std::path::Path;

use crate::Outcome;
use crate::broker::Broker;

struct Memory;

pub(super) fn start(_: &Path) -> Outcome<Box<dyn Broker>> {
    Ok(Box::new(Memory))
}

impl Broker for Memory {
    fn backplane(&self) -> String {
        "memory".to_owned()
    }

    fn start(&mut self) -> Outcome {
        none()
    }

    fn kill(&mut self) -> Outcome {
        none()
    }

    fn wipe(&mut self) -> Outcome {
        none()
    }

    fn freeze(&mut self) -> Outcome {
        none()
    }

    fn thaw(&mut self) -> Outcome {
        none()
    }

    fn drop_clients(&mut self) -> Outcome {
        none()
    }

    fn empty(&mut self) -> Outcome {
        none()
    }
}

fn none() -> Outcome {
    Err("there is no broker".to_owned())
}
