//! Runs a program under callgrind.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use load::Row;

use crate::loads::{Direction, Echo, receive};

/// All instructions of a program that gets this load.
pub(crate) fn instructions(
    program: &Path,
    form: &str,
    direction: Direction,
    row: &Row,
    rounds: usize,
    kept: Option<&Path>,
) -> Result<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind");
    valgrind.arg(format!("--callgrind-out-file={}", kept.unwrap_or(Path::new("/dev/null")).display()));
    valgrind.arg(program);
    valgrind.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let size = row.size.to_string();
    match direction {
        Direction::Echo => {
            let mut server = valgrind.args(["echo", form, &size]).spawn().context("valgrind is not installed")?;
            let mut port = String::new();
            BufReader::new(server.stdout.take().context("it is piped")?).read_line(&mut port)?;
            let mut echo = Echo::start((Ipv4Addr::LOCALHOST, port.trim().parse()?).into(), row)?;
            (0..rounds).try_for_each(|_| echo.round())?;
            // The connections stay open until the server is gone: ending them is not counted, and not by chance in part.
            drop(server.stdin.take());
            collected(server)
        }
        Direction::Receive => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = listener.local_addr()?.to_string();
            let mut client = valgrind.args(["receive", form, &size, &address]).spawn().context("no valgrind")?;
            let input = client.stdin.take();
            receive(&listener, row, rounds)?;
            let count = collected(client);
            drop(input);
            count
        }
    }
}

/// Waits for the end of the program and reads the count.
fn collected(mut program: Child) -> Result<f64> {
    let mut text = String::new();
    program.stderr.take().context("it is piped")?.read_to_string(&mut text)?;
    ensure!(program.wait()?.success(), "{text}");
    let count = text.lines().find_map(|line| line.split_once("Collected :")).with_context(|| text.clone())?;
    Ok(count.1.trim().parse()?)
}
