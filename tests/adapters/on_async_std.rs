//! async-std, as the suite needs it.

use std::future::Future;
use std::net::TcpStream as StdStream;
use std::time::Duration;

use async_std::net::TcpStream;
use async_std::task;

pub(crate) use ws_async_std as adapter;
pub(crate) use ws_async_std::{AsyncIo as Io, AsyncStd as Rt};

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    task::block_on(future)
}

/// Runs a task beside the test; what it returns. It goes on when that is not waited for.
pub(crate) fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send
where
    F: Future<Output: Send> + Send + 'static,
{
    task::spawn(future)
}

pub(crate) async fn sleep(duration: Duration) {
    task::sleep(duration).await;
}

/// A stream of the runtime's that was connected by somebody else.
pub(crate) fn stream(stream: StdStream) -> TcpStream {
    TcpStream::from(stream)
}

/// The traits of streams of bytes, as `futures-io` has them.
pub(crate) mod io {
    pub(crate) use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, repeat, split};

    /// Ends the write side.
    pub(crate) async fn end(stream: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
        stream.close().await
    }
}

#[path = "suite.rs"]
mod suite;
