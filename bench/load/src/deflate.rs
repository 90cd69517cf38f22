//! permessage-deflate (RFC 7692) as this client speaks it: what it offers, how it compresses, how it checks.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use ws_test_support::frames::{RSV1, frame};
use ws_test_support::random::Random;

use crate::cycle::{first_byte, payload};
use crate::replies::Reply;
use crate::row::Row;

/// Whether a message may refer to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deflate {
    /// Neither way.
    NoTakeover,
    /// Both ways, if the server agrees.
    Takeover,
}

impl Deflate {
    /// What a browser offers; without takeover, that besides.
    pub(crate) fn offer(self) -> &'static str {
        match self {
            Self::NoTakeover => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
            }
            Self::Takeover => "permessage-deflate; client_max_window_bits",
        }
    }
}

/// What both sides have agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeflateParams {
    pub(crate) text: String,
    client_takes_over: bool,
    server_takes_over: bool,
    client_bits: u8,
    server_bits: u8,
}

impl DeflateParams {
    /// From the server's answer (RFC 7692 §7.1).
    pub(crate) fn parse(answer: Option<String>) -> Result<Self> {
        let text = answer.context("the server declined permessage-deflate")?;
        let mut params = text.split(';').map(str::trim);
        ensure!(params.next() == Some("permessage-deflate"), "not permessage-deflate: {text}");
        let mut agreed = Self::whole(text.clone(), Deflate::Takeover);
        for param in params {
            let (name, value) = param.split_once('=').map_or((param, None), |(name, value)| (name, Some(value)));
            let bits = || {
                let bits = value.and_then(|value| value.trim_matches('"').parse().ok());
                bits.filter(|bits| (8..=15).contains(bits)).with_context(|| format!("bad {param} in {text}"))
            };
            match name {
                "client_no_context_takeover" => agreed.client_takes_over = false,
                "server_no_context_takeover" => agreed.server_takes_over = false,
                "client_max_window_bits" => agreed.client_bits = bits()?,
                "server_max_window_bits" => agreed.server_bits = bits()?,
                _ => bail!("unknown {param} in {text}"),
            }
        }
        Ok(agreed)
    }

    /// Windows of 32 KiB both ways: for a server that does not look.
    pub(crate) fn whole(text: String, deflate: Deflate) -> Self {
        let takes_over = deflate == Deflate::Takeover;
        Self { text, client_takes_over: takes_over, server_takes_over: takes_over, client_bits: 15, server_bits: 15 }
    }

    /// Whether what must be granted was (RFC 7692 §7.1.1.1).
    pub(crate) fn check(&self, deflate: Deflate) -> Result<()> {
        let granted = deflate == Deflate::Takeover || !self.server_takes_over;
        ensure!(granted, "{self} instead of server_no_context_takeover");
        Ok(())
    }
}

impl fmt::Display for DeflateParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How many messages come before the first comes again.
pub(crate) const MESSAGES: usize = 64;

/// The frames that every connection sends, each from the first one on: encoded once for all of them.
pub(crate) struct Frames {
    pub(crate) messages: Vec<Vec<u8>>,
    first: u8,
    random: Random,
    compressor: Compress,
    takes_over: bool,
    /// One after the other, and where each ends.
    encoded: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    pub(crate) fn new(row: &Row, agreed: &DeflateParams) -> Self {
        let mut random = Random(row.size as u64);
        Self {
            messages: (0..MESSAGES).map(|index| payload(row, index, &mut random)).collect(),
            first: first_byte(row.payload) | RSV1,
            random,
            // zlib makes a window of 9 bits of one of 8, which would be too large then.
            compressor: Compress::new_with_window_bits(Compression::default(), false, agreed.client_bits.max(9)),
            takes_over: agreed.client_takes_over,
            encoded: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// The `number`th frame of a connection.
    pub(crate) fn get(&mut self, number: usize) -> Result<&[u8]> {
        // Without takeover a message is always the same bytes.
        let index = if self.takes_over { number } else { number % MESSAGES };
        while self.ends.len() <= index {
            let message = &self.messages[self.ends.len() % MESSAGES];
            let payload = compress(&mut self.compressor, message)?;
            if !self.takes_over {
                self.compressor.reset();
            }
            let key = (self.random.next() as u32).to_le_bytes();
            self.encoded.extend(frame(self.first, &payload, Some(key)));
            self.ends.push(self.encoded.len());
        }
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Ok(&self.encoded[start..self.ends[index]])
    }
}

/// What is left out at the end of every message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn compress(compressor: &mut Compress, message: &[u8]) -> Result<Vec<u8>> {
    let start = compressor.total_in();
    let mut output = Vec::with_capacity(message.len() + 64);
    loop {
        let read = (compressor.total_in() - start) as usize;
        compressor.compress_vec(&message[read..], &mut output, FlushCompress::Sync)?;
        // Room left over means that everything is out.
        if output.len() < output.capacity() {
            break;
        }
        output.reserve(message.len() + 64);
    }
    ensure!(output.ends_with(&TAIL), "no sync flush");
    output.truncate(output.len() - TAIL.len());
    Ok(output)
}

/// The other direction of one connection.
pub(crate) struct Inflater {
    decompressor: Decompress,
    takes_over: bool,
    output: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new(agreed: &DeflateParams) -> Self {
        Self {
            decompressor: Decompress::new_with_window_bits(false, agreed.server_bits),
            takes_over: agreed.server_takes_over,
            output: Vec::new(),
        }
    }

    /// Whether a reply is this message.
    pub(crate) fn check(&mut self, reply: &Reply<'_>, message: &[u8]) -> Result<()> {
        if !reply.is_compressed {
            ensure!(reply.bytes == message, "wrong bytes came back");
            return Ok(());
        }
        self.output.clear();
        // Room to notice what is too long.
        self.output.reserve(message.len() + 64);
        let input = [reply.bytes, &TAIL].concat();
        let status = self.decompressor.decompress_vec(&input, &mut self.output, FlushDecompress::Sync)?;
        ensure!(self.output == message, "wrong bytes came back, inflated");
        if !self.takes_over || status == Status::StreamEnd {
            self.decompressor.reset(false);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replies::Replies;

    #[test]
    fn the_negotiated_parameters_are_parsed() {
        let agreed = DeflateParams::parse(Some(
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=12".into(),
        ));
        let agreed = agreed.unwrap();
        assert_eq!((agreed.client_takes_over, agreed.client_bits), (true, 12));
        assert_eq!((agreed.server_takes_over, agreed.server_bits), (false, 15));
        agreed.check(Deflate::NoTakeover).unwrap();
        let lax = DeflateParams::parse(Some("permessage-deflate".into())).unwrap();
        lax.check(Deflate::Takeover).unwrap();
        assert!(lax.check(Deflate::NoTakeover).is_err());
        for bad in
            ["x-webkit-deflate-frame", "permessage-deflate; what", "permessage-deflate; server_max_window_bits=16"]
        {
            assert!(DeflateParams::parse(Some(bad.into())).is_err(), "{bad}");
        }
        assert!(DeflateParams::parse(None).is_err());
    }

    #[test]
    fn frames_inflate_to_the_messages_in_either_form_and_a_wrong_one_is_noticed() {
        let row: Row = "1KiB-json 1x1".parse().unwrap();
        let mut sizes = Vec::new();
        for deflate in [Deflate::NoTakeover, Deflate::Takeover] {
            let agreed = DeflateParams::whole(String::new(), deflate);
            let (mut frames, mut inflater, mut replies) =
                (Frames::new(&row, &agreed), Inflater::new(&agreed), Replies::default());
            let mut size = 0;
            for number in 0..3 * MESSAGES {
                let frame = frames.get(number).unwrap().to_vec();
                size += frame.len();
                let (right, wrong) = (&frames.messages[number % MESSAGES], &frames.messages[(number + 1) % MESSAGES]);
                let check = |reply: Reply<'_>| {
                    assert!(Inflater::new(&agreed).check(&reply, wrong).is_err());
                    inflater.check(&reply, right)
                };
                replies.take(&frame, true, check).unwrap();
            }
            sizes.push(size / (3 * MESSAGES));
        }
        assert!(sizes[0] > sizes[1] * 3 / 2 && sizes[0] < 600, "{sizes:?}");
    }
}
