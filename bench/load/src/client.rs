//! The other side of a client: a server with nothing to do but to send frames encoded beforehand, or to count.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use ws_test_support::frames::{BINARY, Frame, decode};

use crate::cycle::{Cycle, Wire};
use crate::row::Row;
use crate::{Counted, Load, STALL, patiently};

/// Which way the messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the client, as fast as it takes them.
    ToClient,
    /// From the client, as fast as it sends them.
    FromClient,
}

/// One client, connected.
pub struct Client {
    stream: TcpStream,
    direction: Direction,
    /// Whole cycles of frames, and how far into them the stream is.
    frames: Vec<u8>,
    at: usize,
    buffer: Vec<u8>,
    /// The length of one message on the wire.
    frame_len: u64,
    bytes: u64,
}

impl Client {
    /// Where the client is to connect to.
    pub fn listen() -> Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    /// Takes the client's connection, answers its upgrade, and looks at its first message.
    pub fn accept(listener: &TcpListener, row: &Row, direction: Direction, wire: Wire) -> Result<Self> {
        let mut stream = patiently(|| listener.accept().map(|(stream, _)| stream)).context("no client")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        if wire == Wire::WebSocket {
            let mut head = Vec::new();
            while handshake::head_len(&head).is_none() {
                read_some(&mut stream, &mut head)?;
            }
            let answer = handshake::answer(&head, None).context("no upgrade request")?;
            stream.write_all(answer.as_bytes())?;
        }
        let cycle = Cycle::new(row, Wire::WebSocket);
        let frames = cycle.echoes().repeat((256 * 1024 / cycle.echoes().len()).max(1));
        let (frame_len, mut bytes) = match direction {
            Direction::ToClient => (cycle.echo_len, 0),
            Direction::FromClient => (cycle.sent_len, 0),
        };
        if direction == Direction::FromClient {
            let mut first = Vec::new();
            while (first.len() as u64) < frame_len {
                read_some(&mut stream, &mut first)?;
            }
            bytes = first.len() as u64;
            if wire == Wire::WebSocket {
                check_first(&first[..frame_len as usize], row)?;
            }
        }
        Ok(Self { stream, direction, frames, at: 0, buffer: vec![0; 256 * 1024], frame_len, bytes })
    }

    fn turn(&mut self) -> Result<usize> {
        let result = match self.direction {
            Direction::ToClient => nix::unistd::write(&self.stream, &self.frames[self.at..]),
            Direction::FromClient => recv(self.stream.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_TRUNC),
        };
        match result {
            Ok(0) | Err(Errno::EPIPE | Errno::ECONNRESET) => bail!("closed by the client"),
            Ok(n) => {
                self.at = (self.at + n) % self.frames.len();
                Ok(n)
            }
            Err(Errno::EAGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Load for Client {
    fn run(&mut self, time: Duration) -> Result<Counted> {
        let (start, before, mut progress) = (Instant::now(), self.bytes, Instant::now());
        while start.elapsed() < time {
            match self.turn()? {
                0 => ensure!(progress.elapsed() < STALL, "the client does nothing for {STALL:?}"),
                n => {
                    self.bytes += n as u64;
                    progress = Instant::now();
                }
            }
        }
        Ok(Counted { each: (self.bytes - before) as f64 / self.frame_len as f64, elapsed: start.elapsed() })
    }

    /// Looks once more: a client that found fault with what it got has closed.
    fn finish(&mut self) -> Result<()> {
        std::thread::sleep(Duration::from_millis(5));
        self.turn().map(drop)
    }
}

/// Whether a client's first frame is masked, and is what clients are to send: `index * 7`.
fn check_first(frame: &[u8], row: &Row) -> Result<()> {
    let found = decode(frame).context("half a frame")?;
    let Frame(first, payload) = found.frame;
    ensure!(first == BINARY && found.key.is_some(), "not a masked binary frame, but {first:#04x}");
    ensure!(payload.into_iter().eq((0..row.size).map(|index| (index * 7) as u8)), "the client sent something else");
    Ok(())
}

fn read_some(stream: &mut TcpStream, to: &mut Vec<u8>) -> Result<()> {
    let mut part = [0; 64 * 1024];
    let n = patiently(|| stream.read(&mut part))?;
    ensure!(n > 0, "closed by the client");
    to.extend(&part[..n]);
    Ok(())
}
