//! Publications to one connection, and what becomes of them on many.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv};

use crate::connect::connect;
use crate::cycle::{Cycle, Wire};
use crate::row::Row;
use crate::{Counted, Load, STALL};

/// Subscribers, and a publisher that keeps the row's number of publications in flight.
pub struct FanOut {
    publisher: TcpStream,
    publication: Vec<u8>,
    subscribers: Vec<TcpStream>,
    epoll: Epoll,
    events: Vec<EpollEvent>,
    buffer: Vec<u8>,
    in_flight: u64,
    frame_len: u64,
    published: u64,
    /// Bytes, all subscribers together.
    received: u64,
}

impl FanOut {
    /// Connects, and checks one publication on every subscriber.
    pub fn start(server: SocketAddr, publisher: SocketAddr, row: &Row) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut subscribers = Vec::with_capacity(row.connections);
        for index in 0..row.connections {
            let stream = connect(server, index, Wire::WebSocket)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            subscribers.push(stream);
        }
        let publisher = TcpStream::connect(publisher)?;
        publisher.set_nodelay(true)?;
        publisher.set_nonblocking(true)?;
        // The last subscribers may still be on their way from the 101 to the topic.
        std::thread::sleep(Duration::from_millis(50));

        let frame = Cycle::new(row, Wire::WebSocket).first_echo().to_vec();
        let mut load = Self {
            publisher,
            publication: frame[frame.len() - row.size..].to_vec(),
            epoll,
            events: vec![EpollEvent::empty(); subscribers.len()],
            subscribers,
            buffer: vec![0; 256 * 1024],
            in_flight: row.in_flight as u64,
            frame_len: frame.len() as u64,
            published: 0,
            received: 0,
        };
        load.publish(1)?;
        let mut seen = vec![Vec::new(); row.connections];
        load.pump(|load| load.received >= load.expected(), Some(&mut seen))?;
        ensure!(seen.iter().all(|seen| *seen == frame), "a subscriber got something else than the publication");
        Ok(load)
    }

    fn expected(&self) -> u64 {
        self.published * self.frame_len * self.subscribers.len() as u64
    }

    fn publish(&mut self, count: u64) -> Result<()> {
        self.publisher.write_all(&self.publication.repeat(count as usize))?;
        self.published += count;
        Ok(())
    }

    /// Takes what comes until `done`; keeps it where it is to be looked at.
    fn pump(&mut self, mut done: impl FnMut(&Self) -> bool, mut keep: Option<&mut Vec<Vec<u8>>>) -> Result<()> {
        let mut progress = Instant::now();
        while !done(self) {
            let ready = self.epoll.wait(&mut self.events, EpollTimeout::ZERO)?;
            for event in &self.events[..ready] {
                let index = event.data() as usize;
                let flags = if keep.is_some() { MsgFlags::empty() } else { MsgFlags::MSG_TRUNC };
                match recv(self.subscribers[index].as_raw_fd(), &mut self.buffer, flags) {
                    Ok(0) => bail!("subscriber {index}: closed by the server"),
                    Ok(n) => {
                        self.received += n as u64;
                        if let Some(seen) = &mut keep {
                            seen[index].extend(&self.buffer[..n]);
                        }
                    }
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if ready > 0 {
                progress = Instant::now();
            }
            ensure!(progress.elapsed() < STALL, "no delivery for {STALL:?}");
            if keep.is_none() {
                let complete = self.received / (self.frame_len * self.subscribers.len() as u64);
                let room = complete + self.in_flight - self.published;
                if room > 0 {
                    self.publish(room)?;
                }
            }
        }
        Ok(())
    }
}

impl Load for FanOut {
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let (start, before) = (Instant::now(), self.received);
        self.pump(|_| start.elapsed() >= time, None)?;
        let deliveries = (self.received - before) as f64 / self.frame_len as f64;
        Ok(Counted { each: deliveries, elapsed: start.elapsed() })
    }

    /// Lets what is in flight arrive; then nothing more may.
    fn finish(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.received < self.expected() {
            ensure!(start.elapsed() < STALL, "{} bytes of {} came", self.received, self.expected());
            for stream in &self.subscribers {
                match recv(stream.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                    Ok(n) => self.received += n as u64,
                    Err(Errno::EAGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5));
        for stream in &self.subscribers {
            match recv(stream.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EAGAIN) => {}
                other => bail!("more was delivered than published: {other:?}"),
            }
        }
        Ok(())
    }
}
