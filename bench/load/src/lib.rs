//! The load generator: one thread, epoll, frames encoded beforehand, so that the server is the bottleneck.
//!
//! It parses nothing: the length of an echo is known, so received bytes divided by it are messages. What the
//! bytes are is checked on the first pass over the messages and on the last answers, not while time is taken.

mod cycle;
mod row;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::cycle::Cycle;
pub use crate::cycle::Wire;
pub use crate::row::{Payload, Row};

/// Open connections to one server, each with its messages in flight.
pub struct Load {
    epoll: Epoll,
    connections: Vec<Connection>,
    cycle: Cycle,
    in_flight: u64,
    events: Vec<EpollEvent>,
    buffer: Vec<u8>,
}

/// What was echoed while time was taken.
pub struct Echoed {
    pub messages: f64,
    pub elapsed: Duration,
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

/// What is done with the bytes that come back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Check,
    Count,
}

/// A server that answers nothing for this long is stuck.
const STALL: Duration = Duration::from_secs(5);

impl Load {
    /// Connects, upgrades where `wire` says so, and checks one whole cycle of messages on each connection.
    pub fn start(server: SocketAddr, row: &Row, wire: Wire) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut connections = Vec::with_capacity(row.connections);
        for index in 0..row.connections {
            let stream = connect(server, wire).with_context(|| format!("connection {index}"))?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            let issued = row.in_flight as u64;
            connections.push(Connection { stream, issued, sent: 0, received: 0, blocked: false });
        }
        let mut load = Self {
            epoll,
            connections,
            cycle: Cycle::new(row, wire),
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

    /// Keeps every connection's messages in flight for a time, and counts.
    pub fn run(&mut self, time: Duration) -> Result<Echoed> {
        let start = Instant::now();
        let before = self.received();
        self.pump(Answers::Count, true, |_| start.elapsed() >= time)?;
        let messages = (self.received() - before) as f64 / self.cycle.echo_len as f64;
        Ok(Echoed { messages, elapsed: start.elapsed() })
    }

    /// Lets what is in flight come back, checks it, and checks that nothing else does.
    pub fn finish(mut self) -> Result<()> {
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
            bail!("wrong bytes came back, between {} and {}", self.received, self.received + n as u64);
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

fn connect(server: SocketAddr, wire: Wire) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    if wire == Wire::WebSocket {
        upgrade(&mut stream, server)?;
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// The opening handshake, with the key of RFC 6455 §1.3.
fn upgrade(stream: &mut TcpStream, server: SocketAddr) -> Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while !head.ends_with(b"\r\n\r\n") {
        let n = stream.read(&mut part)?;
        ensure!(n > 0, "closed during the handshake");
        head.extend(&part[..n]);
    }
    let head = String::from_utf8_lossy(&head);
    let accepted = head.starts_with("HTTP/1.1 101 ") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ensure!(accepted, "no upgrade: {head}");
    Ok(())
}
