//! The runner's arguments for a program: `NAME TASK FORM MESSAGE_SIZE [ADDRESS]`.

use std::io::{self, Error, Write};
use std::net::SocketAddr;

use bytes::Bytes;

/// One program, once.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub task: Task,
    pub form: Form,
    /// How long the messages to come are; a form that can be tuned may use it.
    pub message_size: usize,
    /// Where a client connects to.
    pub server: Option<SocketAddr>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A server that sends back what it gets.
    Echo,
    /// A server that sends every publication to every connection.
    FanOut,
    /// An echo server that pings each connection once a second.
    Keepalive,
    /// An echo server that agrees to permessage-deflate and compresses what it sends back.
    Deflate {
        /// Whether a message may refer to those before it.
        takeover: bool,
    },
    /// A client that takes what comes.
    Receive,
    /// A client that sends the same message over and over.
    Send,
}

/// How a library is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As its README shows it.
    Loop,
    /// As another of its examples shows it.
    Forward,
    /// As someone would who has read its source.
    Tuned,
}

impl Job {
    pub(crate) fn from_args() -> io::Result<Self> {
        let args: Vec<String> = std::env::args().skip(1).collect();
        Self::parse(&args).ok_or_else(|| {
            Error::other(
                "arguments: echo|fan-out|keepalive|deflate|deflate-takeover|receive|send loop|forward|tuned \
                 MESSAGE_SIZE [ADDRESS]",
            )
        })
    }

    fn parse(args: &[String]) -> Option<Self> {
        let (task, form, message_size, server) = match args {
            [task, form, size] => (task, form, size, None),
            [task, form, size, server] => (task, form, size, Some(server.parse().ok()?)),
            _ => return None,
        };
        let task = match task.as_str() {
            "echo" => Task::Echo,
            "fan-out" => Task::FanOut,
            "keepalive" => Task::Keepalive,
            "deflate" => Task::Deflate { takeover: false },
            "deflate-takeover" => Task::Deflate { takeover: true },
            "receive" => Task::Receive,
            "send" => Task::Send,
            _ => return None,
        };
        let form = match form.as_str() {
            "loop" => Form::Loop,
            "forward" => Form::Forward,
            "tuned" => Form::Tuned,
            _ => return None,
        };
        Some(Self { task, form, message_size: message_size.parse().ok()?, server })
    }

    /// What a client sends.
    pub fn message(&self) -> Bytes {
        (0..self.message_size).map(|index| (index * 7) as u8).collect()
    }

    /// For what a library cannot do: says so where the runner waits for a port.
    pub fn unsupported(&self) -> io::Result<()> {
        writeln!(io::stdout(), "unsupported")
    }
}
