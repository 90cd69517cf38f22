//! The body of a response that rejects the handshake, which often has the reason (RFC 9112 §6, §7.1).

use alloc::vec::Vec;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};

use super::encode::has_body;
use super::fields::elements;

/// The default limit of a body: 64 KiB.
pub const DEFAULT_LIMIT: usize = 64 * 1024;

/// The bytes of the framing of chunks for each byte of the limit. A chunk of one byte has five.
const FRAMING: usize = 8;

/// Reads a body, up to a limit, from the bytes after the head. It never fails: malformed framing ends the body, and
/// [`Body::complete`] is `false` then. So do chunk extensions without end: the framing of chunks may have a few times as many
/// bytes as the limit.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    body: Vec<u8>,
    limit: usize,
    /// The bytes that the framing of chunks may still have.
    framing: usize,
}

/// A body, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Body {
    /// The content, without the framing of chunks. A `Content-Encoding` is not decoded.
    pub bytes: Bytes,
    /// Whether the body is complete. If not, it exceeded the limit, ended early, or was malformed.
    pub complete: bool,
}

/// The framing of the body (RFC 9112 §6.3) and, for a chunked one (§7.1), the part that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The number of bytes left of the body.
    Length(u64),
    UntilEof,
    ChunkBegin,
    ChunkSize(u64),
    ChunkExtension(u64),
    ChunkSizeEnd(u64),
    /// The number of bytes left of the chunk.
    ChunkData(u64),
    ChunkDataEnd,
    ChunkEnd,
    Finished {
        complete: bool,
    },
}

impl BodyReader {
    /// A reader for the body of `response`, which keeps at most [`DEFAULT_LIMIT`] bytes.
    pub fn new(response: &Response<()>) -> Self {
        Self::with_limit(response, DEFAULT_LIMIT)
    }

    /// A reader for the body of `response`, which keeps at most `limit` bytes.
    pub fn with_limit(response: &Response<()>, limit: usize) -> Self {
        let has_body = has_body(response.status());
        let state = if has_body { State::of(response.headers()) } else { State::Length(0) };
        Self {
            state: state.settle(),
            body: Vec::new(),
            limit,
            framing: limit.saturating_add(1024).saturating_mul(FRAMING),
        }
    }

    /// Takes the bytes that were received *since the last call*. Returns whether the body has ended. Until then, read on, up to
    /// the end of the stream.
    pub fn read(&mut self, mut input: &[u8]) -> bool {
        while let Some((&byte, rest)) = input.split_first() {
            let remaining = match self.state {
                State::Finished { .. } => break,
                State::Length(remaining) | State::ChunkData(remaining) => remaining,
                State::UntilEof => u64::MAX,
                state => {
                    let is_within = self.framing > 0;
                    self.framing = self.framing.saturating_sub(1);
                    let next = state.step(byte).filter(|_| is_within);
                    self.state = next.unwrap_or(State::Finished { complete: false });
                    input = rest;
                    continue;
                }
            };
            let len = usize::try_from(remaining).unwrap_or(usize::MAX);
            let (data, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
            input = rest;
            self.keep(data);
        }
        self.is_finished()
    }

    /// Whether the body has ended, so that no more bytes need to be read.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    /// Returns the body. Call it when the body has ended, at the end of the stream, or after a timeout of the caller's.
    pub fn into_body(self) -> Body {
        let complete = matches!(self.state, State::Finished { complete: true } | State::UntilEof);
        Body { bytes: self.body.into(), complete }
    }

    fn keep(&mut self, data: &[u8]) {
        let room = self.limit.saturating_sub(self.body.len());
        let kept = data.get(..room).unwrap_or(data);
        self.body.extend_from_slice(kept);
        self.state =
            if kept.len() < data.len() { State::Finished { complete: false } } else { self.state.advance(data.len()) };
    }
}

impl State {
    /// The initial state for a body with these headers.
    fn of(headers: &HeaderMap) -> Self {
        if let Some(coding) = elements(headers, TRANSFER_ENCODING).last() {
            let chunked = coding.eq_ignore_ascii_case(b"chunked");
            return if chunked { Self::ChunkBegin } else { Self::UntilEof };
        }
        // Equal repeated lengths are allowed. Without a valid length, the end of the stream ends the body.
        let mut lengths = elements(headers, CONTENT_LENGTH);
        let length = lengths.next().filter(|first| lengths.all(|other| other == *first)).and_then(parse_length);
        length.map_or(Self::UntilEof, Self::Length)
    }

    /// The state after `len` bytes of content.
    fn advance(self, len: usize) -> Self {
        let len = len as u64;
        match self {
            Self::Length(remaining) => Self::Length(remaining.saturating_sub(len)),
            Self::ChunkData(remaining) => Self::ChunkData(remaining.saturating_sub(len)),
            other => other,
        }
        .settle()
    }

    /// The next state, if no content is left in this one.
    fn settle(self) -> Self {
        match self {
            Self::Length(0) => Self::Finished { complete: true },
            Self::ChunkData(0) => Self::ChunkDataEnd,
            other => other,
        }
    }

    /// The state after a byte of chunk framing. `None` when the framing is malformed. Trailers are not read.
    fn step(self, byte: u8) -> Option<Self> {
        let digit = || char::from(byte).to_digit(16).map(u64::from);
        Some(match (self, byte) {
            (Self::ChunkBegin, _) => Self::ChunkSize(digit()?),
            (Self::ChunkSize(size) | Self::ChunkExtension(size), b'\r') => Self::ChunkSizeEnd(size),
            (Self::ChunkSize(size), b';' | b' ' | b'\t') => Self::ChunkExtension(size),
            (Self::ChunkSize(size), _) => Self::ChunkSize(size.checked_mul(16)? | digit()?),
            (Self::ChunkExtension(size), _) if byte != b'\n' => Self::ChunkExtension(size),
            (Self::ChunkSizeEnd(0), b'\n') => Self::Finished { complete: true },
            (Self::ChunkSizeEnd(size), b'\n') => Self::ChunkData(size),
            (Self::ChunkDataEnd, b'\r') => Self::ChunkEnd,
            (Self::ChunkEnd, b'\n') => Self::ChunkBegin,
            _ => return None,
        })
    }
}

fn parse_length(text: &[u8]) -> Option<u64> {
    let is_number = text.iter().all(u8::is_ascii_digit);
    str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn response(headers: &[(&str, &str)]) -> Response<()> {
        let mut builder = Response::builder().status(403);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    /// Reads `input`, as a whole and byte by byte: the body, whether it is complete, whether it has ended.
    #[track_caller]
    fn read(response: &Response<()>, input: &[u8]) -> (Vec<u8>, bool, bool) {
        let mut whole = BodyReader::with_limit(response, 16);
        let finished = whole.read(input);
        let mut slow = BodyReader::with_limit(response, 16);
        for byte in input {
            slow.read(&[*byte]);
        }
        assert_eq!(slow.is_finished(), finished);
        let body = whole.into_body();
        assert_eq!(slow.into_body(), body);
        (body.bytes.into(), body.complete, finished)
    }

    #[test]
    fn by_length() {
        let five = response(&[("content-length", "5")]);
        assert_eq!(read(&five, b"Hello, and more"), (b"Hello".to_vec(), true, true));
        assert_eq!(read(&five, b"Hell"), (b"Hell".to_vec(), false, false));
        assert_eq!(read(&response(&[("content-length", "0")]), b""), (vec![], true, true));
        let twice = response(&[("content-length", "5"), ("content-length", "5, 5,"), ("content-length", "")]);
        assert_eq!(read(&twice, b"Hello!"), (b"Hello".to_vec(), true, true));
    }

    #[test]
    fn up_to_the_end_of_the_stream() {
        assert_eq!(read(&response(&[]), b"Hello"), (b"Hello".to_vec(), true, false));
        for length in ["-1", "+5", "", "5x", "99999999999999999999", "5, 6"] {
            let response = response(&[("content-length", length)]);
            assert_eq!(read(&response, b"Hello!"), (b"Hello!".to_vec(), true, false), "{length}");
        }
        let gzip = response(&[("transfer-encoding", "chunked, gzip")]);
        assert_eq!(read(&gzip, b"Hello"), (b"Hello".to_vec(), true, false));
    }

    #[test]
    fn by_chunks() {
        let chunked = response(&[("transfer-encoding", "gzip, Chunked,"), ("content-length", "3")]);
        let input = b"5\r\nHello\r\n00a ; x=\"y\"\r\n, chunked!\r\n0\r\nTrailer: ignored\r\n\r\n";
        assert_eq!(read(&chunked, input), (b"Hello, chunked!".to_vec(), true, true));
        assert_eq!(read(&chunked, b"5\r\nHello\r\n"), (b"Hello".to_vec(), false, false));
        for malformed in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"5\n",
            b"5\rH",
            b"5x\r\n",
            b"5;x\nHello",
            b"10000000000000000\r\n",
            b"0\r\r",
        ] {
            assert_eq!(read(&chunked, malformed), (vec![], false, true), "{malformed:?}");
        }
        assert_eq!(read(&chunked, b"5\r\nHello!\r\n"), (b"Hello".to_vec(), false, true));
        assert_eq!(read(&chunked, b"5\r\nHello\rX"), (b"Hello".to_vec(), false, true));
    }

    #[test]
    fn up_to_the_limit() {
        let full = [b'x'; 16];
        let over = [b'x'; 17];
        assert_eq!(read(&response(&[("content-length", "16")]), &full), (full.to_vec(), true, true));
        assert_eq!(read(&response(&[("content-length", "17")]), &full), (full.to_vec(), false, false));
        assert_eq!(read(&response(&[("content-length", "17")]), &over), (full.to_vec(), false, true));
        let huge = response(&[("content-length", "18446744073709551615")]);
        assert_eq!(read(&huge, &over), (full.to_vec(), false, true));
        assert_eq!(read(&response(&[]), &full), (full.to_vec(), true, false));
        assert_eq!(read(&response(&[]), &over), (full.to_vec(), false, true));
        let chunked = response(&[("transfer-encoding", "chunked")]);
        let input = b"ffffffffffffffff\r\nxxxxxxxxxxxxxxxxxx";
        assert_eq!(read(&chunked, input), (full.to_vec(), false, true));
    }

    #[test]
    fn framing_without_end_ends_the_body() {
        let chunked = response(&[("transfer-encoding", "chunked")]);
        for (begin, rest) in [("5;", b'x'), ("", b'0')] {
            let input = [begin.as_bytes(), &vec![rest; 20_000]].concat();
            assert_eq!(read(&chunked, &input), (vec![], false, true), "{begin:?}");
        }
        let mut reader = BodyReader::new(&chunked);
        let smallest = b"1\r\nx\r\n".repeat(DEFAULT_LIMIT);
        assert!(!reader.read(&smallest) && reader.read(b"0\r\n"));
        let body = reader.into_body();
        assert!(body.complete && body.bytes.len() == DEFAULT_LIMIT);
    }

    #[test]
    fn statuses_without_a_body() {
        for status in [101, 204, 304] {
            let response = Response::builder().status(status).header("content-length", "5").body(()).unwrap();
            assert_eq!(read(&response, b"Hello"), (vec![], true, true));
        }
        let body = BodyReader::new(&response(&[])).into_body();
        assert!(body.complete && body.bytes.is_empty());
    }
}
