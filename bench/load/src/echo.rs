//! Messages there and back: the load of most rows.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::connect::connect;
use crate::cycle::{Cycle, Wire};
use crate::row::Row;
use crate::{Counted, Load, STALL};

/// Open connections to one server, some of them with messages in flight.
pub struct Echo {
    epoll: Epoll,
    connections: Vec<Connection>,
    /// Open, and silent.
    _idle: Vec<TcpStream>,
    cycle: Cycle,
    in_flight: u64,
    events: Vec<EpollEvent>,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// Messages that may be sent; `sent` bytes of them are.
    issued: u64,
    sent: u64,
    received: u64,
    /// Whether epoll watches for room to write.
    blocked: bool,
}

/// How many messages are measured at least: what is on its way at the beginning and at the end must not count for much.
const FEWEST: u64 = 8;

/// What is done with the bytes that come back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Check,
    Count,
}

impl Echo {
    /// Connects, upgrades where `wire` says so, and checks one whole cycle of messages on each connection.
    pub fn start(server: SocketAddr, row: &Row, wire: Wire) -> Result<Self> {
        // First: with long messages it takes a while, which is none of the connections' time.
        let cycle = Cycle::new(row, wire);
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut connections = Vec::with_capacity(row.connections);
        for index in 0..row.connections {
            let stream = connect(server, index, wire)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            let issued = row.in_flight as u64;
            connections.push(Connection { stream, issued, sent: 0, received: 0, blocked: false });
        }
        let idle = (row.connections..row.open).map(|index| connect(server, index, wire));
        let mut load = Self {
            epoll,
            connections,
            _idle: idle.collect::<Result<_>>()?,
            cycle,
            in_flight: row.in_flight as u64,
            events: vec![EpollEvent::empty(); row.connections],
            buffer: vec![0; 256 * 1024],
        };
        for index in 0..row.connections {
            load.connections[index].send(&load.cycle, &load.epoll, index)?;
        }
        let cycle = load.cycle.echo_cycle();
        load.pump(Answers::Check, true, |load| load.connections.iter().all(|c| c.received >= cycle))?;
        Ok(load)
    }

    fn received(&self) -> u64 {
        self.connections.iter().map(|c| c.received).sum()
    }

    /// Turns until `done`. It never sleeps: waking the generator would be work for the server's core.
    fn pump(&mut self, answers: Answers, refill: bool, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let mut progress = Instant::now();
        while !done(self) {
            if self.turn(answers, refill)? {
                progress = Instant::now();
            } else if progress.elapsed() > STALL {
                bail!("no answer for {STALL:?}");
            }
        }
        Ok(())
    }

    /// Serves every connection that is ready; tells whether any was.
    fn turn(&mut self, answers: Answers, refill: bool) -> Result<bool> {
        let ready = self.epoll.wait(&mut self.events, EpollTimeout::ZERO)?;
        for event in &self.events[..ready] {
            let index = event.data() as usize;
            let connection = &mut self.connections[index];
            if event.events() != EpollFlags::EPOLLOUT {
                connection
                    .receive(&self.cycle, answers, &mut self.buffer)
                    .with_context(|| format!("connection {index}"))?;
                if refill {
                    connection.issued = connection.received / self.cycle.echo_len + self.in_flight;
                }
            }
            connection.send(&self.cycle, &self.epoll, index).with_context(|| format!("connection {index}"))?;
        }
        Ok(ready > 0)
    }
}

impl Load for Echo {
    /// Keeps every connection's messages in flight for a time, and counts; for longer where that is too short to tell.
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let start = Instant::now();
        let before = self.received();
        let enough = before + FEWEST * self.cycle.echo_len;
        self.pump(Answers::Count, true, |load| start.elapsed() >= time && load.received() >= enough)?;
        let messages = (self.received() - before) as f64 / self.cycle.echo_len as f64;
        Ok(Counted { each: messages, elapsed: start.elapsed() })
    }

    /// Lets what is in flight come back, checks it, and checks that nothing else does.
    fn finish(&mut self) -> Result<()> {
        let echo_len = self.cycle.echo_len;
        let all_back = |load: &Self| load.connections.iter().all(|c| c.received >= c.issued * echo_len);
        self.pump(Answers::Check, false, all_back)?;
        std::thread::sleep(Duration::from_millis(5));
        self.turn(Answers::Check, false)?;
        for connection in &self.connections {
            let expected = connection.issued * echo_len;
            ensure!(connection.received == expected, "{} bytes came back for {expected}", connection.received);
        }
        Ok(())
    }
}

impl Connection {
    fn receive(&mut self, cycle: &Cycle, answers: Answers, buffer: &mut [u8]) -> Result<()> {
        let flags = match answers {
            Answers::Check => MsgFlags::empty(),
            // Takes the bytes off the socket without copying them (tcp(7)).
            Answers::Count => MsgFlags::MSG_TRUNC,
        };
        let n = match recv(self.stream.as_raw_fd(), buffer, flags) {
            Ok(0) => bail!("closed by the server after {} bytes", self.received),
            Ok(n) => n,
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if answers == Answers::Check && !cycle.answers(self.received, &buffer[..n]) {
            let (from, to, first) = (self.received, self.received + n as u64, &buffer[..n.min(16)]);
            bail!("wrong bytes came back, between {from} and {to}: {first:02x?}…");
        }
        self.received += n as u64;
        ensure!(self.received <= self.issued * cycle.echo_len, "more came back than was sent");
        Ok(())
    }

    fn send(&mut self, cycle: &Cycle, epoll: &Epoll, index: usize) -> Result<()> {
        let owed = self.issued * cycle.sent_len - self.sent;
        if owed > 0 {
            match self.stream.write(cycle.to_send(self.sent, owed)) {
                Ok(n) => self.sent += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        let blocked = self.sent < self.issued * cycle.sent_len;
        if blocked != self.blocked {
            self.blocked = blocked;
            let mut interest = EpollFlags::EPOLLIN;
            interest.set(EpollFlags::EPOLLOUT, blocked);
            epoll.modify(&self.stream, &mut EpollEvent::new(interest, index as u64))?;
        }
        Ok(())
    }
}
