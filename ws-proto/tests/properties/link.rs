//! Two ends and a link.

use std::collections::VecDeque;
use std::time::Duration;

use crate::common::*;
use crate::decoding::*;
use crate::made_up::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ws_proto::{Buf, Cause, CloseCode, Delivery, Outcome, Role, Timestamp, Transport, Violation};

/// One direction of a link. Bytes stay in order, and are lost only with everything behind them.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) latency: Duration,
    /// In bytes a second.
    pub(crate) rate: u64,
    /// The most bytes that travel as one piece, and that are on their way.
    pub(crate) piece: usize,
    pub(crate) window: usize,
    /// After how many bytes it dies, and how.
    pub(crate) dies: Option<(u64, Death)>,
}

/// How a direction dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Without a sign: what is written after it never arrives, nor does an end.
    Silent,
    /// The reader finds an end of the stream there; the writer finds that it cannot write.
    End,
    /// Both are told that the connection is broken.
    Reset,
}

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
    pub(crate) puts_off: Option<Duration>,
    pub(crate) message_limit: Option<usize>,
}

pub(crate) fn any_parties() -> impl Strategy<Value = [Party; 2]> {
    let puts_off = || proptest::option::of(select(&[0, 1, 900, 5000][..]).prop_map(Duration::from_millis));
    let party = || {
        (any_delivery(), puts_off()).prop_map(|(delivery, puts_off)| Party {
            delivery,
            echoes: false,
            puts_off,
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

pub(crate) const SERVER: usize = 0;
pub(crate) const CLIENT: usize = 1;

/// What travels.
#[derive(Debug)]
pub(crate) enum Parcel {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// A direction and what is on it.
pub(crate) struct Wire {
    pub(crate) link: Link,
    /// When the next piece can be put on it.
    pub(crate) free_at: Timestamp,
    pub(crate) parcels: VecDeque<(Timestamp, Parcel)>,
    pub(crate) carried: u64,
    /// How many bytes are on their way, those lost included: nobody says that they have come.
    pub(crate) on_their_way: usize,
    pub(crate) dead: Option<Death>,
}

impl Wire {
    pub(crate) fn put(&mut self, now: Timestamp, parcel: Parcel) {
        if self.dead.is_none() {
            self.parcels.push_back((self.free_at.max(now) + self.link.latency, parcel));
        }
    }
}

/// The two ends as the story goes.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) parties: [Party; 2],
    pub(crate) ends: [End; 2],
    /// What leads away from each end.
    pub(crate) wires: [Wire; 2],
    /// What each end has sent.
    pub(crate) said: [Vec<Seen>; 2],
    /// Whether each has begun a message that it does not end.
    pub(crate) begun: [bool; 2],
    /// When each has closed, if it has.
    pub(crate) closed: [Option<Timestamp>; 2],
    /// Since when an answer waits for the application.
    pub(crate) ending: [Option<Timestamp>; 2],
    /// When each has said that it will write no more, and when it has let go.
    pub(crate) finished: [Option<Timestamp>; 2],
    pub(crate) gone: [Option<Timestamp>; 2],
}

impl World {
    pub(crate) fn new(story: &Story) -> Self {
        let ends = [SERVER, CLIENT].map(|i| {
            let party = &story.parties[i];
            let config = config(|config| {
                config.delivery = party.delivery;
                config.limits.message = party.message_limit.or(config.limits.message);
            });
            let mut end = end([Role::Server, Role::Client][i], &config);
            end.connection.set_putting_off(party.puts_off.is_some());
            end
        });
        let wires = story.links.clone().map(|link| Wire {
            link,
            free_at: Timestamp::ZERO,
            parcels: VecDeque::new(),
            carried: 0,
            on_their_way: 0,
            dead: None,
        });
        let mut world = Self {
            now: Timestamp::ZERO,
            parties: story.parties.clone(),
            ends,
            wires,
            said: [vec![], vec![]],
            begun: [false; 2],
            closed: [None; 2],
            ending: [None; 2],
            finished: [None; 2],
            gone: [None; 2],
        };
        world.die_if_due(SERVER);
        world.die_if_due(CLIENT);
        world
    }

    /// Tells the story to its end.
    #[track_caller]
    pub(crate) fn run(&mut self, story: &Story) {
        let mut acts = VecDeque::new();
        let mut time = Timestamp::ZERO;
        for (wait, i, act) in &story.acts {
            time = time + *wait;
            acts.push_back((time, *i, act));
        }
        // After the last Close: that it is not answered (10 s), or is never heard of, so that the next ping (20 s) is
        // stuck (30 s) or not answered (20 s) and the end takes its time (10 s); and what is under way until then.
        let transit = |link: &Link| link.latency * 2 + Duration::from_secs(link.window.min(200_000) as u64 / link.rate);
        let slack: Duration = story.links.iter().map(transit).sum();
        let latest = time + secs(100) + slack;

        for round in 0.. {
            assert!(round < 1_000_000, "it never comes to rest");
            self.ends.iter_mut().for_each(|end| end.now = self.now);
            while acts.front().is_some_and(|(time, ..)| *time <= self.now) {
                let Some((_, i, act)) = acts.pop_front() else { break };
                self.act(i, act);
            }
            for i in [SERVER, CLIENT] {
                while self.write(i) || self.deliver(i) {}
                self.settle(i);
            }
            let Some(next) = self.next_time(acts.front().map(|(time, ..)| *time)) else { break };
            self.now = self.now.max(next);
            assert!(self.now <= latest, "still there at {:?}: {:?}", self.now, self.ends.each_ref().map(End::outcome));
        }
    }

    pub(crate) fn act(&mut self, i: usize, act: &Act) {
        let end = &mut self.ends[i];
        match act {
            // It would go on with the message that does not end.
            Act::Say(Say::Fragments(_)) if self.begun[i] => {}
            Act::Say(say) => self.said[i].extend(say.send(end)),
            Act::Begin(payload) => self.begun[i] |= end.connection.send_fragment(payload.message(), false).is_ok(),
            Act::Close { code, reason } => {
                if end.connection.is_open() && !end.connection.is_ending() {
                    self.closed[i] = Some(self.now);
                }
                end.close(*code, reason);
            }
            Act::Abort if end.outcome().is_none() => end.abort(),
            Act::Abort => {}
        }
    }

    /// A piece of what an end wants to write.
    pub(crate) fn write(&mut self, i: usize) -> bool {
        let (end, wire) = (&mut self.ends[i], &mut self.wires[i]);
        let room = wire.link.window.saturating_sub(wire.on_their_way).min(wire.link.piece);
        let ready = wire.free_at <= self.now && room > 0 && end.connection.outgoing().has_remaining();
        if self.gone[i].is_some() || !ready {
            return false;
        }
        if matches!(wire.dead, Some(Death::End | Death::Reset)) {
            end.fail();
            return true;
        }
        assert_eq!(self.finished[i], None, "something follows a half-close");
        let left = wire.link.dies.map_or(u64::MAX, |(after, _)| after.saturating_sub(wire.carried));
        let room = if wire.dead.is_none() { room.min(usize::try_from(left).unwrap_or(usize::MAX)) } else { room };
        let before = end.written.len();
        end.take(room);
        let bytes = end.written[before..].to_vec();
        wire.free_at = self.now + Duration::from_nanos(bytes.len() as u64 * 1_000_000_000 / wire.link.rate);
        wire.on_their_way += bytes.len();
        if wire.dead.is_none() {
            wire.carried += bytes.len() as u64;
            wire.put(self.now, Parcel::Bytes(bytes));
            self.die_if_due(i);
        }
        true
    }

    pub(crate) fn die_if_due(&mut self, i: usize) {
        let wire = &mut self.wires[i];
        let Some((_, death)) = wire.link.dies.filter(|(after, _)| *after <= wire.carried) else { return };
        match death {
            Death::Silent => {}
            Death::End => wire.put(self.now, Parcel::End),
            Death::Reset => {
                wire.put(self.now, Parcel::Reset);
                self.wires[1 - i].put(self.now, Parcel::Reset);
            }
        }
        self.wires[i].dead = Some(death);
    }

    /// What has arrived at an end.
    pub(crate) fn deliver(&mut self, i: usize) -> bool {
        let wire = &mut self.wires[1 - i];
        if wire.parcels.front().is_none_or(|(arrives, _)| *arrives > self.now) {
            return false;
        }
        let Some((_, parcel)) = wire.parcels.pop_front() else { return false };
        if let Parcel::Bytes(bytes) = &parcel {
            wire.on_their_way -= bytes.len();
        }
        let end = &mut self.ends[i];
        match parcel {
            // Nobody is there to read it: its writer is told.
            Parcel::Bytes(_) if self.gone[i].is_some() => self.wires[i].put(self.now, Parcel::Reset),
            _ if self.gone[i].is_some() => {}
            Parcel::Bytes(bytes) => {
                let before = end.seen.len();
                end.read(bytes);
                if self.parties[i].echoes {
                    let echoes: Vec<Seen> = end.seen[before..].to_vec();
                    for event in echoes {
                        let sent = match &event {
                            Seen::Text(text) => end.connection.send_text(text),
                            Seen::Binary(bytes) => end.connection.send_binary(bytes),
                            _ => continue,
                        };
                        self.said[i].extend(sent.is_ok().then_some(event));
                    }
                }
            }
            Parcel::End => end.eof(),
            Parcel::Reset => end.fail(),
        }
        true
    }

    /// Deadlines, the application's answer, and what the protocol asks of the transport.
    #[track_caller]
    pub(crate) fn settle(&mut self, i: usize) {
        let end = &mut self.ends[i];
        if self.gone[i].is_none() && end.deadline().is_some_and(|deadline| deadline <= self.now) {
            end.wake();
        }
        if end.connection.is_ending() {
            let since = *self.ending[i].get_or_insert(self.now);
            if self.parties[i].puts_off.is_some_and(|time| since + time <= self.now) {
                let event = end.connection.conclude(self.now).expect("an answer was put off");
                end.seen.push(event.into());
            }
        }
        let transport = end.transport();
        if transport != Transport::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            self.wires[i].put(self.now, Parcel::End);
        }
        if transport == Transport::Close && self.gone[i].is_none() {
            self.gone[i] = Some(self.now);
        }
    }

    /// When something happens next; `None` when both have let go.
    pub(crate) fn next_time(&mut self, act: Option<Timestamp>) -> Option<Timestamp> {
        if self.gone.iter().all(Option::is_some) {
            return None;
        }
        let mut times: Vec<Timestamp> = act.into_iter().collect();
        for i in [SERVER, CLIENT] {
            let (end, wire) = (&mut self.ends[i], &self.wires[i]);
            times.extend(wire.parcels.front().map(|(arrives, _)| *arrives));
            if self.gone[i].is_none() {
                times.extend(end.deadline());
                let ready = end.connection.outgoing().has_remaining() && wire.on_their_way < wire.link.window;
                times.extend(ready.then_some(wire.free_at));
                if end.connection.is_ending() {
                    times.extend(self.ending[i].zip(self.parties[i].puts_off).map(|(since, time)| since + time));
                }
            }
        }
        Some(times.into_iter().min().expect("who has not let go waits for something"))
    }

    pub(crate) fn outcome(&self, i: usize) -> &Outcome {
        self.ends[i].outcome().expect("it has ended")
    }

    /// What holds at the end of every story.
    #[track_caller]
    pub(crate) fn assert_ended(&mut self) {
        for i in [SERVER, CLIENT] {
            self.ends[i].assert_over();
            if let (Some(closed), Some(gone)) = (self.closed[i], self.gone[i]) {
                assert!(gone <= closed + secs(10), "who closes has let go 10 s later");
            }
            // What arrived is what was sent, in order; and all of it, when the Close behind it arrived.
            let received = messages(&self.ends[i].seen);
            assert!(self.said[1 - i].starts_with(&received), "{i} has received something else");
            if self.outcome(i).received.is_some() {
                assert_eq!(self.said[1 - i].len(), received.len(), "what was sent before a Close comes before it");
            }
        }
        assert_agreement(self.outcome(SERVER), self.outcome(CLIENT));
    }
}

/// "The same outcome on both sides", where a link may die at any byte. The last frame before silence is never known to
/// have arrived, so the two cannot always say the same. What they can, they do:
///
/// 1. Nothing is made up. What one end says it received, the other says it sent: code and reason.
/// 2. Both received a Close frame: they agree. What one sent the other received, both are clean, one is normal if the
///    other is; and somebody closed first, or both did: not both say that the other was it.
/// 3. One received a Close frame: it says what the other said last, if its cause is that. The other was cut off before
///    the answer, or had stopped listening; it says why, and 1006.
/// 4. Neither did: both say why they stopped, and 1006.
///
/// And each outcome is in itself consistent: clean means that both Close frames were there and nobody was at fault;
/// what ended a connection without the peer's Close is never told as a Close by anybody.
#[track_caller]
pub(crate) fn assert_agreement(a: &Outcome, b: &Outcome) {
    let both = format!("{a}\n{b}");
    for (this, other) in [(a, b), (b, a)] {
        if let Some(received) = &this.received {
            assert_eq!(Some(received), other.sent.as_ref(), "1: {both}");
            assert_eq!((this.code(), this.reason()), (received.code, &*received.reason), "{both}");
        } else {
            assert_eq!((this.code(), this.reason()), (CloseCode::ABNORMAL, ""), "3, 4: {both}");
            assert!(!matches!(this.cause, Cause::Local | Cause::Peer), "3, 4: {both}");
            assert!(!this.is_clean() && !this.is_normal(), "3, 4: {both}");
        }
        let by_frames = this.sent.is_some() && this.received.is_some();
        assert_eq!(this.is_clean(), by_frames, "a Close that came was the end, and nothing else: {both}");
        if let Cause::Violation(violation) = this.cause {
            assert!(matches!(violation, Violation::MessageTooBig { .. }), "neither breaks the protocol: {both}");
            assert_eq!(this.received, None, "who is at fault is not listened to: {both}");
        }
        if let Some(sent) = &this.sent {
            assert!(sent.code.may_be_sent() || sent.is_empty(), "{both}");
        }
    }
    if a.received.is_some() && b.received.is_some() {
        assert!(a.is_clean() && b.is_clean(), "2: {both}");
        assert_eq!(a.is_normal(), b.is_normal(), "2: {both}");
        assert!(a.cause == Cause::Local || b.cause == Cause::Local, "2: {both}");
    }
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn over_a_link_that_may_die_both_ends_end_and_agree_as_far_as_they_can(story in any_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn over_a_good_link_both_ends_are_clean_and_say_the_same(story in any_good_story()) {
        let mut world = World::new(&story);
        world.run(&story);
        world.assert_ended();

        let [server, client] = [SERVER, CLIENT].map(|i| world.outcome(i));
        prop_assert!(server.is_clean() && client.is_clean());
        prop_assert!(server.received == client.sent && client.received == server.sent);
        prop_assert!(world.finished[SERVER] <= world.finished[CLIENT], "the server closes first");
        for i in [SERVER, CLIENT] {
            // Who closed said what the story has it say; who did not sent the code back, without the reason.
            let (outcome, other) = (world.outcome(i), world.outcome(1 - i));
            let act = story.acts.iter().find_map(|(_, who, act)| match act {
                Act::Close { code, reason } if *who == i => Some((*code, reason)),
                _ => None,
            });
            let sent = outcome.sent.as_ref().unwrap();
            match (&outcome.cause, act) {
                (Cause::Local, Some((1005, _))) => prop_assert!(sent.is_empty()),
                (Cause::Local, Some((code, reason))) => prop_assert_eq!(sent, &close_frame(code, reason)),
                (Cause::Peer, _) => {
                    prop_assert_eq!((sent.code, &*sent.reason), (other.sent.as_ref().unwrap().code, ""));
                }
                cause => prop_assert!(false, "{cause:?}"),
            }
        }
    }
}
