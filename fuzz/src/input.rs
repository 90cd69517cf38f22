//! How the bytes of an input are read.
//!
//! What comes first says who we are, with what limits, and how the wire's bytes are cut; what is left came over the
//! wire. All of it goes forward from the first byte, one byte per choice, so that seeds can be written by hand:
//!
//! | byte | bits | meaning |
//! | --- | --- | --- |
//! | 0 | 0 | role: 0 server, 1 client |
//! | | 1, 2 | limits: 0 the defaults, 1 small, 2 tiny, 3 none |
//! | | 3 | delivery: 0 messages, 1 chunks |
//! | | 4 | whether the answer to a Close is put off |
//! | 1 | 0, 1 | after each piece is written: 0 nothing, 1 everything, 2 one byte, 3 up to 100 bytes, vectored |
//! | | 2, 3 | after each piece there passes: 0 no time, 1 a millisecond, 2 a second, 3 as long as to the next deadline |
//! | | 4, 5 | it ends with: 0 EOF, 1 a failure, 2 a Close of ours and silence, 3 an abort |
//! | | 6 | deadlines: 0 the defaults (none, where there are no limits), 1 short ones |
//! | 2–5 | | the sizes of the pieces, one byte each; the last repeats; 0 for all the rest |

use arbitrary::{Arbitrary, Unstructured};
use std::time::Duration;
use ws_proto::{Config, Delivery, Role};

use crate::naive::Rules;

/// An input of the targets that read bytes off the wire.
#[derive(Arbitrary, Debug)]
pub struct Wire<'a> {
    pub setup: Setup,
    pub cuts: Cuts,
    pub bytes: &'a [u8],
}

/// Who we are, and how we behave.
#[derive(Clone, Debug)]
pub struct Setup {
    pub role: Role,
    pub limits: Limits,
    pub delivery: Delivery,
    pub puts_off: bool,
    pub writes: Writes,
    pub time: Time,
    pub ending: Ending,
    pub short_deadlines: bool,
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
            puts_off: first & 16 != 0,
            writes: [Writes::Nothing, Writes::Everything, Writes::OneByte, Writes::Some][usize::from(second & 3)],
            time: [Time::Stands, Time::Millisecond, Time::Second, Time::Deadline][usize::from(second >> 2 & 3)],
            ending: [Ending::Eof, Ending::Failure, Ending::Silence, Ending::Abort][usize::from(second >> 4 & 3)],
            short_deadlines: second & 64 != 0,
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

    /// The pieces of `bytes`, none of them empty.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let last = self.0[self.0.len() - 1];
        let mut sizes = self.0.into_iter().chain(std::iter::repeat(last));
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
