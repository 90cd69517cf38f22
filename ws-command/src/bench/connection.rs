//! One connection under load.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep_until, timeout};
use ws_tokio::{ClientStream, CloseCode, Error, Message, Outcome, Sender};

use super::tally::Tally;
use super::worker::{Load, Phase};

/// The time in which the answers to the last messages may come.
const GRACE: Duration = Duration::from_secs(2);

/// The time in which the server may answer our Close.
const FAREWELL: Duration = Duration::from_secs(1);

/// Up to this, a message that is sent late counts as sent when it was due: timers here have a resolution of a millisecond.
pub(super) const RESOLUTION: Duration = Duration::from_millis(2);

/// A message on its way: its number, and when its latency begins.
struct Sent {
    number: u64,
    at: Instant,
}

/// One connection, what it has sent, and when it sends next.
pub(super) struct Connection<'a> {
    ws: ClientStream,
    sender: Sender,
    load: &'a Load,
    tally: &'a Mutex<Tally>,
    waiting: VecDeque<Sent>,
    /// The number of the next message, of this connection alone.
    next: u64,
    /// Those before it that the tally does not count yet.
    uncounted: u64,
    /// The most messages that it sends.
    most: u64,
    /// When the next message is due, with a rate.
    due: Option<Instant>,
}

/// Why a connection sends no more.
enum End {
    /// All of its messages were answered.
    Done,
    /// The connection ended, or failed.
    Ended(Result<(), Error>),
    /// An answer was not what was sent.
    Unexpected,
}

impl<'a> Connection<'a> {
    /// A connection that is open. With a rate its first message is due at `first`.
    pub(super) fn new(ws: ClientStream, load: &'a Load, tally: &'a Mutex<Tally>, most: u64, first: Instant) -> Self {
        let sender = ws.sender();
        let due = load.interval.map(|_| first);
        Self { ws, sender, load, tally, waiting: VecDeque::new(), next: 0, uncounted: 0, most, due }
    }

    /// Sends and receives until the phase ends or the connection does; then closes it.
    pub(super) async fn run(mut self, phase: &mut Phase) {
        let ended = tokio::select! {
            end = self.drive(true) => Some(end),
            () = phase.ended() => None,
        };
        let ended = match ended {
            Some(end) => {
                self.tally().end_at(std::time::Instant::now());
                Some(end)
            }
            None => {
                self.count_unsent();
                // Answers that come now still count for the latency: leaving them out would favour slow servers.
                timeout(GRACE, self.drive(false)).await.ok()
            }
        };
        let missing = self.waiting.len() as u64;
        let (kind, count) = match ended {
            Some(End::Done) => (String::new(), 0),
            Some(End::Unexpected) => ("unexpected answer".to_owned(), 1),
            // The same end, whether a message was being sent then or received.
            Some(End::Ended(Err(error))) => {
                (error.closed().map_or_else(|| error.to_string(), |end| closed(end.outcome())), 1)
            }
            Some(End::Ended(Ok(()))) => (closed(&self.ws.closed().await), 1),
            None => ("no answer".to_owned(), missing),
        };
        self.count_end(kind, count);
        let _ = timeout(FAREWELL, self.ws.close(CloseCode::NORMAL, "")).await;
        self.tally().open -= 1;
    }

    fn tally(&self) -> std::sync::MutexGuard<'a, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what may be sent, if it still `sends`, and receives. Cancel-safe.
    async fn drive(&mut self, sends: bool) -> End {
        let mut now = Instant::now();
        loop {
            let is_blocked = match sends {
                true => match self.send_ready(now) {
                    Ok(is_blocked) => is_blocked,
                    Err(error) => return End::Ended(Err(error)),
                },
                false => false,
            };
            if self.waiting.is_empty() && (!sends || self.next == self.most) {
                return End::Done;
            }
            let due = self.due.filter(|_| sends && !is_blocked && self.next < self.most);
            let received = if self.load.echo {
                let next = self.load.messages.get(self.next);
                tokio::select! {
                    biased;
                    received = self.ws.recv() => received,
                    // It was dropped before it was ready, so nothing was queued.
                    sent = self.sender.send(next.clone()), if is_blocked => {
                        if let Err(error) = sent {
                            return End::Ended(Err(error));
                        }
                        now = Instant::now();
                        self.count_sent(now);
                        continue;
                    }
                    () = at(due) => {
                        now = Instant::now();
                        continue;
                    }
                }
            } else {
                if let Err(end) = self.ping(is_blocked, due, sends).await {
                    return end;
                }
                now = Instant::now();
                continue;
            };
            // One look at the clock for an answer and for what is sent after it.
            now = Instant::now();
            match received {
                Ok(Some(message)) if !self.answered(&message, now, sends) => return End::Unexpected,
                Ok(Some(_)) => {}
                Ok(None) => return End::Ended(Ok(())),
                Err(error) => return End::Ended(Err(error)),
            }
        }
    }

    /// Queues the messages that may be sent now. Returns whether there is no room for another.
    fn send_ready(&mut self, now: Instant) -> Result<bool, Error> {
        while self.next < self.most && self.may_send(now) {
            let message = self.load.messages.get(self.next).clone();
            // A future that is not ready has queued nothing.
            match self.sender.send(message).now_or_never() {
                Some(sent) => sent?,
                None => return Ok(true),
            }
            self.count_sent(now);
        }
        Ok(false)
    }

    fn may_send(&self, now: Instant) -> bool {
        match self.due {
            Some(due) => due <= now,
            None => self.waiting.len() < self.load.in_flight as usize,
        }
    }

    fn count_sent(&mut self, now: Instant) {
        let at = match self.due {
            Some(due) if now.duration_since(due) > RESOLUTION => due,
            _ => now,
        };
        self.waiting.push_back(Sent { number: self.next, at });
        self.next += 1;
        self.due = self.due.zip(self.load.interval).map(|(due, interval)| due + interval);
        self.uncounted += 1;
    }

    /// Takes the answer to the oldest message, in time or after it. Returns whether it is that.
    fn answered(&mut self, message: &Message, now: Instant, in_time: bool) -> bool {
        let Some(Sent { number, at }) = self.waiting.pop_front() else { return false };
        if message != self.load.messages.get(number) {
            return false;
        }
        let sent = std::mem::take(&mut self.uncounted);
        let mut tally = self.tally();
        tally.sent += sent;
        tally.record_answer(now - at, message.len(), in_time);
        true
    }

    /// Without an echo: a ping follows what was sent, and its pong tells that the server has read all of it, in time or not.
    /// Returns early if nothing was due, and something is now.
    async fn ping(&mut self, is_blocked: bool, due: Option<Instant>, in_time: bool) -> Result<(), End> {
        let nothing_was_due = self.waiting.is_empty() && !is_blocked;
        let pinging = async {
            match nothing_was_due {
                true => at(due).await,
                false => drop(self.sender.ping().await.map_err(|error| End::Ended(Err(error)))?),
            }
            Ok(())
        };
        let mut pinging = std::pin::pin!(pinging);
        loop {
            tokio::select! {
                answered = &mut pinging => break answered?,
                // What the server sends is of no interest, but must not be in the way.
                received = self.ws.recv() => match received {
                    Ok(Some(_)) => {}
                    Ok(None) => return Err(End::Ended(Ok(()))),
                    Err(error) => return Err(End::Ended(Err(error))),
                },
            }
        }
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.sent += std::mem::take(&mut self.uncounted);
        for Sent { number, at } in self.waiting.drain(..) {
            tally.record_answer(at.elapsed(), self.load.messages.get(number).len(), in_time);
        }
        Ok(())
    }

    fn count_end(&self, kind: String, count: u64) {
        let mut tally = self.tally();
        tally.sent += self.uncounted;
        tally.record_error(kind, count);
    }

    /// Counts the messages that were due and could not be sent.
    fn count_unsent(&mut self) {
        let Some((due, interval)) = self.due.zip(self.load.interval) else { return };
        let late = Instant::now().saturating_duration_since(due);
        if late > RESOLUTION {
            let unsent = (late.as_secs_f64() / interval.as_secs_f64()) as u64 + 1;
            self.tally().unsent += unsent.min(self.most - self.next);
        }
    }
}

/// Waits until a time, for ever if there is none.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn closed(outcome: &Outcome) -> String {
    match outcome.is_clean() {
        true => format!("closed by the server: {}", outcome.code()),
        false => outcome.to_string(),
    }
}
