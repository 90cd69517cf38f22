//! As many real connections as fit into a limit of open files: accepting, keepalive, a publication, shutdown. The server is a
//! process of its own, whose limit of open files is lowered to 20,000 first.
//!
//! Every connection is accounted for: each is pinged, gets the publication, and is closed with 1001.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use ws_session::{CloseCode, HandlerResult, Prepared, SlowConsumer, WebSocket, broadcast};
use ws_tokio::{Client, Server};

/// The server's limit of open files.
const FILES: u64 = 20_000;

/// Those that both processes need beside the connections.
const SPARE: u64 = 100;

/// The interval of the keepalive pings.
const INTERVAL: Duration = Duration::from_secs(10);

/// The clients that connect at the same time.
const AT_ONCE: usize = 256;

/// Thousands of real connections to a server that may have 20,000 files open.
#[derive(Parser)]
struct Args {
    /// How many.
    #[arg(default_value_t = 19_000)]
    connections: usize,
    /// The server, which this program starts itself.
    #[arg(long, hide = true)]
    serve: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(!cfg!(debug_assertions), "figures of a debug build mean nothing: run with --release");
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let needed = args.connections as u64 + SPARE;
    ensure!(needed <= FILES, "at most {} connections fit into {FILES} open files", FILES - SPARE);
    ensure!(hard >= FILES, "{FILES} open files are needed and {hard} allowed: `ulimit -Hn {FILES}` as root");
    setrlimit(Resource::RLIMIT_NOFILE, FILES, hard)?;
    match args.serve {
        true => serve().await,
        false => run(args.connections).await,
    }
}

// ---- the server ----

/// Prints its port. Then it does what each line of its standard input says, and prints what came of it.
async fn serve() -> Result<()> {
    let listening = Server::new().ping_interval(INTERVAL).bind("127.0.0.1:0").await?;
    let handle = listening.handle();
    say(listening.local_addr()?.port())?;
    let serving = tokio::spawn(listening.serve(handler));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "open" => say(handle.stats().open)?,
            // The answer to a ping gives the latency.
            "pinged" => say(handle.list().iter().filter(|connection| connection.latency().is_some()).count())?,
            "cpu" => say(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from)?.as_micros())?,
            "publish" => {
                let senders: Vec<_> = handle.list().iter().map(|connection| connection.sender()).collect();
                say(broadcast(&senders, &Prepared::new("to everyone"), SlowConsumer::Skip).len())?;
            }
            "shutdown" => {
                handle.shutdown();
                let stats = handle.stats();
                serving.await??;
                say(handle.stats().ended.max(stats.ended))?;
                return Ok(());
            }
            other => bail!("what is {other:?}?"),
        }
    }
    Ok(())
}

async fn handler(mut ws: WebSocket) -> HandlerResult {
    while ws.recv().await?.is_some() {}
    Ok(())
}

fn say(figure: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{figure}")?)
}

/// The server's process.
struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    async fn start() -> Result<(Self, u16)> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child =
            command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut process = Self { child, stdin, stdout };
        let port = process.answer().await?;
        Ok((process, port.try_into()?))
    }

    async fn ask(&mut self, what: &str) -> Result<u64> {
        self.stdin.write_all(format!("{what}\n").as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).await?;
        line.trim().parse().with_context(|| format!("the server said {line:?}"))
    }

    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().context("it has ended")?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

// ---- the clients ----

/// What became of all clients.
#[derive(Default)]
struct Counts {
    published: AtomicUsize,
    /// Closed by the server with 1001.
    going_away: AtomicUsize,
}

async fn run(connections: usize) -> Result<()> {
    let (mut server, port) = Process::start().await?;
    let counts = Arc::new(Counts::default());
    let before = server.memory()?;

    let begun = Instant::now();
    let (opened, mut open) = mpsc::channel(AT_ONCE);
    let permits = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let (counts, opened) = (Arc::clone(&counts), opened.clone());
        clients.push(tokio::spawn(async move {
            let client = Client::new(format!("ws://127.0.0.1:{port}/")).ping_interval(None);
            let ws = client.connect().await;
            drop(permit);
            let _ = opened.send(ws.is_ok()).await;
            stay(ws?, &counts).await
        }));
        while let Ok(is_open) = open.try_recv() {
            ensure!(is_open, "a connection was refused");
        }
    }
    let _ = permits.acquire_many(AT_ONCE as u32).await?;
    println!(
        "opened in {:.1} s, of which the server took {:.1}",
        seconds(begun),
        server.ask("cpu").await? as f64 / 1e6
    );
    let is_open = server.ask("open").await?;
    ensure!(is_open == connections as u64, "{is_open} of {connections} are open");
    println!("memory of each, in the server: {} B", (server.memory()? - before) / connections as u64);

    let cpu = server.ask("cpu").await?;
    tokio::time::sleep(INTERVAL).await;
    let cpu = server.ask("cpu").await? - cpu;
    let pinged = server.ask("pinged").await?;
    ensure!(pinged == connections as u64, "{pinged} of {connections} were pinged and have answered");
    println!("a ping to each: {:.1} µs of CPU time", cpu as f64 / connections as f64);

    let begun = Instant::now();
    let cpu = server.ask("cpu").await?;
    let queued = server.ask("publish").await?;
    ensure!(queued == connections as u64, "published to {queued} of {connections}");
    reach(&counts.published, connections).await?;
    println!(
        "a publication reached all in {:.2} s; {:.1} µs of CPU time for each",
        seconds(begun),
        (server.ask("cpu").await? - cpu) as f64 / connections as f64
    );

    let begun = Instant::now();
    let ended = server.ask("shutdown").await?;
    ensure!(ended == connections as u64, "{ended} of {connections} ended");
    for client in clients {
        client.await??;
    }
    let going_away = counts.going_away.load(Ordering::Relaxed);
    ensure!(going_away == connections, "{going_away} of {connections} were closed with 1001");
    println!("shut down in {:.1} s: all {connections} were closed with 1001", seconds(begun));
    ensure!(server.child.wait().await?.success(), "the server failed");
    Ok(())
}

/// Receives until the end.
async fn stay(mut ws: WebSocket, counts: &Counts) -> Result<()> {
    while let Some(message) = ws.recv().await? {
        ensure!(message.as_text() == Some("to everyone"), "another message: {message:?}");
        counts.published.fetch_add(1, Ordering::Relaxed);
    }
    if ws.closed().await.code() == CloseCode::GOING_AWAY {
        counts.going_away.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits until a count is reached, or does not grow for ten seconds.
async fn reach(count: &AtomicUsize, wanted: usize) -> Result<()> {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        let now = count.load(Ordering::Relaxed);
        if now >= wanted {
            return Ok(());
        }
        if now != last {
            (last, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < Duration::from_secs(10), "only {now} of {wanted}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
