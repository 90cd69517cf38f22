//! A session in a pipe: each line of the input is sent, and each event is a line of the output.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Stdin, Stdout};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use ws_tokio::{CloseCode, Sender, WebSocket};

use super::format::Format;
use super::hints::Traffic;
use super::outgoing::{Encoding, Outgoing};
use super::pings::Pings;
use super::{BadInput, ConnectArgs, Ending, Wait, ending};
use crate::output::warn;
use crate::signals::Stop;

/// The silence after which the connection is closed, once a message has arrived for each line sent. A server that answers
/// a line with several messages sends them close together.
const SETTLED: Duration = Duration::from_millis(500);
/// The silence after which the connection is closed while fewer messages than lines have arrived.
const UNANSWERED: Duration = Duration::from_secs(5);
/// The time for which the input is read once more after the connection has ended.
const A_LOOK: Duration = Duration::from_millis(50);
/// The bytes that must arrive in that time to count as unsent input. A source of a line now and then stays below.
const BACKLOG: usize = 1 << 10;
/// The output is written when it reaches this size in bytes, or when no further message is ready.
const OUTPUT_BUFFER: usize = 64 << 10;

/// Runs until the connection is closed by either side.
///
/// A Close sent directly after the last line would lose replies: a server answers a Close as soon as it reads it, and may
/// drop replies that are not ready. So the connection stays open for a while after the end of the input.
pub(super) async fn run(
    mut ws: WebSocket,
    stop: &Stop,
    mut pings: Pings,
    args: &ConnectArgs,
    greeting: String,
) -> io::Result<Ending> {
    let traffic = Arc::new(Traffic::default());
    let mut output = Output::new(greeting);
    let format = args.format();
    let (notes, mut noted) = unbounded_channel();
    let source = Source { sender: ws.sender(), encoding: args.encoding, format, notes, traffic: Arc::clone(&traffic) };
    let mut input = tokio::spawn(source.send_lines(BufReader::new(tokio::io::stdin())));
    let mut sent: Option<Sent> = None;
    let mut received = 0;
    let mut quiet_since = Instant::now();
    let mut leaving = false;
    loop {
        output.flush().await;
        let deadline = match &sent {
            Some(sent) if !leaving => {
                patience(args.wait, sent.messages, received).map(|patience| quiet_since + patience)
            }
            _ => None,
        };
        let leave = tokio::select! {
            mut message = ws.recv() => loop {
                while let Some(ping) = pings.take() {
                    output.line(&format.frame(&ping));
                }
                let Ok(Some(arrived)) = message else {
                    // The outcome says more than this result.
                    let sent = match sent {
                        Some(sent) => sent,
                        None => input.await.unwrap_or_default(),
                    };
                    // The input and the pings have ended with the connection, or end now.
                    while let Some(note) = noted.recv().await {
                        output.line(&note);
                    }
                    output.finish().await?;
                    return Ok(ending(&ws, sent.result, &traffic).await);
                };
                traffic.received();
                output.line(&format.message(&arrived));
                received += 1;
                quiet_since = Instant::now();
                if output.is_full() {
                    break false;
                }
                match ws.recv().now_or_never() {
                    Some(next) => message = next,
                    None => break false,
                }
            },
            ended = &mut input, if sent.is_none() => {
                sent = Some(ended.unwrap_or_default());
                quiet_since = Instant::now();
                false
            }
            ping = pings.next() => {
                output.line(&format.frame(&ping));
                false
            }
            Some(note) = noted.recv() => {
                output.line(&note);
                false
            }
            () = until(deadline) => true,
            () = output.gone(), if !leaving => true,
            () = stop.requested() => true,
        };
        if leave && !leaving {
            leaving = true;
            input.abort();
            let sender = ws.sender();
            // `ws.recv` reports the end, once all messages that still arrive have been shown.
            tokio::spawn(async move { sender.close(CloseCode::NORMAL, "").await });
        }
    }
}

/// The silence to wait for after the end of the input. `None` waits for ever.
fn patience(wait: Option<Wait>, sent: u64, received: u64) -> Option<Duration> {
    match wait {
        Some(Wait::Forever) => None,
        Some(Wait::Quiet(duration)) => Some(duration),
        None if received < sent => Some(UNANSWERED),
        None => Some(SETTLED),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The number of messages sent, and the reason if not all of the input was.
struct Sent {
    messages: u64,
    result: Result<(), BadInput>,
}

impl Default for Sent {
    fn default() -> Self {
        Self { messages: 0, result: Ok(()) }
    }
}

impl Sent {
    /// Prints the reason why no more is sent, and records it.
    fn failed(self, why: BadInput) -> Self {
        warn(format_args!("{why}"));
        Self { result: Err(why), ..self }
    }
}

/// What sends the lines of the input.
struct Source {
    sender: Sender,
    encoding: Encoding,
    format: Format,
    /// Lines for the output.
    notes: UnboundedSender<String>,
    traffic: Arc<Traffic>,
}

impl Source {
    /// Sends each line of the input, without its line end. Returns when the input or the connection ends.
    async fn send_lines(self, mut input: BufReader<Stdin>) -> Sent {
        let mut sent = Sent::default();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            let was_there = !input.buffer().is_empty();
            let read = tokio::select! {
                read = input.read_until(b'\n', &mut line) => read,
                _ = self.sender.closed() => {
                    if !line.is_empty() || has_backlog(&mut input).await {
                        return sent.failed(BadInput::Unsent);
                    }
                    return sent;
                }
            };
            match read {
                Ok(0) => return sent,
                Ok(_) => number += 1,
                Err(error) => return sent.failed(BadInput::Unreadable(error.to_string())),
            }
            let outgoing = match self.encoding.read(without_line_end(std::mem::take(&mut line))) {
                Ok(outgoing) => outgoing,
                // Text that is not UTF-8 is not what it was meant to be.
                Err(_) if self.encoding.is_text() => return sent.failed(BadInput::NotUtf8 { line: number }),
                Err(why) => {
                    self.refuse(&format!("Line {number} of the input {why}. It is not sent."));
                    sent.result = Err(BadInput::Unfit);
                    continue;
                }
            };
            let message = match outgoing {
                Outgoing::Message(message) => message,
                Outgoing::Ping => {
                    let mut pinging = Box::pin(ping(self.sender.clone(), self.format, self.notes.clone()));
                    // It is queued here, before the next line is sent.
                    if (&mut pinging).now_or_never().is_none() {
                        tokio::spawn(pinging);
                    }
                    continue;
                }
                Outgoing::Close(code, reason) => {
                    let _ = self.sender.close(code, reason).await;
                    return sent;
                }
            };
            if self.sender.send(message).await.is_err() {
                // A single line that arrives after the end of the connection does not count as unsent input.
                let was_waiting = was_there || has_backlog(&mut input).await;
                return if was_waiting { sent.failed(BadInput::Unsent) } else { sent };
            }
            self.traffic.sent();
            sent.messages += 1;
        }
    }

    /// Says that a line is not sent.
    fn refuse(&self, why: &str) {
        warn(format_args!("{why}"));
        if self.format.json {
            let _ = self.notes.send(self.format.problem(why));
        }
    }
}

/// Pings the server, and notes how long its answer took. If there is none, the end of the connection says more.
pub(super) async fn ping(sender: Sender, format: Format, notes: UnboundedSender<String>) {
    if let Ok(answered) = sender.ping().await {
        let _ = notes.send(format.pong(answered.time));
    }
}

/// Whether input was read but not sent, or at least [`BACKLOG`] bytes arrive within [`A_LOOK`].
async fn has_backlog(input: &mut BufReader<Stdin>) -> bool {
    if !input.buffer().is_empty() {
        return true;
    }
    match tokio::time::timeout(A_LOOK, input.fill_buf()).await {
        Ok(Ok(waiting)) => waiting.len() >= BACKLOG,
        _ => false,
    }
}

/// Removes the line end. A carriage return before it is part of the line, except on Windows.
fn without_line_end(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if cfg!(windows) && line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    line
}

/// Standard output. Its reader may close it at any time.
struct Output {
    stdout: Stdout,
    pending: String,
    error: Option<io::Error>,
}

impl Output {
    fn new(greeting: String) -> Self {
        Self { stdout: tokio::io::stdout(), pending: greeting, error: None }
    }

    fn line(&mut self, line: &str) {
        if self.error.is_none() {
            self.pending.push_str(line);
            self.pending.push('\n');
        }
    }

    fn is_full(&self) -> bool {
        self.pending.len() >= OUTPUT_BUFFER
    }

    async fn flush(&mut self) {
        if self.pending.is_empty() || self.error.is_some() {
            return;
        }
        let written = match self.stdout.write_all(self.pending.as_bytes()).await {
            Ok(()) => self.stdout.flush().await,
            Err(error) => Err(error),
        };
        self.error = written.err();
        self.pending.clear();
    }

    /// Resolves at once if writing has failed, and never otherwise.
    async fn gone(&self) {
        if self.error.is_none() {
            std::future::pending().await
        }
    }

    /// Writes the rest. A reader that has closed the pipe (`head`) is not an error.
    async fn finish(&mut self) -> io::Result<()> {
        self.flush().await;
        match self.error.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(io::Error::new(error.kind(), format!("Cannot write the output: {error}")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_end_is_taken_off() {
        assert_eq!(without_line_end(b" a \n".to_vec()), b" a ");
        assert_eq!(without_line_end(b"a".to_vec()), b"a");
        assert_eq!(without_line_end(b"\n".to_vec()), b"");
        #[cfg(unix)]
        assert_eq!(without_line_end(b"a\r\n".to_vec()), b"a\r");
    }

    #[test]
    fn patience_is_longer_while_replies_are_missing() {
        assert_eq!(patience(None, 3, 2), Some(UNANSWERED));
        assert_eq!(patience(None, 3, 3), Some(SETTLED));
        assert_eq!(patience(None, 0, 0), Some(SETTLED));
        assert_eq!(patience(Some(Wait::Forever), 1, 1), None);
        assert_eq!(patience(Some(Wait::Quiet(Duration::ZERO)), 1, 0), Some(Duration::ZERO));
    }
}
