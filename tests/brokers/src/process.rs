//! Processes that end with what started them, and free ports.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Outcome;

/// A process. Dropping it kills it.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program whose output goes to a file in the folder.
    pub fn start(command: &mut Command, folder: &Path, name: &str) -> Outcome<Self> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.log")));
        let log = log.map_err(|error| format!("a log of {name}: {error}"))?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        Ok(Self { child: child.map_err(|error| format!("{name} does not start: {error}"))? })
    }

    pub(crate) fn of(child: Child) -> Self {
        Self { child }
    }

    /// Sends it a signal, such as `SIGSTOP`.
    pub fn signal(&self, signal: Signal) -> Outcome {
        let pid = Pid::from_raw(self.child.id().try_into().map_err(|_| "a process ID is too large")?);
        kill(pid, signal).map_err(|error| format!("{signal}: {error}"))
    }

    /// Kills it (`SIGKILL`), and waits for its end.
    pub fn kill(&mut self) {
        // A process that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of 127.0.0.1 that nobody listens on.
pub fn free_port() -> u16 {
    // Below those that the system gives to outgoing connections, so that a broker gets the same port when it is started again.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 12000 + (std::process::id() % 400) as u16 * 50;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 2000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits until somebody listens on a port.
pub fn wait_for_port(port: u16, process: &mut Process) -> Outcome {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait(Duration::from_secs(20), "a port", || {
        if !process.runs() {
            return Err(format!("what should listen on port {port} has ended"));
        }
        Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok())
    })
}

/// Asks again and again until something is so.
pub fn wait(time: Duration, what: &str, mut is_so: impl FnMut() -> Outcome<bool>) -> Outcome {
    let end = Instant::now() + time;
    while !is_so()? {
        if Instant::now() >= end {
            return Err(format!("waited {time:?} for {what}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A new folder, which is removed when it is dropped, unless it is to be kept.
pub struct Folder {
    path: PathBuf,
    pub is_kept: bool,
}

impl Folder {
    pub fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ws-brokers-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path, is_kept: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
