//! NATS: one server, with JetStream in files or in memory or without it, and two that are a cluster.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::Outcome;
use crate::broker::Broker;
use crate::process::{Process, free_port, wait, wait_for_port};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    None,
    Memory,
    File,
}

struct Nats {
    streams: Streams,
    /// The first is killed and frozen.
    servers: Vec<Server>,
}

struct Server {
    port: u16,
    folder: PathBuf,
    process: Process,
}

pub(super) fn start_file(folder: &Path) -> Outcome<Box<dyn Broker>> {
    start(folder, Streams::File, 1)
}

pub(super) fn start_memory(folder: &Path) -> Outcome<Box<dyn Broker>> {
    start(folder, Streams::Memory, 1)
}

pub(super) fn start_core(folder: &Path) -> Outcome<Box<dyn Broker>> {
    start(folder, Streams::None, 1)
}

pub(super) fn start_cluster(folder: &Path) -> Outcome<Box<dyn Broker>> {
    start(folder, Streams::File, 2)
}

pub(super) fn start_core_cluster(folder: &Path) -> Outcome<Box<dyn Broker>> {
    start(folder, Streams::None, 2)
}

fn start(folder: &Path, streams: Streams, count: usize) -> Outcome<Box<dyn Broker>> {
    let routes: Vec<_> = (0..count).map(|_| free_port()).collect();
    let mut servers = Vec::new();
    for at in 0..count {
        let port = free_port();
        let folder = folder.join(format!("nats-{port}"));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        // A publication of 1 MiB has headers, too. What a subscriber does not read is kept up to `max_pending`.
        let mut text =
            format!("listen: \"127.0.0.1:{port}\"\nmax_payload: 4MB\nmax_pending: 16MB\nserver_name: s{at}\n");
        if streams != Streams::None {
            text += &format!("jetstream {{ store_dir: \"{}\", sync_interval: always }}\n", folder.display());
        }
        if count > 1 {
            let others: Vec<_> = routes.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
            let own = routes[at];
            text += &format!("cluster {{ name: c, listen: \"127.0.0.1:{own}\", routes: [{}] }}\n", others.join(", "));
        }
        std::fs::write(folder.join("nats.conf"), text).map_err(|error| error.to_string())?;
        let process = spawn(&folder)?;
        servers.push(Server { port, folder, process });
    }
    let mut broker = Nats { streams, servers };
    broker.ready()?;
    Ok(Box::new(broker))
}

fn spawn(folder: &Path) -> Outcome<Process> {
    let mut command = Command::new("nats-server");
    command.arg("--config").arg(folder.join("nats.conf"));
    Process::start(&mut command, folder, "nats")
}

impl Nats {
    fn ready(&mut self) -> Outcome {
        for server in &mut self.servers {
            wait_for_port(server.port, &mut server.process)?;
            if self.streams != Streams::None {
                let port = server.port;
                // A cluster elects a leader first.
                wait(Duration::from_secs(60), "JetStream", || {
                    Ok(request(port, "$JS.API.STREAM.NAMES", "{}").is_some_and(|answer| answer.get("error").is_none()))
                })?;
            }
        }
        Ok(())
    }
}

impl Broker for Nats {
    fn backplane(&self) -> String {
        let name = match self.streams {
            Streams::None => "nats-core",
            Streams::Memory => "nats-memory",
            Streams::File => "nats",
        };
        let urls: Vec<_> = self.servers.iter().map(|server| format!("nats://127.0.0.1:{}", server.port)).collect();
        format!("{name} {}", urls.join(","))
    }

    fn start(&mut self) -> Outcome {
        self.servers[0].process = spawn(&self.servers[0].folder)?;
        self.ready()
    }

    fn kill(&mut self) -> Outcome {
        self.servers[0].process.kill();
        Ok(())
    }

    fn wipe(&mut self) -> Outcome {
        match std::fs::remove_dir_all(self.servers[0].folder.join("jetstream")) {
            // Streams in memory are gone anyway.
            Err(_) if self.streams == Streams::Memory => Ok(()),
            result => result.map_err(|error| error.to_string()),
        }
    }

    fn freeze(&mut self) -> Outcome {
        self.servers[0].process.signal(Signal::SIGSTOP)
    }

    fn thaw(&mut self) -> Outcome {
        self.servers[0].process.signal(Signal::SIGCONT)
    }

    fn drop_clients(&mut self) -> Outcome {
        Err("it closes no clients".to_owned())
    }

    fn empty(&mut self) -> Outcome {
        let port = self.servers[0].port;
        let names = request(port, "$JS.API.STREAM.NAMES", "{}").ok_or("no names of streams")?;
        let names = names["streams"].as_array().filter(|names| !names.is_empty()).ok_or("there is no stream")?;
        for name in names.iter().filter_map(Value::as_str) {
            let answer = request(port, &format!("$JS.API.STREAM.DELETE.{name}"), "").ok_or("no answer")?;
            if answer["success"] != true {
                return Err(format!("{name} is not deleted: {answer}"));
            }
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> Outcome<String> {
        let (port, folder) = (self.servers[0].port, self.servers[0].folder.clone());
        let (stored, saved) = (folder.join("jetstream"), folder.join("saved"));
        match command.split(' ').collect::<Vec<_>>()[..] {
            ["save"] => {
                self.freeze()?;
                let copied = Command::new("cp").arg("-r").arg(stored).arg(saved).status();
                self.thaw()?;
                let is_copied = copied.map_err(|error| error.to_string())?.success();
                is_copied.then(String::new).ok_or_else(|| "what is stored is not copied".to_owned())
            }
            ["restore"] => {
                self.wipe()?;
                std::fs::rename(saved, stored).map(|()| String::new()).map_err(|error| error.to_string())
            }
            ["publish", count, topic] => {
                let names = request(port, "$JS.API.STREAM.NAMES", "{}").ok_or("no names of streams")?;
                // WS_HUB_SIZE-AGE_EPOCH
                let name = names["streams"][0].as_str().ok_or("there is no stream")?;
                let set = name.rsplit('_').nth(1).ok_or("the stream has another name")?;
                for number in 0..count.parse::<u64>().map_err(|error| error.to_string())? {
                    let stored =
                        request(port, &format!("ws.log.{set}.{topic}"), &format!("of another program {number}"));
                    stored.filter(|answer| answer["seq"].is_u64()).ok_or("it is not stored")?;
                }
                Ok(String::new())
            }
            _ => Err(format!("not known: {command}")),
        }
    }
}

/// The answer to a request, as JSON.
fn request(port: u16, subject: &str, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let length = body.len();
    let text = format!("CONNECT {{\"verbose\":false}}\r\nSUB in 1\r\nPUB {subject} in {length}\r\n{body}\r\nPING\r\n");
    stream.write_all(text.as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 0 {
        if line.starts_with("MSG ") {
            let mut payload = vec![0; line.trim_end().rsplit(' ').next()?.parse().ok()?];
            reader.read_exact(&mut payload).ok()?;
            return serde_json::from_slice(&payload).ok();
        }
        line.clear();
    }
    None
}
