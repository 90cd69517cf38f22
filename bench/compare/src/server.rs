//! The servers compared, and one of them running.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use load::{Row, Wire};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

/// A package under `servers/`, and the argument that names its form.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    package: &'static str,
    form: Option<&'static str>,
    pub(crate) wire: Wire,
}

/// The first one is the unit of the ratios.
pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "raw tokio TCP", package: "echo-raw-tcp", form: None, wire: Wire::Raw },
    Peer { name: "ws-tokio, loop", package: "echo-ws-tokio", form: None, wire: Wire::WebSocket },
    Peer { name: "tokio-tungstenite, loop", package: "echo-tungstenite", form: Some("loop"), wire: Wire::WebSocket },
    Peer {
        name: "tokio-tungstenite, forward",
        package: "echo-tungstenite",
        form: Some("forward"),
        wire: Wire::WebSocket,
    },
    Peer { name: "tokio-tungstenite, tuned", package: "echo-tungstenite", form: Some("tuned"), wire: Wire::WebSocket },
];

/// Builds what `peers` need, beside this program.
pub(crate) fn build(peers: &[&Peer]) -> Result<()> {
    let program = std::env::current_exe()?;
    let target_dir = program.ancestors().nth(2).context("not run from a target directory")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--target-dir"]).arg(target_dir);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    for peer in peers {
        cargo.args(["-p", peer.package]);
    }
    ensure!(cargo.status()?.success(), "the servers do not build");
    Ok(())
}

/// A server process; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    cpu_clock: ClockId,
}

impl Peer {
    /// Starts it. A form that can be tuned is told the size of the messages to come.
    pub(crate) fn start(&self, row: &Row) -> Result<Server> {
        let program = std::env::current_exe()?.with_file_name(self.package);
        let mut command = Command::new(&program);
        if let Some(form) = self.form {
            command.arg(form).arg(row.size.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{}", program.display()))?;

        let mut port = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut port)?;
        }
        let port = port.trim().parse().with_context(|| format!("{} printed no port", self.package))?;
        let cpu_clock = ClockId::pid_cpu_clock_id(Pid::from_raw(child.id().try_into()?))?;
        Ok(Server { child, address: (Ipv4Addr::LOCALHOST, port).into(), cpu_clock })
    }
}

impl Server {
    /// User and system time of all its threads, in nanoseconds and up to this moment.
    ///
    /// `/proc/PID/stat` says the same in ticks of 10 ms, and `schedstat` as of the last scheduler tick.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        Ok(self.cpu_clock.now()?.into())
    }
}

/// How long a thread stood ready to run while its core ran something else.
pub(crate) struct Waiting {
    time: Duration,
    times: u64,
}

impl Waiting {
    pub(crate) fn of_server(server: &Server) -> Result<Self> {
        Self::read(Path::new(&format!("/proc/{}/schedstat", server.child.id())))
    }

    pub(crate) fn of_this_thread() -> Result<Self> {
        Self::read(Path::new("/proc/thread-self/schedstat"))
    }

    /// The second and third figures: nanoseconds on a run queue, and how often it ran.
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)?;
        let mut figures = text.split_whitespace().skip(1).map(str::parse);
        match (figures.next(), figures.next()) {
            (Some(Ok(nanoseconds)), Some(Ok(times))) => Ok(Self { time: Duration::from_nanos(nanoseconds), times }),
            _ => bail!("{text:?} in {}", path.display()),
        }
    }

    /// What other processes took since `before`. To wake up takes microseconds too, and is nobody's fault.
    pub(crate) fn lost_since(&self, before: &Self) -> Duration {
        const WAKE_UP: Duration = Duration::from_micros(50);
        let (time, times) = (self.time - before.time, self.times - before.times);
        if time > WAKE_UP * times as u32 { time } else { Duration::ZERO }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only fails when it has ended by itself, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `f` on one core. A process started there stays there.
pub(crate) fn on_core<T>(core: usize, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &cores).with_context(|| format!("core {core}"))?;
    f()
}
