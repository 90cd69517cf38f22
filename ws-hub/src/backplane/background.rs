//! [`Background`]: tokio for the client libraries of brokers, whatever runtime a hub was started on.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Builder, Handle, Runtime};

/// Where the client library of a broker runs: the tokio that the hub was started on, else a thread that all hubs of the process
/// share. The thread ends with the last of them.
#[derive(Clone)]
pub(crate) struct Background {
    handle: Handle,
    _thread: Option<Arc<Thread>>,
}

struct Thread(Option<Runtime>);

static SHARED: Mutex<Weak<Thread>> = Mutex::new(Weak::new());

impl Background {
    /// # Errors
    ///
    /// If no thread can be started.
    pub(crate) fn new() -> io::Result<Self> {
        if let Ok(handle) = Handle::try_current() {
            return Ok(Self { handle, _thread: None });
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = match shared.upgrade() {
            Some(thread) => thread,
            None => {
                let mut builder = Builder::new_multi_thread();
                let runtime = builder.worker_threads(1).thread_name("ws-hub broker").enable_all().build()?;
                let thread = Arc::new(Thread(Some(runtime)));
                *shared = Arc::downgrade(&thread);
                thread
            }
        };
        let handle = thread.0.as_ref().map(|runtime| runtime.handle().clone()).ok_or(io::ErrorKind::Other)?;
        Ok(Self { handle, _thread: Some(thread) })
    }

    /// Spawns a task that runs to its end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // The last hub may be dropped in a task of another runtime, which must not be blocked.
            runtime.shutdown_background();
        }
    }
}

#[cfg(any(feature = "kafka", feature = "nats", test))]
mod run {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::task::JoinHandle;

    use super::Background;

    impl Background {
        /// Runs a future there, which begins at once. The output is `None` if the runtime has ended. Dropping the result ends it.
        pub(crate) fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Run<T> {
            Run(self.handle.spawn(future))
        }
    }

    /// See [`Background::run`].
    pub(crate) struct Run<T>(JoinHandle<T>);

    impl<T> Future for Run<T> {
        type Output = Option<T>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            Pin::new(&mut self.0).poll(cx).map(Result::ok)
        }
    }

    impl<T> Drop for Run<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tokio_there_is_a_thread() {
        let background = Background::new().unwrap();
        let (tx, rx) = std::sync::mpsc::channel();
        background.spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            tx.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        assert_eq!(rx.recv().unwrap().as_deref(), Some("ws-hub broker"));
    }

    #[test]
    fn what_runs_ends_when_nobody_waits_for_it() {
        struct Ended(std::sync::mpsc::Sender<()>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let runtime = Builder::new_current_thread().build().unwrap();
        let (tx, rx) = std::sync::mpsc::channel();
        runtime.block_on(async {
            let background = Background::new().unwrap();
            assert_eq!(background.run(async { 7 }).await, Some(7));
            let run = background.run(async move {
                let _ended = Ended(tx);
                std::future::pending::<()>().await;
            });
            tokio::task::yield_now().await;
            drop(run);
            tokio::task::yield_now().await;
        });
        rx.recv().unwrap();
    }
}
