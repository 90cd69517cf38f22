//! Links, parties and stories, made up.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::Delivery;

use super::decoding::*;
use super::made_up::*;
use crate::common::*;

pub(crate) fn any_link() -> impl Strategy<Value = Link> {
    let latency = select(&[0, 1, 40, 400, 5000][..]).prop_map(Duration::from_millis);
    let rate = select(&[1_000, 20_000, 1_000_000, 100_000_000][..]);
    let piece = select(&[1, 7, 100, 1500, 65_536][..]);
    let window = select(&[1000, 65_536, 1 << 24][..]);
    let after = prop_oneof![2 => 0..30u64, 2 => 0..1000u64, 1 => 0..200_000u64];
    let death = select(&[Death::Silent, Death::End, Death::Reset][..]);
    let dies = prop_oneof![1 => Just(None), 1 => (after, death).prop_map(Some)];
    (latency, rate, piece, window, dies).prop_map(|(latency, rate, piece, window, dies)| {
        // Small pieces on fast links only take long to try.
        let piece = if rate > 1_000_000 {
            piece.max(1000)
        } else if rate > 1000 {
            piece.max(100)
        } else {
            piece
        };
        Link { latency, rate, piece, window, dies }
    })
}

pub(crate) fn any_good_link() -> impl Strategy<Value = Link> {
    (select(&[0, 1, 40, 400][..]), select(&[500, 1500, 65_536][..])).prop_map(|(latency, piece)| Link {
        latency: Duration::from_millis(latency),
        rate: 10_000_000,
        piece,
        window: 1 << 24,
        dies: None,
    })
}

/// How each end is set up.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(crate) delivery: Delivery,
    pub(crate) echoes: bool,
    /// Whether its answers wait for the application, and for how long.
    pub(crate) holds_close: Option<Duration>,
    pub(crate) message_limit: Option<usize>,
}

pub(crate) fn any_parties() -> impl Strategy<Value = [Party; 2]> {
    let holds_close = || proptest::option::of(select(&[0, 1, 900, 5000][..]).prop_map(Duration::from_millis));
    let party = || {
        (any_delivery(), holds_close()).prop_map(|(delivery, holds_close)| Party {
            delivery,
            echoes: false,
            holds_close,
            message_limit: None,
        })
    };
    // Two echoes would never end.
    (party(), party(), proptest::option::of(0..2usize)).prop_map(|(server, client, echo)| {
        let mut parties = [server, client];
        echo.into_iter().for_each(|i| parties[i].echoes = true);
        parties
    })
}

/// What an application does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Say(Say),
    /// The first fragment of a message that never ends.
    Begin(Payload),
    Close {
        code: u16,
        reason: String,
    },
    Abort,
}

/// A whole story. It ends with a Close by one end or both, if nothing has ended it before.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) parties: [Party; 2],
    pub(crate) links: [Link; 2],
    /// How long after the one before, by whom, what.
    pub(crate) acts: Vec<(Duration, usize, Act)>,
}

pub(crate) fn any_wait() -> impl Strategy<Value = Duration> {
    select(&[0, 0, 1, 100, 1000, 10_000, 25_000][..]).prop_map(Duration::from_millis)
}

pub(crate) fn any_close() -> impl Strategy<Value = Act> {
    let code = select(&[1000, 1001, 1005, 1011, 3000, 4999][..]);
    (code, prop_oneof![Just(String::new()), "\\PC{0,30}"]).prop_map(|(code, reason)| Act::Close { code, reason })
}

pub(crate) fn any_end() -> impl Strategy<Value = Vec<(Duration, usize, Act)>> {
    let who = select(vec![vec![SERVER], vec![CLIENT], vec![SERVER, CLIENT]]);
    (any_wait(), who, any_close(), any_close()).prop_map(|(wait, who, first, second)| {
        who.into_iter().zip([(wait, first), (Duration::ZERO, second)]).map(|(i, (wait, act))| (wait, i, act)).collect()
    })
}

pub(crate) fn any_story() -> impl Strategy<Value = Story> {
    let act = prop_oneof![
        12 => any_say(20_000).prop_map(Act::Say),
        1 => any_payload(100).prop_map(Act::Begin),
        1 => any_close(),
        1 => Just(Act::Abort),
    ];
    let acts = (vec((any_wait(), 0..2usize, act), 0..8), any_end()).prop_map(|(acts, end)| [acts, end].concat());
    let limit = || prop_oneof![4 => Just(None), 1 => (0..300usize).prop_map(Some)];
    (any_parties(), [limit(), limit()], [any_link(), any_link()], acts).prop_map(
        |(mut parties, limits, links, acts)| {
            [parties[SERVER].message_limit, parties[CLIENT].message_limit] = limits;
            Story { parties, links, acts }
        },
    )
}

pub(crate) fn any_good_story() -> impl Strategy<Value = Story> {
    let acts = (vec((any_wait(), 0..2usize, any_say(20_000).prop_map(Act::Say)), 0..8), any_end());
    let acts = acts.prop_map(|(acts, end)| [acts, end].concat());
    (any_parties(), [any_good_link(), any_good_link()], acts).prop_map(|(parties, links, acts)| Story {
        parties,
        links,
        acts,
    })
}
