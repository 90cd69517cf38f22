//! A server with too few file descriptors: it waits, says so once, and goes on when it has some again. Not on smol, whose
//! executor panics in a thread of its own when it has no descriptor for SIGCHLD (async-process).
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ws_test_support::opening::REQUEST;

/// A hang is a failure; nothing here takes so long.
const TOO_LONG: Duration = Duration::from_secs(60);

/// The descriptors of the server, and more connections than that.
const DESCRIPTORS: usize = 64;
const CONNECTIONS: usize = 100;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_server_goes_on_when_it_has_file_descriptors_again() {
    for runtime in ["tokio", "async-std"] {
        let mut server = Server(
            Command::new("sh")
                .args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$0\" {runtime}")])
                .arg(env!("CARGO_BIN_EXE_plain-server"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut output = BufReader::new(server.0.stdout.take().unwrap());
        let mut log = BufReader::new(server.0.stderr.take().unwrap());
        let address = line(&mut output);
        let many: Vec<_> = (0..CONNECTIONS).map(|_| TcpStream::connect(&address).unwrap()).collect();
        let told = line(&mut log);
        assert!(told.starts_with("cannot accept connections: Too many open files (os error 24). "), "{told}");
        assert!(told.contains("ulimit -n"), "{told}");
        drop(many);
        // It is accepted behind those that have left.
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.write_all(REQUEST).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(head, *b"HTTP/1.1 101", "{runtime}");
        let told = line(&mut log);
        assert!(told.starts_with("accepting connections works again, after "), "{told}");
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
