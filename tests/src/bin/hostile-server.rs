//! The server that `tests/hostile/run` attacks: ws-tokio with handlers good and bad, and a window into the process.
//!
//! usage: `hostile-server [listen=ADDRESS] [DEADLINE=SECONDS]... [LIMIT=NUMBER]...`
//!
//! Deadlines are `handshake`, `ping`, `pong`, `close`, `progress`, `stall`; limits are `message`, `connections`,
//! `handshakes`, `backlog` and `send_buffer`; what is not given keeps its default. Prints the port it listens on. Then each line on
//! standard input is an order, answered with a line: `stats` with a JSON object, `forget` makes the counts and peaks
//! begin anew. The end of standard input ends the process, so it outlives nobody.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::process;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::time::sleep;
use ws_tokio::{CloseCode, Config, HandlerResult, Outcome, Server, ServerHandle, WebSocket};

/// Counts what the heap holds: exact where the resident set knows pages only, and never shrinks as one would like.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let Setup { server, address, socket } = Setup::from_args().unwrap_or_else(|mistake| {
        eprintln!("hostile-server: {mistake}");
        process::exit(2);
    });
    let listening = match socket {
        None => server.bind(address).await?,
        Some(socket) => server.listen_on(socket.listen(address)?)?,
    };
    println!("{}", listening.local_addr()?.port());

    let seen = Arc::new(Seen::default());
    let window = Window { handle: listening.handle(), seen: Arc::clone(&seen) };
    thread::spawn(move || window.answer());
    listening.serve(move |ws| handle(Arc::clone(&seen), ws)).await?;
    Ok(())
}

/// What was asked for on the command line.
struct Setup {
    server: Server,
    address: SocketAddr,
    /// How to listen, where the library's own way will not do.
    socket: Option<ListenerOptions>,
}

struct ListenerOptions {
    /// How many connections may wait to be accepted.
    backlog: u32,
    /// How many bytes the kernel holds for each peer that does not read.
    send_buffer: Option<u32>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self { backlog: 128, send_buffer: None }
    }
}

impl ListenerOptions {
    fn listen(&self, address: SocketAddr) -> io::Result<StdListener> {
        let socket = TcpSocket::new_v4()?;
        if let Some(size) = self.send_buffer {
            // What is accepted inherits it.
            socket.set_send_buffer_size(size)?;
        }
        socket.bind(address)?;
        socket.listen(self.backlog)?.into_std()
    }
}

impl Setup {
    fn from_args() -> Result<Self, Box<dyn Error>> {
        let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut socket: Option<ListenerOptions> = None;
        let mut server = Server::new();
        let mut config = Config::default();
        for arg in std::env::args().skip(1) {
            let (name, value) = arg.split_once('=').ok_or_else(|| format!("not NAME=VALUE: {arg}"))?;
            let time = || Ok::<_, Box<dyn Error>>(Duration::try_from_secs_f64(value.parse()?)?);
            match name {
                "listen" => address = value.parse()?,
                "handshake" => server = server.handshake_timeout(time()?),
                "ping" => config.deadlines.ping_interval = Some(time()?),
                "pong" => config.deadlines.pong = Some(time()?),
                "close" => config.deadlines.close = time()?,
                "progress" => config.deadlines.message_progress = Some(time()?),
                "stall" => config.deadlines.write_stall = Some(time()?),
                "message" => {
                    config.limits.message = Some(value.parse()?);
                    config.limits.frame = config.limits.message;
                }
                "connections" => server = server.max_connections(value.parse()?),
                "handshakes" => server = server.max_handshakes(value.parse()?),
                "backlog" => socket.get_or_insert_default().backlog = value.parse()?,
                "send_buffer" => socket.get_or_insert_default().send_buffer = Some(value.parse()?),
                _ => return Err(format!("no such setting: {name}").into()),
            }
        }
        Ok(Self { server: server.config(config), address, socket })
    }
}

/// What the handlers have seen.
#[derive(Default)]
struct Seen {
    counts: Mutex<Counts>,
}

struct Counts {
    messages: u64,
    /// How connections ended, and how many so.
    endings: Vec<(String, u64)>,
    /// An ending in words, to be looked up.
    words: String,
}

impl Default for Counts {
    /// Has room from the start: what is allocated in the middle of an attack, and kept, would keep the heap from
    /// shrinking after it.
    fn default() -> Self {
        let room = || String::with_capacity(512);
        Self { messages: 0, endings: (0..16).map(|_| (room(), 0)).collect(), words: room() }
    }
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no panic while locked")
    }

    fn message(&self) {
        self.lock().messages += 1;
    }

    fn ending(&self, outcome: &Outcome) {
        let Counts { endings, words, .. } = &mut *self.lock();
        words.clear();
        let _ = write!(words, "{outcome}");
        match endings.iter_mut().find(|(ending, count)| *count == 0 || ending == words) {
            Some((ending, count)) => {
                ending.clone_from(words);
                *count += 1;
            }
            None => endings.push((words.clone(), 1)),
        }
    }
}

/// Runs the handler that the path names, and notes how the connection ended.
async fn handle(seen: Arc<Seen>, ws: WebSocket) -> HandlerResult {
    let connection = ws.sender();
    let result = run(&seen, ws).await;
    // Every handler goes on until its connection has ended, so this waits for nothing.
    seen.ending(&connection.closed().await);
    result
}

async fn run(seen: &Seen, mut ws: WebSocket) -> HandlerResult {
    match ws.request().uri().path() {
        "/echo" => {
            while let Some(message) = ws.recv().await? {
                seen.message();
                ws.send(message).await?;
            }
        }
        "/sink" => receive_all(seen, ws).await?,
        "/busy" => {
            sleep(Duration::from_secs(3)).await;
            receive_all(seen, ws).await?;
        }
        "/never-read" => {
            // Not the socket's own `closed`, which throws messages away.
            ws.sender().closed().await;
        }
        "/pour" => loop {
            ws.send(vec![0; 16 << 10]).await?;
        },
        "/goodbye" => {
            let _ = ws.close(CloseCode::NORMAL, "goodbye").await;
        }
        other => return Err(format!("no handler at {other}").into()),
    }
    Ok(())
}

async fn receive_all(seen: &Seen, mut ws: WebSocket) -> Result<(), ws_tokio::Error> {
    while ws.recv().await?.is_some() {
        seen.message();
    }
    Ok(())
}

/// Answers questions about the process, on standard input and output: that works whatever becomes of its network.
struct Window {
    handle: ServerHandle,
    seen: Arc<Seen>,
}

impl Window {
    fn answer(self) {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let answer = match line.as_str() {
                "stats" => self.stats(),
                "forget" => self.forget(),
                _ => Err(io::Error::other(format!("no such order: {line}"))),
            };
            let answer = answer.unwrap_or_else(|error| json!({ "error": error.to_string() }));
            if writeln!(io::stdout(), "{answer}").is_err() {
                break;
            }
        }
        process::exit(0);
    }

    fn stats(&self) -> io::Result<Value> {
        let status = fs::read_to_string("/proc/self/status")?;
        let kib =
            |name| status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix(" kB")?.trim().parse().ok());
        let bytes = |name| kib(name).map(|kib: u64| kib << 10);
        let counts = self.seen.lock();
        Ok(json!({
            "connections": self.handle.connections(),
            // One of them is the listing's own.
            "fds": fs::read_dir("/proc/self/fd")?.count() - 1,
            "rss": bytes("VmRSS:"),
            "rss_peak": bytes("VmHWM:"),
            "heap": HEAP.current_usage(),
            "heap_peak": HEAP.peak_usage(),
            "messages": counts.messages,
            "endings": counts.endings.iter().filter(|(_, count)| *count > 0).cloned().collect::<BTreeMap<_, _>>(),
        }))
    }

    /// Makes counts and peaks begin anew.
    fn forget(&self) -> io::Result<Value> {
        *self.seen.lock() = Counts::default();
        HEAP.reset_peak_usage();
        // 5 resets the peak of the resident set, see proc_pid_clear_refs(5).
        fs::write("/proc/self/clear_refs", "5")?;
        Ok(json!({}))
    }
}
