//! Signals that ask the program to stop.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::exit;

/// A notification that the program is asked to stop: Ctrl-C (SIGINT), and on Unix SIGTERM and usually SIGHUP.
#[derive(Clone)]
pub(crate) struct Stop(Arc<Notify>);

impl Stop {
    /// Starts to listen. The first of these signals is reported; the second ends the process at once. `hangup` tells whether
    /// SIGHUP is one of them.
    pub(crate) fn listen(hangup: bool) -> io::Result<Self> {
        let mut signals = Signals::listen(hangup)?;
        let stop = Self(Arc::new(Notify::new()));
        let told = stop.clone();
        tokio::spawn(async move {
            signals.next().await;
            told.0.notify_one();
            signals.next().await;
            // Leaves raw mode, if the terminal is in it.
            let _ = crossterm::terminal::disable_raw_mode();
            std::process::exit(exit::INTERRUPTED.into());
        });
        Ok(stop)
    }

    /// Waits for the first signal. Cancel-safe; resolves once.
    pub(crate) async fn requested(&self) {
        self.0.notified().await;
    }
}

/// Calls a function at each SIGHUP, on Unix.
pub(crate) fn at_hangup(mut call: impl FnMut() + Send + 'static) -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                call();
            }
        });
    }
    #[cfg(not(unix))]
    let _ = &mut call;
    Ok(())
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen(hangup: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if hangup { Some(signal(SignalKind::hangup())?) } else { None },
        })
    }

    async fn next(&mut self) {
        let Self { interrupt, terminate, hangup } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen(_hangup: bool) -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
