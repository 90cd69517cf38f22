//! Bytes in, to wherever the connection and the setup say.

use std::borrow::Cow;

use ws_proto::frame::FrameHeader;
use ws_proto::{Event, Incoming, Memory, ReadBuffer};

use super::{Driven, MAX_CONTROL};
use crate::input::Reads;
use crate::{memory, naive};

/// How much is read at once, where the connection may say what to read to and no frame begins.
const BUFFER: usize = 24 << 10;

impl Driven {
    /// What comes is read, to wherever the connection and the setup say, and what follows from it.
    pub fn read(&mut self, bytes: &[u8]) {
        let queued = self.queued;
        let mut left = bytes;
        while !left.is_empty() {
            let n = match self.ways_to_read() {
                Reads::Elsewhere => self.read_elsewhere(left),
                _ => self.read_as_told(left),
            };
            left = left.get(n..).expect("no more is read than there is");
        }
        self.settle();
        let answers = (self.pending_pongs + 1) * MAX_CONTROL;
        assert!(self.queued <= queued + answers as u64, "input alone made the queue grow");
    }

    /// How the next read goes.
    fn ways_to_read(&self) -> Reads {
        match self.reads {
            Reads::InTurns => [Reads::Elsewhere, Reads::Offered, Reads::Faulty][self.read.len() % 3],
            reads => reads,
        }
    }

    /// Reads to memory of ours: all that is there or, where the connection says what to read to at other times, a frame, as
    /// if the peer rested behind it.
    fn read_elsewhere(&mut self, bytes: &[u8]) -> usize {
        let n = match self.reads {
            Reads::Elsewhere => bytes.len(),
            _ => naive::frame(bytes).map_or(BUFFER, |frame| frame.size).min(bytes.len()),
        };
        self.read.extend_from_slice(&bytes[..n]);
        self.receive(bytes[..n].to_vec().as_mut_slice());
        n
    }

    /// Reads to where the connection says, one frame at most, as if the peer rested behind it. The buffer lives no longer
    /// than that, so that what the connection holds can be told.
    fn read_as_told(&mut self, bytes: &[u8]) -> usize {
        let (mut buffer, held) = memory::held(|| {
            let mut buffer = ReadBuffer::new(BUFFER);
            buffer.shared();
            buffer
        });
        self.held += held;
        let shared = buffer.shared().as_ptr();
        let (room, held) = memory::held(|| self.connection.read_buffer(&mut buffer));
        self.held += held;
        assert!(!room.is_empty(), "reading to nothing looks like the end");
        let rests = match room.as_ptr() == shared {
            true => naive::frame(bytes).map_or(BUFFER, |frame| frame.size),
            false => {
                // The rest of a message, or one with its header; the beginning of that may have come already.
                let least = (16 << 10) - FrameHeader::MAX_SIZE;
                let most = (256 << 10) + FrameHeader::MAX_SIZE + 1;
                assert!((least..=most).contains(&room.len()), "room for {}", room.len());
                usize::MAX
            }
        };
        let n = room.len().min(bytes.len()).min(rests);
        room[..n].copy_from_slice(&bytes[..n]);
        self.read.extend_from_slice(&bytes[..n]);
        let (input, held) = memory::held(|| self.connection.received(n, &mut buffer));
        self.held += held;
        self.receive(input);
        let ((), held) = memory::held(|| drop(buffer));
        self.held += held;
        n
    }

    fn receive(&mut self, mut input: &mut [u8]) {
        loop {
            let (before, is_open, now) = (input.len(), self.connection.is_open(), self.now);
            let (event, held) = memory::held(|| self.connection.receive(&mut input, now));
            self.held += held;
            let Some(event) = event else { break };
            // A long message may have been read to where it lies, and be complete.
            let is_long = matches!(&event, Event::Message(message) if message.as_bytes().len() >= 16 << 10);
            let needs_input = !(is_long || matches!(event, Event::Closed(_)));
            assert!(input.len() < before || !needs_input, "an event out of nothing");
            if let (Event::Ping(payload), true) = (&event, is_open) {
                self.last_ping = Some(payload.to_vec());
            }
            if let Event::Message(Incoming::Binary(Cow::Owned(bytes))) = &event {
                let most = 2 * (bytes.len() + FrameHeader::MAX_SIZE);
                assert!(bytes.capacity() <= most, "{} bytes in memory for {}", bytes.len(), bytes.capacity());
            }
            self.saw(event);
        }
        assert!(input.is_empty(), "input is left over");
    }
}

/// Gives what was asked for. Nothing is kept between two uses, so that what a connection holds can be told.
#[derive(Debug)]
pub(super) struct Fresh;

impl Memory for Fresh {
    fn take_queue(&self) -> Vec<u8> {
        Vec::with_capacity(7)
    }
}

/// Gives memory that is too small, or larger than what was asked for, and not empty.
#[derive(Debug)]
pub(super) struct Faulty;

impl Memory for Faulty {
    fn take_message(&self, size: usize) -> Vec<u8> {
        match size % 4 {
            0 => vec![],
            1 => vec![0xEE; size - 1],
            2 => vec![0xEE; size + size / 2],
            _ => vec![0xEE; 3 * size],
        }
    }

    fn take_queue(&self) -> Vec<u8> {
        vec![0xEE; 7]
    }
}
