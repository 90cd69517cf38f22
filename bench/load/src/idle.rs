//! Connections that are open and do nothing, for whoever looks at the server's memory.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::STALL;
use crate::connect::connect;
use crate::cycle::{Cycle, Wire};
use crate::row::Row;

pub struct Idle {
    connections: Vec<TcpStream>,
}

impl Idle {
    pub fn open(server: SocketAddr, connections: usize) -> Result<Self> {
        let connections = (0..connections).map(|index| connect(server, index, Wire::WebSocket));
        Ok(Self { connections: connections.collect::<Result<_>>()? })
    }

    /// Sends one message on each, one after the other, and takes the echo.
    pub fn exchange(&mut self, row: &Row) -> Result<()> {
        let cycle = Cycle::new(row, Wire::WebSocket);
        let frame = cycle.to_send(0, cycle.sent_len);
        let mut echo = vec![0; cycle.echo_len as usize];
        for stream in &mut self.connections {
            let (start, mut sent, mut received) = (Instant::now(), 0, 0);
            while received < echo.len() {
                ensure!(start.elapsed() < STALL, "no echo for {STALL:?}");
                sent += some(stream.write(&frame[sent..]))?;
                match some(stream.read(&mut echo[received..]))? {
                    0 => std::hint::spin_loop(),
                    n => received += n,
                }
            }
            if !cycle.answers(0, &echo) {
                bail!("wrong bytes came back");
            }
        }
        Ok(())
    }
}

/// What a socket that does not block did.
fn some(result: std::io::Result<usize>) -> std::io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
