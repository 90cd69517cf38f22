//! Where the parts of a head end, found byte by byte.

use alloc::vec;
use core::{mem, ops::Range};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{HeadError, HeadLimits};
use crate::handshake::fields::{is_token_byte, mark_secret};

/// What the scanner has found complete, as a range of the input.
pub(super) enum Part {
    /// The start line with its line end.
    StartLine(Range<usize>),
    /// All header lines and the empty line after them: the head is complete.
    Headers(Range<usize>),
}

/// Where in the head the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handshake) enum State {
    /// Before a request: empty lines may come first, and are ignored (RFC 9112 §2.2).
    BeforeRequest,
    Method,
    Target,
    RequestVersion,
    BeforeResponse,
    StatusLine,
    /// At the first byte of a header line or of the empty line.
    LineStart,
    Name,
    Value,
    /// After a carriage return.
    LineFeed(Ends),
    Done,
}

/// What the line feed will end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handshake) enum Ends {
    EmptyLine,
    StartLine,
    HeaderLine,
    Head,
}

/// Looks at each byte once.
#[derive(Debug)]
pub(super) struct Scanner {
    limits: HeadLimits,
    pub(super) state: State,
    /// How much of the input has been looked at.
    pub(super) scanned: usize,
    /// Where the start line begins, then where the header lines do.
    begin: usize,
    target: usize,
    pub(super) headers: usize,
}

impl Scanner {
    pub(super) fn new(limits: HeadLimits, state: State) -> Self {
        Self { limits, state, scanned: 0, begin: 0, target: 0, headers: 0 }
    }

    /// Looks at the bytes of `input` not looked at before, up to the end of the next part.
    pub(super) fn advance(&mut self, input: &[u8]) -> Result<Option<Part>, HeadError> {
        while self.state != State::Done {
            let new = input.get(self.scanned..self.limits.head.min(input.len())).unwrap_or_default();
            if self.state == State::LineStart
                && self.headers < self.limits.headers
                && let Some(len) = whole_line(new)
            {
                self.scanned += len;
                self.headers += 1;
                continue;
            }
            self.scanned += self.ordinary(new);
            let Some(&byte) = input.get(self.scanned) else { break };
            if self.scanned == self.limits.head {
                return Err(HeadError::TooLarge { limit: self.limits.head });
            }
            if matches!(self.state, State::BeforeRequest | State::BeforeResponse) {
                self.begin = self.scanned;
            }
            let before = self.state;
            self.state = self.step(byte)?;
            self.scanned += 1;
            match before {
                State::LineFeed(Ends::StartLine) => {
                    let begin = mem::replace(&mut self.begin, self.scanned);
                    return Ok(Some(Part::StartLine(begin..self.scanned)));
                }
                State::LineFeed(Ends::Head) => return Ok(Some(Part::Headers(self.begin..self.scanned))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// How many of `bytes` come one after another that change nothing: most do, in the middle of a line.
    fn ordinary(&self, bytes: &[u8]) -> usize {
        let special = match self.state {
            State::Method | State::Name => bytes.iter().position(|&byte| !is_token_byte(byte)),
            State::RequestVersion => bytes.iter().position(|byte| !byte.is_ascii_graphic()),
            State::Value | State::StatusLine => bytes.iter().position(|&byte| is_control(byte)),
            _ => return 0,
        };
        special.unwrap_or(bytes.len())
    }

    /// The state after `byte`.
    fn step(&mut self, byte: u8) -> Result<State, HeadError> {
        match (self.state, byte) {
            (State::LineFeed(ends), b'\n') => Ok(match ends {
                Ends::EmptyLine => State::BeforeRequest,
                Ends::StartLine | Ends::HeaderLine => State::LineStart,
                Ends::Head => State::Done,
            }),
            (State::LineFeed(_), _) => Err(HeadError::BareCarriageReturn),
            (_, b'\n') => Err(HeadError::BareLineFeed),
            (_, b'\r') => self.line_end(),
            // Control characters, the tab excepted, stand nowhere.
            _ if is_control(byte) => Err(HeadError::Byte(byte)),

            (State::BeforeRequest | State::Method, _) if is_token_byte(byte) => Ok(State::Method),
            (State::Method, b' ') => Ok(State::Target),
            (State::Target, b'!'..=b'~') => {
                self.target += 1;
                if self.target > self.limits.target {
                    return Err(HeadError::TargetTooLong { limit: self.limits.target });
                }
                Ok(State::Target)
            }
            (State::Target, b' ') if self.target > 0 => Ok(State::RequestVersion),
            (State::RequestVersion, b'!'..=b'~') => Ok(State::RequestVersion),

            (State::BeforeResponse, b'H') | (State::StatusLine, _) => Ok(State::StatusLine),

            (State::LineStart, b' ' | b'\t') => Err(HeadError::LineFolding),
            (State::LineStart, _) if is_token_byte(byte) => {
                self.headers += 1;
                if self.headers > self.limits.headers {
                    return Err(HeadError::TooManyHeaders { limit: self.limits.headers });
                }
                Ok(State::Name)
            }
            (State::Name, b':') | (State::Value, _) => Ok(State::Value),
            (State::Name, b' ' | b'\t') => Err(HeadError::SpaceBeforeColon),
            (State::Name, _) if is_token_byte(byte) => Ok(State::Name),

            _ => Err(HeadError::Byte(byte)),
        }
    }

    /// The state after a carriage return.
    fn line_end(&self) -> Result<State, HeadError> {
        match self.state {
            State::BeforeRequest => Ok(State::LineFeed(Ends::EmptyLine)),
            State::RequestVersion | State::StatusLine => Ok(State::LineFeed(Ends::StartLine)),
            State::Value => Ok(State::LineFeed(Ends::HeaderLine)),
            State::LineStart => Ok(State::LineFeed(Ends::Head)),
            State::Name => Err(HeadError::HeaderLine),
            _ => Err(HeadError::StartLine),
        }
    }

    pub(super) fn parse_headers(&self, lines: &[u8]) -> Result<HeaderMap, HeadError> {
        // All values share one piece of memory.
        let lines = Bytes::copy_from_slice(lines);
        let mut parsed = vec![httparse::EMPTY_HEADER; self.headers];
        httparse::parse_headers(&lines, &mut parsed).map_err(|_| HeadError::HeaderLine)?;
        let too_many = |_| HeadError::TooManyHeaders { limit: self.limits.headers };
        let mut headers = HeaderMap::try_with_capacity(self.headers).map_err(too_many)?;
        for header in parsed {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| HeadError::HeaderLine)?;
            let value = HeaderValue::from_maybe_shared(lines.slice_ref(header.value));
            let mut value = value.map_err(|_| HeadError::HeaderLine)?;
            mark_secret(&name, &mut value);
            // The map has a limit of its own.
            headers.try_append(name, value).map_err(too_many)?;
        }
        Ok(headers)
    }
}

/// The length of the header line that `bytes` begin with, when all of it is there, and nothing wrong with it.
fn whole_line(bytes: &[u8]) -> Option<usize> {
    let name = bytes.iter().position(|&byte| !is_token_byte(byte)).filter(|&len| len > 0)?;
    let value = bytes.get(name..)?.strip_prefix(b":")?;
    let end = value.iter().position(|&byte| is_control(byte))?;
    value.get(end..)?.starts_with(b"\r\n").then_some(name + 1 + end + 2)
}

/// Whether `byte` is a control character other than the tab.
const fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}
