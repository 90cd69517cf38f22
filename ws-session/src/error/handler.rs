//! [`HandlerResult`] and [`HandlerError`]: the results of handlers.

use std::error::Error as StdError;
use std::fmt;

use ws_proto::Escaped;

/// Any error that a handler returns.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The result of a handler. `Ok` closes the connection with 1000, an error with 1011.
///
/// `?` turns every common error into a [`BoxError`]: errors of this crate, of `std::io`, of `anyhow` and `eyre`, and strings.
/// In a closure all types are inferred, if it ends with `Ok(())` or loops until sending fails:
///
/// ```
/// # use std::time::Duration;
/// # use ws_session::{Listening, Runtime};
/// # async fn sleep(_: Duration) {}
/// # async fn clock<R: Runtime>(listening: Listening<R>) -> std::io::Result<()> {
/// listening
///     .serve(|ws| async move {
///         let ws = ws.send_only();
///         loop {
///             ws.send("tick").await?;
///             sleep(Duration::from_secs(1)).await;
///         }
///     })
///     .await
/// # }
/// ```
///
/// For a handler that returns nothing or an error of another type, the compiler reports *expected `Result<(), Box<dyn Error +
/// Send + Sync>>`, found `()`*, or another `Result`. Wrap such a handler in [`handler`](crate::handler()):
///
/// ```
/// # use ws_session::{Listening, Runtime};
/// use ws_session::{WebSocket, handler};
///
/// async fn greet(ws: WebSocket) {
///     let _ = ws.send("Hello").await;
/// }
///
/// # async fn serve<R: Runtime>(listening: Listening<R>) -> std::io::Result<()> {
/// listening.serve(handler(greet)).await
/// # }
/// ```
pub type HandlerResult = Result<(), BoxError>;

/// The reason why a handler failed.
///
/// `Debug` prints the same sentence as `Display`, because Rust prints `Debug` when `main` returns an error.
#[non_exhaustive]
pub enum HandlerError {
    /// It returned an error.
    Failed(BoxError),
    /// It panicked, with this message.
    Panicked(String),
    /// It was still running when the server's drain deadline passed, and was dropped.
    Aborted,
}

/// [Escaped], because errors and panics often quote a peer's input.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => Escaped(error).fmt(f),
            Self::Panicked(message) => write!(f, "the handler panicked: {}", Escaped(message)),
            Self::Aborted => f.write_str("the handler was still running when the server stopped"),
        }
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for HandlerError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            // `Display` includes the error itself.
            Self::Failed(error) => error.source(),
            _ => None,
        }
    }
}
