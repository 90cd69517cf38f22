//! Two ends and a link, as a story goes.

use std::collections::VecDeque;
use std::time::Duration;

use ws_proto::{Buf, Outcome, Role, Timestamp, TransportState};

use super::agreement::assert_agreement;
use super::decoding::*;
use super::made_up::*;
use super::stories::*;
use crate::common::*;

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
            end.connection.hooks().set_hold_close(party.holds_close.is_some());
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
                if end.connection.is_open() && !end.connection.hooks().is_close_held() {
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
        if end.connection.hooks().is_close_held() {
            let since = *self.ending[i].get_or_insert(self.now);
            if self.parties[i].holds_close.is_some_and(|time| since + time <= self.now) {
                let event = end.connection.hooks().release_close(self.now).expect("an answer was put off");
                end.seen.push(event.into());
            }
        }
        let transport = end.transport();
        if transport != TransportState::Open && self.finished[i].is_none() {
            self.finished[i] = Some(self.now);
            self.wires[i].put(self.now, Parcel::End);
        }
        if transport == TransportState::Closed && self.gone[i].is_none() {
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
                if end.connection.hooks().is_close_held() {
                    times.extend(self.ending[i].zip(self.parties[i].holds_close).map(|(since, time)| since + time));
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
                assert!(gone <= closed + secs(300), "who closes has let go 5 minutes later");
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
