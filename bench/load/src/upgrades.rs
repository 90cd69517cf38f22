//! Connections that are opened, upgraded and closed again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::connect::{await_answer, dial, request};
use crate::cycle::Wire;
use crate::{Counted, Load};

/// One wave of connections after the other. Raw TCP echoes the request.
pub struct Upgrades {
    server: SocketAddr,
    wire: Wire,
    count: usize,
}

/// How many connections are opened before the first of them is waited for.
const WAVE: usize = 16;

impl Upgrades {
    pub fn new(server: SocketAddr, wire: Wire) -> Self {
        Self { server, wire, count: 0 }
    }
}

impl Load for Upgrades {
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let (start, before) = (Instant::now(), self.count);
        while start.elapsed() < time {
            let mut wave = Vec::with_capacity(WAVE);
            for _ in 0..WAVE {
                let mut stream = dial(self.server, self.count)?;
                request(&mut stream)?;
                wave.push(stream);
                self.count += 1;
            }
            for stream in &mut wave {
                await_answer(stream, self.wire)?;
            }
        }
        Ok(Counted { each: (self.count - before) as f64, elapsed: start.elapsed() })
    }
}
