//! How the bytes of an input are read.
//!
//! The first bytes set the role, the limits, and the cuts. The others came from the wire. They are read forward, one byte
//! for each choice, so that seeds can be written by hand:
//!
//! | byte | bits | meaning |
//! | --- | --- | --- |
//! | 0 | 0 | role: 0 server, 1 client |
//! | | 1, 2 | limits: 0 the defaults, 1 small, 2 tiny, 3 none |
//! | | 3 | delivery: 0 messages, 1 chunks |
//! | | 4 | whether the answer to a Close is put off |
//! | | 5 | what came over the wire: 0 as it stands, 1 a recipe |
//! | | 6, 7 | what is kept is read: 0 to the caller's buffer, 1 to where the connection says, 2 to there, and memory is not what was asked for, 3 now like this, now like that |
//! | 1 | 0, 1 | after each piece is written: 0 nothing, 1 everything, 2 one byte, 3 up to 100 bytes, vectored |
//! | | 2, 3 | after each piece there passes: 0 no time, 1 a millisecond, 2 a second, 3 as long as to the next deadline |
//! | | 4, 5 | it ends with: 0 EOF, 1 a failure, 2 a Close of ours and silence, 3 an abort |
//! | | 6 | deadlines: 0 the defaults (none, where there are no limits), 1 short ones |
//! | | 7 | messages: 0 borrowed where they can be, 1 kept, the memory of long ones the caller's |
//! | 2–5 | | the sizes of the pieces, one byte each; the last repeats; 0 for all the rest |
//!
//! A recipe makes frames that are masked and have the lengths they should have, so that it takes no luck to get past
//! their headers. Each is the header's first byte; a byte with the payload's length in its low six bits; when bit 6 of
//! that is set, a byte that says how often the payload is repeated, eight times as often when bit 7 is set; and the
//! payload. The first byte of a Close frame's payload stands for a code: an index into [`CODES`].

use arbitrary::{Arbitrary, Unstructured};
use std::time::Duration;
use ws_proto::{Config, Delivery, Role};
use ws_test_support::frames::frame;

use crate::naive::Rules;

/// The close codes at the edges of what may travel (RFC 6455 §7.4).
pub const CODES: [u16; 16] =
    [0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65_535];

/// The most bytes a recipe makes.
const MAX_MADE: usize = 160 << 10;

/// The most pieces; what is left then is one more.
const MAX_PIECES: usize = 1000;

/// An input of the targets that read bytes off the wire.
#[derive(Debug)]
pub struct Wire {
    pub setup: Setup,
    pub cuts: Cuts,
    pub bytes: Vec<u8>,
}

impl<'a> Arbitrary<'a> for Wire {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let setup: Setup = u.arbitrary()?;
        let cuts = u.arbitrary()?;
        let rest = u.bytes(u.len())?;
        let bytes = if setup.is_recipe { follow(rest, setup.role) } else { rest.to_vec() };
        Ok(Self { setup, cuts, bytes })
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (6, None)
    }
}

/// The frames of a recipe, as the peer of `role` sends them.
fn follow(mut recipe: &[u8], role: Role) -> Vec<u8> {
    let mut bytes = vec![];
    while let Some((&[first, second], rest)) = recipe.split_first_chunk() {
        let (times, rest) = match rest.split_first() {
            Some((&times, rest)) if second & 64 != 0 => (usize::from(times) << (3 * (second >> 7)), rest),
            _ => (1, rest),
        };
        let (payload, rest) = rest.split_at(rest.len().min(usize::from(second & 63)));
        recipe = rest;
        let payload = match payload.split_first() {
            Some((&code, reason)) if first & 0x0F == 8 => {
                [&CODES[usize::from(code) % CODES.len()].to_be_bytes(), reason].concat()
            }
            _ => payload.repeat(times),
        };
        if bytes.len() + payload.len() > MAX_MADE {
            break;
        }
        frame_to(role, first, &payload, &mut bytes);
    }
    bytes
}

/// Appends a frame as the peer of `role` sends it. Frames of different kinds have different masking keys.
pub fn frame_to(role: Role, first: u8, payload: &[u8], out: &mut Vec<u8>) {
    let key = (role == Role::Server).then_some([0x37, 0xFA, 0x21, first]);
    out.extend(frame(first, payload, key));
}

/// Who we are, and how we behave.
#[derive(Clone, Debug)]
pub struct Setup {
    pub role: Role,
    pub limits: Limits,
    pub delivery: Delivery,
    pub holds_close: bool,
    pub is_recipe: bool,
    pub writes: Writes,
    pub time: Time,
    pub ending: Ending,
    pub short_deadlines: bool,
    /// Whether messages are kept, and long ones lie in memory of the caller's.
    pub keeps: bool,
    pub reads: Reads,
}

/// What kept messages are read to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A buffer of the caller's.
    Elsewhere,
    /// What the connection says, and memory of the size that it asks for.
    Offered,
    /// The same, and memory that is too small or too large, and was used before.
    Faulty,
    /// One after the other.
    InTurns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    Default,
    Small,
    Tiny,
    None,
}

/// What the transport takes after each piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    Nothing,
    Everything,
    OneByte,
    Some,
}

/// How much time passes after each piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Stands,
    Millisecond,
    Second,
    Deadline,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Eof,
    Failure,
    Silence,
    Abort,
}

impl<'a> Arbitrary<'a> for Setup {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let [first, second] = u.arbitrary::<[u8; 2]>()?;
        Ok(Self {
            role: if first & 1 == 0 { Role::Server } else { Role::Client },
            limits: [Limits::Default, Limits::Small, Limits::Tiny, Limits::None][usize::from(first >> 1 & 3)],
            delivery: if first & 8 == 0 { Delivery::Messages } else { Delivery::Chunks },
            holds_close: first & 16 != 0,
            is_recipe: first & 32 != 0,
            writes: [Writes::Nothing, Writes::Everything, Writes::OneByte, Writes::Some][usize::from(second & 3)],
            time: [Time::Stands, Time::Millisecond, Time::Second, Time::Deadline][usize::from(second >> 2 & 3)],
            ending: [Ending::Eof, Ending::Failure, Ending::Silence, Ending::Abort][usize::from(second >> 4 & 3)],
            short_deadlines: second & 64 != 0,
            keeps: second & 128 != 0,
            reads: [Reads::Elsewhere, Reads::Offered, Reads::Faulty, Reads::InTurns][usize::from(first >> 6)],
        })
    }

    fn size_hint(_: usize) -> (usize, Option<usize>) {
        (2, Some(2))
    }
}

impl Setup {
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.delivery = self.delivery;
        let limits = &mut config.limits;
        match self.limits {
            Limits::Default => {}
            Limits::Small => {
                (limits.message, limits.frame, limits.fragments) = (Some(400), Some(300), Some(4));
                (limits.high_water, limits.hard_cap, limits.pending_pongs) = (200, 1000, 3);
                (limits.discard, limits.progress) = (300, 50);
            }
            Limits::Tiny => {
                (limits.message, limits.frame, limits.fragments) = (Some(10), Some(8), Some(0));
                (limits.high_water, limits.hard_cap, limits.pending_pongs) = (1, 0, 0);
                (limits.discard, limits.progress) = (0, 0);
            }
            Limits::None => {
                (limits.message, limits.frame, limits.fragments) = (None, None, None);
                (limits.high_water, limits.hard_cap, limits.pending_pongs) = (usize::MAX, usize::MAX, 100);
                (limits.discard, limits.progress) = (usize::MAX, usize::MAX);
            }
        }
        let deadlines = &mut config.deadlines;
        if self.short_deadlines {
            // None at all, where everything is tiny.
            let ms = |ms| Duration::from_millis(if self.limits == Limits::Tiny { 0 } else { ms });
            (deadlines.ping_interval, deadlines.pong) = (Some(ms(700)), Some(ms(1)));
            (deadlines.close, deadlines.answer, deadlines.discard) = (ms(3), ms(2), ms(5));
            (deadlines.message_progress, deadlines.write_stall) = (Some(ms(900)), Some(ms(1100)));
        } else if self.limits == Limits::None {
            (deadlines.ping_interval, deadlines.pong) = (None, None);
            (deadlines.message_progress, deadlines.write_stall) = (None, None);
        }
        config
    }

    /// What a naive decoder must ask of the bytes that come in.
    pub fn rules(&self) -> Rules {
        let limits = self.config().limits;
        let masked = self.role == Role::Server;
        Rules { masked, frame: limits.frame, message: limits.message, fragments: limits.fragments }
    }
}

/// Where bytes are cut into reads.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Cuts(pub [u8; 4]);

impl Cuts {
    /// All in one.
    pub const WHOLE: Self = Self([0; 4]);
    /// Byte by byte.
    pub const BYTES: Self = Self([1; 4]);
    /// Into pieces that few characters and headers fit.
    pub const ODD: Self = Self([2, 1, 5, 3]);

    /// Whether every piece of `bytes` is a single byte.
    pub fn is_bytewise(&self, bytes: &[u8]) -> bool {
        self.pieces(bytes).all(|piece| piece.len() == 1)
    }

    /// The pieces of `bytes`, none of them empty.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let last = self.0[self.0.len() - 1];
        let mut sizes = self.0.into_iter().chain(std::iter::repeat(last)).take(MAX_PIECES);
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let size = match sizes.next() {
                _ if rest.is_empty() => return None,
                None | Some(0) => rest.len(),
                Some(size) => rest.len().min(size.into()),
            };
            let (piece, after) = rest.split_at(size);
            rest = after;
            Some(piece)
        })
    }
}
