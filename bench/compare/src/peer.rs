//! The programs compared, and one of them running.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use load::{Deflate, Wire};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::against::Earlier;
use crate::case::{Case, Kind};

/// A package under `servers/`, used in one form; or a program that is installed.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) wire: Wire,
    program: Program,
    can: &'static [Kind],
    deflates: &'static [Deflate],
}

enum Program {
    Package {
        program: PathBuf,
        form: &'static str,
    },
    /// Not Rust; told what to do like a package.
    Installed {
        command: PathBuf,
        script: Option<PathBuf>,
    },
    /// Prints its port and sends back what it gets.
    Command(String),
}

const SERVER: &[Kind] = &[Kind::Echo, Kind::Upgrades, Kind::Idle];
const PUBLISHER: &[Kind] = &[Kind::Echo, Kind::Upgrades, Kind::Idle, Kind::FanOut];
const ALL: &[Kind] = &[Kind::Echo, Kind::Upgrades, Kind::Idle, Kind::FanOut, Kind::Receive, Kind::Send];
const OURS: &[Kind] =
    &[Kind::Echo, Kind::Upgrades, Kind::Idle, Kind::FanOut, Kind::Receive, Kind::Send, Kind::Keepalive];

const NEVER: &[Deflate] = &[];
const NO_TAKEOVER: &[Deflate] = &[Deflate::NoTakeover];
const BOTH: &[Deflate] = &[Deflate::NoTakeover, Deflate::Takeover];

/// A program under `servers/`.
struct Package {
    name: &'static str,
    package: &'static str,
    form: &'static str,
    can: &'static [Kind],
    deflates: &'static [Deflate],
}

/// The first one is the unit of the ratios wherever it takes part.
const PEERS: &[Package] = &[
    package("raw tokio TCP", "echo-raw-tcp", "loop", &[Kind::Echo, Kind::Upgrades, Kind::Receive, Kind::Send], BOTH),
    package("minimum", "echo-minimum", "tuned", SERVER, NEVER),
    package("ws-tokio", "echo-ws-tokio", "loop", OURS, BOTH),
    package("ws-hub", "echo-ws-hub", "loop", &[Kind::FanOut], NEVER),
    package("axum, ws-tokio", "echo-ws-axum", "loop", SERVER, BOTH),
    package("axum, its own, loop", "echo-axum", "loop", SERVER, NEVER),
    package("axum, its own, tuned", "echo-axum", "tuned", SERVER, NEVER),
    package("ws-proto core", "echo-core", "tuned", SERVER, NEVER),
    package("fastwebsockets, loop", "echo-fastwebsockets", "loop", ALL, NEVER),
    package("fastwebsockets, tuned", "echo-fastwebsockets", "tuned", ALL, NEVER),
    package("tokio-tungstenite, loop", "echo-tungstenite", "loop", ALL, NEVER),
    package("tokio-tungstenite, forward", "echo-tungstenite", "forward", &[Kind::Echo], NEVER),
    package("tokio-tungstenite, tuned", "echo-tungstenite", "tuned", ALL, NEVER),
    package("ws-tungstenite, loop", "echo-ws-tungstenite", "loop", ALL, BOTH),
    package("ws-tungstenite, forward", "echo-ws-tungstenite", "forward", &[Kind::Echo], NEVER),
    package("ws-tungstenite, tuned", "echo-ws-tungstenite", "tuned", ALL, BOTH),
    package("tokio-websockets, loop", "echo-tokio-websockets", "loop", ALL, NEVER),
    package("tokio-websockets, tuned", "echo-tokio-websockets", "tuned", ALL, NEVER),
    package("sockudo-ws, loop", "echo-sockudo-ws", "loop", ALL, BOTH),
    package("sockudo-ws, tuned", "echo-sockudo-ws", "tuned", ALL, BOTH),
    package("yawc, loop", "echo-yawc", "loop", ALL, BOTH),
    package("yawc, tuned", "echo-yawc", "tuned", ALL, BOTH),
    package("wtx, loop", "echo-wtx", "loop", ALL, BOTH),
    package("wtx, tuned", "echo-wtx", "tuned", ALL, BOTH),
    package("soketto, loop", SOKETTO, "loop", &[], NO_TAKEOVER),
];

const fn package(
    name: &'static str,
    package: &'static str,
    form: &'static str,
    can: &'static [Kind],
    deflates: &'static [Deflate],
) -> Package {
    Package { name, package, form, can, deflates }
}

/// Built by itself: it makes flate2 use C's zlib, for everyone who is built with it.
const SOKETTO: &str = "echo-soketto";

/// What `peers/install` installs: the file that shows it, and who runs which script if it is none itself.
struct Installed {
    name: &'static str,
    shown_by: &'static str,
    runs: Option<(&'static str, &'static str)>,
    can: &'static [Kind],
}

const INSTALLED: &[Installed] = &[
    Installed { name: "uWebSockets", shown_by: "installed/uwebsockets", runs: None, can: PUBLISHER },
    Installed { name: "npm ws", shown_by: "installed/node_modules/ws", runs: Some(("node", "ws.mjs")), can: SERVER },
    Installed {
        name: "Python websockets",
        shown_by: "installed/python/websockets",
        runs: Some(("python3", "websockets_echo.py")),
        can: SERVER,
    },
];

impl Installed {
    fn is_there(&self) -> bool {
        folder().join(self.shown_by).exists()
    }

    fn program(&self) -> Program {
        // A name on its own is looked up in PATH.
        let (command, script) = match self.runs {
            None => (folder().join(self.shown_by), None),
            Some((command, script)) => (command.into(), Some(folder().join(script))),
        };
        Program::Installed { command, script }
    }
}

/// The packages that are this project's libraries in use.
pub(crate) const OUR_PACKAGES: &[&str] =
    &["echo-ws-tokio", "echo-ws-hub", "echo-ws-axum", "echo-core", "echo-ws-tungstenite"];

/// Everyone who can take part, and the programs named by `NAME=COMMAND`. Behind each of this project's programs comes the
/// earlier one.
pub(crate) fn everyone(also: &[String], earlier: Option<&Earlier>) -> Result<Vec<Peer>> {
    let here = std::env::current_exe()?;
    let packages = PEERS.iter().flat_map(|&Package { name, package, form, can, deflates }| {
        let peer = |name: String, program: PathBuf| Peer {
            name,
            wire: if package == "echo-raw-tcp" { Wire::Raw } else { Wire::WebSocket },
            program: Program::Package { program, form },
            can,
            deflates,
        };
        let earlier = earlier.filter(|_| OUR_PACKAGES.contains(&package));
        let then = earlier.and_then(|earlier| Some((earlier.program(package)?, name_at(name, &earlier.revision))));
        [Some(peer(name.to_owned(), here.with_file_name(package))), then.map(|(program, name)| peer(name, program))]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    });
    let installed = INSTALLED.iter().filter(|peer| peer.is_there()).map(|peer| Peer {
        name: peer.name.to_owned(),
        wire: Wire::WebSocket,
        program: peer.program(),
        can: peer.can,
        deflates: BOTH,
    });
    let commands = also.iter().map(|also| {
        let (name, command) = also.split_once('=').with_context(|| format!("{also:?} is not NAME=COMMAND"))?;
        let program = Program::Command(command.to_owned());
        Ok(Peer { name: name.to_owned(), wire: Wire::WebSocket, program, can: SERVER, deflates: NEVER })
    });
    packages.chain(installed).map(Ok).chain(commands).collect()
}

/// What a program is called at an earlier revision.
pub(crate) fn name_at(name: &str, revision: &str) -> String {
    format!("{name} at {revision}")
}

/// Who cannot take part because it is not installed.
pub(crate) fn missing() -> Vec<&'static str> {
    INSTALLED.iter().filter(|peer| !peer.is_there()).map(|peer| peer.name).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("peers")
}

/// Builds all packages beside this program, whoever takes part: then the features of what they share, tokio's for one,
/// are the same in every run.
pub(crate) fn build() -> Result<()> {
    let target_dir = target_dir()?;
    let packages = PEERS.iter().map(|peer| peer.package);
    let (alone, together) = packages.partition::<Vec<_>, _>(|package| *package == SOKETTO);
    for packages in [together, alone] {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target_dir);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(packages.into_iter().flat_map(|package| ["-p", package]));
        ensure!(cargo.status()?.success(), "the programs do not build");
    }
    Ok(())
}

/// The folder of builds that this program lies in.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).context("not run from a target directory")?.to_owned())
}

impl Peer {
    pub(crate) fn takes_part_in(&self, case: &Case) -> bool {
        match case.deflate {
            None => self.can.contains(&case.kind),
            // Raw TCP has no memory to speak of.
            Some(_) if self.wire == Wire::Raw && case.kind == Kind::Idle => false,
            Some(deflate) => self.deflates.contains(&deflate),
        }
    }

    /// Whether it was asked for by its command.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.program, Program::Command(_))
    }

    /// Starts it. A client is told where to connect.
    pub(crate) fn start(&self, case: &Case, server: Option<SocketAddr>) -> Result<Process> {
        let mut command = match &self.program {
            Program::Command(command) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("exec {command}"));
                shell
            }
            Program::Package { program, form } => {
                let mut program = Command::new(program);
                program.args([task(case), form, &case.row.size.to_string()]);
                program.args(server.map(|server| server.to_string()));
                program
            }
            Program::Installed { command, script } => {
                let mut program = Command::new(command);
                program.args(script).args([task(case), "loop", &case.row.size.to_string()]);
                program.env("PYTHONPATH", folder().join("installed/python"));
                program
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let cpu_clock = ClockId::pid_cpu_clock_id(Pid::from_raw(child.id().try_into()?))?;
        Ok(Process { child, output, cpu_clock })
    }
}

/// What a program is told to do.
fn task(case: &Case) -> &'static str {
    match (case.kind, case.deflate) {
        (Kind::Echo | Kind::Upgrades | Kind::Idle, None) => "echo",
        (_, Some(Deflate::NoTakeover)) => "deflate",
        (_, Some(Deflate::Takeover)) => "deflate-takeover",
        (Kind::FanOut, _) => "fan-out",
        (Kind::Receive, _) => "receive",
        (Kind::Send, _) => "send",
        (Kind::Keepalive, _) => "keepalive",
    }
}

/// Why there is no port: the program does not do what it was told.
#[derive(Debug)]
pub(crate) struct Unsupported;

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unsupported")
    }
}

impl Error for Unsupported {}

/// A program that runs; killed when dropped.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    cpu_clock: ClockId,
}

impl Process {
    /// The next port it announces.
    pub(crate) fn port(&mut self) -> Result<SocketAddr> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim() == "unsupported" {
            return Err(Unsupported.into());
        }
        let port: u16 = line.trim().parse().with_context(|| format!("{line:?} instead of a port"))?;
        Ok((Ipv4Addr::LOCALHOST, port).into())
    }

    /// User and system time of all its threads, in nanoseconds and up to this moment.
    ///
    /// `/proc/PID/stat` says the same in ticks of 10 ms, and `schedstat` as of the last scheduler tick.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        Ok(self.cpu_clock.now()?.into())
    }

    /// Bytes of memory that belong to it: `Rss` of all its mappings, exact, where `statm` may lag behind.
    pub(crate) fn rss(&self) -> Result<f64> {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(&path)?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).context("no Rss")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{line:?} in {path}"))?;
        Ok(kib * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only fails when it has ended by itself, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a thread stood ready to run while its core ran something else.
pub(crate) struct Waiting {
    time: Duration,
    times: u64,
}

impl Waiting {
    pub(crate) fn of(process: &Process) -> Result<Self> {
        Self::read(Path::new(&format!("/proc/{}/schedstat", process.child.id())))
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

/// Runs `f` on these cores. A process started there stays there.
pub(crate) fn on_cores<T>(cores: &[usize], f: impl FnOnce() -> Result<T>) -> Result<T> {
    let mut set = CpuSet::new();
    cores.iter().try_for_each(|core| set.set(*core))?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cores {cores:?}"))?;
    f()
}
