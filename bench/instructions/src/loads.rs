//! Loads of an exact number of messages, in batches that each take one call to write.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use load::Row;

/// The program under load is a server that sends back every message, or a client that takes messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Echo,
    Receive,
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Open connections to an echo server.
pub(crate) struct Echo {
    connections: Vec<BufReader<TcpStream>>,
    /// The frames that are written at once, and the number of them.
    batch: Vec<u8>,
    in_flight: usize,
    /// The frame that comes back for each.
    echoed: Vec<u8>,
    reply: Vec<u8>,
}

impl Echo {
    pub(crate) fn start(server: SocketAddr, row: &Row) -> Result<Self> {
        let connect = |_| -> Result<_> {
            let mut stream = TcpStream::connect(server)?;
            stream.set_nodelay(true)?;
            stream.write_all(REQUEST)?;
            ensure!(read_head(&mut stream)?.starts_with(b"HTTP/1.1 101 "), "no upgrade");
            Ok(BufReader::new(stream))
        };
        let connections = (0..row.connections).map(connect).collect::<Result<_>>()?;
        let echoed = frame(row.size, None);
        let batch = frame(row.size, Some([0xA5, 0x5A, 0xC3, 0x3C])).repeat(row.in_flight);
        Ok(Self { connections, batch, in_flight: row.in_flight, reply: vec![0; echoed.len()], echoed })
    }

    /// All messages that may be in flight, to every connection and back.
    pub(crate) fn round(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            connection.get_mut().write_all(&self.batch)?;
        }
        for connection in &mut self.connections {
            for _ in 0..self.in_flight {
                read_reply(connection, &mut self.reply)?;
                ensure!(self.reply == self.echoed, "something else came back");
            }
        }
        Ok(())
    }
}

/// Reads a frame that fills `reply`. A server that takes long has sent pings, too.
fn read_reply(connection: &mut BufReader<TcpStream>, reply: &mut [u8]) -> Result<()> {
    let (header, rest) = reply.split_at_mut(2);
    loop {
        connection.read_exact(header)?;
        if header[0] != 0x89 {
            return Ok(connection.read_exact(rest)?);
        }
        connection.read_exact(&mut vec![0; usize::from(header[1])])?;
    }
}

/// Sends `messages` to a client and closes the connection.
pub(crate) fn receive(listener: &TcpListener, row: &Row, messages: usize) -> Result<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let head = read_head(&mut stream)?;
    stream.write_all(handshake::answer(&head, None).context("no upgrade request")?.as_bytes())?;
    let frame = frame(row.size, None);
    let at_once = (256 * 1024 / frame.len()).max(1);
    let batch = frame.repeat(at_once);
    let mut left = messages;
    while left > 0 {
        let now = left.min(at_once);
        stream.write_all(&batch[..now * frame.len()])?;
        left -= now;
    }
    // A Close with status 1000, which the client answers in 8 bytes.
    stream.write_all(&[0x88, 2, 0x03, 0xE8])?;
    // A client that takes long has sent pings, too. Its frames are short and masked.
    loop {
        let mut header = [0; 6];
        stream.read_exact(&mut header)?;
        let mut payload = vec![0; usize::from(header[1] & 0x7F)];
        stream.read_exact(&mut payload)?;
        match header[0] {
            0x88 => return Ok(()),
            first => ensure!(first == 0x89, "the client sent {first:#x}"),
        }
    }
}

/// A binary message in one frame (RFC 6455 §5.2).
fn frame(size: usize, key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut frame = match size {
        0..=125 => vec![0x82, masked | size as u8],
        126..=0xFFFF => [&[0x82, masked | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[0x82, masked | 127][..], &(size as u64).to_be_bytes()].concat(),
    };
    frame.extend(key.into_iter().flatten());
    frame.extend((0..size).map(|n| (n * 7) as u8 ^ key.map_or(0, |key| key[n % 4])));
    frame
}

/// Reads an HTTP head, byte by byte, since nothing behind it may be taken.
fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    while handshake::head_len(&head).is_none() {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}
