//! A process that is stopped, and goes on when its pong deadline has passed: a pong that came meanwhile lies in the socket,
//! and is seen before the deadline is judged. On each runtime.
//!
//! The process is stopped while its handler is at work, so that the driver runs before the runtime has asked the system about
//! the socket. One that waits for the system when it is stopped finds the pong in any case.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use ws_test_support::frames::{CLOSE, Frame, KEY, PING, PONG, Received, TEXT, frame, pong};
use ws_test_support::opening::{REQUEST, response_to};

const RUNTIMES: [&str; 4] = ["tokio-current-thread", "tokio-multi-thread", "async-std", "smol"];

/// Longer than the program waits for a pong.
const STOPPED_FOR: Duration = Duration::from_secs(3);

/// A hang is a failure; nothing here takes so long.
const TOO_LONG: Duration = Duration::from_secs(60);

/// The program, and its connection to this test.
struct Stopped {
    child: Child,
    output: BufReader<ChildStdout>,
    stream: TcpStream,
    /// Bytes that were read and not yet taken.
    received: Received,
    /// The masking key of this test, while the program is the server.
    key: Option<[u8; 4]>,
}

impl Stopped {
    fn server(runtime: &str) -> Self {
        let (child, mut output) = program(runtime, "server");
        let address = next_line(&mut output);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        stream.write_all(REQUEST).unwrap();
        let mut stopped = Self { child, output, stream, received: Received::default(), key: Some(KEY) };
        let head = stopped.wait_for(Received::head);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        stopped
    }

    fn client(runtime: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (child, output) = program(runtime, &listener.local_addr().unwrap().to_string());
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        let mut stopped = Self { child, output, stream, received: Received::default(), key: None };
        let request = stopped.wait_for(Received::head);
        stopped.stream.write_all(&response_to(request.as_bytes())).unwrap();
        stopped
    }

    /// Reads until `find` succeeds.
    fn wait_for<T>(&mut self, mut find: impl FnMut(&mut Received) -> Option<T>) -> T {
        loop {
            if let Some(found) = find(&mut self.received) {
                return found;
            }
            let mut part = [0; 4096];
            let n = self.stream.read(&mut part).unwrap();
            assert!(n > 0, "the end of the stream");
            self.received.bytes.extend(&part[..n]);
        }
    }

    fn frame(&mut self) -> Frame {
        let found = self.wait_for(Received::frame);
        assert_ne!(found.key.is_some(), self.key.is_some(), "only clients mask");
        found.frame
    }

    fn write(&mut self, first: u8, payload: &[u8]) {
        self.stream.write_all(&frame(first, payload, self.key)).unwrap();
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().try_into().unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Stops the program after its first ping, for longer than it waits for a pong, which it is sent meanwhile or not. What
    /// comes of it: the first pong or Close frame.
    fn stop(&mut self, answers: bool) -> Frame {
        let Frame(first, payload) = self.frame();
        assert_eq!(first, PING);
        assert_eq!(next_line(&mut self.output), "busy");
        self.signal(Signal::STOP);
        if answers {
            self.write(PONG, &payload);
        }
        thread::sleep(STOPPED_FOR);
        // The handler goes on as soon as the process does.
        self.child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        self.signal(Signal::CONT);
        loop {
            match self.frame() {
                // Only once it has gone on: until then nothing but the pong shows that its peer is there.
                Frame(TEXT, _) if answers => self.write(PING, b"alive?"),
                Frame(PING, another) if answers => self.write(PONG, &another),
                Frame(TEXT | PING, _) => {}
                other => break other,
            }
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn program(runtime: &str, role: &str) -> (Child, BufReader<ChildStdout>) {
    let program = env!("CARGO_BIN_EXE_keeps-alive");
    let mut command = Command::new(program);
    let mut child = command.args([runtime, role]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn next_line(output: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// What comes of each runtime and role, all at a time.
fn each(answers: bool, check: fn(&str, Frame)) {
    thread::scope(|scope| {
        for runtime in RUNTIMES {
            for begin in [Stopped::server, Stopped::client] {
                scope.spawn(move || check(runtime, begin(runtime).stop(answers)));
            }
        }
    });
}

#[test]
fn a_pong_that_came_in_time_keeps_a_process_alive_that_was_stopped_past_its_deadline() {
    each(true, |runtime, frame| assert_eq!(frame, pong("alive?"), "{runtime}"));
}

#[test]
fn a_process_that_was_stopped_past_its_deadline_gives_up_a_peer_that_said_nothing() {
    each(false, |runtime, Frame(first, payload)| {
        assert_eq!((first, &payload[..2]), (CLOSE, &1011_u16.to_be_bytes()[..]), "{runtime}");
    });
}
