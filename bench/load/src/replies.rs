//! A server's frames put together, where their lengths are not known beforehand.

use anyhow::{Result, bail, ensure};

/// Where the stream of one connection stands.
#[derive(Default)]
pub(crate) struct Replies {
    /// The beginning of a frame's header.
    header: Vec<u8>,
    /// What is to come of its payload, and the key, turned to its next byte.
    left: usize,
    key: Option<[u8; 4]>,
    /// The message so far, where somebody looks at it.
    message: Vec<u8>,
    is_compressed: bool,
}

/// One message; empty where nobody looks.
pub(crate) struct Reply<'r> {
    pub(crate) is_compressed: bool,
    pub(crate) bytes: &'r [u8],
}

impl Replies {
    /// Takes what came, and hands over every message that is complete; keeps their bytes where `look` says so.
    pub(crate) fn take(
        &mut self,
        mut input: &[u8],
        look: bool,
        mut on_reply: impl FnMut(Reply<'_>) -> Result<()>,
    ) -> Result<()> {
        loop {
            let is_new = self.left == 0;
            if is_new {
                while !self.is_header_complete() {
                    let Some((&byte, rest)) = input.split_first() else { return Ok(()) };
                    self.header.push(byte);
                    input = rest;
                }
                self.begin()?;
            }
            let (part, rest) = input.split_at(self.left.min(input.len()));
            (self.left, input) = (self.left - part.len(), rest);
            let is_data = self.header[0] & 0x08 == 0;
            if look && is_data {
                let start = self.message.len();
                self.message.extend(part);
                if let Some(key) = &mut self.key {
                    self.message[start..].iter_mut().zip(key.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
                    key.rotate_left(part.len() % 4);
                }
            }
            if self.left > 0 {
                return Ok(());
            }
            if is_data && self.header[0] & 0x80 != 0 {
                on_reply(Reply { is_compressed: self.is_compressed, bytes: &self.message })?;
                self.message.clear();
            }
            self.header.clear();
        }
    }

    fn header_len(&self) -> usize {
        let Some(second) = self.header.get(1) else { return 2 };
        let length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if second & 0x80 == 0 { 0 } else { 4 }
    }

    fn is_header_complete(&self) -> bool {
        self.header.len() >= self.header_len()
    }

    /// Reads the header (RFC 6455 §5.2).
    fn begin(&mut self) -> Result<()> {
        let (first, second) = (self.header[0], self.header[1]);
        self.left = match second & 0x7f {
            126 => usize::from(u16::from_be_bytes([self.header[2], self.header[3]])),
            127 => bail!("a reply of 64 KiB or more"),
            len => usize::from(len),
        };
        self.key = if second & 0x80 == 0 { None } else { self.header.last_chunk().copied() };
        ensure!(first & 0x0f != 0x8, "closed by the server");
        if matches!(first & 0x0f, 0x1 | 0x2) {
            self.is_compressed = first & 0x40 != 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_pieces_make_the_same_messages() {
        // Two fragments around a Ping, then a masked message of 200 bytes, then an empty one.
        let mut stream = vec![0x41, 2, 1, 2, 0x89, 1, 9, 0x80, 1, 3];
        stream.extend([0x82, 0x80 | 126, 0, 200, 1, 2, 3, 4]);
        stream.extend((0..200).map(|index: usize| 7 ^ [1, 2, 3, 4][index % 4]));
        stream.extend([0x81, 0]);
        let expected = [(true, vec![1, 2, 3]), (false, vec![7; 200]), (false, vec![])];
        for piece in [1, 2, 3, 7, 1000] {
            let (mut replies, mut got) = (Replies::default(), Vec::new());
            for part in stream.chunks(piece) {
                replies
                    .take(part, true, |reply| {
                        got.push((reply.is_compressed, reply.bytes.to_vec()));
                        Ok(())
                    })
                    .unwrap();
            }
            assert_eq!(got, expected, "{piece}");
        }
        let error = Replies::default().take(&[0x88, 0], true, |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("closed"));
    }
}
