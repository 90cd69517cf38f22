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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use ws_tokio::{Addresses, Server, TokioIo};

const RUNTIMES: [&str; 4] = ["tokio-current-thread", "tokio-multi-thread", "async-std", "smol"];

/// Longer than the program waits for a pong.
const STOPPED_FOR: Duration = Duration::from_secs(3);

/// A hang is a failure; nothing here takes so long.
const TOO_LONG: Duration = Duration::from_secs(60);

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// The program, and its connection to this test.
struct Stopped {
    child: Child,
    output: BufReader<ChildStdout>,
    stream: TcpStream,
    /// Whether the program is the server.
    is_server: bool,
}

impl Stopped {
    fn server(runtime: &str) -> Self {
        let (child, mut output) = program(runtime, "server");
        let address = next_line(&mut output);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        let request = "GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
        Self { child, output, stream, is_server: true }
    }

    fn client(runtime: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (child, output) = program(runtime, &listener.local_addr().unwrap().to_string());
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        let response = response_to(&read_head(&mut stream));
        stream.write_all(&response).unwrap();
        Self { child, output, stream, is_server: false }
    }

    /// The next frame: a short one.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let [first, length] = self.read();
        let key: [u8; 4] = if self.is_server { [0; 4] } else { self.read() };
        let mut payload = vec![0; usize::from(length & 0x7F)];
        self.stream.read_exact(&mut payload).unwrap();
        payload.iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        (first, payload)
    }

    fn read<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn write(&mut self, first: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        let head: &[u8] = if self.is_server { &[first, 0x80 | length, 0, 0, 0, 0] } else { &[first, length] };
        self.stream.write_all(&[head, payload].concat()).unwrap();
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().try_into().unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Stops the program after its first ping, for longer than it waits for a pong, which it is sent meanwhile or not. What
    /// comes of it: the first pong or Close frame.
    fn stop(&mut self, answers: bool) -> (u8, Vec<u8>) {
        let (first, payload) = self.frame();
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
                (TEXT, _) if answers => self.write(PING, b"alive?"),
                (PING, another) if answers => self.write(PONG, &another),
                (TEXT | PING, _) => {}
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

fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    head
}

/// A server's response, made in memory.
fn response_to(request: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = duplex(4096);
        client.write_all(request).await.unwrap();
        let _accepted = Server::new().accept(TokioIo::new(server), Addresses::default()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        head
    })
}

/// What comes of each runtime and role, all at a time.
fn each(answers: bool, check: fn(&str, (u8, Vec<u8>))) {
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
    each(true, |runtime, frame| assert_eq!(frame, (PONG, b"alive?".to_vec()), "{runtime}"));
}

#[test]
fn a_process_that_was_stopped_past_its_deadline_gives_up_a_peer_that_said_nothing() {
    each(false, |runtime, (first, payload)| {
        assert_eq!((first, &payload[..2]), (CLOSE, &1011_u16.to_be_bytes()[..]), "{runtime}");
    });
}
