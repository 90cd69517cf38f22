//! ws-proto on tokio without the layers above it: what a library that embeds the engine would write. One read buffer
//! for the whole worker, messages answered out of it, one vectored write for what a wake-up caused, one timer that no
//! message touches, and the memory of long messages used again. The example `tokio_core` of ws-proto explains the
//! engine's side of it.

mod recycle;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use host::{Job, Task};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use ws_proto::handshake::encode;
use ws_proto::handshake::server::{RequestReader, Upgrade};
use ws_proto::{Buf, Config, Connection, Event, Incoming, Memory, ReadBuffer, Timestamp, TransportState};

thread_local! {
    /// Larger than what arrives at once: tokio then knows from a short read that the socket is empty.
    static BUFFER: RefCell<ReadBuffer> = const { RefCell::new(ReadBuffer::new(128 << 10)) };
    /// What small answers are gathered in, of whichever connection.
    static ANSWERS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Long messages use the worker's memory again, and so does what is queued.
#[derive(Debug)]
struct OfWorker;

impl Memory for OfWorker {
    fn take_message(&self, capacity: usize) -> Vec<u8> {
        recycle::take(capacity)
    }

    fn give_message(&self, memory: Vec<u8>) {
        recycle::give_back(memory);
    }

    fn take_queue(&self) -> Vec<u8> {
        ANSWERS.take()
    }

    fn give_queue(&self, memory: Vec<u8>) {
        ANSWERS.set(memory);
    }
}

fn main() -> io::Result<()> {
    host::run(async |job: Job| {
        let mut config = Config::default();
        config.limits.message = config.limits.message.map(|limit| limit.max(job.message_size));
        config.limits.frame = config.limits.message;
        let (config, memory) = (Arc::new(config), Arc::new(OfWorker));
        match job.task {
            Task::Echo => host::serve(move |stream| serve(stream, Arc::clone(&config), Arc::clone(&memory))).await,
            _ => job.unsupported(),
        }
    })
}

async fn serve(mut stream: TcpStream, config: Arc<Config>, memory: Arc<OfWorker>) -> io::Result<()> {
    let unread = open(&mut stream).await?;
    let (start, mut connection) = (Instant::now(), Connection::server(config, Timestamp::ZERO));
    connection.set_memory(Some(memory));
    let mut driver = Driver { stream, connection, start, timer: None, unread, read_ended: false, half_closed: false };
    poll_fn(|cx| driver.poll(cx)).await
}

/// The opening handshake; what came behind the request.
async fn open(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let (mut reader, mut received) = (RequestReader::new(), Vec::with_capacity(1024));
    loop {
        if tokio::io::AsyncReadExt::read_buf(stream, &mut received).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let rejected = |_| io::Error::other("no upgrade");
        if let Some(head) = reader.read(&received).map_err(rejected)? {
            received.drain(..head.consumed);
            let upgrade = Upgrade::new(head.request).map_err(rejected)?;
            let accepted = upgrade.accept(None, Default::default()).map_err(io::Error::other)?;
            let mut answer = Vec::with_capacity(256);
            encode::response_head(&accepted.response, &mut answer);
            stream.write_all(&answer).await?;
            received.shrink_to_fit();
            return Ok(received);
        }
    }
}

struct Driver {
    stream: TcpStream,
    connection: Connection,
    start: Instant,
    /// Set to a deadline or to a time before it: fires for nothing then, once.
    timer: Option<Pin<Box<Sleep>>>,
    /// Input for which there was no room to answer.
    unread: Vec<u8>,
    read_ended: bool,
    half_closed: bool,
}

impl Driver {
    /// Reads, answers and writes until the socket has no more; then waits for it, or for a deadline.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let now = Timestamp::new(self.start.elapsed());
            let came = self.read(cx, now)?;
            let was_full = self.connection.is_above_high_water();
            write(&mut self.connection, &mut self.stream, cx)?;
            match self.connection.transport_state() {
                TransportState::Closed => return Poll::Ready(Ok(())),
                TransportState::HalfClosed if !self.half_closed => {
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                    self.half_closed = true;
                }
                _ => {}
            }
            let has_room_again = was_full && !self.connection.is_above_high_water();
            if !came && !has_room_again && self.wait(cx, now) {
                return Poll::Pending;
            }
        }
    }

    /// Bytes in, events out; no further while much is still to be written.
    fn read(&mut self, cx: &mut Context<'_>, now: Timestamp) -> io::Result<bool> {
        if !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            let left = answer(&mut self.connection, &mut self.stream, cx, &mut unread, now)?;
            self.unread = unread.split_off(unread.len() - left);
            self.connection.hooks().set_paused(left > 0, now);
            return Ok(left == 0);
        }
        if self.read_ended || self.connection.is_above_high_water() {
            return Ok(false);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let mut free = ReadBuf::new(self.connection.read_buffer(buffer));
            if Pin::new(&mut self.stream).poll_read(cx, &mut free)?.is_pending() {
                return Ok(false);
            }
            let n = free.filled().len();
            let input = self.connection.received(n, buffer);
            if n == 0 {
                self.read_ended = true;
                self.connection.receive_eof(now);
            }
            let left = answer(&mut self.connection, &mut self.stream, cx, input, now)?;
            if left > 0 {
                self.unread = input[input.len() - left..].to_vec();
                self.connection.hooks().set_paused(true, now);
            }
            Ok(true)
        })
    }

    /// Sets the timer if it is not set early enough; whether there is nothing to do before it fires.
    fn wait(&mut self, cx: &mut Context<'_>, now: Timestamp) -> bool {
        let Some(deadline) = self.connection.poll_timeout(now) else { return true };
        if deadline <= now {
            self.connection.handle_timeout(now);
            return false;
        }
        let deadline = self.start + (deadline - Timestamp::ZERO);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline || timer.is_elapsed() {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).is_pending()
    }
}

/// Answers the input, and writes in between when much is to be written. Returns how much of it is left because the socket
/// takes no more.
fn answer(
    connection: &mut Connection,
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    mut input: &mut [u8],
    now: Timestamp,
) -> io::Result<usize> {
    loop {
        while !connection.is_above_high_water()
            && let Some(event) = connection.receive(&mut input, now)
        {
            on_event(connection, event);
        }
        if input.is_empty() {
            return Ok(0);
        }
        write(connection, stream, cx)?;
        if connection.is_above_high_water() {
            return Ok(input.len());
        }
    }
}

/// All that was caused, at once.
fn write(connection: &mut Connection, stream: &mut TcpStream, cx: &mut Context<'_>) -> io::Result<()> {
    let outgoing = connection.outgoing();
    while outgoing.has_remaining() {
        let mut slices = [IoSlice::new(&[]); 32];
        let filled = outgoing.chunks_vectored(&mut slices);
        match Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..filled])? {
            Poll::Ready(n) => outgoing.advance(n),
            Poll::Pending => break,
        }
    }
    Ok(())
}

/// Here stands the application: it sends back what comes in.
fn on_event(connection: &mut Connection, event: Event<'_>) {
    let sent = match event {
        // What is large leaves by reference; what is long already lies in memory of its own.
        Event::Message(message @ (Incoming::Binary(_) | Incoming::Text(_))) if message.as_bytes().len() >= 4096 => {
            connection.send(recycle::into_message(message)).is_ok()
        }
        Event::Message(Incoming::Text(text)) => connection.send_text(&text).is_ok(),
        Event::Message(Incoming::Binary(bytes)) => connection.send_binary(&bytes).is_ok(),
        _ => true,
    };
    debug_assert!(sent, "below the high-water mark there is room");
}
