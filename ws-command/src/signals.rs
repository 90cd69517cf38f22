//! Signals that ask the program to stop.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::exit;

/// A notification that the program is asked to stop: Ctrl-C (SIGINT), and on Unix SIGTERM and SIGHUP.
#[derive(Clone)]
pub(crate) struct Stop(Arc<Notify>);

impl Stop {
    /// Starts to listen. The first of these signals is reported; the second ends the process at once.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut signals = Signals::listen()?;
        let stop = Self(Arc::new(Notify::new()));
        let told = stop.clone();
        tokio::spawn(async move {
            signals.next().await;
            told.0.notify_one();
            signals.next().await;
            // Leaves raw mode, if the terminal is in it.
            let _ = crossterm::terminal::disable_raw_mode();
            std::process::exit(exit::INTERRUPTED);
        });
        Ok(stop)
    }

    /// Waits for the first signal. Cancel-safe; resolves once.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
