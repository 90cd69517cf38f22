//! async-std's executor, and the functions `serve`, `connect` and `accept` for programs that use it.

use std::future::Future;

use futures_io::{AsyncRead, AsyncWrite};

use crate::{AsyncIo, Executor, Reactor};

ws_session::adapter!(AsyncStd, AsyncIo, AsyncRead + AsyncWrite);

/// async-std as a [`Runtime`](ws_session::Runtime): its tasks, with the sockets and timers of async-io.
pub type AsyncStd = Reactor<AsyncStdTasks>;

/// async-std's executor.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStdTasks;

impl Executor for AsyncStdTasks {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        async_std::task::spawn(task);
    }
}
