//! A client without async: the core over `std::net`, as an object whose methods block.
//!
//! Run: `cargo run -p ws-proto --example blocking_client [HOST:PORT [TEXT…]]`, with any echo server, such as `tokio_core`
//! beside it.

#![allow(clippy::disallowed_methods, reason = "the clock, banned in the core, is what whoever embeds it brings")]

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use ws_proto::handshake::client::ClientHandshake;
use ws_proto::{
    Buf as _, CloseCode, CloseFrame, Config, Connection, Event, Message, Outcome, Timestamp, TransportState,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let mut texts: Vec<String> = arguments.collect();
    if texts.is_empty() {
        texts.push("Hello".to_owned());
    }
    let mut ws = WebSocket::connect(&host, "/")?;
    for text in texts {
        ws.send(text)?;
        match ws.recv()? {
            Some(message) => println!("{message:?}"),
            None => break,
        }
    }
    println!("{}", ws.close(CloseCode::NORMAL, "that was all")?);
    Ok(())
}

struct WebSocket {
    stream: TcpStream,
    connection: Connection,
    /// The origin of all times that are passed to the core.
    start: Instant,
    buffer: Vec<u8>,
    /// Messages that were received and not returned yet.
    inbound: VecDeque<Message>,
    outcome: Option<Outcome>,
    half_closed: bool,
}

impl WebSocket {
    /// `host` is a name or an address with its port.
    fn connect(host: &str, path: &str) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut handshake = ClientHandshake::builder(host, path).build(rand::random())?;
        stream.write_all(&handshake.request_bytes())?;
        let mut buffer = vec![0; 64 << 10];
        let mut received = Vec::new();
        let established = loop {
            let n = stream.read(&mut buffer)?;
            if n == 0 {
                return Err("the server left during the opening handshake".into());
            }
            received.extend_from_slice(&buffer[..n]);
            if let Some(established) = handshake.receive(&received)? {
                break established;
            }
        };
        let keys = rand::random::<[u8; 4]>; // a cryptographically secure generator, for each frame
        let mut ws = Self {
            stream,
            connection: Connection::client(Config::default(), keys, Timestamp::ZERO),
            start: Instant::now(),
            buffer,
            inbound: VecDeque::new(),
            outcome: None,
            half_closed: false,
        };
        // The first frames may have arrived in the same segment.
        ws.receive(&mut received[established.consumed..]);
        Ok(ws)
    }

    /// Queues a message and writes it.
    fn send(&mut self, message: impl Into<Message>) -> Result<(), Box<dyn Error>> {
        self.connection.send(message.into())?;
        Ok(self.write()?)
    }

    /// Waits for the next message. `None` once the connection has ended.
    fn recv(&mut self) -> io::Result<Option<Message>> {
        while self.inbound.is_empty() && self.outcome.is_none() {
            self.step()?;
        }
        Ok(self.inbound.pop_front())
    }

    /// Closes the connection, and waits for the server's Close.
    fn close(mut self, code: CloseCode, reason: &str) -> Result<Outcome, Box<dyn Error>> {
        self.connection.close(CloseFrame::new(code, reason), self.now())?;
        while self.connection.transport_state() != TransportState::Closed {
            self.step()?;
        }
        self.outcome.ok_or_else(|| "no outcome was reported".into())
    }

    fn now(&self) -> Timestamp {
        Timestamp::new(self.start.elapsed())
    }

    /// One round: writes the outgoing queue, acts on the transport as the core requests, reads until the next deadline.
    fn step(&mut self) -> io::Result<()> {
        self.write()?;
        if self.connection.transport_state() == TransportState::HalfClosed && !self.half_closed {
            self.stream.shutdown(Shutdown::Write)?;
            self.half_closed = true;
        }
        let now = self.now();
        let wait = self.connection.poll_timeout(now).map(|deadline| (deadline - now).max(Duration::from_millis(1)));
        self.stream.set_read_timeout(wait)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.stream.read(&mut buffer);
        match read {
            Ok(0) => {
                let event = self.connection.receive_eof(self.now());
                self.on_event(event);
            }
            Ok(n) => self.receive(&mut buffer[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let event = self.connection.handle_timeout(self.now());
                self.on_event(event);
            }
            Err(error) => return Err(error),
        }
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while self.connection.outgoing().has_remaining() {
            let n = self.stream.write(self.connection.outgoing().chunk())?;
            self.connection.outgoing().advance(n);
        }
        self.stream.flush()
    }

    fn receive(&mut self, mut input: &mut [u8]) {
        let now = self.now();
        while let Some(event) = self.connection.receive(&mut input, now) {
            self.on_event(Some(event));
        }
    }

    fn on_event(&mut self, event: Option<Event<'_>>) {
        match event {
            Some(Event::Message(message)) => self.inbound.push_back(message.into_message()),
            Some(Event::Closed(outcome)) => self.outcome = Some(outcome),
            _ => {} // pings are answered by the core
        }
    }
}
