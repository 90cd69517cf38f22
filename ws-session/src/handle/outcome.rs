//! The results of handlers.
//!
//! Every function that takes a handler requires a [`HandlerResult`], and nothing more general. The compiler infers the type
//! of a closure only from a single candidate, and a closure that loops until `?` fails gives no other hint. [`handler`]
//! wraps the others.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::WebSocket;
use crate::error::{BoxError, Closed, ClosedSource, ClosingSource, Error, HandlerResult};

/// Wraps a handler that returns nothing, or an error type of its own.
///
/// | the handler returns | the connection is closed with |
/// | --- | --- |
/// | nothing | 1000 |
/// | `Result<(), E>`, where `E` is `ws`'s own error, `io::Error`, `String`, `&str`, `Box<dyn Error>`, `anyhow`'s, `eyre`'s or any other that is [`Into<BoxError>`](BoxError) | 1000 after `Ok`, 1011 after an error |
///
/// A handler that returns a [`HandlerResult`] needs no wrapper. Neither does a closure that uses `?` and ends with
/// `Ok(())`, or never ends: its type is inferred only without the wrapper.
///
/// ```
/// use ws_session::{Error, WebSocket, handler};
///
/// async fn echo(mut ws: WebSocket) -> Result<(), Error> {
///     while let Some(message) = ws.recv().await? {
///         ws.send(message).await?;
///     }
///     Ok(())
/// }
///
/// # use ws_session::{Client, Listening, RunError, Runtime};
/// # async fn serve<R: Runtime>(listening: Listening<R>) -> std::io::Result<()> {
/// // Or ws_tokio::serve("127.0.0.1:8765", handler(echo)).
/// listening.serve(handler(echo)).await
/// # }
/// #
/// # async fn run<R: Runtime>() -> Result<(), RunError> {
/// Client::<R>::run("ws://127.0.0.1:8765", handler(|ws| async move {
///     let _ = ws.send("Hello").await;
/// }))
/// .await
/// # }
/// ```
///
/// The closure must be `Fn`, also for [`Client::run`](crate::Client::run). So it clones each value that it moves into its
/// future.
///
/// The log shows the error and its causes, as for other handlers.
pub fn handler<H, F, K>(handler: H) -> impl Fn(WebSocket) -> Handled<F, K>
where
    H: Fn(WebSocket) -> F,
    F: Future<Output: HandlerOutput<K>>, // a closure that uses `?` needs no handler(…)
{
    move |socket| Handled { handler: handler(socket), kind: PhantomData }
}

/// The return type of a handler that [`handler`] wraps: nothing, or a `Result<(), E>`.
///
/// The compiler infers the kind `K`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "returns `{Self}`",
    note = "return `()`, or `Result<(), E>` with any error that `?` turns into `Box<dyn Error + Send + Sync>`"
)]
pub trait HandlerOutput<K> {
    /// Converts it into a result.
    ///
    /// # Errors
    ///
    /// If the handler failed.
    fn into_result(self) -> HandlerResult;
}

/// The kind of results that can be sent to other threads.
#[doc(hidden)]
#[derive(Debug)]
pub enum Sendable {}

/// The kind of `Box<dyn Error>`, which cannot be sent. By type alone it cannot be told apart from an error that may become
/// `Into<BoxError>` some day, so kinds are needed.
#[doc(hidden)]
#[derive(Debug)]
pub enum Local {}

impl HandlerOutput<Sendable> for () {
    fn into_result(self) -> HandlerResult {
        Ok(())
    }
}

impl<E: Into<BoxError>> HandlerOutput<Sendable> for Result<(), E> {
    fn into_result(self) -> HandlerResult {
        self.map_err(Into::into)
    }
}

impl HandlerOutput<Local> for Result<(), Box<dyn StdError>> {
    fn into_result(self) -> HandlerResult {
        self.map_err(|error| to_box_error(&*error))
    }
}

/// A handler that never returns, such as one that loops for ever.
impl HandlerOutput<Sendable> for Never {
    fn into_result(self) -> HandlerResult {
        self
    }
}

/// Gives `!` a name, which stable Rust does not.
type Never = <fn() -> ! as Returning>::Output;

#[doc(hidden)]
pub trait Returning {
    type Output;
}

impl<T> Returning for fn() -> T {
    type Output = T;
}

pin_project! {
    /// The future of a wrapped [`handler`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Handled<F, K> {
        #[pin]
        pub(crate) handler: F,
        pub(crate) kind: PhantomData<fn() -> K>,
    }
}

impl<F: Future<Output: HandlerOutput<K>>, K> Future for Handled<F, K> {
    type Output = HandlerResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HandlerResult> {
        self.project().handler.poll(cx).map(HandlerOutput::into_result)
    }
}

/// Makes an error that can be sent to other threads from one that may not be: its text and that of its causes. The end of a
/// connection stays an [`Error`].
fn to_box_error(error: &(dyn StdError + 'static)) -> BoxError {
    if let Some(error) = error.downcast_ref::<Error>() {
        return Box::new(error.clone());
    }
    if let Some(closed) = error.downcast_ref::<Closed>() {
        return Box::new(closed.clone());
    }
    if let Some(ended) = error.downcast_ref::<ClosedSource>() {
        return Box::new(*ended);
    }
    if let Some(ending) = error.downcast_ref::<ClosingSource>() {
        return Box::new(*ending);
    }
    Box::new(ErrorText { message: error.to_string(), source: error.source().map(to_box_error) })
}

/// The text of an error.
#[derive(Debug)]
struct ErrorText {
    message: String,
    source: Option<BoxError>,
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ErrorText {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
