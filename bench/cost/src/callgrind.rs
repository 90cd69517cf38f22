//! Counts instructions: this program runs itself under callgrind, which counts within one function and says so each time
//! that the function returns.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::subjects::{Job, Subject};

/// A process under callgrind that is given inputs.
pub(crate) struct Counter {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    directory: PathBuf,
    runs: u64,
}

impl Counter {
    pub(crate) fn start() -> Result<Self> {
        let directory = env::temp_dir().join(format!("cost-{}-{:?}", std::process::id(), std::thread::current().id()));
        fs::create_dir_all(&directory)?;
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["-q", "--tool=callgrind", "--toggle-collect=*counted_run*", "--dump-before=*count_ends*"]);
        valgrind.arg(format!("--callgrind-out-file={}", directory.join("out").display()));
        valgrind.arg(env::current_exe()?).arg("worker");
        let mut process = valgrind.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("no valgrind")?;
        let output = BufReader::new(process.stdout.take().context("it is piped")?);
        Ok(Self { input: process.stdin.take(), output, process, directory, runs: 0 })
    }

    /// How many instructions it takes `subject` to read `input`.
    pub(crate) fn count(&mut self, subject: Subject, input: &[u8]) -> Result<u64> {
        let pipe = self.input.as_mut().context("it is open")?;
        writeln!(pipe, "{} {}", subject.name(), hex(input))?;
        pipe.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        ensure!(line.trim() == "done", "{} failed on {}", subject.name(), hex(input));
        self.runs += 1;
        let path = self.directory.join(format!("out.{}", self.runs));
        let dump = fs::read_to_string(&path).with_context(|| format!("callgrind left no {}", path.display()))?;
        fs::remove_file(&path)?;
        let count = dump.lines().find_map(|line| line.strip_prefix("totals: ")).context("a dump without a total")?;
        Ok(count.trim().parse()?)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // At the end of its input it ends.
        self.input = None;
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The other side: runs what comes line by line.
pub(crate) fn work() -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let Some((subject, input)) = line.split_once(' ') else { bail!("{line:?}") };
        let (subject, input) = (subject.parse::<Subject>()?, unhex(input)?);
        // What is set up once in a process does not count.
        subject.prepare(&input)();
        counted_run(&mut subject.prepare(&input));
        count_ends();
        println!("done");
    }
    Ok(())
}

/// What is counted. Something follows the call, so that it is no jump that callgrind does not see the end of.
#[inline(never)]
fn counted_run(job: &mut Job) {
    job();
    black_box(());
}

/// Where callgrind writes down what it has counted.
#[inline(never)]
fn count_ends() {
    black_box(());
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.trim().chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.context("hexadecimal digits")?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect())
}
