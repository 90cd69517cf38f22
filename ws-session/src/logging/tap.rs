//! Logs frames as they are received and written, if DEBUG is enabled when a connection opens.

use std::fmt::{self, Write as _};
use std::io::IoSlice;

use bytes::Buf;
use tracing::{Level, debug, enabled};
use ws_proto::frame::{FrameHeader, OpCode, codec, mask};
use ws_proto::{CloseCode, Escaped, EscapedBytes};

use super::{SHOWN, TARGET};

/// The bytes of a payload that are kept for the log: enough for the most characters shown.
const KEPT: usize = SHOWN * 4;

/// The most pieces of one write.
const SLICES: usize = 32;

/// Decodes received and written bytes for the log.
pub(crate) struct Tap {
    id: u64,
    incoming: Frames,
    outgoing: Frames,
}

impl Tap {
    /// `None` if DEBUG is not enabled.
    pub(crate) fn new(id: u64) -> Option<Box<Self>> {
        enabled!(target: TARGET, Level::DEBUG).then(|| {
            let [incoming, outgoing] = ["<", ">"].map(Frames::new);
            Box::new(Self { id, incoming, outgoing })
        })
    }

    pub(crate) fn received(&mut self, bytes: &[u8]) {
        self.incoming.feed(self.id, bytes);
    }

    /// So many bytes from the front of `outgoing` have been written.
    pub(crate) fn written(&mut self, outgoing: &impl Buf, mut n: usize) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = outgoing.chunks_vectored(&mut slices);
        for slice in slices.iter().take(filled) {
            let bytes = slice.get(..n.min(slice.len())).unwrap_or_default();
            self.outgoing.feed(self.id, bytes);
            n -= bytes.len();
        }
    }
}

/// The frames of one direction.
struct Frames {
    direction: &'static str,
    /// The beginning of a header.
    begun: Vec<u8>,
    /// The frame whose payload is incomplete, and the number of its missing bytes.
    frame: Option<(FrameHeader, u64)>,
    /// The beginning of its payload, as masked.
    payload: Vec<u8>,
    /// The format of the fragmented message in progress.
    fragments: Look,
    /// Whether an invalid header was found, so that no frame can be decoded any more.
    is_lost: bool,
}

/// The format of a payload.
#[derive(Clone, Copy)]
enum Look {
    Text,
    Bytes,
}

impl Frames {
    fn new(direction: &'static str) -> Self {
        Self { direction, begun: Vec::new(), frame: None, payload: Vec::new(), fragments: Look::Bytes, is_lost: false }
    }

    fn feed(&mut self, id: u64, mut bytes: &[u8]) {
        while !self.is_lost {
            let Some((header, left)) = &mut self.frame else {
                let Some((&byte, rest)) = bytes.split_first() else { return };
                bytes = rest;
                self.begun.push(byte);
                self.read_header(id);
                continue;
            };
            let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = bytes.split_at(now);
            bytes = rest;
            let room = KEPT.saturating_sub(self.payload.len());
            self.payload.extend_from_slice(payload.get(..room.min(now)).unwrap_or_default());
            *left -= now as u64;
            if *left > 0 {
                return;
            }
            let header = *header;
            self.frame = None;
            self.tell(id, header);
        }
    }

    fn read_header(&mut self, id: u64) {
        let direction = self.direction;
        match codec::decode(&self.begun) {
            Ok(None) => return,
            Ok(Some((header, _))) => {
                self.frame = Some((header, header.len));
            }
            Err(violation) => {
                self.is_lost = true;
                debug!(target: TARGET, id, "{direction} frame {} is none: {violation}", Hex(&self.begun, false));
            }
        }
        self.begun.clear();
    }

    /// A frame is whole.
    fn tell(&mut self, id: u64, header: FrameHeader) {
        if let Some(key) = header.mask {
            mask::apply(&mut self.payload, key);
        }
        let look = match header.opcode {
            OpCode::Continuation => self.fragments,
            OpCode::Text if header.rsv & 0b100 == 0 => Look::Text,
            _ => Look::Bytes,
        };
        if matches!(header.opcode, OpCode::Text | OpCode::Binary) {
            self.fragments = look;
        }
        let payload = Payload { header, look, bytes: &self.payload };
        debug!(target: TARGET, id, "{} frame {}{payload} [{} bytes]", self.direction, Flags(header), header.len);
        self.payload = Vec::new();
    }
}

/// `TEXT FIN RSV1`.
struct Flags(FrameHeader);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.opcode {
            OpCode::Continuation => "CONTINUATION",
            OpCode::Text => "TEXT",
            OpCode::Binary => "BINARY",
            OpCode::Close => "CLOSE",
            OpCode::Ping => "PING",
            OpCode::Pong => "PONG",
        })?;
        for (set, name) in [
            (self.0.fin, " FIN"),
            (self.0.rsv & 0b100 != 0, " RSV1"),
            (self.0.rsv & 0b010 != 0, " RSV2"),
            (self.0.rsv & 0b001 != 0, " RSV3"),
        ] {
            f.write_str(if set { name } else { "" })?;
        }
        Ok(())
    }
}

/// ` 'Hello'`, ` 00ff`, ` 1000 (OK) bye`; long payloads are cut.
struct Payload<'a> {
    header: FrameHeader,
    look: Look,
    bytes: &'a [u8],
}

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.header.opcode, self.look, self.bytes) {
            (_, _, []) => Ok(()),
            (OpCode::Close, _, [high, low, reason @ ..]) => {
                let code = CloseCode::from(u16::from_be_bytes([*high, *low]));
                write!(f, " {code}")?;
                if reason.is_empty() { Ok(()) } else { write!(f, " {}", EscapedBytes(reason)) }
            }
            (_, Look::Text, bytes) => {
                f.write_str(" '")?;
                let text = String::from_utf8_lossy(bytes);
                text.chars().take(SHOWN).try_for_each(|c| write!(f, "{}", Escaped(c)))?;
                let is_cut = self.header.len > bytes.len() as u64 || text.chars().nth(SHOWN).is_some();
                f.write_str(if is_cut { "…'" } else { "'" })
            }
            (_, Look::Bytes, bytes) => {
                let shown = bytes.get(..SHOWN / 2).unwrap_or(bytes);
                f.write_char(' ')?;
                Hex(shown, self.header.len > shown.len() as u64).fmt(f)
            }
        }
    }
}

/// Bytes in hexadecimal digits, and whether there are more.
struct Hex<'a>(&'a [u8], bool);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(if self.1 { "…" } else { "" })
    }
}
