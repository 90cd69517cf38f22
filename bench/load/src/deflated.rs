//! Compressed messages there and back.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::connect::{connect, connect_offering};
use crate::cycle::Wire;
use crate::deflate::{Deflate, DeflateParams, Frames, Inflater, MESSAGES};
use crate::replies::Replies;
use crate::row::Row;
use crate::{Counted, Load, STALL, patiently};

/// Open connections to one server, each with messages in flight. Replies are told apart by their headers; those of the
/// first connection are inflated and compared all the time, those of the others in the first round of messages.
pub struct Deflated {
    epoll: Epoll,
    connections: Vec<Connection>,
    agreed: DeflateParams,
    frames: Frames,
    in_flight: usize,
    events: Vec<EpollEvent>,
    buffer: Vec<u8>,
    reply_len: Option<f64>,
}

pub(crate) struct Connection {
    stream: TcpStream,
    replies: Replies,
    /// Where replies are looked at.
    inflater: Option<Inflater>,
    sent: usize,
    answered: usize,
    received: u64,
}

impl Deflated {
    /// Connects, and checks one whole round of messages on each connection.
    pub fn start(server: SocketAddr, row: &Row, wire: Wire, deflate: Deflate) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let (connections, agreed) = open(server, row.connections, wire, deflate)?;
        for (index, connection) in connections.iter().enumerate() {
            epoll.add(&connection.stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
        }
        let mut load = Self {
            epoll,
            events: vec![EpollEvent::empty(); connections.len()],
            connections,
            frames: Frames::new(row, &agreed),
            agreed,
            in_flight: row.in_flight,
            buffer: vec![0; 256 * 1024],
            reply_len: None,
        };
        for connection in &mut load.connections {
            connection.send(&mut load.frames, row.in_flight)?;
        }
        load.pump(true, |load| load.connections.iter().all(|connection| connection.answered >= MESSAGES))?;
        for connection in &mut load.connections[1..] {
            connection.inflater = None;
        }
        Ok(load)
    }

    /// Messages and bytes that came back.
    fn received(&self) -> (usize, u64) {
        let each = self.connections.iter().map(|connection| (connection.answered, connection.received));
        each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn pump(&mut self, refill: bool, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let mut progress = Instant::now();
        while !done(self) {
            let ready = self.epoll.wait(&mut self.events, EpollTimeout::ZERO)?;
            for event in &self.events[..ready] {
                let index = event.data() as usize;
                let connection = &mut self.connections[index];
                let mut turn = || {
                    connection.receive(&self.frames, &mut self.buffer)?;
                    if refill { connection.send(&mut self.frames, self.in_flight) } else { Ok(()) }
                };
                turn().with_context(|| format!("connection {index}"))?;
            }
            if ready > 0 {
                progress = Instant::now();
            }
            ensure!(progress.elapsed() < STALL, "no answer for {STALL:?}");
        }
        Ok(())
    }
}

impl Load for Deflated {
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let (start, before) = (Instant::now(), self.received());
        self.pump(true, |_| start.elapsed() >= time)?;
        let elapsed = start.elapsed();
        let after = self.received();
        let each = (after.0 - before.0) as f64;
        self.reply_len = Some((after.1 - before.1) as f64 / each);
        Ok(Counted { each, elapsed })
    }

    /// Lets what is in flight come back; then nothing more may.
    fn finish(&mut self) -> Result<()> {
        self.pump(false, |load| load.connections.iter().all(|connection| connection.answered == connection.sent))?;
        std::thread::sleep(Duration::from_millis(5));
        self.connections.iter_mut().try_for_each(|connection| connection.receive(&self.frames, &mut self.buffer))
    }

    fn reply_len(&self) -> Option<f64> {
        self.reply_len
    }

    fn agreed(&self) -> Option<&str> {
        Some(self.agreed.text.as_str()).filter(|text| !text.is_empty())
    }
}

/// Connections that have all agreed to the same.
pub(crate) fn open(
    server: SocketAddr,
    count: usize,
    wire: Wire,
    deflate: Deflate,
) -> Result<(Vec<Connection>, DeflateParams)> {
    let mut connections = Vec::with_capacity(count);
    let mut all_agreed = None;
    for index in 0..count {
        let (stream, agreed) = match wire {
            Wire::Raw => (connect(server, index, wire)?, DeflateParams::whole(String::new(), deflate)),
            Wire::WebSocket => {
                let (stream, answer) = connect_offering(server, index, deflate.offer())?;
                (stream, DeflateParams::parse(answer)?)
            }
        };
        agreed.check(deflate)?;
        let inflater = Some(Inflater::new(&agreed));
        connections.push(Connection {
            stream,
            replies: Replies::default(),
            inflater,
            sent: 0,
            answered: 0,
            received: 0,
        });
        let first = all_agreed.get_or_insert_with(|| agreed.clone());
        ensure!(*first == agreed, "connection {index}: {agreed} instead of {first}");
    }
    Ok((connections, all_agreed.context("no connections")?))
}

impl Connection {
    /// Sends until so many are in flight. They are short: waiting for room does not hold up what comes back.
    fn send(&mut self, frames: &mut Frames, in_flight: usize) -> Result<()> {
        while self.sent < self.answered + in_flight {
            let mut rest = frames.get(self.sent)?;
            while !rest.is_empty() {
                let written = patiently(|| self.stream.write(rest))?;
                rest = &rest[written..];
            }
            self.sent += 1;
        }
        Ok(())
    }

    fn receive(&mut self, frames: &Frames, buffer: &mut [u8]) -> Result<()> {
        let n = match recv(self.stream.as_raw_fd(), buffer, MsgFlags::empty()) {
            Ok(0) => bail!("closed by the server after {} messages", self.answered),
            Ok(n) => n,
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.received += n as u64;
        let Self { replies, inflater, sent, answered, .. } = self;
        replies.take(&buffer[..n], inflater.is_some(), |reply| {
            ensure!(*answered < *sent, "more came back than was sent");
            if let Some(inflater) = inflater {
                let message = &frames.messages[*answered % MESSAGES];
                inflater.check(&reply, message).with_context(|| format!("message {answered}"))?;
            }
            *answered += 1;
            Ok(())
        })
    }

    /// One whole round of messages, one after the other, all checked.
    pub(crate) fn exchange(&mut self, frames: &mut Frames, buffer: &mut [u8]) -> Result<()> {
        let goal = self.answered + MESSAGES;
        let mut progress = (Instant::now(), self.answered);
        while self.answered < goal {
            self.send(frames, 1)?;
            self.receive(frames, buffer)?;
            if self.answered > progress.1 {
                progress = (Instant::now(), self.answered);
            }
            ensure!(progress.0.elapsed() < STALL, "no answer for {STALL:?}");
        }
        Ok(())
    }
}
