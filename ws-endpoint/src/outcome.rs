//! What handlers return.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::error::{Closed, Error};

/// Any error a handler ends with.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What a handler returns that uses `?`: `Ok` closes the connection with 1000, an error with 1011.
///
/// `?` turns every common error into a [`BoxError`]: those of this crate, of `std::io`, strings, `anyhow`'s, `eyre`'s.
pub type HandlerResult = Result<(), BoxError>;

/// What a handler may return: nothing, or a [`HandlerResult`].
///
/// | the handler | returns |
/// | --- | --- |
/// | <code>async fn handle(ws: WebSocket) { … }</code> | nothing: the connection is closed with 1000 |
/// | <code>async fn handle(ws: WebSocket) -> HandlerResult { …?; Ok(()) }</code> | 1000, or 1011 after an error |
/// | <code>\|ws\| async move { …?; Ok(()) }</code> | the same; the type is inferred |
/// | <code>async fn handle(ws: WebSocket) -> Result<(), E></code> | wrapped: <code>\|ws\| any_error(handle(ws))</code>, see [`any_error`] |
///
/// There is one implementation for `Result`, and that is on purpose: Rust infers the type of `Ok(())` in a closure only
/// from a single candidate. An endless loop with `?` in a closure shows no `Ok` to infer from: make it an `async fn` with
/// [`HandlerResult`], or leave the loop when sending fails.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "returns `{Self}`",
    note = "return `()`, or `HandlerResult`: into its error `?` turns any other",
    note = "a function that returns another error is wrapped: `|ws| any_error(function(ws))`"
)]
pub trait HandlerOutput {
    /// As a result.
    ///
    /// # Errors
    ///
    /// When the handler failed.
    fn into_result(self) -> HandlerResult;
}

impl HandlerOutput for () {
    fn into_result(self) -> HandlerResult {
        Ok(())
    }
}

impl HandlerOutput for HandlerResult {
    fn into_result(self) -> HandlerResult {
        self
    }
}

/// A handler that never returns, as one that loops for ever.
impl HandlerOutput for Never {
    fn into_result(self) -> HandlerResult {
        self
    }
}

/// `!`, which has no other name in stable Rust.
type Never = <fn() -> ! as Returning>::Output;

#[doc(hidden)]
pub trait Returning {
    type Output;
}

impl<T> Returning for fn() -> T {
    type Output = T;
}

/// Runs a handler that fails with an error of any type: `ws`'s own, `io::Error`, `String`, `Box<dyn Error>`, `anyhow`'s,
/// `eyre`'s.
///
/// ```
/// use ws_endpoint::{Error, WebSocket, any_error};
///
/// async fn echo(mut ws: WebSocket) -> Result<(), Error> {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// // ws_tokio::serve("127.0.0.1:8765", handler).await
/// let handler = |ws| any_error(echo(ws));
/// # fn accepts<F: Future<Output: ws_endpoint::HandlerOutput>>(_: impl Fn(WebSocket) -> F) {}
/// # accepts(handler);
/// ```
///
/// The log shows the error and its causes, as it does of other handlers'.
pub fn any_error<F, E>(handler: F) -> AnyError<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<Box<dyn StdError>>,
{
    AnyError { handler }
}

pin_project! {
    /// [`any_error`]'s future.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct AnyError<F> {
        #[pin]
        handler: F,
    }
}

impl<F, E> Future for AnyError<F>
where
    F: Future<Output = Result<(), E>>,
    E: Into<Box<dyn StdError>>,
{
    type Output = HandlerResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HandlerResult> {
        self.project().handler.poll(cx).map_err(|error| told(&*error.into()))
    }
}

/// An error that can be sent to other threads, from one that perhaps cannot: its words and those of its causes. How a
/// connection ended stays what it is.
fn told(error: &(dyn StdError + 'static)) -> BoxError {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Box::new(error.clone());
    }
    if let Some(closed) = error.downcast_ref::<Closed>() {
        return Box::new(closed.clone());
    }
    Box::new(Told { message: error.to_string(), source: error.source().map(told) })
}

/// What an error says.
#[derive(Debug)]
struct Told {
    message: String,
    source: Option<BoxError>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Told {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
