//! [`Client::run`]: a client's connection from the opening handshake to its end, around a handler.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::{Client, connect};
use crate::error::{ConnectError, Error, HandlerError, HandlerResult};
use crate::handle::WebSocket;
use crate::runtime::Runtime;

impl<R: Runtime> Client<R> {
    /// Connects, runs `handler` with the connection, and closes it: with 1000 after `Ok`, with 1011 after an error or a panic.
    /// The first argument is a URL, or a `Client` with other settings.
    ///
    /// `Ok` means that all messages were written, and that the server answered our Close frame or ended the connection after
    /// it. So nothing is lost when the program ends then. Driver and handler both run in the caller's task, so that a message
    /// needs no pass through the scheduler.
    ///
    /// ```
    /// use ws_session::{Client, RunError, Runtime};
    ///
    /// async fn notify<R: Runtime>(url: &str) -> Result<(), RunError> {
    ///     Client::<R>::run(url, |ws| async move {
    ///         ws.send("one").await?;
    ///         ws.send("two").await?;
    ///         Ok(())
    ///     })
    ///     .await
    /// }
    ///
    /// async fn notify_chat<R: Runtime>(url: &str) -> Result<(), RunError> {
    ///     let client = Client::<R>::new(url).subprotocols(["chat"]);
    ///     Client::run(client, |ws| async move { Ok(ws.send("hello").await?) }).await
    /// }
    /// ```
    ///
    /// A handler that returns nothing, or another error than [`BoxError`](crate::BoxError), is wrapped: see
    /// [`handler`](crate::handler()).
    ///
    /// Dropping the future drops the handler. Queued messages and a Close with 1001 are written as far as the socket takes
    /// them at once.
    ///
    /// # Errors
    ///
    /// If connecting fails, as [`connect`](Self::connect) does. If the handler fails or panics. If closing fails, as
    /// [`WebSocket::close`] does, or the connection ends before everything was written.
    pub async fn run<H, F>(client: impl Into<Self>, handler: H) -> Result<(), RunError>
    where
        H: FnOnce(WebSocket) -> F,
        F: Future<Output = HandlerResult>, // wrap others: handler(…)
    {
        let (socket, driver) = connect::open(client.into()).await.map_err(RunError::Connect)?.open();
        let shared = Arc::clone(driver.shared());
        // Called within the task that catches its panics.
        driver.run(async move { handler(socket).await }).await.map_err(RunError::Handler)?;
        let ended = shared.lock().close_result();
        match ended {
            Some(Err(error)) => Err(RunError::Closed(error)),
            _ => Ok(()),
        }
    }
}

impl<R: Runtime> From<&str> for Client<R> {
    /// As [`Client::new`].
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl<R: Runtime> From<String> for Client<R> {
    /// As [`Client::new`].
    fn from(url: String) -> Self {
        Self::new(&url)
    }
}

impl<R: Runtime> From<&String> for Client<R> {
    /// As [`Client::new`].
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

/// The reason why [`Client::run`] failed.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[non_exhaustive]
pub enum RunError {
    /// The connection did not open. The handler was not called.
    Connect(ConnectError),
    /// The handler failed or panicked. The connection was closed with 1011.
    Handler(HandlerError),
    /// A connection that was not stable was the last that the limits of [`Reconnect::run`](crate::Reconnect::run) allow.
    #[non_exhaustive]
    GaveUp {
        /// The attempts since the last stable connection.
        attempts: u32,
    },
    /// The handler returned `Ok`, but the connection ended before everything was written, or without the server's Close frame.
    Closed(Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
            Self::GaveUp { attempts } => write!(f, "gave up after {attempts} attempts without a stable connection"),
            Self::Closed(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Handler(error) => error.source(),
            Self::GaveUp { .. } => None,
            Self::Closed(error) => error.source(),
        }
    }
}
