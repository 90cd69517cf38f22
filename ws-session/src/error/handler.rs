//! What handlers return, and how they fail.

use std::error::Error as StdError;
use std::fmt;

use ws_proto::Escaped;

/// Any error a handler ends with.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What a handler returns: `Ok` closes the connection with 1000, an error with 1011.
///
/// `?` turns every common error into a [`BoxError`]: those of this crate, of `std::io`, strings, `anyhow`'s, `eyre`'s. In a
/// closure all types are inferred, of handlers that end with `Ok(())` and of those that loop until sending fails:
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
/// The compiler says that it *expected `Result<(), Box<dyn Error + Send + Sync>>`, found `()`*, or another `Result`, when a
/// handler returns nothing or an error of another type. Such a handler is wrapped in [`handler`](crate::handler()):
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

/// How a handler failed. Its `Debug` form is its `Display` form, since that is what Rust prints when `main` returns it.
#[non_exhaustive]
pub enum HandlerError {
    /// It returned an error.
    Failed(BoxError),
    /// It panicked, with this message.
    Panicked(String),
    /// It was still running when the server's drain deadline passed, and was dropped.
    Aborted,
}

/// [Escaped], for errors and panics often quote what a peer sent.
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
            // The error itself is told by the sentence above.
            Self::Failed(error) => error.source(),
            _ => None,
        }
    }
}
