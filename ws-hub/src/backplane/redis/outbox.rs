//! [`Outbox`]: publications of many callers, sent together: what comes while an answer is awaited goes out in one write after it.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisError, RedisResult, Value, pipe};
use tokio::sync::{mpsc, oneshot};

use super::session::End;

/// Commands of one write.
const COMMANDS: usize = 256;
/// Bytes of one write, about: large publications do not wait for each other, and are not copied together.
const BYTES: usize = 256 << 10;

/// Where commands wait for the connection, in their order. Clones are the same.
#[derive(Clone)]
pub(super) struct Outbox(mpsc::UnboundedSender<Item>);

/// The other end of an [`Outbox`].
pub(super) struct Outgoing(mpsc::UnboundedReceiver<Item>);

struct Item {
    command: Cmd,
    bytes: usize,
    answer: oneshot::Sender<Result<Value, Failed>>,
}

/// Why a command has no result.
#[derive(Debug)]
pub(super) enum Failed {
    /// The broker's answer is an error.
    Broker(RedisError),
    /// The connection ended, and the broker may have run the command.
    Lost,
    /// The connection ended before the command was sent.
    Unsent,
}

impl Outbox {
    pub(super) fn new() -> (Self, Outgoing) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Outgoing(receiver))
    }

    /// Sends a command of about so many bytes, and waits for its answer. Once the future was polled, the command is sent, even if
    /// the future is dropped.
    pub(super) async fn run(&self, command: Cmd, bytes: usize) -> Result<Value, Failed> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Item { command, bytes, answer }).map_err(|_| Failed::Unsent)?;
        answered.await.unwrap_or(Err(Failed::Lost))
    }
}

impl Outgoing {
    /// Sends what comes, until the session ends.
    pub(super) async fn send(mut self, mut connection: MultiplexedConnection, end: End) {
        end.or(async { while self.send_some(&mut connection).await.is_some() {} }).await;
        self.0.close();
        while let Ok(item) = self.0.try_recv() {
            let _ = item.answer.send(Err(Failed::Unsent));
        }
    }

    /// Sends what is there, in one write, and waits for the answers. `None` if nothing can come any more.
    async fn send_some(&mut self, connection: &mut MultiplexedConnection) -> Option<()> {
        let (mut commands, mut answers, mut together) = (pipe(), Vec::new(), 0);
        commands.ignore_errors();
        let mut next = Some(self.0.recv().await?);
        while let Some(Item { command, bytes, answer }) = next {
            together += bytes;
            commands.add_command(command);
            answers.push(answer);
            next = if answers.len() < COMMANDS && together < BYTES { self.0.try_recv().ok() } else { None };
        }
        let results = commands.query_async::<Vec<RedisResult<Value>>>(connection).await;
        let mut results = results.unwrap_or_default().into_iter();
        for answer in answers {
            // The connection was lost, if there are too few.
            let result = results.next().map_or(Err(Failed::Lost), |result| result.map_err(Failed::Broker));
            let _ = answer.send(result);
        }
        Some(())
    }
}
