//! The session of a script: every line of the input sent, every event a line of the output.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Stdin, Stdout};
use tokio::time::Instant;
use ws_tokio::{CloseCode, Sender, WebSocket};

use super::hints::Traffic;
use super::pings::Pings;
use super::{BadInput, Ending, Wait, ending, format};
use crate::output::warn;
use crate::signals::Stop;

/// How long silence lasts before the end, once there has been a message for every line sent. A server that
/// answers a line with several messages sends them close together.
const SETTLED: Duration = Duration::from_millis(500);
/// How long silence lasts before the end while there have been fewer messages than lines.
const UNANSWERED: Duration = Duration::from_secs(5);
/// How long the input is looked at once more when the connection has ended, and how much has to be there then for it to
/// have been kept waiting: a source of a line now and then would not notice the end otherwise.
const A_LOOK: Duration = Duration::from_millis(50);
const BACKLOG: usize = 1 << 10;
/// The output is written when so much waits, or when nothing more is there to add.
const OUTPUT_BUFFER: usize = 64 << 10;

/// Runs until the connection is closed by either side.
///
/// A Close sent right behind the last line would cost replies: a server answers it as soon as it sees it, and
/// may not send what it is still working on. So the end of the input is not yet the end of the connection.
pub(super) async fn run(
    mut ws: WebSocket,
    stop: &Stop,
    mut pings: Pings,
    wait: Option<Wait>,
    greeting: String,
) -> io::Result<Ending> {
    let traffic = Arc::new(Traffic::default());
    let mut output = Output::new(greeting);
    let mut input = tokio::spawn(send_lines(ws.sender(), BufReader::new(tokio::io::stdin()), Arc::clone(&traffic)));
    let mut sent: Option<Sent> = None;
    let mut received = 0;
    let mut quiet_since = Instant::now();
    let mut leaving = false;
    loop {
        output.flush().await;
        let deadline = match &sent {
            Some(sent) if !leaving => patience(wait, sent.lines, received).map(|patience| quiet_since + patience),
            _ => None,
        };
        let leave = tokio::select! {
            mut message = ws.recv() => loop {
                while let Some(ping) = pings.take() {
                    output.line(&ping);
                }
                let Ok(Some(arrived)) = message else {
                    // Normal or not, the outcome tells more.
                    let sent = match sent {
                        Some(sent) => sent,
                        None => input.await.unwrap_or_default(),
                    };
                    output.finish().await?;
                    return Ok(ending(&ws, sent.result, &traffic).await);
                };
                traffic.received();
                output.line(&format::message(&arrived));
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
                output.line(&ping);
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
            // The outcome is told by the connection itself, once all that still arrives is shown.
            tokio::spawn(async move { sender.close(CloseCode::NORMAL, "").await });
        }
    }
}

/// How long to wait in silence, after the end of the input; `None` is forever.
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

/// What became of the input.
struct Sent {
    lines: u64,
    result: Result<(), BadInput>,
}

impl Default for Sent {
    fn default() -> Self {
        Self { lines: 0, result: Ok(()) }
    }
}

impl Sent {
    /// Says at once that there is no more to send, and why.
    fn failed(self, why: BadInput) -> Self {
        warn(format_args!("{why}"));
        Self { result: Err(why), ..self }
    }
}

/// Sends every line of the input as it is, without its line end. Ends when the connection does.
async fn send_lines(sender: Sender, mut input: BufReader<Stdin>, traffic: Arc<Traffic>) -> Sent {
    let mut sent = Sent::default();
    let mut line = Vec::new();
    loop {
        let was_there = !input.buffer().is_empty();
        let read = tokio::select! {
            read = input.read_until(b'\n', &mut line) => read,
            _ = sender.closed() => {
                if !line.is_empty() || has_backlog(&mut input).await {
                    return sent.failed(BadInput::Unsent);
                }
                return sent;
            }
        };
        match read {
            Ok(0) => return sent,
            Ok(_) => {}
            Err(error) => return sent.failed(BadInput::Unreadable(error.to_string())),
        }
        let Ok(text) = String::from_utf8(without_line_end(std::mem::take(&mut line))) else {
            let line = sent.lines + 1;
            return sent.failed(BadInput::NotUtf8 { line });
        };
        if sender.send(text).await.is_err() {
            // A line that comes now and then, and when the connection has ended, was not kept waiting.
            let was_waiting = was_there || has_backlog(&mut input).await;
            return if was_waiting { sent.failed(BadInput::Unsent) } else { sent };
        }
        traffic.sent();
        sent.lines += 1;
    }
}

/// Whether input has been read and not sent, or more waits than comes while one looks.
async fn has_backlog(input: &mut BufReader<Stdin>) -> bool {
    if !input.buffer().is_empty() {
        return true;
    }
    match tokio::time::timeout(A_LOOK, input.fill_buf()).await {
        Ok(Ok(waiting)) => waiting.len() >= BACKLOG,
        _ => false,
    }
}

/// A lone carriage return is part of the line, except where line ends are made of two characters.
fn without_line_end(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\n') {
        line.pop();
        if cfg!(windows) && line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    line
}

/// Standard output, which its reader may leave at any time.
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

    /// Resolves at once when there is nobody left to write for, never otherwise.
    async fn gone(&self) {
        if self.error.is_none() {
            std::future::pending().await
        }
    }

    /// Writes the rest. A reader who has seen enough (`head`) is no error.
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
