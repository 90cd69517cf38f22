//! The price of the protocol: an echo server by hand. One buffer for all connections, each frame unmasked in place and
//! its payload let through as it comes, one write for each read. No limits, no deadlines, no messages, no UTF-8.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Error};
use std::pin::Pin;
use std::task::{Poll, ready};

use host::Task;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// The longest header of a frame, RFC 6455 §5.2.
const MAX_HEADER: usize = 14;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 128 * 1024]);
}

fn main() -> io::Result<()> {
    host::run(async |job| match job.task {
        Task::Echo => host::serve(echo).await,
        _ => job.unsupported(),
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    host::upgrade(&mut stream).await?;
    let mut frames = Frames::default();
    loop {
        let (n, unwritten) = poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                let kept = frames.restore(buffer);
                let mut free = ReadBuf::new(&mut buffer[kept..]);
                ready!(Pin::new(&mut stream).poll_read(cx, &mut free))?;
                let n = free.filled().len();
                let answer = frames.answer(&mut buffer[..kept + n]);
                let written = match stream.try_write(answer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                    result => result?,
                };
                // What the socket does not take now leaves the buffer to the other connections.
                Poll::Ready(Ok::<_, Error>((n, answer[written..].to_vec())))
            })
        })
        .await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&unwritten).await?;
    }
}

/// Where a connection's input stands.
#[derive(Default)]
struct Frames {
    /// The beginning of a header that was cut.
    header: [u8; MAX_HEADER],
    header_len: usize,
    /// What is to come of the payload that has begun, and the key, turned to its next byte.
    payload_left: usize,
    key: [u8; 4],
}

impl Frames {
    /// Puts what was cut off in front of what is read next.
    fn restore(&mut self, buffer: &mut [u8]) -> usize {
        buffer[..self.header_len].copy_from_slice(&self.header[..self.header_len]);
        self.header_len
    }

    /// Turns the input into the answer, in place: the same frames without their keys.
    fn answer<'b>(&mut self, input: &'b mut [u8]) -> &'b [u8] {
        self.header_len = 0;
        let (mut start, mut end, mut at) = (0, 0, 0);
        while at < input.len() {
            if self.payload_left == 0 {
                let rest = &input[at..];
                let Some((header, header_len, payload_len, key)) = parse(rest) else {
                    self.header[..rest.len()].copy_from_slice(rest);
                    self.header_len = rest.len();
                    break;
                };
                at += header_len + 4;
                if end == 0 {
                    // The first payload stays where it is.
                    start = at - header_len;
                    end = start;
                }
                input[end..end + header_len].copy_from_slice(&header[..header_len]);
                end += header_len;
                (self.payload_left, self.key) = (payload_len, key);
            }
            let len = self.payload_left.min(input.len() - at);
            if end != at {
                input.copy_within(at..at + len, end);
            }
            unmask(&mut input[end..end + len], self.key);
            self.key.rotate_left(len % 4);
            self.payload_left -= len;
            at += len;
            end += len;
        }
        &input[start..end]
    }
}

/// A masked frame's header: the one to answer with, its length, the payload's, the key.
fn parse(input: &[u8]) -> Option<([u8; 10], usize, usize, [u8; 4])> {
    let (first, second) = (*input.first()?, *input.get(1)? & 0x7f);
    let mut header = [0; 10];
    let (len, payload_len) = match second {
        126 => (4, u16::from_be_bytes(*input.get(2..)?.first_chunk()?) as usize),
        127 => (10, u64::from_be_bytes(*input.get(2..)?.first_chunk()?) as usize),
        len => (2, usize::from(len)),
    };
    header[..len].copy_from_slice(&input[..len]);
    (header[0], header[1]) = (first, second);
    Some((header, len, payload_len, *input.get(len..)?.first_chunk()?))
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}
