//! A server's connection and frames for it, in memory.

use std::hint::black_box;

use ws_proto::{Config, Connection, Timestamp};
use ws_test_support::frames::{BINARY, masked};

/// How many frames one read brings.
pub const BATCH: usize = 64;

/// Input that can be received again and again: unmasking it in place masks it again, and masked bytes are bytes too.
pub struct Input {
    connection: Connection,
    frames: Vec<u8>,
}

impl Input {
    /// [`BATCH`] masked binary frames of up to 125 bytes.
    pub fn new(payload_len: u8) -> Self {
        let mut frames = Vec::new();
        for index in 0..BATCH as u8 {
            frames.extend(masked(BINARY, vec![index; payload_len.into()]));
        }
        Self { connection: Connection::server(Config::default(), Timestamp::ZERO), frames }
    }

    /// Header, unmasking and event of each.
    pub fn receive(&mut self) -> usize {
        let (mut input, mut events) = (black_box(&mut self.frames[..]), 0);
        while let Some(event) = self.connection.receive(&mut input, Timestamp::ZERO) {
            black_box(event);
            events += 1;
        }
        events
    }
}
