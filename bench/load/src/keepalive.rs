//! Connections on which only pings come, and are answered.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use ws_test_support::frames::{PING, PONG, masked};

use crate::connect::connect;
use crate::cycle::Wire;
use crate::{Counted, Load};

pub struct Keepalive {
    epoll: Epoll,
    connections: Vec<TcpStream>,
    events: Vec<EpollEvent>,
}

impl Keepalive {
    pub fn start(server: SocketAddr, connections: usize) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let connections = (0..connections).map(|index| {
            let stream = connect(server, index, Wire::WebSocket)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            Ok(stream)
        });
        let connections: Vec<_> = connections.collect::<Result<_>>()?;
        Ok(Self { events: vec![EpollEvent::empty(); connections.len()], epoll, connections })
    }
}

impl Load for Keepalive {
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let (start, mut pings) = (Instant::now(), 0);
        while start.elapsed() < time {
            let ready = self.epoll.wait(&mut self.events, EpollTimeout::ZERO)?;
            for event in &self.events[..ready] {
                pings += answer(&mut self.connections[event.data() as usize])?;
            }
        }
        Ok(Counted { each: pings as f64, elapsed: start.elapsed() })
    }
}

/// Answers every ping that has come with a pong (RFC 6455 §5.5.3).
fn answer(stream: &mut TcpStream) -> Result<usize> {
    let mut input = [0; 4096];
    let n = match stream.read(&mut input) {
        Ok(0) => bail!("closed by the server"),
        Ok(n) => n,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let (mut input, mut pongs, mut count) = (&input[..n], Vec::new(), 0);
    while let [first, len @ 0..=125, rest @ ..] = input {
        ensure!(*first == PING && rest.len() >= usize::from(*len), "not a whole ping: {input:?}");
        let (payload, rest) = rest.split_at(usize::from(*len));
        pongs.extend(masked(PONG, payload));
        (input, count) = (rest, count + 1);
    }
    stream.write_all(&pongs)?;
    Ok(count)
}
