//! The sending side: frames as RFC 6455 §5 wants them, the queue's two marks, and what is refused.

mod after_the_end;
mod frames;
mod queue;

use crate::common::*;
use ws_proto::{Config, Role};

fn marks(high_water: usize, hard_cap: usize) -> Config {
    config(|config| {
        config.limits.high_water = high_water;
        config.limits.hard_cap = hard_cap;
    })
}

fn stuck(role: Role, config: &Config) -> End {
    let mut end = End::new(role, config);
    end.writable = false;
    end
}
