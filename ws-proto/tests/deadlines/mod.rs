//! Every other deadline: nothing happens just before it, and the right thing at it. And time that stands still or
//! jumps. (Pings and pongs are in `keepalive`.)

mod closing;
mod message_progress;
mod next;
mod paused_reading;
mod time;
mod write_stall;

use crate::common::*;
use ws_proto::Config;

const DAY: u64 = 24 * 60 * 60;

fn progress() -> Config {
    deadlines(|config| config.deadlines.message_progress = Some(secs(60)))
}

fn stall() -> Config {
    deadlines(|config| config.deadlines.write_stall = Some(secs(30)))
}
