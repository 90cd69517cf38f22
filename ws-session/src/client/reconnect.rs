//! [`Reconnect`]: a stream of connections to one server.

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tracing::debug;
use ws_proto::Timestamp;

use super::backoff::Backoff;
use super::{Client, RunError, connect};
use crate::error::{BoxError, ConnectError, Error, FailedAttempt, HandlerError};
use crate::handle::WebSocket;
use crate::logging::{TARGET, causes};
use crate::opening::Parts;
use crate::runtime::Runtime;
use crate::stream::WebSocketStream;
use crate::transport::{MaybeTls, Timer};

type Opened<R> = Parts<MaybeTls<<R as Runtime>::Stream>, <R as Runtime>::Timer>;

type Decide = dyn Fn(&ConnectError) -> bool + Send + Sync;
type Watch = dyn Fn(&FailedAttempt) + Send + Sync;

/// A stream of connections to one server: the next when the last has ended. [`Client::reconnect`] returns it.
///
/// [`next`](Self::next) connects, and returns a connection or a failed attempt. After a failure or the end of a connection,
/// the call after it waits first, then tries again. `None` follows the last failure.
///
/// ```
/// use ws_session::{Client, Runtime};
///
/// async fn follow<R: Runtime>(url: &str) {
///     let mut connections = Client::<R>::new(url).reconnect();
///     while let Some(connection) = connections.next().await {
///         match connection {
///             Ok(mut ws) => {
///                 while let Ok(Some(message)) = ws.recv().await {
///                     println!("{message:?}");
///                 }
///             }
///             Err(failed) => eprintln!("{failed}"),
///         }
///     }
/// }
/// ```
///
/// # Delays
///
/// The delay is random between zero and a bound ("full jitter"), so that many clients do not return at the same time. The
/// bound is 0.5 s at first, and doubles with each attempt up to 30 s ([`backoff`](Self::backoff)). It begins anew only after
/// a stable connection, which was open for a minute until `next` was called again ([`stable_after`](Self::stable_after)). So a
/// server that accepts connections and closes them at once is not asked in a loop: with the defaults, there are at most 30
/// attempts in any ten minutes, the first included. In general, at most 10 attempts follow each other at the pace of the
/// jitter, and the longest bound lies between the others on average.
///
/// A `Retry-After` of the server adds to the delay ([`ConnectError::retry_after`]).
///
/// # Failures
///
/// Temporary failures are tried again, others end the stream: see [`ConnectError::is_temporary`] and
/// [`retry_if`](Self::retry_if). There is no limit of attempts or time unless it is set.
///
/// It is a [`Stream`], too. Dropping it cancels the attempt in progress; connections that it has returned stay open.
pub struct Reconnect<R: Runtime> {
    client: Client<R>,
    backoff: Backoff,
    timer: R::Timer,
    state: State<R>,
    retry_if: Option<Box<Decide>>,
    on_failure: Option<Box<Watch>>,
}

enum State<R: Runtime> {
    /// Nothing was tried yet.
    New,
    Connecting(Pin<Box<dyn Future<Output = Result<Opened<R>, ConnectError>> + Send>>),
    /// A connection was returned at that time.
    Returned(Timestamp),
    WaitingUntil(Timestamp),
    Ended,
}

impl<R: Runtime> Client<R> {
    /// Connects again and again with these settings: whenever a connection has ended, or an attempt has failed.
    #[doc(alias = "retry")]
    pub fn reconnect(self) -> Reconnect<R> {
        Reconnect {
            client: self,
            backoff: Backoff::default(),
            timer: R::timer(),
            state: State::New,
            retry_if: None,
            on_failure: None,
        }
    }
}

impl<R: Runtime> Reconnect<R> {
    /// Sets the bounds of the delays: of the first one, and the longest. Default 0.5 s and 30 s.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        (self.backoff.first, self.backoff.longest) = (first, longest);
        self
    }

    /// Sets the time after which a connection is stable, so that delays and limits begin anew. Default 60 s.
    #[must_use]
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.backoff.stable_after = time;
        self
    }

    /// Limits the attempts since the last stable connection, or since the beginning. Default no limit. Attempts that led to
    /// a connection that was not stable count.
    #[must_use]
    pub fn max_attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.backoff.max_attempts = attempts.into();
        self
    }

    /// Limits the time since the end of the last stable connection, or since the first attempt. Default no limit. An attempt
    /// in progress goes on, within [`Client::connect_timeout`].
    #[must_use]
    pub fn max_time(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.backoff.max_time = time.into();
        self
    }

    /// Decides which failures are tried again. Default [`ConnectError::is_temporary`]. If it panics, the stream has ended.
    #[must_use]
    pub fn retry_if(mut self, decide: impl Fn(&ConnectError) -> bool + Send + Sync + 'static) -> Self {
        self.retry_if = Some(Box::new(decide));
        self
    }

    /// Calls `hook` with each failed attempt, before [`next`](Self::next) returns it. [`run`](Self::run) shows failures here
    /// only.
    #[must_use]
    pub fn on_failure(mut self, hook: impl Fn(&FailedAttempt) + Send + Sync + 'static) -> Self {
        self.on_failure = Some(Box::new(hook));
        self
    }

    /// Waits as long as needed, and connects as [`Client::connect`] does. `None` after the last failure, or if a connection
    /// that was not stable reached a limit.
    ///
    /// Cancel safe: if the future is dropped, the next call goes on with the delay or the attempt in progress.
    ///
    /// # Errors
    ///
    /// Each failed attempt. The stream goes on unless [`FailedAttempt::retry_in`] is `None`.
    pub async fn next(&mut self) -> Option<Result<WebSocket, FailedAttempt>> {
        poll_fn(|cx| self.poll_opened(cx)).await.map(|opened| opened.map(spawn::<R>))
    }

    /// Does the same as [`next`](Self::next), and returns a connection without a task of its own, as
    /// [`Client::connect_stream`] does.
    ///
    /// # Errors
    ///
    /// The same as [`next`](Self::next).
    pub async fn next_stream(
        &mut self,
    ) -> Option<Result<WebSocketStream<MaybeTls<R::Stream>, R::Timer>, FailedAttempt>> {
        poll_fn(|cx| self.poll_opened(cx)).await.map(|opened| opened.map(Parts::into_stream))
    }

    /// Runs `handler` with each connection, one after the other: it subscribes anew on each of them. The connection is closed
    /// when it returns, as [`Client::run`] does.
    ///
    /// After `Ok(ControlFlow::Continue(()))`, and after an error that says that the connection has ended
    /// ([`Error`](crate::Error) with [`closed`](crate::Error::closed), which `?` passes on), there is another connection. After
    /// `Ok(ControlFlow::Break(value))`, `value` is returned.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use ws_session::{Client, RunError, Runtime};
    ///
    /// /// The first price above the limit.
    /// async fn watch<R: Runtime>(url: &str, limit: f64) -> Result<f64, RunError> {
    ///     Client::<R>::new(url)
    ///         .reconnect()
    ///         .on_failure(|failed| eprintln!("{failed}"))
    ///         .run(|mut ws| async move {
    ///             ws.send("subscribe prices").await?;
    ///             while let Some(message) = ws.recv().await? {
    ///                 let price = message.as_text().unwrap_or_default().parse()?;
    ///                 if price > limit {
    ///                     return Ok(ControlFlow::Break(price));
    ///                 }
    ///             }
    ///             Ok(ControlFlow::Continue(()))
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Connect`] with the last failure. [`RunError::Handler`] if the handler panics, or fails with another error.
    /// [`RunError::GaveUp`] if a connection that was not stable reached a limit.
    pub async fn run<T, H, F>(mut self, mut handler: H) -> Result<T, RunError>
    where
        H: FnMut(WebSocket) -> F,
        F: Future<Output = Result<ControlFlow<T>, BoxError>>,
    {
        loop {
            let (socket, driver) = match poll_fn(|cx| self.poll_opened(cx)).await {
                Some(Ok(parts)) => parts.open(),
                Some(Err(failed)) if failed.retry_in().is_some() => continue,
                Some(Err(failed)) => return Err(RunError::Connect(failed.into_error())),
                None => return Err(RunError::GaveUp { attempts: self.backoff.attempts() }),
            };
            let id = socket.id();
            let mut flow = ControlFlow::Continue(());
            let handled = {
                let (flow, handler) = (&mut flow, &mut handler);
                // Called within the task that catches its panics.
                driver.run(async move {
                    *flow = handler(socket).await?;
                    Ok(())
                })
            };
            match (handled.await, flow) {
                (Ok(()), ControlFlow::Break(value)) => return Ok(value),
                (Ok(()), ControlFlow::Continue(())) => {}
                (Err(HandlerError::Failed(error)), _) if is_end_of(id, &*error) => {
                    debug!(target: TARGET, "connecting again: {error}");
                }
                (Err(error), _) => return Err(RunError::Handler(error)),
            }
        }
    }

    fn poll_opened(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Opened<R>, FailedAttempt>>> {
        loop {
            let now = self.timer.now();
            match &mut self.state {
                State::New => self.begin(now),
                State::Returned(opened) => {
                    self.backoff.ended(*opened, now);
                    self.state = match self.backoff.delay(now, Duration::ZERO) {
                        Some(delay) => State::WaitingUntil(now + delay),
                        None => State::Ended,
                    };
                }
                State::WaitingUntil(at) => {
                    ready!(self.timer.poll_at(cx, *at));
                    self.begin(self.timer.now());
                }
                State::Connecting(attempt) => {
                    let result = ready!(attempt.as_mut().poll(cx));
                    // Should a hook panic now, the attempt is not polled again.
                    self.state = State::Ended;
                    let result = match result {
                        Ok(parts) => {
                            self.state = State::Returned(now);
                            Ok(parts)
                        }
                        Err(error) => Err(self.failed(error, now)),
                    };
                    return Poll::Ready(Some(result));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn begin(&mut self, now: Timestamp) {
        self.backoff.begin(now);
        self.state = State::Connecting(Box::pin(connect::open(self.client.clone())));
    }

    fn failed(&mut self, error: ConnectError, now: Timestamp) -> FailedAttempt {
        let retried = self.retry_if.as_ref().map_or_else(|| error.is_temporary(), |decide| decide(&error));
        let wish = error.retry_after().unwrap_or_default();
        let delay = retried.then(|| self.backoff.delay(now, wish)).flatten();
        self.state = delay.map_or(State::Ended, |delay| State::WaitingUntil(now + delay));
        let failed = FailedAttempt::new(error, self.backoff.attempts(), delay);
        debug!(target: TARGET, "{failed}");
        if let Some(hook) = &self.on_failure {
            hook(&failed);
        }
        failed
    }
}

/// Opens a connection with a driver in a task of its own.
fn spawn<R: Runtime>(parts: Opened<R>) -> WebSocket {
    let (socket, driver) = parts.open();
    driver.spawn::<R>();
    socket
}

/// Whether an error of a handler only reports the end of its own connection, be it wrapped or not.
fn is_end_of(id: u64, error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| Error::is_end_of(id, cause))
}

impl<R: Runtime> Stream for Reconnect<R> {
    type Item = Result<WebSocket, FailedAttempt>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_opened(cx).map(|opened| opened.map(|opened| opened.map(spawn::<R>)))
    }
}

impl<R: Runtime> fmt::Debug for Reconnect<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client, backoff) = (&self.client, &self.backoff);
        f.debug_struct("Reconnect").field("client", client).field("backoff", backoff).finish_non_exhaustive()
    }
}
