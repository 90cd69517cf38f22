//! Connections that are open and do nothing, for whoever looks at the server's memory.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::STALL;
use crate::connect::connect;
use crate::cycle::{Cycle, Wire};
use crate::deflate::{Deflate, DeflateParams, Frames};
use crate::deflated::{self, Connection};
use crate::row::Row;

pub struct Idle(Connections);

enum Connections {
    Plain(Vec<TcpStream>),
    Deflated(Vec<Connection>, DeflateParams),
}

impl Idle {
    pub fn open(server: SocketAddr, connections: usize, deflate: Option<Deflate>) -> Result<Self> {
        Ok(Self(match deflate {
            None => {
                let connections = (0..connections).map(|index| connect(server, index, Wire::WebSocket));
                Connections::Plain(connections.collect::<Result<_>>()?)
            }
            Some(deflate) => {
                let (connections, agreed) = deflated::open(server, connections, Wire::WebSocket, deflate)?;
                Connections::Deflated(connections, agreed)
            }
        }))
    }

    /// Sends one message on each, one after the other, and takes the echo; where they are compressed, all different ones.
    pub fn exchange(&mut self, row: &Row) -> Result<()> {
        match &mut self.0 {
            Connections::Plain(connections) => exchange(connections, row),
            Connections::Deflated(connections, agreed) => {
                let (mut frames, mut buffer) = (Frames::new(row, agreed), vec![0; 64 * 1024]);
                connections.iter_mut().try_for_each(|connection| connection.exchange(&mut frames, &mut buffer))
            }
        }
    }

    /// What the server answered to the extension that was offered.
    pub fn agreed(&self) -> Option<String> {
        match &self.0 {
            Connections::Plain(_) => None,
            Connections::Deflated(_, agreed) => Some(agreed.to_string()),
        }
    }
}

fn exchange(connections: &mut [TcpStream], row: &Row) -> Result<()> {
    let cycle = Cycle::new(row, Wire::WebSocket);
    let frame = cycle.to_send(0, cycle.sent_len);
    let mut echo = vec![0; cycle.echo_len as usize];
    for stream in connections {
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

/// What a socket that does not block did.
fn some(result: std::io::Result<usize>) -> std::io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
