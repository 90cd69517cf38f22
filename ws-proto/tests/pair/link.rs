//! Both ends and the link between them.

use std::collections::VecDeque;
use std::time::Duration;

use ws_proto::{Buf, Config, Role, Timestamp, TransportState};

use crate::common::*;

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// Both ends and the link between them.
pub(crate) struct Pair {
    pub(crate) now: Timestamp,
    pub(crate) ends: [End; 2],
    /// What is on its way from each end.
    pub(crate) pipes: [Pipe; 2],
    /// When each end has said that it will write no more, by a half-close or by letting go.
    pub(crate) finished: [Option<Timestamp>; 2],
    /// When each end has let go of the transport.
    pub(crate) gone: [Option<Timestamp>; 2],
    /// Whether an end sends back each message.
    pub(crate) echoes: [bool; 2],
}

pub(crate) struct Pipe {
    pub(crate) latency: Duration,
    /// In bytes a second.
    pub(crate) rate: u64,
    /// The most bytes that travel as one piece.
    pub(crate) piece: usize,
    /// When the next piece can be put on it.
    pub(crate) free_at: Timestamp,
    /// The pieces and when they arrive; `None` is the end.
    pub(crate) pieces: VecDeque<(Timestamp, Option<Vec<u8>>)>,
    pub(crate) is_cut: bool,
}

impl Pair {
    pub(crate) fn new(config: &Config) -> Self {
        Self::with(config, config, Duration::from_millis(20), 10_000_000, 1500)
    }

    pub(crate) fn with(server: &Config, client: &Config, latency: Duration, rate: u64, piece: usize) -> Self {
        let pipe = || Pipe { latency, rate, piece, free_at: Timestamp::ZERO, pieces: VecDeque::new(), is_cut: false };
        let mut ends = [End::new(Role::Server, server), End::new(Role::Client, client)];
        ends.iter_mut().for_each(|end| end.writable = false);
        Self {
            now: Timestamp::ZERO,
            ends,
            pipes: [pipe(), pipe()],
            finished: [None; 2],
            gone: [None; 2],
            echoes: [false; 2],
        }
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, then: Timestamp) {
        let mut rounds = 0;
        loop {
            for i in [SERVER, CLIENT] {
                self.ends[i].now = self.now;
                while self.write(i) || self.deliver(i) {}
                self.settle(i);
            }
            rounds += 1;
            assert!(rounds < 1_000_000, "it never comes to rest");
            match self.next_time() {
                Some(next) if next <= then => self.now = self.now.max(next),
                _ => break,
            }
        }
        self.now = then;
        self.ends.iter_mut().for_each(|end| end.now = then);
    }

    #[track_caller]
    pub(crate) fn run(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// One piece from an end onto its pipe, when there is one and the pipe is free.
    pub(crate) fn write(&mut self, i: usize) -> bool {
        let (end, pipe) = (&mut self.ends[i], &mut self.pipes[i]);
        if self.gone[i].is_some() || pipe.free_at > self.now || !end.connection.outgoing().has_remaining() {
            return false;
        }
        assert_eq!(self.finished[i], None, "something follows a half-close");
        let before = end.written.len();
        end.take(pipe.piece);
        let bytes = end.written[before..].to_vec();
        pipe.free_at = self.now + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / pipe.rate);
        if !pipe.is_cut {
            pipe.pieces.push_back((pipe.free_at + pipe.latency, Some(bytes)));
        }
        true
    }

    /// One piece that has arrived at an end.
    pub(crate) fn deliver(&mut self, i: usize) -> bool {
        let pipe = &mut self.pipes[1 - i];
        if pipe.pieces.front().is_none_or(|(arrives, _)| *arrives > self.now) {
            return false;
        }
        let Some((_, piece)) = pipe.pieces.pop_front() else { return false };
        if self.gone[i].is_some() {
            return true;
        }
        let end = &mut self.ends[i];
        match piece {
            Some(bytes) => {
                let before = end.seen.len();
                end.read(bytes);
                if self.echoes[i] {
                    for event in &end.seen[before..] {
                        // Refused when the connection is closing by now.
                        let _ = match event {
                            Seen::Text(text) => end.connection.send_text(text),
                            Seen::Binary(bytes) => end.connection.send_binary(bytes),
                            _ => Ok(()),
                        };
                    }
                }
            }
            None => end.eof(),
        }
        true
    }

    /// Deadlines, and what the protocol asks of the transport.
    #[track_caller]
    pub(crate) fn settle(&mut self, i: usize) {
        let end = &mut self.ends[i];
        if self.gone[i].is_none() && end.deadline().is_some_and(|deadline| deadline <= self.now) {
            end.wake();
        }
        let transport = end.transport();
        if transport != TransportState::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            let pipe = &mut self.pipes[i];
            if !pipe.is_cut {
                pipe.pieces.push_back((pipe.free_at.max(self.now) + pipe.latency, None));
            }
        }
        if transport == TransportState::Closed && self.gone[i].is_none() {
            self.gone[i] = Some(self.now);
        }
    }

    pub(crate) fn next_time(&mut self) -> Option<Timestamp> {
        let mut times = vec![];
        for i in [SERVER, CLIENT] {
            times.extend(self.pipes[i].pieces.front().map(|(arrives, _)| *arrives));
            if self.gone[i].is_none() {
                times.extend(self.ends[i].deadline());
                times.extend(self.ends[i].connection.outgoing().has_remaining().then_some(self.pipes[i].free_at));
            }
        }
        times.into_iter().min()
    }

    pub(crate) fn cut(&mut self) {
        for pipe in &mut self.pipes {
            pipe.is_cut = true;
            pipe.pieces.clear();
        }
    }

    /// The messages that an end has received.
    #[track_caller]
    pub(crate) fn received(&self, i: usize) -> Vec<Seen> {
        let mut events = put_together(self.ends[i].before_closed());
        events.retain(|event| matches!(event, Seen::Text(_) | Seen::Binary(_)));
        events
    }

    /// The codes of the frames each end has sent and received, as it reported them.
    #[track_caller]
    pub(crate) fn codes(&self, i: usize) -> (Option<u16>, Option<u16>) {
        let outcome = self.ends[i].outcome().expect("it has ended");
        let code = |frame: &Option<ws_proto::CloseFrame>| frame.as_ref().map(|frame| frame.code.into());
        (code(&outcome.sent), code(&outcome.received))
    }

    #[track_caller]
    pub(crate) fn assert_over(&mut self) {
        for end in &mut self.ends {
            end.assert_over();
        }
        assert!(self.gone.iter().all(Option::is_some));
    }
}
