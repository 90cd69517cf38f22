//! tokio, as the suite needs it: two threads that run tasks, for all tests together.

use std::future::Future;
use std::net::TcpStream as StdStream;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

pub(crate) use ws_tokio as adapter;
pub(crate) use ws_tokio::{Tokio as Rt, TokioIo as Io};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Runs a task beside the test; what it returns. It goes on when that is not waited for.
pub(crate) fn spawn<F>(future: F) -> impl Future<Output = F::Output> + Send
where
    F: Future<Output: Send> + Send + 'static,
{
    let task = RUNTIME.spawn(future);
    async { task.await.unwrap() }
}

pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A stream of the runtime's that was connected by somebody else.
pub(crate) fn stream(stream: StdStream) -> TcpStream {
    stream.set_nonblocking(true).unwrap();
    let _entered = RUNTIME.enter();
    TcpStream::from_std(stream).unwrap()
}

/// The traits of streams of bytes, as tokio has them.
pub(crate) mod io {
    pub(crate) use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, repeat, split};

    /// Ends the write side.
    pub(crate) async fn end(stream: &mut (impl AsyncWriteExt + Unpin)) -> std::io::Result<()> {
        stream.shutdown().await
    }
}

#[path = "suite.rs"]
mod suite;
