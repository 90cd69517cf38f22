//! [`Outbox`]: publications of many callers, sent together: what comes while an answer is awaited goes out in one write after it.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisError, RedisResult, Value, pipe};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::TARGET;
use super::session::End;

/// Commands of one write.
const COMMANDS: usize = 256;
/// Bytes of one write, about: large publications do not wait for each other, and are not copied together.
const BYTES: usize = 256 << 10;

/// Commands that wait for a write. Those whose callers have given up count until it is their turn, so this bounds what they leave
/// behind while the broker is silent. More wait in their callers.
const WAITING: usize = 2 * COMMANDS;

/// Where commands wait for the connection, in their order. Clones are the same.
#[derive(Clone)]
pub(super) struct Outbox(mpsc::Sender<Item>);

/// The other end of an [`Outbox`].
pub(super) struct Outgoing(mpsc::Receiver<Item>);

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
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), Outgoing(receiver))
    }

    /// Sends a command of about so many bytes, and waits for its answer. If the future is dropped, the command is sent or not.
    pub(super) async fn run(&self, command: Cmd, bytes: usize) -> Result<Value, Failed> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Item { command, bytes, answer }).await.map_err(|_| Failed::Unsent)?;
        answered.await.unwrap_or(Err(Failed::Lost))
    }
}

impl Outgoing {
    /// Sends what comes, until the session ends.
    pub(super) async fn send(mut self, mut connection: MultiplexedConnection, end: End) {
        end.or(async { while self.send_some(&mut connection).await.is_some() {} }).await;
        self.0.close();
        // Also of callers that are just handing theirs over.
        while let Some(item) = self.0.recv().await {
            let _ = item.answer.send(Err(Failed::Unsent));
        }
    }

    /// Sends what is there, in one write, and waits for the answers. `None` if nothing can come any more.
    async fn send_some(&mut self, connection: &mut MultiplexedConnection) -> Option<()> {
        let (mut commands, mut answers, mut together) = (pipe(), Vec::new(), 0);
        commands.ignore_errors();
        let mut next = Some(self.0.recv().await?);
        while let Some(Item { command, bytes, answer }) = next {
            // Else the caller has given up, and was told that nothing is known: it need not be sent any more.
            if !answer.is_closed() {
                together += bytes;
                commands.add_command(command);
                answers.push(answer);
            }
            next = if answers.len() < COMMANDS && together < BYTES { self.0.try_recv().ok() } else { None };
        }
        if answers.is_empty() {
            return Some(());
        }
        let results = commands.query_async::<Vec<RedisResult<Value>>>(connection).await;
        let results = results.inspect_err(|error| debug!(target: TARGET, "publications have no answers: {error}"));
        let mut results = results.unwrap_or_default().into_iter();
        for answer in answers {
            // The connection was lost, if there are too few.
            let result = results.next().map_or(Err(Failed::Lost), |result| result.map_err(Failed::Broker));
            let _ = answer.send(result);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future as _, poll_fn};
    use std::task::Poll;
    use std::time::Duration;

    use ::redis::{Client, cmd};
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::*;
    use crate::publication::GapCause;

    /// The end of a connection that a broker has.
    struct Broker(BufReader<TcpStream>);

    impl Broker {
        async fn next(&mut self) -> Vec<String> {
            let mut words = Vec::new();
            for _ in 0..self.number().await {
                let mut word = vec![0; self.number().await + 2];
                self.0.read_exact(&mut word).await.unwrap();
                words.push(String::from_utf8(word).unwrap().trim_end().to_owned());
            }
            words
        }

        async fn number(&mut self) -> usize {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            line[1..].trim_end().parse().unwrap()
        }

        /// The next command of the test's own, by its argument.
        async fn published(&mut self) -> String {
            loop {
                let words = self.next().await;
                match &*words[0] {
                    "PUBLISH" => return words[1].clone(),
                    _ => self.answer("+OK\r\n").await,
                }
            }
        }

        async fn answer(&mut self, answer: &str) {
            self.0.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    fn publish(name: &str) -> Cmd {
        let mut publish = cmd("PUBLISH");
        publish.arg(name);
        publish
    }

    const WAIT: Duration = Duration::from_secs(60);

    /// An outbox whose first command the broker has, and has not answered.
    async fn busy() -> (Outbox, End, Broker, tokio::task::JoinHandle<Result<Value, Failed>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let accepting = tokio::spawn(async move {
            let mut broker = Broker(BufReader::new(listener.accept().await.unwrap().0));
            assert_eq!(broker.published().await, "first");
            broker
        });
        let connection = Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
        let ((outbox, outgoing), end) = (Outbox::new(), End::new());
        tokio::spawn(outgoing.send(connection, end.clone()));
        let first = run(&outbox, "first");
        (outbox, end, timeout(WAIT, accepting).await.unwrap().unwrap(), first)
    }

    fn run(outbox: &Outbox, name: &str) -> tokio::task::JoinHandle<Result<Value, Failed>> {
        let (outbox, command) = (outbox.clone(), publish(name));
        tokio::spawn(async move { timeout(WAIT, outbox.run(command, 1)).await.expect("an answer") })
    }

    #[tokio::test]
    async fn what_comes_while_an_answer_is_awaited_is_sent_together_and_each_has_its_own_answer() {
        let (outbox, _end, mut broker, first) = busy().await;
        let second = run(&outbox, "second");
        tokio::task::yield_now().await;
        let given_up = run(&outbox, "given up");
        tokio::task::yield_now().await;
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        let third = run(&outbox, "third");
        tokio::task::yield_now().await;
        broker.answer(":1\r\n").await;
        assert_eq!(first.await.unwrap().unwrap(), Value::Int(1));
        // Both before an answer to the first of them.
        assert_eq!((broker.published().await, broker.published().await), ("second".to_owned(), "third".to_owned()));
        broker.answer("-NOPERM no\r\n:3\r\n").await;
        let refused = second.await.unwrap();
        assert!(matches!(&refused, Err(Failed::Broker(error)) if error.code() == Some("NOPERM")), "{refused:?}");
        assert_eq!(third.await.unwrap().unwrap(), Value::Int(3));
    }

    #[tokio::test]
    async fn what_callers_leave_behind_while_the_broker_is_silent_is_bounded() {
        let (outbox, end, mut broker, first) = busy().await;
        for _ in 0..10 * WAITING {
            let given_up = tokio::task::unconstrained(outbox.run(publish("given up"), 1));
            let mut given_up = std::pin::pin!(given_up);
            assert!(poll_fn(|cx| Poll::Ready(given_up.as_mut().poll(cx).is_pending())).await);
        }
        assert_eq!((outbox.0.max_capacity(), outbox.0.capacity()), (WAITING, 0));
        let last = run(&outbox, "last");
        tokio::task::yield_now().await;
        broker.answer(":1\r\n").await;
        assert!(first.await.unwrap().is_ok());
        assert_eq!(broker.published().await, "last", "nothing that was given up is sent");
        broker.answer(":1\r\n").await;
        assert!(last.await.unwrap().is_ok());

        // Callers that wait for room are told the end, too.
        let sent = run(&outbox, "sent");
        assert_eq!(broker.published().await, "sent");
        let callers: Vec<_> = (0..WAITING + 5).map(|_| run(&outbox, "waits")).collect();
        while outbox.0.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        end.with(GapCause::BrokerSilent);
        assert!(matches!(sent.await.unwrap(), Err(Failed::Lost)));
        for caller in callers {
            assert!(matches!(caller.await.unwrap(), Err(Failed::Unsent)));
        }
    }

    #[tokio::test]
    async fn at_the_end_of_a_session_it_is_told_what_was_not_sent() {
        let (outbox, end, _broker, first) = busy().await;
        let second = run(&outbox, "second");
        tokio::task::yield_now().await;
        end.with(GapCause::BrokerSilent);
        assert!(matches!(first.await.unwrap(), Err(Failed::Lost)));
        assert!(matches!(second.await.unwrap(), Err(Failed::Unsent)));
        assert!(matches!(run(&outbox, "late").await.unwrap(), Err(Failed::Unsent)));
    }

    #[tokio::test]
    async fn a_connection_that_breaks_loses_what_was_sent() {
        let (outbox, _end, broker, first) = busy().await;
        drop(broker);
        assert!(matches!(first.await.unwrap(), Err(Failed::Lost)));
        assert!(matches!(run(&outbox, "second").await.unwrap(), Err(Failed::Lost)));
    }
}
