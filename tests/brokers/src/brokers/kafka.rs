//! Two that speak Kafka's protocol: the mock cluster of librdkafka, which keeps what it has when it is down, and Tansu in memory,
//! which loses all when it is killed. Apache Kafka itself is not among them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::Signal;

use crate::Outcome;
use crate::broker::Broker;
use crate::process::{Process, free_port, wait_for_port};

const TOPIC: &str = "ws-hub";
/// So few that topics share partitions.
const PARTITIONS: &str = "3";

/// The mock cluster, in a process of Python. Of each partition it keeps 5 MB.
struct Mock {
    server: String,
    process: Process,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

pub(super) fn start_mock(folder: &Path) -> Outcome<Box<dyn Broker>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/brokers/kafka_mock.py");
    let errors = std::fs::File::create(folder.join("mock.log")).map_err(|error| error.to_string())?;
    let mut command = Command::new("python3");
    command.arg(program).args([TOPIC, PARTITIONS]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
    let mut child = command.spawn().map_err(|error| format!("python3 does not start: {error}"))?;
    let (commands, answers) = (child.stdin.take(), child.stdout.take());
    let (commands, answers) = commands.zip(answers).ok_or("no pipes")?;
    let process = Process::of(child);
    let mut mock = Mock { server: String::new(), process, commands, answers: BufReader::new(answers) };
    mock.server = mock.line()?;
    Ok(Box::new(mock))
}

impl Mock {
    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        if line.is_empty() { Err("the mock cluster has ended".to_owned()) } else { Ok(line.trim().to_owned()) }
    }

    fn command(&mut self, command: &str) -> Outcome {
        writeln!(self.commands, "{command}").map_err(|error| error.to_string())?;
        self.line().map(drop)
    }
}

impl Broker for Mock {
    fn backplane(&self) -> String {
        format!("kafka {}", self.server)
    }

    fn start(&mut self) -> Outcome {
        self.command("up")
    }

    fn kill(&mut self) -> Outcome {
        self.command("down")
    }

    fn wipe(&mut self) -> Outcome {
        Err("it cannot be emptied".to_owned())
    }

    fn freeze(&mut self) -> Outcome {
        self.process.signal(Signal::SIGSTOP)
    }

    fn thaw(&mut self) -> Outcome {
        self.process.signal(Signal::SIGCONT)
    }

    fn drop_clients(&mut self) -> Outcome {
        self.command("down")?;
        self.command("up")
    }

    /// All but the last record of each partition.
    fn empty(&mut self) -> Outcome {
        self.command("delete")
    }
}

struct Tansu {
    folder: PathBuf,
    port: u16,
    process: Process,
}

pub(super) fn start_tansu(folder: &Path) -> Outcome<Box<dyn Broker>> {
    let port = free_port();
    let mut broker = Tansu { folder: folder.to_owned(), port, process: spawn(folder, port)? };
    wait_for_port(port, &mut broker.process)?;
    Ok(Box::new(broker))
}

fn spawn(folder: &Path, port: u16) -> Outcome<Process> {
    let url = format!("tcp://127.0.0.1:{port}");
    let mut command = Command::new("tansu");
    command.args(["broker", "--storage-engine", "memory://tansu/"]);
    command.args(["--listener-url", &url, "--advertised-listener-url", &url]);
    Process::start(&mut command, folder, "tansu")
}

impl Broker for Tansu {
    fn backplane(&self) -> String {
        format!("kafka 127.0.0.1:{}", self.port)
    }

    fn start(&mut self) -> Outcome {
        self.process = spawn(&self.folder, self.port)?;
        wait_for_port(self.port, &mut self.process)
    }

    fn kill(&mut self) -> Outcome {
        self.process.kill();
        Ok(())
    }

    /// It has stored nothing.
    fn wipe(&mut self) -> Outcome {
        Ok(())
    }

    fn freeze(&mut self) -> Outcome {
        self.process.signal(Signal::SIGSTOP)
    }

    fn thaw(&mut self) -> Outcome {
        self.process.signal(Signal::SIGCONT)
    }

    fn drop_clients(&mut self) -> Outcome {
        Err("it cannot".to_owned())
    }

    fn empty(&mut self) -> Outcome {
        Err("it cannot".to_owned())
    }
}
