//! Redis and Valkey: one, and a master with a replica and three Sentinels.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::broker::Broker;
use crate::process::{Process, free_port, wait, wait_for_port};

struct Redis {
    program: &'static str,
    folder: PathBuf,
    port: u16,
    process: Process,
}

pub(super) fn start_redis(folder: &Path) -> Outcome<Box<dyn Broker>> {
    Ok(Box::new(Redis::new("redis-server", folder, free_port())?))
}

pub(super) fn start_valkey(folder: &Path) -> Outcome<Box<dyn Broker>> {
    Ok(Box::new(Redis::new("valkey-server", folder, free_port())?))
}

impl Redis {
    fn new(program: &'static str, folder: &Path, port: u16) -> Outcome<Self> {
        let folder = folder.join(format!("redis-{port}"));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let process = spawn(program, &folder, port)?;
        let mut broker = Self { program, folder, port, process };
        broker.ready()?;
        Ok(broker)
    }

    fn ready(&mut self) -> Outcome {
        let port = self.port;
        wait_for_port(port, &mut self.process)?;
        // It may load its data first.
        wait(Duration::from_secs(20), "PONG", || Ok(ask(port, "PING").is_ok_and(|answer| answer == "+PONG")))
    }
}

fn spawn(program: &str, folder: &Path, port: u16) -> Outcome<Process> {
    let port = port.to_string();
    let mut command = Command::new(program);
    command.args([
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]);
    command.args(["--repl-diskless-sync-delay", "0"]).arg("--dir").arg(folder);
    Process::start(&mut command, folder, "redis")
}

impl Broker for Redis {
    fn backplane(&self) -> String {
        format!("redis redis://127.0.0.1:{}", self.port)
    }

    fn start(&mut self) -> Outcome {
        self.process = spawn(self.program, &self.folder, self.port)?;
        self.ready()
    }

    fn kill(&mut self) -> Outcome {
        self.process.kill();
        Ok(())
    }

    fn wipe(&mut self) -> Outcome {
        std::fs::remove_dir_all(self.folder.join("appendonlydir")).map_err(|error| error.to_string())
    }

    fn freeze(&mut self) -> Outcome {
        self.process.signal(Signal::SIGSTOP)
    }

    fn thaw(&mut self) -> Outcome {
        self.process.signal(Signal::SIGCONT)
    }

    fn drop_clients(&mut self) -> Outcome {
        match ask(self.port, "CLIENT KILL TYPE pubsub")? {
            killed if killed != ":0" => Ok(()),
            _ => Err("there was no subscriber to close".to_owned()),
        }
    }

    fn empty(&mut self) -> Outcome {
        ask(self.port, "FLUSHALL").map(drop)
    }

    fn command(&mut self, command: &str) -> Outcome<String> {
        ask(self.port, command)
    }
}

/// A master, a replica of it, and three Sentinels.
struct Sentinel {
    sentinels: Vec<(u16, Process)>,
    /// The first is the master at first.
    brokers: Vec<Redis>,
}

const SERVICE: &str = "main";

pub(super) fn start_sentinel(folder: &Path) -> Outcome<Box<dyn Broker>> {
    let brokers =
        vec![Redis::new("redis-server", folder, free_port())?, Redis::new("redis-server", folder, free_port())?];
    let master = brokers[0].port;
    ask(brokers[1].port, &format!("REPLICAOF 127.0.0.1 {master}"))?;
    wait(Duration::from_secs(30), "the replica", || {
        Ok(info(brokers[1].port).is_some_and(|info| info.contains("master_link_status:up")))
    })?;
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        let port = free_port();
        let file = folder.join(format!("sentinel-{port}.conf"));
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {SERVICE} 4000\nsentinel failover-timeout {SERVICE} 5000\n",
            folder.display()
        );
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel");
        let mut process = Process::start(&mut command, folder, &format!("sentinel-{port}"))?;
        wait_for_port(port, &mut process)?;
        sentinels.push((port, process));
    }
    for (port, _) in &sentinels {
        // A failover needs that they know each other and the replica.
        wait(Duration::from_secs(30), "the Sentinels", || {
            let count = |what| {
                lines(*port, &format!("SENTINEL {what} {SERVICE}"), 200).iter().filter(|line| *line == "runid").count()
            };
            Ok(count("SENTINELS") == 2 && count("REPLICAS") == 1)
        })?;
    }
    Ok(Box::new(Sentinel { sentinels, brokers }))
}

impl Sentinel {
    fn master(&mut self) -> Outcome<usize> {
        let answer = lines(self.sentinels[0].0, &format!("SENTINEL get-master-addr-by-name {SERVICE}"), 5);
        let is_master = |broker: &Redis| answer.contains(&broker.port.to_string());
        self.brokers.iter().position(is_master).ok_or_else(|| format!("no master: {answer:?}"))
    }
}

impl Broker for Sentinel {
    fn backplane(&self) -> String {
        let ports: Vec<_> = self.sentinels.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect();
        format!("redis redis+sentinel://{}/{SERVICE}", ports.join(","))
    }

    /// The other one is the master then.
    fn start(&mut self) -> Outcome {
        for broker in &mut self.brokers {
            if !broker.process.runs() {
                broker.start()?;
            }
        }
        Ok(())
    }

    fn kill(&mut self) -> Outcome {
        let master = self.master()?;
        self.brokers[master].kill()
    }

    fn wipe(&mut self) -> Outcome {
        Err("it cannot be emptied".to_owned())
    }

    /// The master alone.
    fn freeze(&mut self) -> Outcome {
        let master = self.master()?;
        self.brokers[master].freeze()
    }

    fn thaw(&mut self) -> Outcome {
        self.brokers.iter_mut().try_for_each(Redis::thaw)
    }

    fn drop_clients(&mut self) -> Outcome {
        let master = self.master()?;
        self.brokers[master].drop_clients()
    }

    fn empty(&mut self) -> Outcome {
        let master = self.master()?;
        self.brokers[master].empty()
    }
}

/// The first line of the answer to a command of words.
fn ask(port: u16, command: &str) -> Outcome<String> {
    lines(port, command, 1).pop().ok_or_else(|| format!("{command}: no answer"))
}

fn info(port: u16) -> Option<String> {
    Some(lines(port, "INFO replication", 30).join("\n"))
}

/// At most so many lines of the answer.
fn lines(port: u16, command: &str, limit: usize) -> Vec<String> {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return Vec::new() };
    let time = if limit == 1 { Duration::from_secs(5) } else { Duration::from_millis(200) };
    if stream.set_read_timeout(Some(time)).and_then(|()| stream.write_all(format!("{command}\r\n").as_bytes())).is_err()
    {
        return Vec::new();
    }
    BufReader::new(stream).lines().map_while(Result::ok).take(limit).collect()
}
