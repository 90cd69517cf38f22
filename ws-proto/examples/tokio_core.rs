//! The core alone on tokio, with control over every copy and every system call: a server that sends back each message.
//! Messages are answered from the read buffer, and all output for a batch of input is one vectored write.
//!
//! Run: `cargo run -p ws-proto --example tokio_core`
//!
//! For applications there is the crate `ws-tokio`, which adds handles, tasks and limits for a whole server.

use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use ws_proto::handshake::encode;
use ws_proto::handshake::server::{RequestReader, Upgrade};
use ws_proto::{Buf as _, Config, Connection, Event, Incoming, Timestamp, TransportState};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8765".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("Listening at ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match timeout(Duration::from_secs(10), open(&mut stream)).await?? {
        Some(early) => drive(stream, early).await,
        None => Ok(()),
    }
}

/// The opening handshake. Returns the bytes after the request, or `None` if the client was refused.
async fn open(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut reader, mut received) = (RequestReader::new(), Vec::new());
    let answer = loop {
        if stream.read_buf(&mut received).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match reader.read(&received) {
            Ok(None) => {}
            Ok(Some(head)) => {
                received.drain(..head.consumed);
                // Path, origin and subprotocols of the request would be looked at here.
                break Upgrade::new(head.request).and_then(|upgrade| Ok(upgrade.accept(None, Default::default())?));
            }
            Err(rejection) => break Err(rejection),
        }
    };
    let (mut bytes, is_open) = (Vec::new(), answer.is_ok());
    match answer {
        Ok(accepted) => encode::response_head(&accepted.response, &mut bytes),
        Err(rejection) => encode::response(&rejection.into_response(), &mut bytes),
    }
    stream.write_all(&bytes).await?;
    Ok(is_open.then_some(received))
}

/// Moves bytes between the socket and the core until both have ended.
async fn drive(mut stream: TcpStream, early: Vec<u8>) -> io::Result<()> {
    let start = Instant::now();
    let mut connection = Connection::server(Config::default(), Timestamp::ZERO);
    let mut unread = 0..early.len();
    let mut buffer = early;
    buffer.resize(buffer.len().max(64 << 10), 0);
    let (mut read_ended, mut half_closed) = (false, false);
    loop {
        // Bytes in, events out. Stops while much is still to be written.
        let now = Timestamp::new(start.elapsed());
        let mut input = &mut buffer[unread.clone()];
        while !connection.is_above_high_water()
            && let Some(event) = connection.receive(&mut input, now)
        {
            on_event(&mut connection, &event);
        }
        unread.start = unread.end - input.len();
        connection.hooks().set_paused(!unread.is_empty(), now);

        // Bytes out: all output for this input at once.
        let outgoing = connection.outgoing();
        while outgoing.has_remaining() {
            let mut slices = [IoSlice::new(&[]); 32];
            let filled = outgoing.chunks_vectored(&mut slices);
            match stream.try_write_vectored(&slices[..filled]) {
                Ok(n) => outgoing.advance(n),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        match connection.transport_state() {
            TransportState::Closed => return Ok(()),
            TransportState::HalfClosed if !half_closed => {
                stream.shutdown().await?;
                half_closed = true;
            }
            _ => {}
        }
        if !unread.is_empty() && !connection.is_above_high_water() {
            continue;
        }

        // Wait for the socket or for the next deadline, whichever comes first.
        let reads = unread.is_empty() && !read_ended;
        let interest = match (reads, connection.outgoing().has_remaining()) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, _) => Interest::WRITABLE,
        };
        let wait = connection.poll_timeout(now).map_or(Duration::MAX, |deadline| deadline - now);
        let Ok(ready) = timeout(wait, stream.ready(interest)).await else {
            if let Some(event) = connection.handle_timeout(Timestamp::new(start.elapsed())) {
                on_event(&mut connection, &event);
            }
            continue;
        };
        if ready?.is_readable() && reads {
            match stream.try_read(&mut buffer) {
                Ok(0) => {
                    read_ended = true;
                    if let Some(event) = connection.receive_eof(now) {
                        on_event(&mut connection, &event);
                    }
                }
                Ok(n) => unread = 0..n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The application. The payload is in the read buffer, unmasked in place, unless it arrived in pieces.
fn on_event(connection: &mut Connection, event: &Event<'_>) {
    let sent = match event {
        Event::Message(Incoming::Text(text)) => connection.send_text(text),
        Event::Message(Incoming::Binary(bytes)) => connection.send_binary(bytes),
        Event::Closed(outcome) => return println!("{outcome}"),
        _ => return, // pings are answered by the core
    };
    sent.unwrap_or_else(|error| eprintln!("not sent: {error}"));
}
