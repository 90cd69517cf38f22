//! Payload that is read to where it lies in its message, without passing through the caller's buffer.

use super::Receiver;
use crate::config::{Config, Delivery};
use crate::message::Incoming;

impl Receiver {
    /// Room for the payload that comes next, when it is part of a long binary message that somebody keeps.
    #[inline]
    pub(crate) fn payload_buffer(&mut self, config: &Config) -> Option<&mut [u8]> {
        let (frame, buffers) = (self.frame.as_ref()?, self.buffers?);
        if frame.opcode.is_control() || config.delivery != Delivery::Messages {
            return None;
        }
        let assembly = self.assembly.as_mut()?;
        let bound = assembly.bound(frame.fin, &config.limits);
        assembly.room(usize::try_from(frame.left).unwrap_or(usize::MAX), bound, buffers)
    }

    /// The first `n` bytes of [`payload_buffer`](Self::payload_buffer) have come; the message, when it is whole.
    pub(crate) fn payload_received(&mut self, n: usize) -> Option<Incoming<'static>> {
        let frame = self.frame.as_mut().filter(|frame| !frame.opcode.is_control())?;
        let n = n.min(usize::try_from(frame.left).unwrap_or(usize::MAX));
        let n = self.assembly.as_mut()?.fill(n, &mut frame.key) as u64;
        frame.left -= n;
        self.progress.bytes += n;
        if frame.left > 0 {
            return None;
        }
        let fin = frame.fin;
        self.frame = None;
        let assembly = self.assembly.take_if(|_| fin)?;
        self.progress.messages += 1;
        // Only text can turn out to be invalid.
        assembly.finish().ok()
    }
}
