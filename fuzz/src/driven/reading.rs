//! Bytes in, to wherever the connection and the setup say.

use std::borrow::Cow;

use ws_proto::frame::FrameHeader;
use ws_proto::{Event, Incoming};

use super::{Driven, MAX_CONTROL};
use crate::input::Reads;
use crate::{memory, naive};

/// How much is read elsewhere at once, where the connection may say what to read to and no frame begins.
const BUFFER: usize = 24 << 10;

impl Driven {
    /// What comes is read, to wherever the connection and the setup say, and what follows from it.
    pub fn read(&mut self, bytes: &[u8]) {
        let queued = self.queued;
        let mut left = bytes;
        while !left.is_empty() {
            let n = match self.ways_to_read() {
                Reads::Elsewhere => None,
                _ => self.read_to_message(left).or_else(|| self.read_whole(left)),
            };
            let n = n.unwrap_or_else(|| self.read_elsewhere(left));
            left = left.get(n..).expect("no more is read than there is");
        }
        self.settle();
        let answers = (self.pending_pongs + 1) * MAX_CONTROL;
        assert!(self.queued <= queued + answers as u64, "input alone made the queue grow");
    }

    /// How the next read goes.
    fn ways_to_read(&self) -> Reads {
        match self.reads {
            Reads::InTurns => [Reads::Elsewhere, Reads::Offered, Reads::Spacious][self.read.len() % 3],
            reads => reads,
        }
    }

    /// Reads to a buffer of ours: all that is there or, where the connection may offer another next, a frame, as if the
    /// peer rested behind it.
    fn read_elsewhere(&mut self, bytes: &[u8]) -> usize {
        let n = match self.reads {
            Reads::Elsewhere => bytes.len(),
            _ => naive::frame(bytes).map_or(BUFFER, |frame| frame.size).min(bytes.len()),
        };
        self.read.extend_from_slice(&bytes[..n]);
        self.receive(bytes[..n].to_vec().as_mut_slice());
        n
    }

    /// Reads to where the rest of a long message belongs, when the connection offers that.
    fn read_to_message(&mut self, bytes: &[u8]) -> Option<usize> {
        let now = self.now;
        let (room, held) = memory::held(|| self.connection.payload_buffer());
        self.held += held;
        let room = room?;
        assert!((16 << 10..=256 << 10).contains(&room.len()), "room for {}", room.len());
        let n = room.len().min(bytes.len());
        room[..n].copy_from_slice(&bytes[..n]);
        self.read.extend_from_slice(&bytes[..n]);
        let (event, held) = memory::held(|| self.connection.payload_received(n, now));
        self.held += held;
        if let Some(event) = event {
            self.saw(event);
        }
        Some(n)
    }

    /// Reads to memory that the next message may keep, when the connection expects a long one.
    fn read_whole(&mut self, bytes: &[u8]) -> Option<usize> {
        let (size, now) = (self.connection.whole_message_size()?, self.now);
        // The beginning of its header may have come already.
        let least = (16 << 10) - FrameHeader::MAX_SIZE;
        assert!((least..=(256 << 10) + FrameHeader::MAX_SIZE + 1).contains(&size), "{size} to be read");
        let n = size.min(bytes.len());
        self.read.extend_from_slice(&bytes[..n]);
        // As the connection may keep it, so much is held until it turns out not to.
        let (mut input, held) = memory::held(|| {
            let mut input = match self.ways_to_read() {
                Reads::Spacious => Vec::with_capacity(2 * size),
                _ => Vec::with_capacity(size),
            };
            input.extend_from_slice(&bytes[..n]);
            input
        });
        self.held += held;
        let (event, held) = memory::held(|| self.connection.receive_whole(&mut input, now));
        self.held += held;
        if let Some(event) = event {
            let Event::Message(Incoming::Binary(Cow::Owned(bytes))) = &event else { panic!("{event:?} keeps nothing") };
            let most = 2 * (bytes.len() + FrameHeader::MAX_SIZE);
            assert!(bytes.capacity() <= most, "{} bytes in memory for {}", bytes.len(), bytes.capacity());
            self.saw(event);
        }
        self.receive(&mut input);
        let ((), held) = memory::held(|| drop(input));
        self.held += held;
        Some(n)
    }

    fn receive(&mut self, mut input: &mut [u8]) {
        loop {
            let (before, is_open, now) = (input.len(), self.connection.is_open(), self.now);
            let (event, held) = memory::held(|| self.connection.receive(&mut input, now));
            self.held += held;
            let Some(event) = event else { break };
            assert!(input.len() < before || matches!(event, Event::Closed(_)), "an event out of nothing");
            if let (Event::Ping(payload), true) = (&event, is_open) {
                self.last_ping = Some(payload.to_vec());
            }
            self.saw(event);
        }
        assert!(input.is_empty(), "input is left over");
    }
}

/// Memory that is larger than what was asked for, and not empty.
pub(super) fn used_before(size: usize) -> Vec<u8> {
    vec![0xEE; size + size / 2]
}
